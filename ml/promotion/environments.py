"""A version of a model from another environment: another home folder, with its own warehouse, releases and events."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import duckdb

from ml import files
from ml.datasets.versions import kept_dataset_rows
from ml.errors import ArtifactError, DeclarationError
from ml.promotion.champion import CHAMPION
from ml.promotion.decide import Decided, check_alias, publish
from ml.promotion.decision import Decision, because, read_decisions
from ml.promotion.next_release import NextRelease, next_release
from ml.registry.history import history
from ml.registry.models import kept_rows, to_record
from ml.release.models import other_meanings
from ml.warehouse import held, warehouse_file

OWNER = "brought over"
"""What files are noted for, before they are copied and an event names them."""

Row = dict[str, Any]


def bring_over(model: str, version: int, source: str, alias: str = CHAMPION, reason: str | None = None) -> Decided:
    """Take a version of a model, with the dataset version that it was trained on, from another environment; it gets the
    next number here, and an alias, at once. A version that is here already is promoted.

    source: a home folder, or the name of one, which `EIDERDOWN_HOME_<NAME>` holds. Holds the warehouse's lock, so that no
    run trains a version with the same number meanwhile. Raises DeclarationError where there is no such environment or version,
    or a feature view that it reads means something else here; ArtifactError where a file is not the recorded one;
    WarehouseError where dbt runs; and what `NextRelease.publish` raises.
    """
    check_alias(alias)
    there, name = find_home(source)
    model_row = _find(kept_rows(there), "model", model, version, name)
    key = (model_row["dataset"], model_row["dataset_version"])
    dataset_row = _find(kept_dataset_rows(there), "dataset", *key, name)
    home = files.home()
    with held(warehouse_file(home)) as warehouse, next_release() as release:
        _refuse_other_meanings(release, model_row, name)
        previous = release.aliases.get(model, {}).get(alias)
        if (known := _same(kept_rows(home), model_row, "artifact_sha256", "training_fingerprint")) is not None:
            why = because(f"promoted by hand, as {name} has it", reason)
            decision = Decision.new("promote", model, known, alias=alias, previous=previous, reason=why)
            return publish(release, decision)
        _copy_files(there, home, [dataset_row, model_row, *([model_row["baseline"]] if model_row["baseline"] else [])])
        datasets = kept_dataset_rows(home)
        dataset_version = _same([row for row in datasets if row["dataset"] == key[0]], dataset_row, "fingerprint")
        dataset_record = None
        if dataset_version is None:
            dataset_version = _next_number(warehouse.connection, "dataset", key[0], datasets, ["registry.datasets"])
            dataset_record = dataset_row | {
                "version": dataset_version,
                "origin": f"{name}:{key[0]}@{key[1]}",
                "definition": json.dumps(dataset_row["definition"]),
            }
        tables = ["registry.model_versions", f"training.{model}"]
        number = _next_number(warehouse.connection, "model", model, kept_rows(home), tables)
        origin = f"{name}:{model}@{version}"
        record = to_record(model_row) | {"version": number, "dataset_version": dataset_version, "origin": origin}
        decision = Decision.new(
            "import",
            model,
            number,
            alias=alias,
            previous=previous,
            reason=because(f"brought over from {origin}", reason),
            origin=origin,
            model_record=record,
            dataset_record=dataset_record,
        )
        return publish(release, decision)


def find_home(source: str) -> tuple[Path, str]:
    """The home folder of another environment, and its name. Raises DeclarationError where it is none, or this one."""
    variable = f"EIDERDOWN_HOME_{source.upper()}"
    named = os.environ.get(variable)
    home = Path(named or source)
    if not (home / "artifacts").is_dir():
        raise DeclarationError(
            f"--from {source}: {home} is no home folder with artifacts. Give the path of one, or its name and the path in "
            f"{variable if source.isidentifier() else 'EIDERDOWN_HOME_<NAME>'}."
        )
    if home.resolve() == files.home().resolve():
        raise DeclarationError(f"--from {source}: that is this environment; leave --from out.")
    if named:
        return home, source
    folder = home.resolve()
    return home, folder.parent.name if folder.name == "warehouse" else folder.name


def _find(rows: list[Row], kind: str, name: str, version: int, environment: str) -> Row:
    for row in rows:
        if (row[kind], row["version"]) == (name, version):
            return row
    there = ", ".join(f"{row[kind]} {row['version']}" for row in rows) or "none"
    raise DeclarationError(f"{environment} has no version {version} of the {kind} '{name}'; there are {there}.")


def _refuse_other_meanings(release: NextRelease, row: Row, environment: str) -> None:
    if others := other_meanings(json.dumps(row["signature"]), release.views):
        raise DeclarationError(
            f"{row['model']} version {row['version']} of {environment} reads {', '.join(others)}, which means something "
            "else in the current release here, or is not in it. Bring the two projects to one state, build the feature "
            "pipeline and publish, here or there (`eiderdown diff` says what differs), and train there again."
        )


def _same(rows: list[Row], row: Row, *fields: str) -> int | None:
    """The version among rows that has what a row has in some fields."""
    asked = [row[field] for field in fields]
    return next((other["version"] for other in rows if [other[field] for field in fields] == asked), None)


def _next_number(
    connection: duckdb.DuckDBPyConnection, kind: str, name: str, kept: list[Row], tables: list[str]
) -> int:
    """One more than any number that a version has, in the lists or in the warehouse's tables."""
    recorded = [row for table in tables for row in history(connection, table, f"{kind}, version")]
    known = [*recorded, *((row[kind], row["version"]) for row in kept)]
    return max((version for other, version in known if other == name), default=0) + 1


def _copy_files(there: Path, here: Path, records: list[Row]) -> None:
    """Copy the files that records name to the same places, each whole or not at all and with the recorded SHA-256."""
    needed = {record["artifact"]: record["artifact_sha256"] for record in records}
    _drop_unnamed(here, {(here / artifact).parent for artifact in needed})
    for artifact, sha256 in needed.items():
        source, target = there / artifact, here / artifact
        if target.is_file() and files.sha256(target) == sha256:
            continue
        written = files.aside(target)
        try:
            shutil.copyfile(source, written)
        except FileNotFoundError:
            raise ArtifactError(f"{source}: missing; restore it, or train again there.") from None
        if files.sha256(written) != sha256:
            written.unlink()
            raise ArtifactError(f"{source}: it was altered or torn, its SHA-256 is not the recorded one; restore it.")
        files.note_unregistered(target, OWNER)
        files.adopt(written, target)


def _drop_unnamed(home: Path, folders: set[Path]) -> None:
    """Remove what was copied by a command that was killed before its event."""
    named = []
    for decision in read_decisions(home):
        for record in (decision.model_record, decision.dataset_record):
            if record:
                baseline = json.loads(record.get("baseline") or "{}")
                named += [record["artifact"], *([baseline["artifact"]] if baseline else [])]
    for folder in folders:
        files.drop_unregistered(folder, OWNER, named)
