{{ eiderdown.served('next_temperature') }}
