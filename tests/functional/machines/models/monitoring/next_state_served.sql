{{ eiderdown.served('next_state') }}
