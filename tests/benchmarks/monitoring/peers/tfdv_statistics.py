"""TFDV's statistics of Parquet files: `python tfdv_statistics.py PATH...`; of two, their drift as well."""

import sys

import pandas as pd
import tensorflow_data_validation as tfdv
from measured import measure
from tensorflow_metadata.proto.v0 import schema_pb2


def work() -> None:
    statistics = [tfdv.generate_statistics_from_dataframe(pd.read_parquet(path)) for path in sys.argv[1:]]
    if len(statistics) == 2:
        schema = tfdv.infer_schema(statistics[0])
        for feature in schema.feature:
            feature.drift_comparator.jensen_shannon_divergence.threshold = 0.1
            if feature.type == schema_pb2.BYTES:
                feature.drift_comparator.infinity_norm.threshold = 0.1
        found = tfdv.validate_statistics(statistics[1], schema, previous_statistics=statistics[0])
        if len(found.drift_skew_info) != len(schema.feature):
            raise SystemExit("TFDV left out a column.")


measure(work)
