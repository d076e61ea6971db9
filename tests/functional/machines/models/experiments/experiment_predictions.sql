{{ eiderdown.experiment_predictions() }}
