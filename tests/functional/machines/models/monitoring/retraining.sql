{{ eiderdown.retraining([]) }}
