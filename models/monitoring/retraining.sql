{{ eiderdown.retraining([ref('drift'), ref('model_performance')]) }}
