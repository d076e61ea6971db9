{{ eiderdown.served('flight_delay') }}
