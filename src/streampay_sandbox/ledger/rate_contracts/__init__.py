"""Models of StreamPay-Contracts v0.2, whose streams earn whole units of a token per second.

Two lines of it exist. `timed` counts a number down, with an optional end and with pauses, and moves no token.
`escrowed` takes the payer's tokens and pays the recipient who withdraws; its pauses are those of the version that joins
both lines. Not modelled: operators, disputes, changes of the rate, vesting streams, memos. Both are held to recordings
of the real contracts by `tests/vectors`.
"""

from streampay_sandbox.ledger.rate_contracts.escrowed import escrowed_contract
from streampay_sandbox.ledger.rate_contracts.timed import TIMED_CONTRACT

__all__ = ["TIMED_CONTRACT", "escrowed_contract"]
