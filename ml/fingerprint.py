"""Fingerprints of what SQL means: equal for rewrites that change nothing, different for what changes a result."""

import json

from sqlglot import exp

from ml.canonical import normal_form
from ml.definition import leaves, mark, relation_name
from ml.digest import digest
from ml.meaning import meaning_of


def fingerprint(request: str) -> str:
    """Answer of the SQL function `eiderdown_fingerprint`: JSON {fingerprint, canonical}.

    request: JSON of a definition (ml.definition) with its `declaration`, what else its meaning depends on. Of the leaves
    only those count that the SQL still reads once what nothing uses is left out.
    """
    definition = json.loads(request)
    tree = normal_form(definition)
    meaning = meaning_of(tree)
    read = {relation_name(table) for table in tree.find_all(exp.Table)}
    marks = {name: mark(leaf) for name, leaf in leaves(definition).items() if name in read}
    return json.dumps(
        {
            "fingerprint": digest([meaning.rows, meaning.columns, marks, definition.get("declaration")]),
            "canonical": tree.sql(dialect="duckdb", comments=False),
        }
    )
