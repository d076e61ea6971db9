{{ eiderdown.model_calibration() }}
