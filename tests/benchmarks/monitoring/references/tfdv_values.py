"""Writes tfdv.json: TFDV's distances of the columns of columns.csv, and the anomalies that it names for made-up faults.

python tfdv_values.py FOLDER     (tensorflow-data-validation 1.16.1)
"""

import json
import sys
from pathlib import Path

import pandas as pd
import tensorflow_data_validation as tfdv
from faults import FAULTS, base, schema_of
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

TYPE, SEVERITY = anomalies_pb2.AnomalyInfo.Type, anomalies_pb2.AnomalyInfo.Severity


def distances(folder: Path) -> dict:
    """By column: L-infinity and normalised absolute difference of categories, Jensen-Shannon divergence of all."""
    table = pd.read_csv(folder / "columns.csv", keep_default_na=False, na_values=[""])
    sides = {side: table[table.side == side].drop(columns="side").reset_index(drop=True) for side in set(table.side)}
    statistics = {side: tfdv.generate_statistics_from_dataframe(rows) for side, rows in sides.items()}
    schema = tfdv.infer_schema(statistics["reference"])
    for feature in schema.feature:
        comparator = feature.drift_comparator
        comparator.jensen_shannon_divergence.threshold = 0
        if feature.type == schema_pb2.BYTES:
            comparator.infinity_norm.threshold = comparator.normalized_abs_difference.threshold = 0
    anomalies = tfdv.validate_statistics(statistics["current"], schema, previous_statistics=statistics["reference"])
    found: dict[str, dict] = {}
    for info in anomalies.drift_skew_info:
        measured = {m.Type.Name(m.type).lower(): m.value for m in info.drift_measurements}
        found[info.path.step[0]] = measured
    for side, one in statistics.items():
        for feature in one.datasets[0].features:
            for histogram in feature.num_stats.histograms:
                if histogram.type == statistics_pb2.Histogram.STANDARD:
                    found[feature.path.step[0]].setdefault("histograms", {})[side] = {
                        "edges": [histogram.buckets[0].low_value, *(bucket.high_value for bucket in histogram.buckets)],
                        "rows": [bucket.sample_count for bucket in histogram.buckets],
                        "nan": histogram.num_nan,
                    }
    return found


def anomalies_of(fault: str) -> list[dict]:
    """What TFDV says of a fault: column, kind and severity."""
    rows, before, schema = base(), base(), schema_of(tfdv.generate_statistics_from_dataframe(base()))
    changed = FAULTS[fault](rows, schema)
    rows, how = changed if isinstance(changed, tuple) else (changed, "")
    options = {"environment": "SERVING"} if how == "serving" else {}
    if how in ("drift", "skew"):
        options = {{"drift": "previous_statistics", "skew": "serving_statistics"}[how]: before}
        options = {name: tfdv.generate_statistics_from_dataframe(one) for name, one in options.items()}
    statistics = tfdv.generate_statistics_from_dataframe(rows)
    try:
        said = tfdv.validate_statistics(statistics, schema, **options)
    except ValueError as error:
        return [{"column": None, "kind": "refused", "severity": str(error)[:120]}]
    if said.data_missing:
        return [{"column": None, "kind": "data_missing", "severity": "a field of its own"}]
    infos = [*said.anomaly_info.items(), (None, said.dataset_anomaly_info)]
    return [
        {"column": column, "kind": TYPE.Name(reason.type), "severity": SEVERITY.Name(info.severity).lower()}
        for column, info in infos
        for reason in info.reason
    ]


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    written = {
        "header": f"TFDV {tfdv.__version__}, by tests/benchmarks/monitoring/references/tfdv_values.py. columns: l_infty and "
        "normalized_absolute_difference over values, jensen_shannon_divergence in log2, of numbers by TFDV's own histograms "
        "(from a sketch, so near to exact counts). faults: what validate_statistics names for each of faults.py.",
        "columns": distances(folder),
        "schema": text_format.MessageToString(schema_of(tfdv.generate_statistics_from_dataframe(base()))).splitlines(),
        "faults": {fault: anomalies_of(fault) for fault in FAULTS},
    }
    (folder / "tfdv.json").write_text(json.dumps(written, indent=1) + "\n")
