"""docs/anomalies.md says what is found; with EIDERDOWN_WRITE_DOCS=1 it is written."""

import re

from tests.conftest import REPOSITORY
from tests.pages import check_page
from tests.planted_faults import FAULTS
from tests.schemas import MACROS
from tests.tfdv_kinds import KINDS, OWN, page


def _tests() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for fault in FAULTS:
        names = found.setdefault(fault.kind, [])
        if fault.feature not in names:
            names.append(fault.feature)
    return {kind: [f"`{kind}-{feature}`" for feature in features] for kind, features in found.items()}


def _kinds_of_the_macros() -> set[str]:
    rules = [*MACROS.column_anomaly_rules(), *MACROS.window_anomaly_rules()]
    rows = MACROS.row_rules(
        "a",
        [
            {"relation": "a", "feature": "b", "is_validated": True, "type": None, "max_share": 0}
            | {"values": ["c"], "pattern": "d", "min": "0", "max": "1"}
        ],
        {"b": "VARCHAR"},
        [{"feature": "b", "expression": "b > 0"}],
        ["b"],
    )
    text = "".join(
        (REPOSITORY / "macros" / "schemas" / f"{name}.sql").read_text()
        for name in ("found_anomalies", "anomalies_of_rows")
    )
    written = set(re.findall(r"'(value_disappeared|drift|skew)'", text))
    return {rule["kind"] for rule in [*rules, *rows]} | written


def test_every_kind_is_listed_and_tested() -> None:
    assert _kinds_of_the_macros() == KINDS.keys() | OWN.keys()
    assert set(_tests()) == KINDS.keys() | OWN.keys()


def test_the_page_is_as_it_would_be_made() -> None:
    check_page("anomalies.md", page(_tests()))
