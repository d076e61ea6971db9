{{ eiderdown.model_comparisons([ref('will_stop_scores')]) }}
