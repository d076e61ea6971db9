{{ eiderdown.labels(votes=ref('urgency_votes'), model=ref('urgency_model'), experts=ref('expert_labels')) }}
