"""What a model declares under `serving.experiment`: by whom its requests are answered where they name no version."""

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ml.declared import refuse_no_number, refuse_other, refuse_unknown
from ml.digest import digest
from ml.errors import DeclarationError
from ml.experiments.losses import LOSSES

SETTINGS: dict[str, tuple[str, ...]] = {
    "ab": ("weights", "unit"),
    "canary": ("unit", "steps", "step_outcomes", "margin", "error"),
    "shadow": (),
    "ensemble": ("weights", "deadline_ms"),
    "thompson": ("memory",),
    "exp3": ("memory",),
    "exp4": ("memory", "deadline_ms"),
}
"""The policies, with what each can be told."""
LEARNING = ("canary", "thompson", "exp3", "exp4")
"""Those whose weights follow from outcomes."""
ENSEMBLES = ("ensemble", "exp4")
"""Those that ask all arms for one answer."""
CONTROL = "control"
"""The arm that the others are compared with, whose request fields clients send, and that answers for one that cannot."""
MOST_ARMS = 16
_ARM = re.compile(r"(?P<model>\w+)@(?:(?P<version>[1-9]\d{0,8})|(?P<alias>[A-Za-z_]\w*))\Z", re.ASCII)


@dataclass(frozen=True)
class Arm:
    """A version of a model: by its number, or by an alias, and then whatever version that is."""

    model: str
    alias: str | None = None
    version: int | None = None

    @classmethod
    def parse(cls, where: str, declared: Any) -> "Arm":
        """From `model@alias` or `model@version`. Raises DeclarationError."""
        found = _ARM.match(declared) if isinstance(declared, str) else None
        if found is None:
            raise DeclarationError(
                f"{where} is '{declared}'; it must be a model and an alias or a version, such as churn@champion or churn@3."
            )
        version = found["version"]
        return cls(found["model"], found["alias"], int(version) if version else None)

    def resolve(self, aliases: Mapping[str, Mapping[str, int]]) -> int | None:
        """The version that it is now, None where no version has the alias."""
        return self.version if self.alias is None else aliases.get(self.model, {}).get(self.alias)

    def __str__(self) -> str:
        return f"{self.model}@{self.alias or self.version}"


@dataclass(frozen=True)
class ExperimentSpec:
    """An experiment's declaration. arms: the control first, the others by name.

    loss: of a prediction whose outcome is known; loss_scale: of a regression, by which it is divided, and cut at 1; unit: the
    request fields by whose values requests are assigned, each request on its own where there are none. weights: arm -> share of
    the requests, or of an ensemble's answer. A canary, the other arm, goes through `steps`, shares of the requests, each after
    `step_outcomes` outcomes; it is stopped where its mean loss is shown to be greater than the control's, which happens to one
    that is no worse with the probability `error` at most, and gets all where its mean loss is shown to be greater by less than
    `margin`. deadline_ms: when an ensemble answers with the arms that are ready. memory: the outcomes after which what was
    learned has faded; None keeps it.
    """

    name: str
    policy: str
    arms: dict[str, Arm]
    loss: str
    loss_scale: float | None = None
    unit: list[str] = field(default_factory=list)
    weights: dict[str, float] = field(default_factory=dict)
    steps: list[float] = field(default_factory=lambda: [0.01, 0.05, 0.25, 0.5])
    step_outcomes: int = 200
    margin: float = 0.01
    error: float = 0.05
    deadline_ms: float = 50.0
    memory: int | None = None

    @classmethod
    def parse(cls, where: str, task: str, declared: Any) -> "ExperimentSpec":
        """Check and complete a declaration. where: what to call it. Raises DeclarationError with the field and the remedy."""
        if not isinstance(declared, dict):
            raise DeclarationError(f"{where} must be a mapping with the fields name, policy, arms, ….")
        for required in ("name", "policy", "arms"):
            if required not in declared:
                raise DeclarationError(f"{where} lacks '{required}'; add it.")
        refuse_other(f"{where}.policy", declared["policy"], SETTINGS)
        policy = declared["policy"]
        refuse_unknown(where, declared, ["name", "policy", "arms", "loss", "loss_scale", *SETTINGS[policy]])
        _check_name(f"{where}.name", declared["name"])
        arms = _parse_arms(f"{where}.arms", policy, declared["arms"])
        refuse_other(f"{where}.loss", declared.get("loss", LOSSES[task][0]), LOSSES[task])
        needs_scale = task == "regression" and policy in LEARNING
        if needs_scale and "loss_scale" not in declared:
            raise DeclarationError(
                f"{where} lacks 'loss_scale'; name the loss that counts as the greatest, since a policy that learns needs "
                "losses between 0 and 1."
            )
        if "loss_scale" in declared:
            if task != "regression":
                raise DeclarationError(f"{where}.loss_scale is for a regression; remove it.")
            refuse_no_number(f"{where}.loss_scale", declared["loss_scale"], "the loss that counts as 1", 1e-12, 1e300)
        unit = declared.get("unit", [])
        if not isinstance(unit, list) or not all(isinstance(name, str) for name in unit) or len(set(unit)) < len(unit):
            raise DeclarationError(f"{where}.unit must be a list of request fields, such as [customer_id].")
        for name, meaning, least, most in (
            ("margin", "by how much the canary's mean loss may be greater", 1e-9, 1),
            ("error", "the probability to stop a canary that is no worse", 1e-9, 0.5),
            ("deadline_ms", "milliseconds", 1, 60_000),
        ):
            if name in declared:
                refuse_no_number(f"{where}.{name}", declared[name], meaning, least, most)
        for name in ("step_outcomes", "memory"):
            is_forever = name == "memory" and declared.get(name) is None
            if name in declared and not is_forever and not _is_count(declared[name]):
                raise DeclarationError(f"{where}.{name} is '{declared[name]}'; it must be a whole number of outcomes.")
        checked = {
            "arms": arms,
            "loss": declared.get("loss", LOSSES[task][0]),
            "weights": _parse_weights(f"{where}.weights", arms, declared.get("weights")),
            "steps": _parse_steps(f"{where}.steps", declared.get("steps", [0.01, 0.05, 0.25, 0.5])),
        }
        return cls(**{**declared, **checked})

    @property
    def policy_settings(self) -> dict[str, Any]:
        """What its policy is told, of what the experiment declares (ml/experiments/policies)."""
        return {name: getattr(self, name) for name in SETTINGS[self.policy] if name not in ("unit", "deadline_ms")}

    def resolve(self, aliases: Mapping[str, Mapping[str, int]]) -> dict[str, int | None]:
        """The version that each arm is now; None where no version has its alias."""
        return {name: arm.resolve(aliases) for name, arm in self.arms.items()}

    def fingerprint(self, versions: Mapping[str, int | None]) -> str:
        """16 hex digits that stand for the declaration and the versions of its arms: with others it is another experiment."""
        return digest([dataclasses.asdict(self), dict(versions)])[:16]


