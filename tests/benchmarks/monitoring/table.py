"""The table that is profiled: 14 columns of numbers and 6 of categories, reference and current, as Parquet."""

from pathlib import Path

import duckdb

CATEGORIES = {"two": 2, "few": 5, "dozen": 12, "hundred": 100, "three_hundred": 300, "thousands": 5000}
"""How many values each has."""


def columns(seed: int, is_moved: bool) -> dict[str, tuple[str, str]]:
    """{name: (SQL type, expression over row_id)}. Every value is a hash of row, column and seed.

    is_moved: every second column is another than without.
    """

    def uniform(place: int) -> str:
        return f"((hash(row_id, {place}, {seed}) // 2048 + 0.5) / pow(2, 53))"

    def normal(place: int) -> str:
        """Box and Muller's transformation."""
        return f"(sqrt(-2 * ln({uniform(place)})) * cos(2 * pi() * {uniform(place + 100)}))"

    numbers = {
        **{f"normal_{place}": normal(place) for place in range(4)},
        **{f"skewed_{place}": f"exp({normal(place)})" for place in range(4, 7)},
        **{f"uniform_{place}": f"1000 * {uniform(place)}" for place in range(7, 9)},
        **{f"tied_{place}": f"round({normal(place)} * 10) / 2" for place in range(9, 11)},
        "mostly_zero": f"if({uniform(11)} < 0.7, 0, -ln({uniform(111)}))",
        "missing": f"if({uniform(12)} < 0.2, null, {normal(112)})",
    }
    found = {
        name: ("DOUBLE", f"{expression} * 1.1 + 0.1" if is_moved and place % 2 else expression)
        for place, (name, expression) in enumerate(numbers.items())
    }
    found["whole"] = ("BIGINT", f"cast(floor({uniform(13)} * {550 if is_moved else 500}) as bigint)")
    for place, (name, values) in enumerate(CATEGORIES.items()):
        power = 2 * (1.1 if is_moved and place % 2 else 1)
        found[name] = ("VARCHAR", f"'v' || cast(floor(pow({uniform(50 + place)}, {power}) * {values}) as bigint)")
    return found


TYPES = {name: kind for name, (kind, _) in columns(0, False).items()}


def select(rows: int, seed: int, is_moved: bool = False) -> str:
    """The statement that makes the rows."""
    made = ", ".join(f"{expression} as {name}" for name, (_, expression) in columns(seed, is_moved).items())
    return f"select {made} from range({rows}) as given (row_id)"


def write(folder: Path, rows: int) -> tuple[Path, Path]:
    """`reference.parquet` and `current.parquet` in a folder."""
    paths = folder / "reference.parquet", folder / "current.parquet"
    with duckdb.connect() as connection:
        for is_current, path in enumerate(paths):
            connection.execute(f"copy ({select(rows, is_current, bool(is_current))}) to '{path}' (format parquet)")
    return paths
