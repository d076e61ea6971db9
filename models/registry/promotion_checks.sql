{{ eiderdown.promotion_checks() }}