def pinned_versions(serving: Mapping[str, Mapping[str, Any]]) -> set[tuple[str, int]]:
    """(model, version) of the arms that are named by version. serving: what models declare of how they are served, checked."""
    arms = [
        Arm.parse(model, arm)
        for model, declared in serving.items()
        for arm in (declared.get("experiment") or {}).get("arms", {}).values()
    ]
    return {(arm.model, arm.version) for arm in arms if arm.version is not None}


def _check_name(where: str, name: Any) -> None:
    if not (isinstance(name, str) and name.isascii() and name.isidentifier() and len(name) <= 64):
        raise DeclarationError(f"{where} is '{name}'; take a word of letters, digits and _ that begins with a letter.")


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 10**9


def _parse_arms(where: str, policy: str, declared: Any) -> dict[str, Arm]:
    most = 2 if policy == "canary" else MOST_ARMS
    if not isinstance(declared, dict) or CONTROL not in declared or not 2 <= len(declared) <= most:
        raise DeclarationError(
            f"{where} must be a mapping of {'2' if most == 2 else f'2 to {most}'} names to versions, one of them {CONTROL}, "
            "such as {control: churn@champion, challenger: churn@challenger}."
        )
    for name in declared:
        _check_name(where, name)
    # JSON does not keep an order on its way through a release.
    names = [CONTROL, *sorted(declared.keys() - {CONTROL})]
    arms = {name: Arm.parse(f"{where}.{name}", declared[name]) for name in names}
    if len(set(arms.values())) < len(arms):
        raise DeclarationError(f"{where} has the same version twice; leave one out.")
    return arms


def _parse_weights(where: str, arms: dict[str, Arm], declared: Any) -> dict[str, float]:
    if declared is None:
        return {name: 1 / len(arms) for name in arms}
    if not isinstance(declared, dict) or declared.keys() != arms.keys():
        raise DeclarationError(f"{where} must give each arm a number: {', '.join(arms)}.")
    for name, weight in declared.items():
        refuse_no_number(f"{where}.{name}", weight, "its share", 0, 1e6)
    total = sum(declared.values())
    if total <= 0:
        raise DeclarationError(f"{where} are all 0; give an arm more.")
    return {name: declared[name] / total for name in arms}


def _parse_steps(where: str, declared: Any) -> list[float]:
    are_numbers = isinstance(declared, list) and all(type(share) in (int, float) for share in declared)
    if not are_numbers or not declared or sorted(set(declared)) != declared or not 0 < declared[0] <= declared[-1] < 1:
        raise DeclarationError(f"{where} must be growing shares between 0 and 1, such as [0.01, 0.1, 0.5].")
    return [float(share) for share in declared]
