{{ eiderdown.feature_usage() }}
