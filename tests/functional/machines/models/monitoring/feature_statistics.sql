{{ eiderdown.feature_statistics([ref('stops')]) }}
