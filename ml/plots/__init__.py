"""Pictures of a version of a model, from the bounded tables of the registry."""
