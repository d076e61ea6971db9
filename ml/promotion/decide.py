"""Promotion, rollback and notes: decisions about versions that are here."""

from dataclasses import dataclass
from typing import Any

from ml.errors import DeclarationError
from ml.promotion.champion import CHAMPION
from ml.promotion.decision import Decision, because
from ml.promotion.next_release import NextRelease, next_release


@dataclass(frozen=True)
class Decided:
    """A decision that has taken effect, and the release that is current since."""

    decision: Decision
    release: str


def promote(
    model: str, version: int, alias: str = CHAMPION, reason: str | None = None, how: str = "promoted by hand"
) -> Decided:
    """Give a version an alias, at once. Raises DeclarationError where there is no such version or the alias is no name, and
    what `NextRelease.publish` raises."""
    check_alias(alias)
    with next_release() as release:
        release.check_version(model, version)
        previous = release.aliases.get(model, {}).get(alias)
        if previous == version:
            raise DeclarationError(f"version {version} is {model}'s {alias} already; name another.")
        why = because(how, reason)
        decision = Decision.new("promote", model, version, alias=alias, previous=previous, reason=why)
        return publish(release, decision)


def roll_back(model: str, to: int | None = None, reason: str | None = None) -> Decided:
    """Give the champion's place back, at once: to a version that had it, or to the last that had it and was not itself
    rolled back. Raises DeclarationError where there is none, and what `NextRelease.publish` raises."""
    with next_release() as release:
        current, earlier = _champions(release, model)
        if to is None and not earlier:
            raise DeclarationError(
                f"the model {model} has no champion before version {current} that was not rolled back itself. Name a "
                "version with --to, or promote another one."
            )
        version = earlier[0] if to is None else to
        release.check_version(model, version)
        if to is not None and to not in _ever(release, model):
            raise DeclarationError(f"version {to} has never been {model}'s champion; promote it: eiderdown promote.")
        if version == current:
            raise DeclarationError(f"version {version} is {model}'s champion already; name another with --to.")
        why = because(f"rolled back from version {current}", reason)
        decision = Decision.new("rollback", model, version, alias=CHAMPION, previous=current, reason=why)
        return publish(release, decision)


def describe(model: str, version: int, description: str | None = None, tags: list[str] | None = None) -> Decided:
    """Say what a version is, for registry.version_notes; what is None stays as it was. Raises DeclarationError where there is
    no such version or nothing is said."""
    if description is None and tags is None:
        raise DeclarationError(f"{model} version {version}: nothing is said of it; give --description or --tag.")
    with next_release() as release:
        release.check_version(model, version)
        return publish(release, Decision.new("describe", model, version, description=description, tags=tags))


def publish(release: NextRelease, decision: Decision) -> Decided:
    """Let a decision take effect."""
    return Decided(decision, release.publish(decision))


def check_alias(alias: str) -> None:
    """Raise DeclarationError where a text is no name for a version: a word that begins with a letter."""
    if not (alias.isascii() and alias.isidentifier()):
        raise DeclarationError(
            f"'{alias}' is no alias; take a word of letters, digits and _ that begins with a letter, such as challenger."
        )


def _champions(release: NextRelease, model: str) -> tuple[int, list[int]]:
    """The champion, and those before it that were not rolled back, the last first."""
    history = _history(release, model)
    if not history:
        known = release.table("model_versions").aggregate("list(distinct model order by model)").fetchall()[0][0]
        raise DeclarationError(f"there is no model '{model}' with a champion; the models are {', '.join(known or [])}.")
    rolled_back = set()
    for version, kind, previous in history:
        # Promoted by name, a version counts again.
        rolled_back.discard(version)
        if kind == "rollback":
            rolled_back.add(previous)
    current = history[-1][0]
    earlier = dict.fromkeys(version for version, _, _ in reversed(history))
    return current, [version for version in earlier if version != current and version not in rolled_back]


def _ever(release: NextRelease, model: str) -> set[int]:
    return {version for version, _, _ in _history(release, model)}


def _history(release: NextRelease, model: str) -> list[tuple[Any, ...]]:
    """(version, kind of the decision by hand or None, previous) of each champion, in the order of time."""
    named = {
        event_id: (kind, previous)
        for event_id, kind, previous in release.table("decisions").select("event_id, kind, previous").fetchall()
    }
    rows = release.table("model_aliases").order("since").select("model, alias, version, event_id").fetchall()
    return [
        (version, *named.get(event_id, (None, None)))
        for name, alias, version, event_id in rows
        if (name, alias) == (model, CHAMPION)
    ]
