"""What moves a stream from state to state: the money first, and only then the record."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from streampay_sandbox.service.auth import unauthorized
from streampay_sandbox.service.clock import iso_now
from streampay_sandbox.service.errors import Refusal
from streampay_sandbox.service.live import SETTLED, UPDATED
from streampay_sandbox.service.orders import is_account
from streampay_sandbox.service.settlement import Settle, Treasury, or_refused
from streampay_sandbox.service.stellar import LedgerError
from streampay_sandbox.service.streams import ACTIONS, LIVE, Status, Stream, StreamStore, StreamWithdrawal
from streampay_sandbox.service.views import stream_v1, withdrawal
from streampay_sandbox.service.wire import HttpAnswer, HttpCall

MAX_CONFIRMATION_ATTEMPTS = 10
MAX_CONFIRMATION_SECONDS = 300


Tell = Callable[[str, Stream], None]
"""Tells those who listen what has happened to a stream: (name of the event, the stream as it is now)."""


class Lifecycle:
    """The handlers of POST /api/streams/:id/ACTION. A ledger that fails leaves the record as it was."""

    def __init__(self, store: StreamStore, treasury: Treasury, settle: Settle, tell: Tell) -> None:
        self._store = store
        self._treasury = treasury
        self._settle = settle
        self._tell = tell

    def start(self, call: HttpCall) -> HttpAnswer:
        """Start a draft, or resume a paused stream."""

        def money(stream: Stream) -> Stream:
            move = self._treasury.start if stream.status == Status.DRAFT else self._treasury.resume
            move(stream.chain_id)
            return replace(stream, paused_at="")

        return self._moved(call, "start", money)

    def pause(self, call: HttpCall) -> HttpAnswer:
        """Halt the stream here and on the ledger."""

        def money(stream: Stream) -> Stream:
            self._treasury.pause(stream.chain_id)
            return replace(stream, paused_at=iso_now())

        return self._moved(call, "pause", money)

    def stop(self, call: HttpCall) -> HttpAnswer:
        """End the stream without paying; a draft's escrow goes back, a running one's stays in the contract."""

        def money(stream: Stream) -> Stream:
            if stream.status == Status.DRAFT:
                self._treasury.cancel(stream.chain_id)
            return stream

        return self._moved(call, "stop", money)

    def settle(self, call: HttpCall) -> HttpAnswer:
        """Pay on the ledger what was earned; the receipt carries the ledger's hash and time."""

        def money(stream: Stream) -> Stream:
            settled = self._settle(stream)
            now = iso_now()
            return replace(
                stream,
                settlement=settled,
                withdrawal=StreamWithdrawal(
                    state="pending",
                    attempts=0,
                    requested_at=now,
                    last_checked_at=now,
                    settlement_tx_hash=settled.tx_hash,
                ),
            )

        return self._moved(call, "settle", money, code="SETTLEMENT_FAILED")

    def withdraw(self, call: HttpCall) -> HttpAnswer:
        """Confirm the settlement on the ledger; 200 with `alert` when that can never succeed."""
        with self._store.held(call.params["stream_id"], call.caller) as stream:
            stream.check_may("withdraw")
            checked = self._checked(stream)
            confirmed = checked.state == "succeeded" and stream.status == Status.ENDED
            moved = replace(stream, withdrawal=checked)
            if confirmed:
                moved = replace(moved, status=Status.WITHDRAWN, updated_at=checked.last_checked_at)
            self._store.save(moved)
            if confirmed:
                self._tell(UPDATED, moved)
        return HttpAnswer(
            document={
                "alert": checked.state == "failed",
                "data": stream_v1(moved),
                "withdrawal": withdrawal(checked),
            }
        )

    def cancel(self, call: HttpCall) -> HttpAnswer:
        """End the stream early: the recipient keeps what was earned, the rest goes back."""
        wallet = call.header("actor-wallet-address")
        if not wallet:
            raise unauthorized("cancel needs the header Actor-Wallet-Address.")
        if is_account(call.caller) and wallet != call.caller:
            raise Refusal(403, "NOT_STREAM_OWNER", "Only the stream's owner may cancel it.")
        cancellation: dict[str, Any] = {}

        def money(stream: Stream) -> Stream:
            payout = self._treasury.cancel(stream.chain_id)
            cancellation.update(
                recipientPayout=_units(payout.paid_stroops),
                senderRefund=_units(payout.refunded_stroops),
                totalAmount=_units(payout.paid_stroops + payout.refunded_stroops + payout.already_released_stroops),
                alreadyReleased=_units(payout.already_released_stroops),
                token=stream.token,
                recipientTxHash=payout.settlement.tx_hash,
                senderTxHash=payout.settlement.tx_hash,
                cancelledAt=payout.settlement.settled_at,
            )
            return stream

        answer = self._moved(call, "cancel", money)
        links = {"self": f"/api/streams/{call.params['stream_id']}"}
        return answer.with_document({**answer.document, "cancellation": cancellation, "links": links})

    def delete(self, call: HttpCall) -> HttpAnswer:
        """Forget a stream that is not running; a draft's escrow goes back first."""
        with self._store.held(call.params["stream_id"], call.caller) as stream:
            if stream.status in LIVE:
                raise Refusal(409, "STREAM_INACTIVE_STATE", f"A stream that is {stream.status} cannot be deleted.")
            if stream.status == Status.DRAFT:
                or_refused("LEDGER_UNAVAILABLE", 503, lambda: self._treasury.cancel(stream.chain_id))
            self._store.remove(stream.id)
        return HttpAnswer(status=204)

    def _moved(
        self,
        call: HttpCall,
        action: str,
        money: Callable[[Stream], Stream],
        *,
        code: str = "LEDGER_FAILED",
    ) -> HttpAnswer:
        with self._store.held(call.params["stream_id"], call.caller) as stream:
            stream.check_may(action)
            paid = or_refused(code, 502, lambda: money(stream))
            moved = replace(paid, status=ACTIONS[action].to, updated_at=iso_now())
            self._store.save(moved)
            self._tell(SETTLED if action == "settle" else UPDATED, moved)
        return HttpAnswer(document={"data": stream_v1(moved)})

    def _checked(self, stream: Stream) -> StreamWithdrawal:
        now = iso_now()
        before = stream.withdrawal or StreamWithdrawal(
            state="failed", attempts=0, requested_at=now, last_checked_at=now, failure_code="SETTLEMENT_TX_MISSING"
        )
        if before.state != "pending":
            return before
        tried = replace(before, attempts=before.attempts + 1, last_checked_at=now)
        if self._on_ledger(before.settlement_tx_hash):
            return replace(tried, state="succeeded", confirmed_tx_hash=before.settlement_tx_hash)
        waited = datetime.fromisoformat(now) - datetime.fromisoformat(before.requested_at)
        if tried.attempts >= MAX_CONFIRMATION_ATTEMPTS or waited.total_seconds() >= MAX_CONFIRMATION_SECONDS:
            return replace(tried, state="failed", failure_code="FINALITY_TIMEOUT")
        return tried

    def _on_ledger(self, tx_hash: str) -> bool:
        try:
            return self._treasury.confirmed(tx_hash)
        except LedgerError:
            return False  # as measured: a ledger that does not answer counts as one that has not seen it yet


def _units(amount_stroops: int) -> str:
    return f"{Decimal(amount_stroops).scaleb(-7).normalize():f}"
