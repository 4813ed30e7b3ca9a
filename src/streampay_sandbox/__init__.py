"""A StreamPay and a ledger on loopback."""
