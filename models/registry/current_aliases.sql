{{ eiderdown.current_aliases() }}
