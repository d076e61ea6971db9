{{ eiderdown.model_metrics([ref('will_stop_scores')]) }}
