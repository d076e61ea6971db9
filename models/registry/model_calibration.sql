{{ eiderdown.model_calibration([ref('flight_delay_scores'), ref('flight_delay_schedule_scores')]) }}
