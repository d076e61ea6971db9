{{ eiderdown.model_metrics([ref('quick_scores'), ref('broad_scores'), ref('heavy_scores')]) }}
