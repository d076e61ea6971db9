{{ eiderdown.alerts([
    ref('anomalies'),
    ref('drift'),
    ref('model_performance'),
    ref('serving_consistency'),
    ref('event_files'),
    ref('feature_statistics'),
]) }}
