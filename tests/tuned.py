"""The other project with a model that is tuned."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.conftest import Project, copy_machines

TRIALS = """def model(dbt, session):
    from ml.tuning.trials import trials

    dbt.config(materialized="registered", mutable=["is_best"])
    datasets = dbt.ref("datasets")
    return trials(dbt, session, dbt.config.meta_get("trials"), datasets)
"""


class Tuned(Project):
    """The project, with dbt in a process of its own."""

    def run(self, *arguments: str, succeeds: bool = True) -> str:
        """What dbt says."""
        command = [sys.executable, "-m", "dbt.cli.main", *arguments, "--quiet"]
        home = os.environ | {"EIDERDOWN_HOME": str(self.home)}
        ended = subprocess.run(command, cwd=self.folder, env=home, capture_output=True, text=True, check=False)
        assert (ended.returncode == 0) is succeeds, ended.stdout + ended.stderr
        return ended.stdout


def copy_tuned(folder: Path) -> Tuned:
    """A copy of the other project, on fewer rows, whose one model takes its parameters from trials; `declare` says how."""
    copy_machines(folder)
    project = Tuned(folder, "machines.duckdb")
    models = project.folder / "models"
    drop_other_models(project)
    _replace(models / "staging" / "readings.sql", "range(120)", "range(12)")
    _replace(models / "training" / "will_stop.py", "feature_views)", "feature_views, trials)")
    _replace(models / "training" / "will_stop.py", "    return", '    trials = dbt.ref("will_stop_trials")\n    return')
    (models / "training" / "will_stop_trials.py").write_text(TRIALS)
    (models / "training" / "will_stop_leaderboard.sql").write_text(
        "{{ eiderdown.leaderboard(ref('will_stop_trials')) }}\n"
    )
    project.dbt("deps")
    return project


def drop_other_models(project: Project) -> None:
    """Leave only will_stop of the other project's models."""
    models = project.folder / "models"
    for path in models.glob("*/next_*"):
        path.unlink()
    for path in models.glob("*/*.sql"):
        path.write_text(re.sub(r", ref\('next_\w+'\)", "", path.read_text()))


def declare(project: Project, declared: str) -> None:
    """Write the model's declaration: the fields that are no others' than this test's."""
    (project.folder / "models" / "training" / "training.yml").write_text(f"""
models:
  - name: will_stop
    config:
      meta:
        model: {{task: binary, dataset: stops, target: stopped, features: {{exclude: [machine_id]}}, {declared}}}
  - name: will_stop_trials
    config: {{meta: {{trials: {{model: will_stop}}}}}}
  - name: will_stop_scores
    config: {{meta: {{scores: {{model: will_stop}}}}}}
""")


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text, path
    path.write_text(text.replace(old, new))
