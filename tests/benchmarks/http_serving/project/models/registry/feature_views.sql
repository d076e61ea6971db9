{{ eiderdown.feature_views([ref('narrow', v=1), ref('wide', v=1)]) }}
