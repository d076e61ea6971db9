"""Weak supervision: functions that err and abstain vote, and a model of them gives each row a probability per class."""

from ml.labeling.label_model import LabelModel
from ml.labeling.majority_vote import MajorityLabelVoter

__all__ = ["LabelModel", "MajorityLabelVoter"]
