"""What the tables of the registry hold, for Python."""
