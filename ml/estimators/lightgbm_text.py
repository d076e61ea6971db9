"""LightGBM's text format, read and checked: LightGBM's own parser trusts what it reads, and can end the process.

What is checked is what that parser and the walk through a tree rely on: sizes, lengths of arrays, indices in range, and
that each tree is one. The format is that of `Tree::ToString` and `GBDT::SaveModelToString` in LightGBM 4, version v4.
"""

from dataclasses import dataclass

import numpy as np

from ml.errors import ArtifactError

# The fields with a value for each leaf, and for each inner node. Those that a prediction does not read count too: the
# parser ends the process where one of them is no number.
_PER_LEAF = ("leaf_value", "leaf_weight", "leaf_count")
_PER_NODE = (
    *("split_feature", "split_gain", "threshold", "decision_type", "left_child", "right_child"),
    *("internal_value", "internal_weight", "internal_count"),
)
_REMEDY = "The file was altered; restore it, or train and publish again."


@dataclass(frozen=True)
class Tree:
    """A tree, in arrays over its inner nodes, but for `leaf_value`. A child below zero is leaf -1 - child.

    Of a node of categories, the threshold is the place of its set: `sets[boundaries[place] : boundaries[place + 1]]` are
    32-bit words, with a bit for each category that goes left.
    """

    leaf_value: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    decision: np.ndarray
    """Bit 0: of categories; bit 1: missing goes left; from bit 2 on what is missing: 0 nothing, 1 zero and NaN, 2 NaN."""
    left: np.ndarray
    right: np.ndarray
    boundaries: np.ndarray
    sets: np.ndarray


@dataclass(frozen=True)
class TreeModel:
    """A model: tree i adds to output i % outputs; `objective` is its name and its settings, such as `binary sigmoid:1`."""

    trees: list[Tree]
    objective: str
    is_averaged: bool


class _Wrong(ValueError):
    pass


def check_text(artifact: bytes, feature_count: int, outputs: int) -> TreeModel:
    """Read a model. Raises ArtifactError, with the tree and the field, where LightGBM could not safely read it.

    feature_count: the columns of the matrices that the model is to score; outputs: its classes, or 1.
    """
    try:
        text = artifact.decode("ascii")
        head, _, rest = text.partition("\n\n")
        header = _fields(head.splitlines()[1:])
        if head.splitlines()[0] != "tree" or header["version"] != "v4":
            raise _Wrong("the header is not that of a model in version v4")
        for name in ("num_class", "num_tree_per_iteration"):
            if int(header[name]) != outputs:
                raise _Wrong(f"{name}: not {outputs} as the signature has it")
        for name in ("feature_names", "feature_infos"):
            if len(header[name].split(" ")) != feature_count or int(header["max_feature_idx"]) != feature_count - 1:
                raise _Wrong(f"{name}: not {feature_count} as the signature has them")
        start, trees = 0, []
        for number, size in enumerate(map(int, header["tree_sizes"].split(" "))):
            try:
                trees.append(_tree(rest[start : start + size], number, feature_count))
            except (ValueError, KeyError, OverflowError) as error:
                raise _Wrong(f"tree {number}: {error if isinstance(error, _Wrong) else 'malformed'}") from error
            start += size
        if not rest.startswith("end of trees\n", start):
            raise _Wrong("tree_sizes: do not add up to the trees")
        if "\nend of parameters\n" not in rest[start:]:
            raise _Wrong("the file ends early")
        if len(trees) % outputs:
            raise _Wrong(f"tree_sizes: {len(trees)} trees, which {outputs} outputs do not divide")
        return TreeModel(trees, header["objective"], "average_output" in header)
    except (ValueError, KeyError, IndexError) as error:
        said = error if isinstance(error, _Wrong) else "malformed"
        raise ArtifactError(f"not a LightGBM model that can be read, {said}. {_REMEDY}") from error


def _fields(lines: list[str]) -> dict[str, str]:
    # A line without a value, such as `average_output`, is a flag.
    pairs = [line.partition("=") for line in lines]
    fields = {name: value for name, _, value in pairs}
    if len(fields) != len(pairs):
        raise _Wrong("a field comes twice")
    return fields


