{{ eiderdown.feature_views([ref('machine_health', v=1), ref('heating', v=1)]) }}
