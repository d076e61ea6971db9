"""What SQL means: definitions, fingerprints, changes and lineage."""
