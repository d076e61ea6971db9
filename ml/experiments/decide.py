"""Decisions about experiments: to stop one by hand, and to promote a canary that has all requests."""

import datetime as dt
from dataclasses import dataclass

from ml.declared import hint
from ml.errors import DeclarationError, EiderdownError
from ml.events import user
from ml.experiments.declaration import CONTROL
from ml.experiments.policies import POLICIES
from ml.experiments.released import (
    NotRunnableError,
    ReleasedExperiment,
    declared_experiments,
    experiments_of,
    released_experiment,
)
from ml.experiments.states import ExperimentState, read_states, write_state
from ml.promotion.champion import CHAMPION
from ml.promotion.decide import Decided, promote
from ml.release.manifest import Manifest, current_release, read_manifest, releases_folder


@dataclass(frozen=True)
class Shown:
    """An experiment of the current release. experiment: None where it waits; reason: for what, or why it ended."""

    name: str
    model: str
    policy: str
    status: str
    reason: str | None
    experiment: ReleasedExperiment | None = None
    state: ExperimentState | None = None


def experiments() -> list[Shown]:
    """What the current release declares, with what is known of it. Raises ReleaseError where there is no release."""
    manifest = _manifest()
    states = read_states()
    found = []
    for model in declared_experiments(manifest):
        declared = manifest.serving[model]["experiment"]
        names = declared["name"], model, declared["policy"]
        try:
            experiment = released_experiment(manifest, model)
        except (NotRunnableError, DeclarationError) as error:
            found.append(Shown(*names, "waiting", str(error)))
            continue
        state = states.get(experiment.fingerprint) or _first_state(experiment)
        found.append(Shown(*names, state.status, state.reason, experiment, state))
    return found


def stop(name: str, reason: str | None = None) -> ExperimentState:
    """Give all requests of an experiment to its control, for good: to begin again, change its declaration.

    Raises DeclarationError where there is none of this name, or it is stopped already, and ReleaseError.
    """
    shown = {one.name: one for one in experiments()}
    if name not in shown:
        raise DeclarationError(
            f"there is no experiment '{name}' in the current release; there are {', '.join(shown) or 'none'}."
            f"{hint(name, shown)}"
        )
    state = shown[name].state
    if state is None or state.status == "stopped":
        raise DeclarationError(
            f"the experiment {name} is {shown[name].status}: {shown[name].reason}. Nothing is to be stopped."
        )
    stopped = state.stopped(f"stopped by {user()}" + (f": {reason}" if reason else ""))
    write_state(stopped)
    return stopped


def promote_full_canaries() -> list[Decided]:
    """Make each canary that has all requests of its model its champion. Raises what `promote` does.

    Where it took the place of its control, the experiment is stopped: after a rollback, which brings its versions back, the
    control answers, and nothing is promoted again.
    """
    try:
        manifest = _manifest()
        found = experiments_of(manifest)
    except EiderdownError:
        # No release yet.
        return []
    full = [one for one in found if one.spec.policy == "canary"]
    states = read_states() if full else {}
    decided = []
    for experiment in full:
        state = states.get(experiment.fingerprint)
        [(name, (model, version))] = [(name, found) for name, found in experiment.versions.items() if name != CONTROL]
        is_champion = manifest.aliases.get(model, {}).get(CHAMPION) == version
        if state is not None and state.status == "full" and model == experiment.endpoint and not is_champion:
            how = f"promoted by the canary {experiment.spec.name}"
            decided.append(promote(model, version, CHAMPION, state.reason, how))
            control = experiment.spec.arms[CONTROL]
            if (control.model, control.alias) == (model, CHAMPION):
                write_state(state.stopped(f"'{name}' became the champion"))
    return decided


def _first_state(experiment: ReleasedExperiment) -> ExperimentState:
    """What is known before there is an event. Here, since policies take long to import, and servers read states."""
    spec = experiment.spec
    policy = POLICIES[spec.policy](list(spec.arms), **spec.policy_settings)
    state = policy.start()
    names = spec.name, experiment.fingerprint, experiment.endpoint, spec.policy
    return ExperimentState(dt.datetime.now(dt.UTC), *names, "running", None, policy.weights(state), state, {})


def _manifest() -> Manifest:
    folder = releases_folder()
    return read_manifest(folder / current_release(folder))
