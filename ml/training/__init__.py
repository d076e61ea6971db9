"""From a dataset version to a version of a model."""
