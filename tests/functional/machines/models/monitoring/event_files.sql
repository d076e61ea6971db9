{{ eiderdown.event_files() }}
