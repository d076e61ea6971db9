"""Alerts: their rules, where they stand, and their delivery."""
