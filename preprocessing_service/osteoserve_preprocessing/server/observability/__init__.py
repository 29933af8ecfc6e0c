"""What the service tells of its work: one id a request, logs, Prometheus metrics, traces."""
