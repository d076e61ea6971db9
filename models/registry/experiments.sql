{{ eiderdown.experiments() }}
