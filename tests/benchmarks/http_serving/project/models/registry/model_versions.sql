{{ eiderdown.model_versions([ref('quick'), ref('broad'), ref('heavy')]) }}
