{{ eiderdown.compared_predictions() }}
