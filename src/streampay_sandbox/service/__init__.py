"""A StreamPay in the `app-v1` dialect that keeps its promises, unless it is given faults."""
