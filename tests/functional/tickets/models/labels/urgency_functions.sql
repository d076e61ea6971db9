{{ eiderdown.labeling_functions(
    votes=ref('urgency_votes'),
    model=ref('urgency_model'),
    gold="(select ticket as row_id, urgency as label from " ~ ref('tickets') ~ ")"
) }}
