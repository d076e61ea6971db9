{{ eiderdown.model_thresholds() }}
