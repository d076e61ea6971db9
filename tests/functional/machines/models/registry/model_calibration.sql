{{ eiderdown.model_calibration([ref('will_stop_scores'), ref('next_temperature_scores'), ref('next_state_scores')]) }}
