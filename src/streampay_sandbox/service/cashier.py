"""Pays from an account of its own, past the contract: what a service does that keeps money out of its streams."""

from decimal import Decimal

from stellar_sdk import Asset, Keypair, SorobanServer, TransactionBuilder

from streampay_sandbox.service.parts import Parts
from streampay_smoke.chain.adapter import ChainUnavailable, TxOutcome
from streampay_smoke.chain.pace import Clock
from streampay_smoke.chain.transport import RpcTransport

BASE_FEE_STROOPS = 100
VALID_SECONDS = 60
CLOSED_WITHIN_SECONDS = 20.0
LOOK_SECONDS = 0.02


class Cashier:
    """An account, funded anew, that makes classic payments."""

    def __init__(self, parts: Parts) -> None:
        self._adapter = parts.treasury.adapter
        self._settings = parts.settings
        self._stopping = parts.stopping
        self._account = self._adapter.account("cashier")

    def pay(self, recipient: str, amount_stroops: int) -> str:
        """Pay and return the transaction's hash once a ledger has closed it, as successful or as failed."""
        self._adapter.fund(self._account.address)
        clock = Clock()
        wire = RpcTransport(record=lambda event: None, clock=clock, retry_seconds=1.0, timeout_seconds=5.0)
        try:
            server = SorobanServer(self._settings.rpc_url, client=wire)
            envelope = (
                TransactionBuilder(
                    server.load_account(self._account.address), self._settings.network_passphrase, BASE_FEE_STROOPS
                )
                .append_payment_op(recipient, Asset.native(), str(Decimal(amount_stroops).scaleb(-7)))
                .add_time_bounds(0, int(clock.wall()) + VALID_SECONDS)
                .build()
            )
            envelope.sign(Keypair.from_secret(self._account.seed))
            server.send_transaction(envelope)
        finally:
            wire.close()
        return self._closed(envelope.hash_hex(), clock).tx_hash

    def _closed(self, tx_hash: str, clock: Clock) -> TxOutcome:
        give_up_at = clock.steady() + CLOSED_WITHIN_SECONDS
        while clock.steady() < give_up_at and not self._stopping.is_set():
            outcome = self._adapter.transaction(tx_hash)
            if outcome is not None:
                return outcome
            self._stopping.wait(LOOK_SECONDS)
        raise ChainUnavailable("the plain payment was not closed", cause="not seen", tx_hash=tx_hash)
