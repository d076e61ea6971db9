"""Contracts: checked where data crosses into Python, proposed from data, compared."""
