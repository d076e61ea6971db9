"""The serving layer: answers over HTTP from the current release, and appends what it answered to the event log."""
