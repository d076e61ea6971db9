"""The experiments of a release: the versions that their arms are now, as its manifest tells without loading a model."""

from dataclasses import dataclass
from pathlib import Path

from ml.errors import EiderdownError
from ml.experiments.declaration import ExperimentSpec
from ml.release.manifest import Manifest, current_release, read_manifest, releases_folder
from ml.scoring.signature import Signature


class NotRunnableError(EiderdownError):
    """Why an experiment is not in force; its model's champion answers meanwhile."""


@dataclass(frozen=True)
class ReleasedExperiment:
    """An experiment whose arms are all there. endpoint: the model that is asked for; versions: (model, version) of each arm."""

    endpoint: str
    spec: ExperimentSpec
    fingerprint: str
    versions: dict[str, tuple[str, int]]
    signatures: dict[str, Signature]


def declared_experiments(manifest: Manifest) -> list[str]:
    """The models of a release that declare an experiment."""
    released = {one.model for one in manifest.models}
    declared = [model for model, serving in manifest.serving.items() if serving.get("experiment") is not None]
    return [model for model in declared if model in released]


def released_experiment(manifest: Manifest, endpoint: str) -> ReleasedExperiment:
    """The experiment that a model of a release declares.

    Raises NotRunnableError where an arm is not there, and DeclarationError where it was declared for another version of the
    platform.
    """
    models = {(one.model, one.version): one for one in manifest.models}
    task = next(one.task for one in manifest.models if one.model == endpoint)
    spec = ExperimentSpec.parse(f"the experiment of {endpoint}", task, manifest.serving[endpoint]["experiment"])
    versions: dict[str, tuple[str, int]] = {}
    for name, version in spec.resolve(manifest.aliases).items():
        arm = spec.arms[name]
        if version is None:
            raise NotRunnableError(f"the arm {name} waits for a version with the alias {arm}")
        if (arm.model, version) not in models:
            raise NotRunnableError(f"the arm {name} waits for the version {arm}, which the release does not hold")
        for other, found in versions.items():
            if found == (arm.model, version):
                raise NotRunnableError(f"the arms {other} and {name} are the same version of {arm.model}, {version}")
        versions[name] = arm.model, version
    signatures = {name: Signature.from_json(models[version].signature) for name, version in versions.items()}
    numbers = {name: version for name, (_, version) in versions.items()}
    return ReleasedExperiment(endpoint, spec, spec.fingerprint(numbers), versions, signatures)


def experiments_of(manifest: Manifest) -> list[ReleasedExperiment]:
    """The experiments of a release that are in force."""
    found = []
    for endpoint in declared_experiments(manifest):
        try:
            found.append(released_experiment(manifest, endpoint))
        except EiderdownError:
            # The server says why (GET /models/{model}), as does `eiderdown experiments list`.
            continue
    return found


class CurrentExperiments:
    """Follows the pointer to the current release."""

    def __init__(self) -> None:
        self.folder: Path | None = None
        """Of the release."""
        self.found: list[ReleasedExperiment] = []

    def refresh(self) -> bool:
        """Read the current release's, where it is another. Returns whether it is. One that cannot be read changes nothing."""
        try:
            folder = releases_folder() / current_release(releases_folder())
            if folder == self.folder:
                return False
            found = experiments_of(read_manifest(folder))
        except EiderdownError:
            return False
        self.folder, self.found = folder, found
        return True
