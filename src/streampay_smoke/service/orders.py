"""The synthetic order: small, and awkward to compute."""

from streampay_smoke.service.records import StreamOrder

RATE = "0.7777777"
SCHEDULE = "minute"
"""Seven decimals over sixty seconds: an amount that is only right when it is computed exactly."""


def order_to(recipient: str) -> StreamOrder:
    """Return the synthetic order to a recipient."""
    return StreamOrder(recipient=recipient, rate=RATE, schedule=SCHEDULE)
