"""A model of the `streampay-stream` contract of StreamPay-Frontend (contracts/contracts/streampay-stream).

Authorisations, error codes, events, storage layout and arithmetic follow that contract, suspect rules included. Not
modelled: split and recurring streams, organisations, snapshots, fee sweeps, upgrade and migration, admin overrides.
"""

from streampay_sandbox.ledger.stream_contract.model import stream_contract
from streampay_sandbox.ledger.stream_contract.payouts import (
    Payout,
    pay_less,
    pay_more,
    pay_recipient,
    pay_somebody_else,
    pay_twice,
)
from streampay_sandbox.ledger.stream_contract.storage import initial_instance

__all__ = [
    "Payout",
    "initial_instance",
    "pay_less",
    "pay_more",
    "pay_recipient",
    "pay_somebody_else",
    "pay_twice",
    "stream_contract",
]
