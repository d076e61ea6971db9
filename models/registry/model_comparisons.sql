{{ eiderdown.model_comparisons() }}
