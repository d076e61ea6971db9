"""The policies of experiments: `POLICIES[name](arms, **settings)`.

ab, ensemble, shadow: weights; canary: steps, step_outcomes, margin, error; thompson, exp3, exp4: memory.
"""

from collections.abc import Callable

from ml.experiments.policies.base import Observation, Policy, State
from ml.experiments.policies.canary import Canary
from ml.experiments.policies.exp3 import Exp3
from ml.experiments.policies.exp4 import Exp4
from ml.experiments.policies.fixed import Fixed
from ml.experiments.policies.thompson import Thompson

POLICIES: dict[str, Callable[..., Policy]] = {
    "ab": Fixed,
    "canary": Canary,
    "shadow": Fixed,
    "ensemble": Fixed,
    "thompson": Thompson,
    "exp3": Exp3,
    "exp4": Exp4,
}

__all__ = ["POLICIES", "Observation", "Policy", "State"]
