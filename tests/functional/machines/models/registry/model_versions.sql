{{ eiderdown.model_versions([ref('will_stop'), ref('next_temperature'), ref('next_state')]) }}
