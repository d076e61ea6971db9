{{ eiderdown.prediction_log() }}
