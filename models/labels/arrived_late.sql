{{ eiderdown.labels(
    votes=ref('arrived_late_votes'),
    model=ref('arrived_late_model'),
    experts=ref('expert_labels')
) }}
