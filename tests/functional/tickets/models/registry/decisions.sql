{{ eiderdown.decisions() }}
