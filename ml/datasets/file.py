"""A dataset version as one file, to share: Parquet that says what it holds, and shows whether it was altered."""

import datetime as dt
import hashlib
import json
import re
from dataclasses import asdict
from pathlib import Path

from ml import files
from ml.datasets.versions import DatasetVersion, in_memory
from ml.errors import ArtifactError, DeclarationError
from ml.quoting import literal

_MAGIC = b"PAR1"
_UNSET = f"sha256:{'0' * 64}"
# The key and its value as Thrift's compact protocol writes them: 0x18 is a string in the next field, 0x47 its length.
_DIGEST = re.compile(rb"eiderdown_sha256\x18\x47(?=sha256:[0-9a-f]{64})")


def write_dataset_file(version: DatasetVersion, file: Path, overwrite: bool = False) -> None:
    """Write a version as one Parquet file, whole or not at all.

    The key-value metadata holds `eiderdown`, the version's row of registry.datasets as JSON, and `eiderdown_sha256`, the
    digest of the whole file with the digest's own digits as zeros.
    Raises DeclarationError where the file is there already or is not named .parquet, ArtifactError where the version's own
    file is missing or altered.
    """
    if file.suffix != ".parquet":
        raise DeclarationError(
            f"{file}: a dataset is shared as Parquet; name the file {file.stem or 'dataset'}.parquet."
        )
    if not file.parent.is_dir():
        raise DeclarationError(f"{file.parent}: no such folder; make it first.")
    if file.exists() and not overwrite:
        raise DeclarationError(f"{file}: is there already. Choose another name, or overwrite it with --force.")
    source = version.checked_path()
    held = asdict(version) | {"created_at": version.created_at.isoformat()}
    del held["artifact"], held["artifact_sha256"]
    written = files.aside(file)
    try:
        with in_memory() as session:
            session.execute(
                f"copy (from read_parquet({literal(source)})) to {literal(written)} (format parquet, kv_metadata "
                f"{{eiderdown: {literal(json.dumps(held))}, eiderdown_sha256: {literal(_UNSET)}}})"
            )
        place = _digest_place(written)
        with written.open("r+b") as opened:
            opened.seek(place)
            opened.write(f"sha256:{_digest(written, place)}".encode())
        files.adopt(written, file)
    finally:
        written.unlink(missing_ok=True)


def read_dataset_file(file: Path) -> DatasetVersion:
    """The version that a file of `write_dataset_file` holds.

    Raises ArtifactError where the file is missing, altered, or no such file.
    """
    try:
        place = _digest_place(file)
        with file.open("rb") as opened:
            opened.seek(place)
            recorded = opened.read(len(_UNSET)).decode()
        altered = recorded != f"sha256:{_digest(file, place)}"
    except OSError as error:
        raise ArtifactError(f"{file}: cannot be read ({error.strerror}). Check the path.") from error
    if altered:
        raise ArtifactError(f"{file}: is not as it was exported. Ask for it again, or export the version again.")
    with in_memory() as session:
        found = session.execute("select decode(key), decode(value) from parquet_kv_metadata(?)", [str(file)]).fetchall()
    held = json.loads(dict(found)["eiderdown"])
    held["created_at"] = dt.datetime.fromisoformat(held["created_at"])
    return DatasetVersion(**held, artifact=str(file.resolve()), artifact_sha256=files.sha256(file))


def _digest_place(file: Path) -> int:
    """Where the digest stands: once, in the footer, whose length is in the eight bytes at the end of a Parquet file."""
    size = file.stat().st_size
    with file.open("rb") as opened:
        opened.seek(max(size - 8, 0))
        end = opened.read(8)
        start = size - 8 - int.from_bytes(end[:4], "little")
        if len(end) == 8 and end[4:] == _MAGIC and start >= len(_MAGIC):
            opened.seek(start)
            found = [match.end() for match in _DIGEST.finditer(opened.read(size - 8 - start))]
            if len(found) == 1:
                return start + found[0]
    raise ArtifactError(f"{file}: is no whole file of `eiderdown datasets export`. Export the version again.")


def _digest(file: Path, place: int) -> str:
    """The SHA-256 of a file, in hex, with the digits of the digest at `place` as zeros."""
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        left = place
        while left and (block := opened.read(min(left, 1 << 20))):
            digest.update(block)
            left -= len(block)
        opened.read(len(_UNSET))
        digest.update(_UNSET.encode())
        while block := opened.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
