"""What came out where a recorded version was trained again: kept as files, which registry.model_reproductions reads."""

import dataclasses
import datetime as dt
import json
from dataclasses import dataclass

from ml import files

FOLDER = "artifacts/reproductions"
EQUAL, DIFFERENT, IMPOSSIBLE = "equal", "different", "impossible"


@dataclass(frozen=True)
class Reproduction:
    """A row of registry.model_reproductions.

    outcome: 'equal' where the artifact has the recorded SHA-256, 'different', or 'impossible' where nothing could be trained.
    differences: what is not as it was recorded, each in words; with the outcome 'equal' they did not matter.
    """

    model: str
    version: int
    reproduced_at: dt.datetime
    outcome: str
    artifact_sha256: str
    found_sha256: str | None
    differences: list[str]


def reproductions_of(model: str, version: int) -> list[Reproduction]:
    """Every outcome that was kept of a version, the oldest first."""
    folder = files.home() / FOLDER
    stored = [json.loads(path.read_text()) for path in folder.glob(f"{_stem(model, version)}-*.json")]
    found = [Reproduction(**row | {"reproduced_at": dt.datetime.fromisoformat(row["reproduced_at"])}) for row in stored]
    return sorted(found, key=lambda one: one.reproduced_at)


def keep_reproduction(done: Reproduction) -> None:
    """Keep an outcome."""
    row = dataclasses.asdict(done) | {"reproduced_at": done.reproduced_at.isoformat()}
    name = f"{_stem(done.model, done.version)}-{done.reproduced_at:%Y%m%dT%H%M%S%f}.json"
    files.write_whole(files.home() / FOLDER / name, json.dumps(row).encode())


def _stem(model: str, version: int) -> str:
    return f"{model}_v{version}"
