"""The deploy gate for StreamPay."""

__version__ = "0.1.0"
