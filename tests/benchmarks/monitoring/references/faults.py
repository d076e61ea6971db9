"""Faults of a table, made up one by one; each says how its rows or its schema are changed. Read by tfdv_values.py."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import schema_pb2

ROWS = 300


def base() -> pd.DataFrame:
    """The table without a fault."""
    draw = np.random.default_rng(11)
    return pd.DataFrame(
        {
            "whole": draw.integers(0, 100, ROWS),
            "ratio": draw.random(ROWS),
            "flag": draw.integers(0, 2, ROWS),
            "answer": draw.choice(["yes", "no"], ROWS),
            "category": draw.choice(["a", "b", "c"], ROWS, p=[0.5, 0.3, 0.2]),
            "number_text": [str(one) for one in draw.integers(0, 100, ROWS)],
            "ratio_text": [f"{one:.3f}" for one in draw.random(ROWS)],
            "tags": [["x", "y"][: 1 + one % 2] for one in range(ROWS)],
            "label": draw.integers(0, 2, ROWS),
        }
    )


def schema_of(statistics: Any) -> schema_pb2.Schema:
    """The inferred schema, with the domains and limits that the faults break."""
    schema = tfdv.infer_schema(statistics)
    schema.default_environment.extend(["TRAINING", "SERVING"])
    schema.dataset_constraints.min_examples_count = 100
    schema.dataset_constraints.max_examples_count = 1000
    one = {feature.name: feature for feature in schema.feature}
    one["whole"].int_domain.min, one["whole"].int_domain.max = 0, 99
    domain = one["ratio"].float_domain
    domain.min, domain.max, domain.disallow_nan, domain.disallow_inf = 0, 1, True, True
    one["flag"].bool_domain.SetInParent()
    one["answer"].bool_domain.true_value, one["answer"].bool_domain.false_value = "yes", "no"
    one["number_text"].int_domain.min, one["number_text"].int_domain.max = 0, 99
    one["ratio_text"].float_domain.min, one["ratio_text"].float_domain.max = 0, 1
    one["category"].unique_constraints.min, one["category"].unique_constraints.max = 2, 3
    one["tags"].value_count.min, one["tags"].value_count.max = 1, 2
    one["label"].not_in_environment.append("SERVING")
    return schema


def feature(schema: schema_pb2.Schema, name: str) -> schema_pb2.Feature:
    return tfdv.get_feature(schema, name)


def with_value(column: str, value: Any, rows: int = 1) -> Callable:
    """A fault that puts a value into the first rows of a column."""

    def fault(table: pd.DataFrame, schema: schema_pb2.Schema) -> pd.DataFrame:
        del schema
        return table.assign(**{column: [value] * rows + table[column].tolist()[rows:]})

    return fault


def with_column(column: str, make: Callable[[pd.DataFrame], Any]) -> Callable:
    """A fault that replaces or adds a column."""
    return lambda table, _schema: table.assign(**{column: make(table)})


def with_schema(change: Callable[[schema_pb2.Schema], Any]) -> Callable:
    """A fault of the schema, on rows without a fault."""

    def fault(table: pd.DataFrame, schema: schema_pb2.Schema) -> pd.DataFrame:
        change(schema)
        return table

    return fault


def compared(how: str, column: str, distance: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable:
    """A fault that shows beside the table of before: a comparator with a threshold of 0.1."""

    def fault(table: pd.DataFrame, schema: schema_pb2.Schema) -> tuple[pd.DataFrame, str]:
        getattr(getattr(feature(schema, column), f"{how}_comparator"), distance).threshold = 0.1
        return change(table), how

    return fault


def examples(field: str, threshold: float, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable:
    """A fault of the number of rows beside the table of before."""

    def fault(table: pd.DataFrame, schema: schema_pb2.Schema) -> tuple[pd.DataFrame, str]:
        setattr(schema.dataset_constraints.num_examples_drift_comparator, field, threshold)
        return change(table), "drift"

    return fault


def more_of_a(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(category=["a"] * 150 + table.category.tolist()[150:])


FAULTS: dict[str, Callable] = {
    "none": lambda table, _schema: table,
    "column_gone": lambda table, _schema: table.drop(columns="whole"),
    "column_new": with_column("extra", lambda table: table.whole),
    "label_gone_in_training": lambda table, _schema: table.drop(columns="label"),
    "label_gone_in_serving": lambda table, _schema: (table.drop(columns="label"), "serving"),
    "all_missing": with_column("ratio", lambda _table: pd.Series([None] * ROWS, dtype="float64")),
    "all_missing_category": with_column("category", lambda _table: [None] * ROWS),
    "some_missing": with_value("category", None, 30),
    "few_present": with_schema(lambda schema: setattr(feature(schema, "whole").presence, "min_count", 301)),
    "text_for_whole": with_column("whole", lambda table: [f"n{one}" for one in table.whole]),
    "float_for_whole": with_column("whole", lambda table: table.whole + 0.5),
    "whole_for_text": with_column("category", lambda table: table.whole),
    "whole_too_big": with_value("whole", 100),
    "whole_too_small": with_value("whole", -1),
    "ratio_too_big": with_value("ratio", 1.5),
    "ratio_too_small": with_value("ratio", -0.5),
    # pandas takes NaN in a column of numbers for missing; in lists of one it is a number.
    "nan": with_column("ratio", lambda table: [[float("nan")], *([one] for one in table.ratio[1:])]),
    "infinity": with_value("ratio", float("inf")),
    "flag_two": with_value("flag", 2),
    "flag_minus_one": with_value("flag", -1),
    "flag_half": with_column("flag", lambda table: table.flag + 0.5),
    "answer_unknown": with_value("answer", "maybe"),
    "value_new": with_value("category", "d"),
    "value_new_within_mass": lambda table, schema: (
        setattr(feature(schema, "category").distribution_constraints, "min_domain_mass", 0.9)
        or with_value("category", "d")(table, schema)
    ),
    "value_other_case": with_value("category", "A"),
    "few_distinct": with_column("category", lambda _table: "a"),
    "number_text_not_a_number": with_value("number_text", "many"),
    "number_text_too_big": with_value("number_text", "1000"),
    "ratio_text_not_a_number": with_value("ratio_text", "much"),
    "ratio_text_too_small": with_value("ratio_text", "-1"),
    "list_too_long": with_value("tags", ["x", "y", "z"]),
    "list_empty": with_value("tags", []),
    "list_nested": with_column("tags", lambda table: [[one] for one in table.tags]),
    "not_utf8": with_value("category", b"\xff\xfe"),
    "few_rows": lambda table, _schema: table.head(99),
    "no_rows": lambda table, _schema: table.head(0),
    "many_rows": lambda table, _schema: pd.concat([table] * 4, ignore_index=True),
    "rows_halved": examples("min_fraction_threshold", 0.75, lambda table: table.head(150)),
    "rows_doubled": examples("max_fraction_threshold", 1.5, lambda table: pd.concat([table] * 2, ignore_index=True)),
    "drift_of_categories": compared("drift", "category", "infinity_norm", more_of_a),
    "drift_of_volume": compared("drift", "category", "normalized_abs_difference", lambda table: table.head(150)),
    "drift_of_numbers": compared(
        "drift", "ratio", "jensen_shannon_divergence", lambda table: table.assign(ratio=table.ratio**4)
    ),
    "skew_of_categories": compared("skew", "category", "infinity_norm", more_of_a),
    "drift_of_missing_alone": compared(
        "drift",
        "ratio",
        "jensen_shannon_divergence",
        lambda table: table.assign(ratio=table.ratio.where(table.index > 99)),
    ),
    "unit_changed": with_column("ratio", lambda table: table.ratio * 1.609),
    "deprecated_column_broken": lambda table, schema: (
        setattr(feature(schema, "whole"), "lifecycle_stage", schema_pb2.DEPRECATED)
        or with_value("whole", 1000)(table, schema)
    ),
    "planned_column_gone": lambda table, schema: (
        setattr(feature(schema, "whole"), "lifecycle_stage", schema_pb2.PLANNED) or table.drop(columns="whole")
    ),
    "schema_fraction_above_one": with_schema(
        lambda schema: setattr(feature(schema, "whole").presence, "min_fraction", 2)
    ),
    "schema_domain_of_another_type": with_schema(lambda schema: setattr(feature(schema, "ratio").int_domain, "min", 0)),
    "schema_valency_upside_down": with_schema(lambda schema: setattr(feature(schema, "tags").value_count, "min", 3)),
    "schema_unknown_domain": with_schema(lambda schema: setattr(feature(schema, "category"), "domain", "nowhere")),
    "schema_distinct_of_numbers": with_schema(
        lambda schema: setattr(feature(schema, "ratio").unique_constraints, "max", 5)
    ),
}
"""Each takes the table and its schema, which it may change, and gives the table, or the table and how it is compared."""
