{{ eiderdown.anomalies(drift=ref('drift')) }}
