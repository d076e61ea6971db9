"""A schema of what was found in a relation: domains, presence and sizes of lists, to be watched and not enforced."""

import math
from decimal import Decimal
from typing import Any

from ml.contracts.inference import MIN_ROWS, Column, Contract, bounds


def watch(model: dict[str, Any], found: Contract) -> None:
    """Put `config.meta` in the place of the checks of a proposed contract's columns, as TFDV infers a schema from statistics.

    model: the entry of `found` under `models:`, changed in place. A domain has at most 100 values, each of them twenty times on
    the average; a range is rounded outward; a column that is sometimes null has a presence rounded down to a tenth.
    """
    for entry, column in zip(model["columns"], found.columns, strict=True):
        kept = [rule for rule in entry.pop("constraints", []) if rule["type"] != "check"]
        if kept:
            entry["constraints"] = kept
        if found.row_count >= MIN_ROWS and (meta := _meta(column, found.row_count)):
            entry["config"] = {"meta": meta}


def _meta(column: Column, row_count: int) -> dict[str, Any]:
    meta: dict[str, Any] = {}
    if column.values:
        meta["domain"] = {"values": column.values}
    elif column.is_number and column.checks:
        # A range whose check was dropped did not hold.
        low, high = bounds(column)
        meta["domain"] = {"min": _plain(low)} | ({} if high is None else {"max": _plain(high)})
        if column.has_special:
            meta["domain"] |= {"nan": True, "infinite": True}
    if column.type.endswith("]") and column.least is not None:
        meta["valency"] = {"min": column.least, "max": column.greatest}
    share = (row_count - column.null_count) / row_count
    if 0.1 <= share < 1:
        meta["presence"] = {"min_fraction": math.floor(share * 10) / 10}
    return meta


def _plain(number: Decimal) -> int | float:
    return int(number) if number == number.to_integral_value() and number.adjusted() <= 18 else float(number)
