"""What `eiderdown models show` and `compare` print."""

from typing import Any

from eiderdown.output import console, print_records, print_rows
from ml.registry.model_diff import MetricChange, ModelDiff
from ml.registry.reports import Row

_MOST_IMPORTANT = 15
"""Features that are printed; all are in the JSON."""


def print_summary(row: Row) -> None:
    """A version in two lines."""
    aliases = f" ({', '.join(row['aliases'])})" if row["aliases"] else ""
    value = "not measured" if row["value"] is None else f"{row['metric']} on {row['split']} {row['value']:.4f}"
    _line(
        f"{row['model']}@{row['version']}{aliases}: {value}; {row['estimator']} on {row['features']} features of "
        f"{row['dataset']} version {row['dataset_version']}, {row['created_at']:%Y-%m-%d %H:%M}"
    )
    _line(f"  {row['reason']}")


def print_version(described: Row) -> None:
    """A version, from ml.registry.reports.describe."""
    _line(
        f"{described['model']} version {described['version']}: {described['task']}, {described['estimator']}, "
        f"{described['created_at']:%Y-%m-%d %H:%M}"
    )
    _line(f"  reason      {described['reason']}")
    for alias in described["aliases"]:
        until = f" until {alias['until']:%Y-%m-%d %H:%M}" if alias["until"] else ""
        _line(f"  {alias['alias']:<11} since {alias['since']:%Y-%m-%d %H:%M}{until}: {alias['reason']}")
    if described["notes"]:
        tags = " ".join(f"#{tag}" for tag in described["notes"]["tags"] or [])
        _line(f"  note        {described['notes']['description'] or ''} {tags}")
    counts = ", ".join(f"{split} {count:,}" for split, count in described["row_counts"].items())
    _line(f"  data        {described['dataset']} version {described['dataset_version']}: {counts}")
    if described["label_sources"]:
        sources = ", ".join(f"{source} {count:,}" for source, count in described["label_sources"].items())
        _line(f"  labels      {sources}")
    _line(f"  target      {described['target']}{_threshold(described)}")
    _line(f"  parameters  {_settings(described['params'])}, seed {described['seed']}")
    split = {f"split.{name}": value for name, value in described["declaration"].get("split", {}).items()}
    _line(f"  declared    {_settings(split)}")
    _line(f"  features    {', '.join(feature['name'] for feature in described['features'])}")
    _line(f"  views       {', '.join(described['views']) or 'none'}")
    _line(f"  libraries   {_settings(described['libraries'])}")
    for reproduction in described["reproductions"]:
        _line(f"  reproduced  {reproduction['reproduced_at']:%Y-%m-%d %H:%M}: {reproduction['outcome']}")
    metrics = [row for row in described["metrics"] if row["dataset_version"] == described["dataset_version"]]
    if metrics:
        console.print("\nMetrics of all rows", highlight=False)
        print_records(_by_metric([row for row in metrics if row["slice"] == "all"]), as_json=False)
    importance: dict[str, Row] = {}
    for row in described["importance"]:
        importance.setdefault(row["feature"], {"feature": row["feature"]})[row["method"]] = row["value"]
    _print_importance(list(importance.values())[:_MOST_IMPORTANT])


def print_diff(found: ModelDiff) -> None:
    """Two versions side by side."""
    old, new = f"version {found.old}", f"version {found.new}"
    _line(f"{found.model}: {old} → {new}")
    _line(f"  reason  {found.reason}")
    changes = [
        *(("declared", path, values) for path, values in found.declaration.items()),
        *(("parameter", path, values) for path, values in found.parameters.items()),
        *(("library", path, values) for path, values in found.libraries.items()),
    ]
    if changes:
        print_rows(["", "name", old, new], [[kind, path, *values] for kind, path, values in changes], as_json=False)
    if found.code_changed:
        _line("the code that trains differs")
    if found.features_added:
        _line(f"features added: {', '.join(found.features_added)}")
    if found.features_left_out:
        _line(f"features left out: {', '.join(found.features_left_out)}")
    _print_data(found)
    for split in ("test", "validation"):
        of_split = [change for change in found.metrics if change.split == split]
        _print_metrics(f"{split}, all rows", "metric", [one for one in of_split if one.slice == "all"], old, new)
    slices = [one for one in found.metrics if one.slice != "all" and (one.split, one.metric) == ("test", found.metric)]
    _print_metrics(f"{found.metric} on slices of test", "slice", slices, old, new)
    if not found.metrics:
        _line("no dataset version has metrics of both")
    _print_importance(
        [
            {"feature": row["feature"], "method": row["method"], old: row["old"], new: row["new"]}
            for row in found.importance[:_MOST_IMPORTANT]
        ]
    )


def _by_metric(rows: list[Row]) -> list[Row]:
    """A row for each metric: of the test split with its interval and its baseline, of the others the value."""
    found: dict[str, Row] = {}
    for row in rows:
        of_metric = found.setdefault(row["metric"], {"metric": row["metric"]})
        of_metric[row["split"]] = row["value"]
        if row["split"] == "test" and "low" in row:
            of_metric["95 % interval"] = _range(row["low"], row["high"])
            of_metric["baseline"] = row["baseline"]
    return list(found.values())


def _print_data(found: ModelDiff) -> None:
    before, after = found.dataset_versions
    if before == after:
        _line(f"data: both learned from dataset version {before}")
        return
    rows = found.data["rows"]
    _line(f"data: dataset version {before} → {after}; rows {rows.old:,} → {rows.new:,}")
    if rows.changed is not None:
        _line(f"  added {rows.added:,}, removed {rows.removed:,}, changed {rows.changed:,}")
    changed = ", ".join(f"{column} ({count:,})" for column, count in found.data["changed_values"].items())
    for said, columns in (
        ("columns added", ", ".join(found.data["columns_added"])),
        ("columns removed", ", ".join(found.data["columns_removed"])),
        ("values changed", changed),
    ):
        if columns:
            _line(f"  {said}: {columns}")


def _print_metrics(title: str, by: str, changes: list[MetricChange], old: str, new: str) -> None:
    if not changes:
        return
    console.print(f"\n{title}", highlight=False)
    rows = []
    for change in changes:
        row = {by: getattr(change, by), old: change.old, new: change.new, "difference": _signed(change.difference)}
        if change.low is not None:
            row["better by (95 %)"] = _range(change.low, change.high)
        rows.append(row)
    columns = dict.fromkeys(name for row in rows for name in row)
    print_records([{name: row.get(name) for name in columns} for row in rows], as_json=False)


def _print_importance(rows: list[Row]) -> None:
    if rows:
        console.print("\nImportance", highlight=False)
        print_records(rows, as_json=False)


def _threshold(described: Row) -> str:
    return f", true from {described['threshold']:.4f} on" if described["threshold"] is not None else ""


def _settings(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items()) or "the defaults"


def _signed(value: float | None) -> str:
    return "" if value is None else f"{value:+.4f}"


def _range(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{low:.4f} to {high:.4f}"


def _line(text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)
