"""Decisions by hand about versions of models: promotion, rollback, notes, and versions from other environments."""
