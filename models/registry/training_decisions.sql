{{ eiderdown.training_decisions() }}
