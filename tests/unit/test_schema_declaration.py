"""What is written wrong in a schema is refused before anything is built, with the place and the remedy."""

from typing import Any

import pytest

from tests.schemas import declared


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ({"meta": {"domian": ["a"]}}, "column state: config.meta has the unknown field 'domian'. Did you mean 'domain'?"),
        ({"meta": {"domain": {"valeus": ["a"]}}}, "domain has the unknown field 'valeus'. Did you mean 'values'?"),
        ({"meta": {"domain": ["a", "b", "a"]}}, "config.meta.domain.values has 'a' twice"),
        ({"meta": {"domain": []}}, "config.meta.domain.values must be a list of values"),
        ({"meta": {"domain": [True, "no"]}}, "YAML reads True as no text; put it in quotes"),
        ({"meta": {"domain": list(map(str, range(101)))}}, "has 101 values; at most 100 are watched"),
        ({"meta": {"domain": {"values": ["a"], "pattern": "a"}}}, "has both values and pattern"),
        ({"meta": {"domain": {"pattern": "("}}}, "is no regular expression (RE2)"),
        ({"meta": {"domain": {"values": ["a"], "max_share": 2}}}, "domain.max_share is '2'; it must be a number"),
        ({"meta": {"domain": {"min": 0}}}, "the column is VARCHAR; a range is of numbers or times"),
        ({"type": "double", "meta": {"domain": [1.5]}}, "the column is DOUBLE; use min and max"),
        ({"type": "double", "meta": {"domain": {"min": 2, "max": 1}}}, "domain.min is 2, above max, 1; exchange them"),
        ({"type": "double", "meta": {"domain": {"pattern": "a"}}}, "is of texts, and the column is DOUBLE"),
        ({"type": "double", "meta": {"domain": {"min": 0, "nan": "no"}}}, "domain.nan is 'no'; it must be true or false"),
        ({"type": "date", "meta": {"domain": {"min": 7}}}, "it must be a time, such as 2013-01-31"),
        ({"meta": {"presence": {"min_fraction": 1.1}}}, "presence.min_fraction is '1.1'; it must be a number of"),
        ({"meta": {"valency": {"min": 1}}}, "valency is of lists, and the column is VARCHAR"),
        ({"type": "bigint[]", "meta": {"valency": {"min": 3, "max": 1}}}, "valency.min is 3, above max, 1"),
        ({"meta": {"distinct": {"max": -1}}}, "distinct.max is '-1'; it must be a number of at least 0"),
        ({"meta": {"lifecycle": "beta"}}, "lifecycle is 'beta'; it must be one of production"),
        ({"meta": {"environments": {"in": ["serve"]}}}, "environments.in is 'serve'; it must be one of training"),
        ({"meta": {"environments": {"in": ["training"], "not_in": ["serving"]}}}, "has both 'in' and 'not_in'; keep one"),
        ({"meta": {"drift": {"psi": "much"}}}, "drift.psi is 'much'; it must be a number"),
        ({"type": "varchr", "meta": {}}, "varchr is no type"),
    ],
)  # fmt: skip
def test_a_mistake_of_a_column_is_named(column: dict[str, Any], said: str) -> None:
    problems = declared({"state": {"type": "varchar"} | column})["problems"]
    assert len(problems) == 1 and problems[0].startswith("model orders, column state: config.meta")
    assert said in problems[0]


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"min_row": 1}, "config.meta.schema has the unknown field 'min_row'. Did you mean 'min_rows'?"),
        ({"min_rows": 3, "max_rows": 1}, "config.meta.schema.min_rows is 3, above max_rows, 1"),
        ({"min_ratio": -1}, "config.meta.schema.min_ratio is '-1'; it must be a number of at least 0"),
    ],
)
def test_a_mistake_of_a_model_is_named(schema: dict[str, Any], said: str) -> None:
    problems = declared({}, schema)["problems"]
    assert len(problems) == 1 and problems[0].startswith("model orders: ") and said in problems[0]


def test_other_peoples_meta_is_left_alone() -> None:
    assert not declared({"state": {"type": "varchar", "meta": {"owner": "me", "contains_pii": True}}})["problems"]


@pytest.mark.parametrize(
    ("meta", "schema", "environment", "is_validated"),
    [
        ({}, None, "serving", True),
        ({"environments": {"in": ["training"]}}, None, "serving", False),
        ({"environments": {"in": ["training"]}}, None, "training", True),
        ({"environments": {"not_in": ["serving"]}}, None, "serving", False),
        ({}, {"environments": {"in": ["training"]}}, "serving", False),
        ({"environments": {"in": ["serving"]}}, {"environments": {"in": ["training"]}}, "serving", True),
        ({"lifecycle": "experimental"}, None, "training", True),
        ({"lifecycle": "planned"}, None, "training", False),
        ({"lifecycle": "debug"}, None, "training", False),
        ({"lifecycle": "deprecated"}, None, "training", False),
    ],
)
def test_environment_and_lifecycle_say_what_is_validated(
    meta: dict[str, Any], schema: dict[str, Any] | None, environment: str, is_validated: bool
) -> None:
    answer = declared({"state": {"type": "varchar", "meta": meta}}, schema, environment)
    assert not answer["problems"]
    assert answer["columns"][0]["is_validated"] is is_validated
