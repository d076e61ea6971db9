"""The Python side of the platform: contracts, fingerprints, training, scoring, releases."""
