"""Pays from an account of its own, past the contract: what a service does that keeps money out of its streams."""

from streampay_sandbox.service.settlement import Treasury

FIRST_COINS_STROOPS = 10_000 * 10_000_000


class PlainPayer:
    """An account, funded anew, that makes classic payments."""

    def __init__(self, treasury: Treasury) -> None:
        self._stellar = treasury.contract.stellar
        self._account = treasury.new_account(FIRST_COINS_STROOPS)

    def pay(self, recipient: str, amount_stroops: int) -> str:
        """Pay and return the transaction's hash once a ledger has closed it, as successful or as failed."""
        return self._stellar.pay(self._account, recipient, amount_stroops).tx_hash
