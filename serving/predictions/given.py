"""A batch of instances as a predictor takes it, whatever a client sent it as."""

from abc import ABC, abstractmethod
from typing import Any

import pyarrow as pa

from ml.expressions.column import Column, from_values, microseconds
from serving.releases.online_view import Found, OnlineView
from serving.requests.instances import Row


class Given(ABC):
    """Checked instances. A field is known by its place among the model's, of which the last is the prediction time."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def column(self, place: int, arrow: pa.DataType) -> Column:
        """A field of the type `arrow`, as expressions take it."""

    @abstractmethod
    def find(self, online: OnlineView, key: list[int]) -> Found:
        """What a view knows of each instance's entity, at its prediction time. key: the places of the view's key."""


class GivenRows(Given):
    """Instances as rows of Python values: quick for few."""

    def __init__(self, rows: list[Row]) -> None:
        self._values: list[tuple[Any, ...]] = list(zip(*rows, strict=True))
        self._moments = moments = self._values[-1]
        # Most requests name no time, and so have one.
        first = microseconds(moments[0])
        self._times = [first if moment is moments[0] else microseconds(moment) for moment in moments]

    def __len__(self) -> int:
        return len(self._moments)

    def column(self, place: int, arrow: pa.DataType) -> Column:
        """See Given."""
        return from_values(self._values[place], arrow)

    def find(self, online: OnlineView, key: list[int]) -> Found:
        """See Given."""
        keys = list(zip(*[self._values[place] for place in key], strict=True))
        return online.find(keys, self._moments, self._times)
