"""Each planted fault is found or not, in its windows and where it is, and nothing else is: docs/faults.md."""

import pytest

from tests.conftest import Project
from tests.functional.faults.findings import BEYOND, Finding, find, page
from tests.functional.faults.planted import FAULTS
from tests.functional.faults.project import make_project, relation_of
from tests.functional.faults.served import SERVED, TORN
from tests.pages import check_page

# The tables that read relations, of which one statement plans slowly where it reads many.
READERS = ("clock", "feature_statistics", "value_checks", "drift")
BATCH = 8


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = make_project(tmp_path_factory.mktemp("faults"))
    project.dbt("deps")
    for first in range(0, len(FAULTS), BATCH):
        project.dbt("run", "-s", *READERS, *(relation_of(fault) for fault in FAULTS[first : first + BATCH]))
    project.dbt("run", "--exclude", "path:models/orders")
    return project


@pytest.fixture(scope="module")
def findings(shop: Project) -> list[Finding]:
    return find(shop)


def test_what_must_be_found_is_found(findings: list[Finding]) -> None:
    assert [finding.fault for finding in findings] == [*FAULTS, *SERVED.values(), TORN]
    missed = {one.fault.name: one.fault.found_by - one.methods for one in findings if one.fault.found_by - one.methods}
    assert missed == {}
    assert [one.fault.name for one in findings if bool(one.windows) != bool(one.rules)] == []
    unfound = [one.fault.name for one in findings if not one.windows and one.fault.features]
    assert unfound == [one.fault.name for one in findings if one.fault.reason]


def test_where_there_is_no_fault_nothing_alarms(shop: Project, findings: list[Finding]) -> None:
    assert [one.fault.name for one in findings if one.false_alarms or one.false_alerts] == []
    [(beyond, judged)] = shop.query(BEYOND)
    assert judged > 100
    assert beyond <= 0.05 * judged


def test_the_page_is_as_it_would_be_made(shop: Project, findings: list[Finding]) -> None:
    check_page("faults.md", page(findings, shop.query(BEYOND)[0]))
