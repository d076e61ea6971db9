"""Releases: small immutable copies of what serving needs, in folders of their own."""
