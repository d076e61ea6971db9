{{ eiderdown.monitored_relations() }}
