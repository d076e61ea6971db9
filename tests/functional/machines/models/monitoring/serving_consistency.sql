{{ eiderdown.serving_consistency() }}
