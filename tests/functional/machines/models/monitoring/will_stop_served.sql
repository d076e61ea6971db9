{{ eiderdown.served('will_stop') }}
