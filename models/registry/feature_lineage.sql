{{ eiderdown.feature_lineage() }}
