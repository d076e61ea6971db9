"""From checked rows to predictions: batches, the cache, the model, and how they are written."""
