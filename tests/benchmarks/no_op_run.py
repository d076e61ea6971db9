"""Where the time of a no-op `dbt run` goes, and what of it is the platform's own: printed, never asserted.

Builds the demonstration on all the flights, and beside it a plain dbt project: the same models with the same SQL for
staging, features, datasets and predictions under the same contracts, but dbt's own materializations, no fingerprints,
and registry and Python models that return one row. Both are run in turn; the difference of the medians is the
platform's own share.
"""

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).parents[2]))

from eiderdown.demonstration import flights
from tests.conftest import Project, copy_project

ROUNDS = 7
KEPT_SQL = ("staging", "features", "datasets", "predictions")


def plain_twin(project: Project, folder: Path) -> Project:
    """The same project as dbt alone would have it."""
    twin = copy_project(folder)
    shutil.copytree(project.home / "raw", twin.home / "raw")
    manifest = json.loads((project.folder / "target" / "manifest.json").read_text())
    for node in manifest["nodes"].values():
        if node["resource_type"] != "model":
            continue
        path = twin.folder / node["original_file_path"]
        parents = [manifest["nodes"][id] for id in node["depends_on"]["nodes"] if id in manifest["nodes"]]
        refs = [f"ref('{one['name']}'{', v=' + str(one['version']) if one['version'] else ''})" for one in parents]
        if node["language"] == "python":
            lines = [f"    dbt.{ref}" for ref in refs]
            path.write_text(
                "\n".join(["def model(dbt, session):", *lines, "    return session.sql('select 1 as one')"])
            )
        elif node["schema"] in KEPT_SQL:
            depends = [f"-- depends_on: {{{{ {ref} }}}}" for ref in refs]
            compiled = (project.folder / "target" / "compiled" / "eiderdown" / node["original_file_path"]).read_text()
            compiled = compiled.replace(str(project.home), str(twin.home))
            path.write_text("\n".join([*depends, compiled]))
        else:
            path.write_text("\n".join([*(f"-- depends_on: {{{{ {ref} }}}}" for ref in refs), "select 1 as one"]))
    configuration = yaml.safe_load((twin.folder / "dbt_project.yml").read_text())
    del configuration["on-run-end"]
    for folder_configuration in configuration["models"]["eiderdown"].values():
        if "+materialized" in folder_configuration:
            folder_configuration["+materialized"] = "table"
            folder_configuration.pop("+post-hook", None)
    (twin.folder / "dbt_project.yml").write_text(yaml.safe_dump(configuration))
    profile = yaml.safe_load((twin.folder / "profiles.yml").read_text())
    del profile["eiderdown"]["outputs"]["local"]["plugins"]
    (twin.folder / "profiles.yml").write_text(yaml.safe_dump(profile))
    for macros in (twin.folder / "macros").iterdir():
        if macros.is_dir() and macros.name != "tests":
            shutil.rmtree(macros)
    (twin.folder / "models" / "monitoring" / "_sources.yml").unlink()
    return twin


def run(project: Project) -> tuple[float, dict[str, float]]:
    """Seconds of a `dbt run` in a process of its own, and of each of its models."""
    command = [str(Path(sys.executable).parent / "dbt"), "run"]
    start = time.perf_counter()
    done = subprocess.run(
        command,
        cwd=project.folder,
        env={**os.environ, "EIDERDOWN_HOME": str(project.home)},
        capture_output=True,
        text=True,
    )
    seconds = time.perf_counter() - start
    assert done.returncode == 0, done.stdout
    results = json.loads((project.folder / "target" / "run_results.json").read_text())["results"]
    return seconds, {re.sub(r"^model\.eiderdown\.", "", one["unique_id"]): one["execution_time"] for one in results}


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        project = copy_project(Path(temporary) / "platform")
        flights.load(project.home / "raw", flights.DEFAULT_AS_OF)
        run(project)
        twin = plain_twin(project, Path(temporary) / "plain")
        run(twin)
        rounds = [(run(project), run(twin)) for _ in range(ROUNDS)]
    ours, plain = (statistics.median(one[side][0] for one in rounds) for side in (0, 1))
    share = statistics.median(one[0][0] - one[1][0] for one in rounds)
    print(f"{'model':<34}{'platform s':>12}{'plain s':>12}")
    for name in rounds[0][0][1]:
        pair = [statistics.median(one[side][1].get(name, 0) for one in rounds) for side in (0, 1)]
        print(f"{name:<34}{pair[0]:>12.2f}{pair[1]:>12.2f}")
    print(f"{'dbt run, wall clock':<34}{ours:>12.2f}{plain:>12.2f}    the platform's own share: {share:.2f} s")


if __name__ == "__main__":
    main()
