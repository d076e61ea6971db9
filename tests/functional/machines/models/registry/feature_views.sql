{{ eiderdown.feature_views([ref('machine_health', v=1)]) }}
