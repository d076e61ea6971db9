{{ eiderdown.model_reproductions() }}
