{{ eiderdown.expert_labels() }}
