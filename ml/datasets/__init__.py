"""Dataset versions: read, compared, shared as files."""
