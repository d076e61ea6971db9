{{ eiderdown.test_no_skew(ref('serving_consistency')) }}
