"""No skew: training, batch, HTTP and SQL see the same values at the same moment. `make skew` does it on all flights."""

from tests.conftest import Project
from tests.skew import MOMENTS, measure


def test_a_release_serves_what_a_dataset_says_of_its_moment(project: Project) -> None:
    found = list(measure(project, rows_per_moment=2200))
    assert [one.moment for one in found] == list(MOMENTS)
    assert sum(one.rows for one in found) >= 10_000
    assert [one.total for one in found] == [0] * len(MOMENTS), found
    # The comparison saw all kinds of rows.
    assert min(one.present for one in found) > 500
    assert min(one.not_found for one in found) > 50
    assert max(one.expired for one in found) > 500
