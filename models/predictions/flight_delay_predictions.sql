{{ eiderdown.batch_predictions(ref('flight_delay_upcoming')) }}
