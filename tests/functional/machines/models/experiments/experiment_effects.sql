{{ eiderdown.experiment_effects() }}
