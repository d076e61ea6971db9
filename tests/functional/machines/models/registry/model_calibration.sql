{{ eiderdown.model_calibration([ref('will_stop_scores')]) }}
