"""The home of the year: a dbt project that installs this one, and raw files with some of the planes."""

import datetime as dt
import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb

from eiderdown.demonstration import flights
from eiderdown.demonstration.year.incidents import FEED_STOPS, Incident
from ml import files
from ml.errors import EiderdownError
from ml.quoting import literal

FEATURES = ("eiderdown.staging", "eiderdown.features", "feature_views")
_PROJECT = Path(__file__).parent / "project"


class Home:
    """A folder with the year's dbt project, its home folder, and a second one in which all the year is known."""

    def __init__(self, folder: Path, planes: int, planted: tuple[Incident, ...]) -> None:
        """Make it anew. planes: one in so many is there, with all its flights."""
        if not Path("dbt_project.yml").is_file():
            raise EiderdownError(
                "the year needs the demonstration's dbt project; run this at the root of the repository."
            )
        self.folder = folder.resolve()
        self.warehouse = self.folder / "warehouse"
        self.truth = self.folder / "truth"
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(_PROJECT, self.folder)
        self._repository = Path.cwd()
        self._write_raw(planes, planted)

    def set_clock(self, as_of: dt.datetime, home: Path | None = None) -> None:
        """Move the clock of a home folder, the year's own unless another is named."""
        moment = f"{as_of:%Y-%m-%dT%H:%M:%SZ}"
        files.write_whole((home or self.warehouse) / "raw" / "clock.csv", f"as_of,replay\n{moment},true\n".encode())

    def environment(self, home: Path | None = None) -> dict[str, str]:
        """Of a process that works in a home folder."""
        return os.environ | {"EIDERDOWN_HOME": str(home or self.warehouse), "EIDERDOWN_PROJECT": str(self._repository)}

    def dbt(self, *arguments: str, home: Path | None = None) -> None:
        """Run dbt. Raises EiderdownError with what it printed where it fails."""
        self._run("dbt", *arguments, "--quiet", home=home)

    def watch(self) -> None:
        """One round of `eiderdown watch`: build what is new, train where that is decided, deliver alerts."""
        self._run("eiderdown", "watch", "--once", "--json")

    def _run(self, *command: str, home: Path | None = None) -> None:
        program = Path(sys.executable).with_name(command[0])
        done = subprocess.run(
            [program, *command[1:]], cwd=self.folder, env=self.environment(home), capture_output=True, text=True
        )
        if done.returncode:
            raise EiderdownError(f"`{' '.join(command)}` failed in {self.folder}:\n{done.stdout}{done.stderr}")

    def _write_raw(self, planes: int, planted: tuple[Incident, ...]) -> None:
        """What is known of the year. The truth has all rows; from the other home's weather a stopped feed is missing."""
        raw, truth = self.warehouse / "raw", self.truth / "raw"
        flights.load(truth, None)
        every = f"read_csv({literal(str(truth / 'flights.csv'))}, all_varchar = true)"
        some = f"{every} where hash(tailnum) % {planes} = 3 % {planes}"
        written = self.folder / "flights.csv"
        _write_csv(f"from {some}", written)
        written.replace(truth / "flights.csv")
        shutil.copytree(truth, raw)
        if FEED_STOPS in planted:
            weather = f"read_csv({literal(str(truth / 'weather.csv'))}, all_varchar = true)"
            known_at = "cast(time_hour as timestamptz) + interval 1 hour"
            there = f"not ({known_at} >= '{FEED_STOPS.start}' and {known_at} < '{FEED_STOPS.end}')"
            _write_csv(f"from {weather} where {there}", raw / "weather.csv")


def _write_csv(query: str, path: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"copy ({query}) to {literal(str(path))} (header)").fetchall()
