{{ eiderdown.model_aliases() }}
