select timestamptz '2024-06-01T00:00:00Z' as as_of, true as replay
