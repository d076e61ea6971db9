"""Ensembles of decision trees in arrays, with the scores of LightGBM's own library to the last bit.

A node compares a value with a threshold and does nothing else. What LightGBM decides at a node beyond that depends on
the feature and the kind of the node only: NaN is zero or goes to one side, zero goes to one side, a category is looked up
in a set. So each pair of a feature and a kind that a model uses is a column of its own, in which what goes left is minus
infinity and what goes right is NaN.
"""

import ctypes
import itertools
import os
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ml.errors import ArtifactError
from ml.estimators.lightgbm_text import Tree, TreeModel
from ml.estimators.tree_walk import BLOCK, CATEGORY, NAN_MISSING, ZERO_MISSING, Ensemble, program

_COLUMN = np.dtype([("feature", np.int64), ("kind", np.int64), ("fill", np.float64)])
_TREE = np.dtype([("root", np.int64), ("depth", np.int64), ("has_sets", np.int64)])
_NODE = np.dtype([("threshold", np.float64), ("column", np.uint32), ("child", np.uint32)])
_SET = np.dtype([("start", np.uint32), ("words", np.uint32)])

# The kinds of nodes, in the order of their numbers: kind of column, and what stands for a missing value.
_KINDS = (
    (NAN_MISSING, np.nan),
    (NAN_MISSING, -np.inf),
    (ZERO_MISSING, np.nan),
    (ZERO_MISSING, -np.inf),
    (CATEGORY, 0.0),
)
_NAN_GOES_LEFT, _OF_CATEGORIES = 1, 4
# Bits 2 and 3 of a decision.
_NOTHING, _ZERO_AND_NAN = 0, 1
_ROWS_OF_A_THREAD = 8_192
_IDENTITY = ("regression", "regression_l1", "huber", "fair", "quantile", "mape")


class Trees:
    """A model that scores. Safe to call from many threads; a call lets go of the interpreter's lock. Many rows take several
    threads, which changes no bit: each row is summed on its own.
    """

    def __init__(self, model: TreeModel, features: int, outputs: int) -> None:
        """Lay out a checked model. Raises ArtifactError where its objective has a link that is not known."""
        self._features, self._outputs = features, outputs
        self._divisor = len(model.trees) // outputs if model.is_averaged else 1
        self._link, self._slope = _link(model.objective, outputs)
        # The compiled program reads them by their addresses.
        self._arrays = _layout(model.trees)
        columns, trees = len(self._arrays["column"]), len(model.trees)
        self._block_size = columns * BLOCK
        addresses = {name: array.ctypes.data for name, array in self._arrays.items()}
        self._ensemble = Ensemble(columns=columns, trees=trees, outputs=outputs, **addresses)
        self._address = ctypes.addressof(self._ensemble)
        self._program = program()

    def raw_score(self, matrix: np.ndarray) -> np.ndarray:
        """The sums of the leaves, float64 (rows,), or (rows, outputs), of a float64 matrix (rows, features) in any layout."""
        sums = self._sums(matrix)
        return sums[:, 0] if self._outputs == 1 else sums

    def predict(self, matrix: np.ndarray) -> np.ndarray:
        """The scores after the link function, in the shape of `raw_score`."""
        sums = self._sums(matrix)
        if self._divisor != 1:
            sums /= self._divisor
        if self._link == "sigmoid":
            self._program.sigmoids(sums.ctypes.data, sums.size, self._slope)
        elif self._link == "softmax":
            # As `Common::Softmax` has it, which adds up from the first class to the last.
            sums -= sums.max(axis=1, keepdims=True)
            self._program.exponentials(sums.ctypes.data, sums.size)
            total = np.zeros(len(sums))
            for output in range(self._outputs):
                total += sums[:, output]
            sums /= total[:, None]
        elif self._link == "square":
            sums *= np.abs(sums)
        return sums[:, 0] if self._outputs == 1 else sums

    def _sums(self, matrix: np.ndarray) -> np.ndarray:
        rows, features = matrix.shape
        if matrix.dtype != np.float64 or features != self._features:
            raise ValueError(
                f"a matrix of {features} features of type {matrix.dtype}; the model takes {self._features} float64"
            )
        sums = np.zeros((rows, self._outputs))
        parts = rows // _ROWS_OF_A_THREAD
        if parts > 1:
            parts = min(parts, os.cpu_count() or 1)
        if parts < 2:
            self._walk(matrix, sums)
        else:
            with ThreadPoolExecutor(parts) as threads:
                list(threads.map(self._walk, np.array_split(matrix, parts), np.array_split(sums, parts)))
        return sums

    def _walk(self, matrix: np.ndarray, sums: np.ndarray) -> None:
        """Write the sums of some rows."""
        block = np.empty(self._block_size)
        row_stride, feature_stride = matrix.strides
        self._program.score(
            self._address,
            matrix.ctypes.data,
            len(matrix),
            row_stride // 8,
            feature_stride // 8,
            block.ctypes.data,
            sums.ctypes.data,
        )


