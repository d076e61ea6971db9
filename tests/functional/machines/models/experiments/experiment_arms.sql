{{ eiderdown.experiment_arms() }}
