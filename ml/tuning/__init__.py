"""The search for a model's parameters, and with `automl` for its estimator: Optuna, asked for one trial after the other."""
