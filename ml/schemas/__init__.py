"""Schemas: what columns of a relation are to hold, declared in YAML beside the contract, inferred, and changed."""
