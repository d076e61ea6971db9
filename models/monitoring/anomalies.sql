{{ eiderdown.anomalies() }}
