{{ eiderdown.model_versions([ref('will_stop')]) }}
