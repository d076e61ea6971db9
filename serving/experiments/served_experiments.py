"""The experiments of the release that is served, for processes beside the server: read from its manifest, without a model."""

from dataclasses import dataclass
from pathlib import Path

from ml.errors import DeclarationError, EiderdownError
from ml.experiments.declaration import ExperimentSpec
from ml.release.manifest import Manifest, current_release, read_manifest, releases_folder
from ml.scoring.signature import Signature


@dataclass(frozen=True)
class Arms:
    """An experiment with the versions that its arms are, and their signatures."""

    endpoint: str
    spec: ExperimentSpec
    fingerprint: str
    versions: dict[str, tuple[str, int]]
    signatures: dict[str, Signature]


def experiments_of(manifest: Manifest) -> list[Arms]:
    """The experiments whose arms are all there; of those that were declared for another version of the platform, none."""
    models = {(one.model, one.version): one for one in manifest.models}
    tasks = {one.model: one.task for one in manifest.models}
    found = []
    for endpoint, declared in manifest.serving.items():
        if declared.get("experiment") is None or endpoint not in tasks:
            continue
        try:
            spec = ExperimentSpec.parse(f"the experiment of {endpoint}", tasks[endpoint], declared["experiment"])
        except DeclarationError:
            continue
        numbers = spec.resolve(manifest.aliases)
        versions = {name: (spec.arms[name].model, number) for name, number in numbers.items() if number is not None}
        if len(versions) == len(spec.arms) and all(version in models for version in versions.values()):
            signatures = {name: Signature.from_json(models[version].signature) for name, version in versions.items()}
            found.append(Arms(endpoint, spec, spec.fingerprint(numbers), versions, signatures))
    return found


class CurrentExperiments:
    """Follows the pointer to the current release."""

    def __init__(self) -> None:
        self.folder: Path | None = None
        """Of the release."""
        self.found: list[Arms] = []

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
