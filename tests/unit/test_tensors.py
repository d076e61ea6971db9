"""An artifact of weights that training did not write is refused, and says what is wrong with it."""

import json
import random
from collections.abc import Callable

import numpy as np
import pytest

from ml.errors import ArtifactError
from ml.estimators.base import Estimator
from ml.estimators.linear import Linear
from ml.estimators.tensors import read, write
from ml.estimators.torch_mlp import TorchMLP
from tests.estimators import FEATURES, trained

Arrays = dict[str, np.ndarray]


def written_by(estimator: type[Estimator]) -> bytes:
    """A small artifact, trained once."""
    return trained(estimator, "binary", '{"hidden": [4], "epochs": 1}' if estimator is TorchMLP else "{}").artifact


def changed(name: str, place: int, value: float) -> Callable[[dict, Arrays], object]:
    def change(_: dict, arrays: Arrays) -> None:
        arrays[name] = arrays[name].copy()
        arrays[name].flat[place] = value

    return change


def replaced(name: str, array: Callable[[np.ndarray], np.ndarray]) -> Callable[[dict, Arrays], object]:
    return lambda _, arrays: arrays.update({name: array(arrays[name])})


def described(**values: object) -> Callable[[dict, Arrays], object]:
    return lambda description, _: description.update(values)


@pytest.mark.parametrize(
    ("estimator", "change", "said"),
    [
        (Linear, changed("weights", 0, np.nan), "'weights' holds what is no number"),
        (TorchMLP, changed("weight.0", 3, np.inf), "'weight.0' holds what is no number"),
        (Linear, lambda _, arrays: arrays.pop("weights"), "it lacks or adds arrays: weights"),
        (Linear, lambda _, arrays: arrays.pop("mean"), "it lacks or adds arrays: mean"),
        (TorchMLP, lambda _, arrays: arrays.update(more=np.zeros(1)), "it lacks or adds arrays: more"),
        (Linear, replaced("weights", lambda array: array[:, 1:]), "'weights' is float64"),
        (Linear, replaced("mean", lambda array: array[1:]), "'mean' is float64"),
        (TorchMLP, replaced("embedding.1", lambda array: array.astype(np.float64)), "'embedding.1' is float64"),
        (TorchMLP, replaced("weight.1", lambda array: array.astype(np.int32)), "its header"),
        (Linear, changed("deviation", 0, -1), "out of range"),
        (Linear, changed("deviation", 0, 1e300), "out of range"),
        (Linear, changed("mean", 0, 1e300), "out of range"),
        (Linear, changed("indicator", 1, 2), "out of range"),
        (Linear, changed("indicator", 1, 0), "'weights' is"),
        (Linear, described(link="softmax"), "its link"),
        (TorchMLP, described(link="probit"), "its link"),
        (TorchMLP, described(link=["sigmoid"]), "its link"),
        (TorchMLP, described(hidden=[10**15]), "'weight.0' is"),
        (TorchMLP, described(hidden=[4, 4]), "it lacks or adds arrays: bias.2, weight.2"),
        (TorchMLP, described(hidden=[-4]), "no sizes of layers"),
        (TorchMLP, described(hidden=None), "no sizes of layers"),
        (TorchMLP, described(hidden=[4.0]), "no sizes of layers"),
        (TorchMLP, described(embeddings=[3]), "no sizes of layers"),
        (TorchMLP, described(embeddings=[True, True]), "no sizes of layers"),
    ],
)
def test_what_training_cannot_have_written_is_refused(
    estimator: type[Estimator], change: Callable[[dict, Arrays], object], said: str
) -> None:
    description, arrays = read(written_by(estimator))
    change(description, arrays)
    with pytest.raises(ArtifactError) as error:
        estimator(write(description, arrays), FEATURES, 1)
    assert said in str(error.value)
    assert str(error.value).endswith("The file was altered; restore it, or train and publish again.")


def _with_header(header: bytes, rest: bytes = b"") -> bytes:
    return len(header).to_bytes(8, "little") + header + rest


@pytest.mark.parametrize(
    "artifact",
    [
        b"",
        b"\xff" * 8,
        (1 << 40).to_bytes(8, "little") + b"{}",
        _with_header(b"{}"),
        _with_header(b"[" * 100_000),
        _with_header(b'{"__metadata__": {"eiderdown": "[]"}}'),
        _with_header(b'{"__metadata__": {"eiderdown": "{}", "eiderdown": "{}"}}'),
        _with_header(b'{"__metadata__": {"eiderdown": 1}}'),
        _with_header(b'{"__metadata__": {"eiderdown": "{}"}, "a": 1}'),
        _with_header(b'{"__metadata__": {"eiderdown": "{}"}, "a": {"dtype": ["F32"]}}'),
        _with_header(
            b'{"__metadata__": {"eiderdown": "{}"}, "a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}'
        ),
        _with_header(
            b'{"__metadata__": {"eiderdown": "{}"}, "a": {"dtype": "F32", "shape": [4294967296, 4294967296], '
            b'"data_offsets": [0, 0]}}'
        ),
        json.dumps({"link": "sigmoid"}).encode(),
    ],
)
def test_a_malformed_file_is_refused(artifact: bytes) -> None:
    with pytest.raises(ArtifactError, match="not a model that can be read"):
        read(artifact)


def test_a_file_that_is_longer_or_shorter_is_refused() -> None:
    artifact = written_by(Linear)
    for other in (artifact + b"\0", artifact[:-1], artifact[1:]):
        with pytest.raises(ArtifactError, match="its header"):
            read(other)


def test_no_edit_of_the_header_is_met_by_another_error() -> None:
    chance, artifact = random.Random(3), written_by(TorchMLP)
    end = 8 + int.from_bytes(artifact[:8], "little")
    refused = 0
    for _ in range(3000):
        edited = bytearray(artifact)
        for _ in range(chance.choice([1, 1, 2, 5])):
            edited[chance.randrange(end)] = chance.choice(b'0123456789,:"[]{}-eE. \0\xff')
        try:
            TorchMLP(bytes(edited), FEATURES, 1)
        except ArtifactError:
            refused += 1
    assert refused > 2500
