"""How good a model is in production, where SQL alone cannot say it."""
