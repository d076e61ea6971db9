select timestamptz '2024-05-30T00:00:00Z' as as_of, true as replay
