{{ eiderdown.model_thresholds([ref('will_stop_scores')]) }}
