"""Feature rows that clients push between releases."""
