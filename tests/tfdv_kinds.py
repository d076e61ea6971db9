"""The kinds of anomalies of TensorFlow Data Validation, and what each is here: the source of docs/anomalies.md.

The names: AnomalyInfo.Type of tensorflow_metadata's anomalies.proto; what each means: g3doc/anomalies.md of TFDV.
"""

KINDS = {
    "out_of_domain": ("ENUM_TYPE_UNEXPECTED_STRING_VALUES", "BOOL_TYPE_UNEXPECTED_STRING"),
    "below_range": ("INT_TYPE_SMALL_INT", "FLOAT_TYPE_SMALL_FLOAT", "BOOL_TYPE_SMALL_INT"),
    "above_range": ("INT_TYPE_BIG_INT", "FLOAT_TYPE_BIG_FLOAT", "BOOL_TYPE_BIG_INT"),
    "nan": ("FLOAT_TYPE_HAS_NAN",),
    "infinite": ("FLOAT_TYPE_HAS_INF",),
    "pattern": ("INT_TYPE_NOT_INT_STRING", "FLOAT_TYPE_STRING_NOT_FLOAT"),
    "missing_column": ("SCHEMA_MISSING_COLUMN", "COMPARATOR_CONTROL_DATA_MISSING"),
    "new_column": ("SCHEMA_NEW_COLUMN",),
    "wrong_type": ("UNEXPECTED_DATA_TYPE", "VALUE_NESTEDNESS_MISMATCH"),
    "null_in_required": ("INVALID_FEATURE_SHAPE",),
    "never_present": ("FEATURE_TYPE_NOT_PRESENT",),
    "low_fraction_present": ("FEATURE_TYPE_LOW_FRACTION_PRESENT",),
    "low_count_present": ("FEATURE_TYPE_LOW_NUMBER_PRESENT",),
    "short_list": ("FEATURE_TYPE_LOW_NUMBER_VALUES",),
    "long_list": ("FEATURE_TYPE_HIGH_NUMBER_VALUES",),
    "few_distinct": ("FEATURE_TYPE_LOW_UNIQUE",),
    "many_distinct": ("FEATURE_TYPE_HIGH_UNIQUE",),
    "few_rows": ("DATASET_LOW_NUM_EXAMPLES",),
    "many_rows": ("DATASET_HIGH_NUM_EXAMPLES",),
    "low_row_ratio": ("COMPARATOR_LOW_NUM_EXAMPLES",),
    "high_row_ratio": ("COMPARATOR_HIGH_NUM_EXAMPLES",),
    "drift": (
        "COMPARATOR_L_INFTY_HIGH",
        "COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH",
        "COMPARATOR_NORMALIZED_ABSOLUTE_DIFFERENCE_HIGH",
    ),
    "skew": ("COMPARATOR_L_INFTY_HIGH", "COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH"),
    "check": ("CUSTOM_VALIDATION",),
}
"""Our kind, and the kinds of TFDV that it stands for."""

OWN = {
    "no_rows": "A feed that stopped; TFDV says `data_missing`, which is no anomaly.",
    "future_rows": "Rows whose time lies after the clock.",
    "duplicate_key": "The primary key repeats.",
    "constant": "One value where there were several.",
    "unit_change": "Every quantile times one factor, and the factor is that of two units.",
    "scale_change": "The same by a factor that is none of two units, below 0.5 or above 2.",
    "value_disappeared": "A value of the domain, or of a short list of values, comes no more.",
    "deprecated_used": "A column whose lifecycle is deprecated still has values.",
}
"""Our kinds that TFDV has not."""

REFUSED = (
    "DOMAIN_INVALID_FOR_TYPE",
    "FEATURE_MISSING_NAME",
    "FEATURE_MISSING_TYPE",
    "INVALID_SCHEMA_SPECIFICATION",
    "INVALID_DOMAIN_SPECIFICATION",
    "BOOL_TYPE_INVALID_CONFIG",
    "FEATURE_TYPE_NO_UNIQUE",
)
"""Mistakes of the schema itself: no anomaly of data, but an error before anything is built (test_schema_declaration.py)."""

NO_MEANING = {
    "A boolean is a type here, and 0 and 1 in floats are a range.": ("BOOL_TYPE_UNEXPECTED_FLOAT",),
    "DuckDB refuses such text when it is read.": ("ENUM_TYPE_INVALID_UTF8",),
    "An encoding of TensorFlow's examples; a table has lists and structs.": (
        "SPARSE_FEATURE_MISSING_VALUE",
        "SPARSE_FEATURE_MISSING_INDEX",
        "SPARSE_FEATURE_LENGTH_MISMATCH",
        "SPARSE_FEATURE_NAME_COLLISION",
        "WEIGHTED_FEATURE_NAME_COLLISION",
        "WEIGHTED_FEATURE_MISSING_VALUE",
        "WEIGHTED_FEATURE_MISSING_WEIGHT",
        "WEIGHTED_FEATURE_LENGTH_MISMATCH",
        "DERIVED_FEATURE_BAD_LIFECYCLE",
        "DERIVED_FEATURE_INVALID_SOURCE",
    ),
    "Images and token sequences are no columns yet.": (
        "LOW_SUPPORTED_IMAGE_FRACTION",
        "MAX_IMAGE_BYTE_SIZE_EXCEEDED",
        "SEQUENCE_VALUE_TOO_FEW_OCCURRENCES",
        "SEQUENCE_VALUE_TOO_MANY_OCCURRENCES",
        "SEQUENCE_VALUE_TOO_SMALL_FRACTION",
        "SEQUENCE_VALUE_TOO_LARGE_FRACTION",
        "FEATURE_COVERAGE_TOO_LOW",
        "FEATURE_COVERAGE_TOO_SHORT_AVG_TOKEN_LENGTH",
    ),
    "A proposal or a summary, no fault of the data.": ("SEMANTIC_DOMAIN_UPDATE", "MULTIPLE_REASONS"),
    "A relation that is not profiled is not monitored.": ("STATS_NOT_AVAILABLE",),
}
"""Kinds that TFDV detects and that have no meaning here, by the reason."""


def page(tests: dict[str, list[str]]) -> str:
    """docs/anomalies.md. tests: the ids of the tests of each of our kinds."""
    lines = [
        "# Anomalies",
        "",
        "What `monitoring.anomalies` finds, beside the kinds of TensorFlow Data Validation that it stands for. Made by",
        "`tests/unit/test_anomalies_page.py`, which fails where page, macros and tests differ. Names that TFDV never",
        "detects, as its own reference says, are left out.",
        "",
        "| kind | TFDV | test (`tests/unit/test_anomalies.py`) |",
        "| --- | --- | --- |",
    ]
    for kind, theirs in KINDS.items():
        lines.append(f"| `{kind}` | {', '.join(f'`{name}`' for name in theirs)} | {', '.join(tests[kind])} |")
    lines += ["", "Of our own:", "", "| kind | what it is | test |", "| --- | --- | --- |"]
    lines += [f"| `{kind}` | {meaning} | {', '.join(tests[kind])} |" for kind, meaning in OWN.items()]
    lines += [
        "",
        "Refused before anything is built, with the place and the remedy (`tests/unit/test_schema_declaration.py`): "
        + ", ".join(f"`{name}`" for name in REFUSED)
        + ".",
        "",
        "| without a meaning here | why |",
        "| --- | --- |",
    ]
    lines += [f"| {', '.join(f'`{name}`' for name in names)} | {why} |" for why, names in NO_MEANING.items()]
    return "\n".join(lines) + "\n"
