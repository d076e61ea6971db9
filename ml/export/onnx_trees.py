"""Trees as the operator TreeEnsemble of ai.onnx.ml 5: in doubles, with sets of categories."""

import itertools

import numpy as np
from onnx import numpy_helper

from ml.errors import ArtifactError
from ml.estimators.lightgbm_text import Tree, TreeModel
from ml.export.onnx_graph import ML, Graph
from ml.scoring.signature import Feature

_LESS_OR_EQUAL, _MEMBER = 0, 6
_SUM, _NO_TRANSFORM = 1, 0
_ZERO_AND_NAN = 1
_ZERO = float(np.float32(1e-35))
"""LightGBM's kZeroThreshold: what counts as zero where zero is missing."""


def add_trees(graph: Graph, model: TreeModel, features: list[Feature], outputs: int) -> str:
    """Add a model. Returns the scores, double, shape (rows, outputs)."""
    # A category that is missing or unknown is in no set, so it goes right, as LightGBM has it.
    columns = [
        graph.number(feature)
        if feature.categories is None
        else graph.add(
            "Unsqueeze", graph.add("Cast", graph.category(feature, -1), to=_DOUBLE), graph.constant(np.array([1]))
        )
        for feature in features
    ]
    matrix = graph.add("Concat", *columns, axis=1)
    if any(((tree.decision >> 2 == _ZERO_AND_NAN) & (tree.decision % 2 == 0)).any() for tree in model.trees):
        is_zero = graph.add("LessOrEqual", graph.add("Abs", matrix), graph.constant(_ZERO))
        matrix = graph.add("Concat", matrix, graph.add("Where", is_zero, graph.constant(np.nan), matrix), axis=1)
    raw = graph.add("TreeEnsemble", matrix, domain=ML, n_targets=outputs, **_attributes(model, len(features), outputs))
    if model.is_averaged:
        raw = graph.add("Div", raw, graph.constant(float(len(model.trees) // outputs)))
    return _linked(graph, raw, model.objective)


_DOUBLE = 11


def _linked(graph: Graph, raw: str, objective: str) -> str:
    name, *settings = objective.split(" ")
    if name == "binary":
        slope = float(settings[0].removeprefix("sigmoid:"))
        return graph.add("Sigmoid", graph.add("Mul", raw, graph.constant(slope)))
    if name == "cross_entropy":
        return graph.add("Sigmoid", raw)
    if name == "multiclass":
        return graph.add("Softmax", raw, axis=1)
    if "sqrt" in settings:
        return graph.add("Mul", raw, graph.add("Abs", raw))
    return raw


def _attributes(model: TreeModel, features: int, outputs: int) -> dict[str, object]:
    """The ensemble in the arrays that the operator takes: of all inner nodes, and of all leaves."""
    trees = [_rooted(tree) for tree in model.trees]
    inner = np.array([len(tree.feature) for tree in trees])
    leaves = np.array([len(tree.leaf_value) for tree in trees])
    first_node, first_leaf = np.cumsum(inner) - inner, np.cumsum(leaves) - leaves
    children = {}
    for side in ("left", "right"):
        places = [getattr(tree, side) for tree in trees]
        is_leaf = np.concatenate([place < 0 for place in places])
        shifted = [
            np.where(place < 0, -1 - place + leaf, place + node)
            for place, node, leaf in zip(places, first_node, first_leaf, strict=True)
        ]
        children[side] = (np.concatenate(shifted), is_leaf)
    feature, threshold, decision = (
        np.concatenate([getattr(tree, name) for tree in trees]) for name in ("feature", "threshold", "decision")
    )
    of_categories, missing = decision % 2 == 1, decision >> 2
    # Where nothing was missing, LightGBM takes NaN for zero.
    goes_left = np.where(missing == 0, threshold >= 0, decision >> 1 & 1) * ~of_categories
    by_zero = ~of_categories & (missing == _ZERO_AND_NAN)
    members = _members(trees)
    attributes: dict[str, object] = {
        "aggregate_function": _SUM,
        "post_transform": _NO_TRANSFORM,
        "tree_roots": first_node,
        "nodes_featureids": feature + features * by_zero,
        "nodes_modes": numpy_helper.from_array(np.where(of_categories, _MEMBER, _LESS_OR_EQUAL).astype(np.uint8)),
        "nodes_splits": numpy_helper.from_array(np.where(of_categories, 0.0, threshold)),
        "nodes_missing_value_tracks_true": goes_left.astype(np.int64),
        "nodes_truenodeids": children["left"][0],
        "nodes_trueleafs": children["left"][1].astype(np.int64),
        "nodes_falsenodeids": children["right"][0],
        "nodes_falseleafs": children["right"][1].astype(np.int64),
        "leaf_targetids": np.repeat(np.arange(len(trees)) % outputs, leaves),
        "leaf_weights": numpy_helper.from_array(np.concatenate([tree.leaf_value for tree in trees])),
    }
    if len(members):
        attributes["membership_values"] = numpy_helper.from_array(members)
    return attributes


def _rooted(tree: Tree) -> Tree:
    """A tree that is one leaf as a node whose sides are that leaf: the operator has no other form."""
    if len(tree.feature):
        return tree
    zero = np.zeros(1, np.int64)
    return Tree(tree.leaf_value, zero, np.zeros(1), zero, zero - 1, zero - 1, zero, np.empty(0, np.uint32))


def _members(trees: list[Tree]) -> np.ndarray:
    """The categories that go left at each node of categories, in the order of the nodes, a NaN after each set."""
    found = []
    for tree in trees:
        sets = list(itertools.pairwise(tree.boundaries))
        for place in tree.threshold[tree.decision % 2 == 1].astype(np.int64):
            start, stop = sets[place]
            words = tree.sets[start:stop]
            bits = np.flatnonzero(np.unpackbits(words.astype("<u4").view(np.uint8), bitorder="little"))
            if not len(bits):
                raise ArtifactError(
                    "a node has an empty set of categories, which ONNX cannot hold. Train the model again."
                )
            found += [bits.astype(np.float64), np.full(1, np.nan)]
    return np.concatenate(found) if found else np.empty(0)
