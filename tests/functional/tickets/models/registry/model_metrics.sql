{{ eiderdown.model_metrics([ref('urgency_scores')]) }}
