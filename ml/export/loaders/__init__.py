"""Modules that are written into exported MLflow models, whose python_function loads with them; they import nothing of ours."""
