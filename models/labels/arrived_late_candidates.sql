{{ eiderdown.label_candidates(
    labels=ref('arrived_late'),
    votes=ref('arrived_late_votes'),
    slices=['origin'],
    limit=100
) }}