def _link(objective: str, outputs: int) -> tuple[str, float]:
    name, *settings = objective.split(" ")
    if name == "binary" and outputs == 1 and (found := re.fullmatch(r"sigmoid:(\d+)(?:\.(\d+))?", " ".join(settings))):
        whole, fraction = found[1], found[2] or "0"
        # `Common::Atof` does not round to the nearest double.
        return "sigmoid", float(whole) + float(fraction) / 10.0 ** len(fraction)
    if objective == "cross_entropy" and outputs == 1:
        return "sigmoid", 1.0
    if name == "multiclass" and outputs > 1:
        return "softmax", 0.0
    if name in _IDENTITY and outputs == 1:
        return ("square" if "sqrt" in settings else "identity"), 0.0
    raise ArtifactError(
        f"objective: '{objective}' is none that this version of the platform scores, for {outputs} outputs. "
        "The file was altered; restore it, or train and publish again."
    )


def _layout(trees: list[Tree]) -> dict[str, np.ndarray]:
    """The arrays of an Ensemble. The children of a tree's inner node i stand at the places 1 + 2 i and 2 + 2 i of the tree."""
    inner = np.array([len(tree.feature) for tree in trees])
    roots = np.concatenate([[0], np.cumsum(2 * inner + 1)])
    node, value = np.zeros(roots[-1], _NODE), np.zeros(roots[-1])
    node["threshold"] = np.inf
    node["child"] = np.arange(len(node)) * _NODE.itemsize
    columns, column_of_leaf, column_of_node = _columns(trees)
    node["column"] = column_of_leaf * BLOCK * 8
    sets, words = _sets(trees)
    set_of_node = np.zeros(len(node), _SET)
    first_node = first_set = 0
    for tree, root, count in zip(trees, roots, inner, strict=False):
        # Where each inner node stands, and each leaf.
        places, leaves = np.zeros(count, np.int64), np.zeros(count + 1, np.int64)
        for side, children in ((1, tree.left), (2, tree.right)):
            there = side + 2 * np.arange(count)
            places[children[children >= 0]] = there[children >= 0]
            leaves[-1 - children[children < 0]] = there[children < 0]
        places += root
        node["threshold"][places] = tree.threshold
        node["child"][places] = (root + 1 + 2 * np.arange(count)) * _NODE.itemsize
        node["column"][places] = column_of_node[first_node : first_node + count] * BLOCK * 8
        value[root + leaves] = tree.leaf_value
        has_set = tree.decision % 2 == 1
        set_of_node[places[has_set]] = sets[first_set + tree.threshold[has_set].astype(np.int64)]
        first_node, first_set = first_node + count, first_set + len(tree.boundaries) - 1
    tree_facts = [
        (root * _NODE.itemsize, _depth(tree), (tree.decision % 2).any())
        for root, tree in zip(roots, trees, strict=False)
    ]
    return {
        "column": columns,
        "tree": np.array(tree_facts, _TREE),
        "node": node,
        "value": value,
        "set": set_of_node,
        "word": words,
    }


def _columns(trees: list[Tree]) -> tuple[np.ndarray, int, np.ndarray]:
    """The columns that the trees use, the number of one without NaN, for leaves to stay at, and that of each inner node."""
    feature, threshold, decision = (
        np.concatenate([getattr(tree, name) for tree in trees]) for name in ("feature", "threshold", "decision")
    )
    missing = decision >> 2
    # Where nothing is missing, NaN is taken as zero.
    goes_left = np.where(missing == _NOTHING, threshold >= 0, decision >> 1 & 1)
    kind = np.where(decision & 1, _OF_CATEGORIES, 2 * (missing == _ZERO_AND_NAN) + goes_left)
    wanted = np.concatenate([[_NAN_GOES_LEFT], feature * len(_KINDS) + kind])
    used, numbers = np.unique(wanted, return_inverse=True)
    columns = np.array([(number // len(_KINDS), *_KINDS[number % len(_KINDS)]) for number in used], _COLUMN)
    return columns, numbers[0], numbers[1:]


def _sets(trees: list[Tree]) -> tuple[np.ndarray, np.ndarray]:
    """Start and length of each set of categories, tree after tree, and their words, a zero after each set."""
    words = [tree.sets[start:stop] for tree in trees for start, stop in itertools.pairwise(tree.boundaries)]
    lengths = np.array([len(part) for part in words], np.int64)
    sets = np.zeros(len(words), _SET)
    sets["words"] = lengths
    sets["start"] = np.cumsum(lengths + 1) - lengths - 1
    zero = np.zeros(1, np.uint32)
    # A zero to begin with, for the nodes that have no set, where there is none.
    return sets, np.concatenate([*(part for word in words for part in (word, zero)), zero])


def _depth(tree: Tree) -> int:
    depth, level = 0, np.arange(min(len(tree.feature), 1))
    while len(level):
        children = np.concatenate([tree.left[level], tree.right[level]])
        depth, level = depth + 1, children[children >= 0]
    return depth