def _tree(text: str, number: int, feature_count: int) -> Tree:
    if not text.endswith("\n\n\n") or not text.startswith(f"Tree={number}\n"):
        raise _Wrong("tree_sizes: not the size of the tree")
    fields = _fields(text[:-3].split("\n"))
    leaves, categorical = int(fields["num_leaves"]), int(fields["num_cat"])
    if leaves < 1 or categorical < 0 or fields["is_linear"] != "0":
        raise _Wrong("num_leaves, num_cat or is_linear: out of range")
    numbers = {name: _numbers(fields, name, leaves) for name in _PER_LEAF if leaves > 1 or name == "leaf_value"}
    if not np.isfinite(numbers["leaf_value"]).all() or not np.isfinite(float(fields["shrinkage"])):
        raise _Wrong("leaf_value or shrinkage: not finite")
    numbers |= {name: _numbers(fields, name, leaves - 1) if leaves > 1 else np.empty(0) for name in _PER_NODE}
    _refuse_outside(numbers, "split_feature", 0, feature_count - 1)
    _refuse_outside(numbers, "decision_type", 0, 11)
    _check_children(np.concatenate([numbers["left_child"], numbers["right_child"]]), leaves)
    if np.isnan(numbers["threshold"]).any():
        raise _Wrong("threshold: not a number")
    places = numbers["threshold"][numbers["decision_type"] % 2 == 1]
    if (places != np.floor(places)).any() or ((places < 0) | (places >= categorical)).any():
        raise _Wrong("threshold: of a category, and out of range")
    numbers |= {"cat_boundaries": np.zeros(1), "cat_threshold": np.empty(0)}
    if categorical and leaves > 1:
        bounds = numbers["cat_boundaries"] = _numbers(fields, "cat_boundaries", categorical + 1)
        if bounds[0] != 0 or (np.diff(bounds) <= 0).any():
            raise _Wrong("cat_boundaries: do not rise from 0")
        numbers["cat_threshold"] = _numbers(fields, "cat_threshold", int(bounds[-1]))
        _refuse_outside(numbers, "cat_boundaries", 0, 2**26 - 1)
        _refuse_outside(numbers, "cat_threshold", 0, 2**32 - 1)
    return Tree(
        leaf_value=numbers["leaf_value"],
        feature=numbers["split_feature"].astype(np.int64),
        threshold=numbers["threshold"],
        decision=numbers["decision_type"].astype(np.int64),
        left=numbers["left_child"].astype(np.int64),
        right=numbers["right_child"].astype(np.int64),
        boundaries=numbers["cat_boundaries"].astype(np.int64),
        sets=numbers["cat_threshold"].astype(np.uint32),
    )


def _numbers(fields: dict[str, str], name: str, count: int) -> np.ndarray:
    texts = fields[name].split(" ")
    if len(texts) != count:
        raise _Wrong(f"{name}: {len(texts)} values in the place of {count}")
    # Python reads `1_0` as 10, which LightGBM does not.
    if "_" in fields[name]:
        raise _Wrong(f"{name}: malformed")
    return np.array([float(text) for text in texts])


def _refuse_outside(numbers: dict[str, np.ndarray], name: str, least: int, most: int) -> None:
    values = numbers[name]
    if not ((values >= least) & (values <= most) & (values == np.floor(values))).all():
        raise _Wrong(f"{name}: out of range")


def _check_children(children: np.ndarray, leaves: int) -> None:
    """Each node but the root, and each leaf (-1, -2, …), is the child of one node, and of one made before it."""
    if leaves > 1 and sorted(children.tolist()) != [*range(-leaves, 0), *range(1, leaves - 1)]:
        raise _Wrong("left_child, right_child: not a tree")
    parents = np.tile(np.arange(leaves - 1), 2)
    if (children[children >= 0] <= parents[children >= 0]).any():
        raise _Wrong("left_child, right_child: a cycle")
