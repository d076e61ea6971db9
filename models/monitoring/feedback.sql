{{ eiderdown.feedback() }}
