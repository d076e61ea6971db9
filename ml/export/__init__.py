"""Versions of models as other tools read them."""
