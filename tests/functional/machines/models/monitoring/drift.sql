{{ eiderdown.drift() }}
