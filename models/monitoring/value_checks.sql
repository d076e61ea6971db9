{{ eiderdown.value_checks() }}
