{{ eiderdown.experiment_states() }}
