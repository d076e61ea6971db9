"""Fingerprints of what SQL means: equal for rewrites that change nothing, different for what changes a result."""

import json

from ml.digest import digest
from ml.meaning.canonical import normal_form
from ml.meaning.definition import marks_read
from ml.meaning.meaning import meaning_of


def fingerprint(request: str) -> str:
    """Answer of the SQL function `eiderdown_fingerprint`: JSON {fingerprint, canonical}.

    request: JSON of a definition (ml.meaning.definition) with its `declaration`, what else its meaning depends on. Of the leaves
    only those count that the SQL still reads once what nothing uses is left out.
    """
    definition = json.loads(request)
    tree = normal_form(definition)
    meaning = meaning_of(tree)
    marks = marks_read(definition, tree)
    return json.dumps(
        {
            "fingerprint": digest([meaning.rows, meaning.columns, marks, definition.get("declaration")]),
            "canonical": tree.sql(dialect="duckdb", comments=False),
        }
    )
