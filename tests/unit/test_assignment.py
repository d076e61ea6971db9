"""Who gets which arm: the same in SQL, in the shares that are declared, and for as long as an arm's share does not shrink."""

from collections import Counter
from itertools import pairwise

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from ml.experiments.assignment import Draw, bucket

UNITS = [f'["N{number}"]' for number in range(20_000)]
FINGERPRINTS = st.text("0123456789abcdef", min_size=16, max_size=16)


@settings(max_examples=20)
@given(FINGERPRINTS, st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"))), st.data())
def test_sql_assigns_the_same(fingerprint: str, units: list[str], data: st.DataObject) -> None:
    shares = data.draw(st.lists(st.floats(0, 1), min_size=2, max_size=5).filter(lambda found: sum(found) > 0))
    weights = {f"arm{place}": share / sum(shares) for place, share in enumerate(shares)}
    draw = Draw(weights)
    up_to, bounds = 0.0, []
    for arm in list(weights)[1:]:
        up_to += weights[arm]
        bounds.append(f"when b < {up_to!r}::double then '{arm}'")
    units = [*units, '["N1"]', ""]
    with duckdb.connect() as connection:
        found = connection.execute(
            f"""
            select b, case {" ".join(bounds)} else 'arm0' end
            from (
                select ('0x' || left(md5($fingerprint || ':' || unit), 16))::ubigint / 2^64 as b, place
                from (select unnest($units) as unit, generate_subscripts($units, 1) as place)
            )
            order by place
            """,
            {"fingerprint": fingerprint, "units": units},
        ).fetchall()
    assert found == [(bucket(fingerprint, unit), draw(bucket(fingerprint, unit))) for unit in units]


@pytest.mark.parametrize("weights", [{"control": 0.9, "b": 0.1}, {"control": 0.2, "b": 0.5, "c": 0.3}])
def test_shares_are_the_weights(weights: dict[str, float]) -> None:
    draw = Draw(weights)
    counts = Counter(draw(bucket("00c0ffee00c0ffee", unit)) for unit in UNITS)
    expected = [weights[arm] * len(UNITS) for arm in weights]
    assert chisquare([counts[arm] for arm in weights], expected).pvalue > 1e-4


def test_who_has_the_canary_keeps_it_as_it_widens() -> None:
    steps = [0.0, 0.01, 0.05, 0.25, 0.5, 1.0]
    has = [
        {unit for unit in UNITS if Draw({"control": 1 - share, "canary": share})(bucket("f", unit)) == "canary"}
        for share in steps
    ]
    assert has[0] == set()
    assert all(before < after for before, after in pairwise(has))
    assert has[-1] == set(UNITS)


def test_an_arm_without_weight_has_none() -> None:
    for weights in ({"control": 1.0, "b": 0.0, "c": 0.0}, {"control": 0.0, "b": 1.0, "c": 0.0}):
        (only,) = (arm for arm, weight in weights.items() if weight)
        assert {Draw(weights)(bucket("f", unit)) for unit in UNITS} == {only}
        assert {Draw(weights)(at) for at in (0.0, 0.5, 1 - 2**-53)} == {only}


def test_experiments_assign_independently() -> None:
    draw = Draw({"control": 0.5, "b": 0.5})
    both = Counter((draw(bucket("one", unit)), draw(bucket("other", unit))) for unit in UNITS)
    # Four cells, alike but for chance.
    assert chisquare([both[first, second] for first in draw.weights for second in draw.weights]).pvalue > 1e-4
