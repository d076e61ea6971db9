{{ eiderdown.alerts([ref('event_files')]) }}
