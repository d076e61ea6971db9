"""Which releases stay, and which are old."""

import dataclasses
from pathlib import Path

from ml.errors import WarehouseError
from ml.release.manifest import Manifest, all_manifests, current_release, read_manifest


@dataclasses.dataclass(frozen=True)
class Releases:
    """The releases on disk. `unreadable`: names of folders; `left`: why some are neither kept on purpose nor removed."""

    kept: list[Manifest]
    old: list[Manifest]
    unreadable: list[str]
    left: list[str]


def choose_releases(folder: Path, keep: int, versions: set[tuple[str, int]]) -> Releases:
    """Keep the newest releases, the current one, and the one before it, which a server may be about to load.

    versions: the models' versions that the warehouse records. A release that cannot be read, or holds a file that is not
    in its manifest, is left as it is.
    Raises ReleaseError where the current release cannot be read, WarehouseError where the warehouse does not know its models.
    """
    manifests, left = all_manifests(folder)
    readable = [manifest.release for manifest in manifests]
    unreadable = sorted({path.name for path in folder.glob("[0-9a-f]*/")} - set(readable))
    if not manifests and not unreadable:
        return Releases([], [], [], [])
    current = read_manifest(folder / current_release(folder))
    strangers = sorted(model.name for model in current.models if (model.model, model.version) not in versions)
    if strangers:
        raise WarehouseError(
            f"the current release, {current.release}, holds {', '.join(strangers)}, which the warehouse does not record: it "
            "is that of another home, or registry.model_versions is to be built first."
        )
    place = readable.index(current.release)
    stay = {*readable[-keep:], *readable[max(place - 1, 0) : place + 1]}
    old = []
    for manifest in manifests:
        if manifest.release in stay:
            continue
        if strange := _strange_file(folder / manifest.release, manifest):
            left.append(f"{strange}: is no part of the release; move it away, and the release can go.")
        else:
            old.append(manifest)
    return Releases([one for one in manifests if one not in old], old, unreadable, left)


def _strange_file(folder: Path, manifest: Manifest) -> Path | None:
    """A link, or a file that its manifest does not name, in a release's folder."""
    ours = {folder / "manifest.json", folder / manifest.database}
    ours |= {folder / view.file for view in manifest.views} | {folder / model.file for model in manifest.models}
    for path in [folder, *sorted(folder.rglob("*"))]:
        if path.is_symlink() or not (path.is_dir() or path in ours):
            return path
    return None
