"""The ledger as the features see it: one network, one contract, one token, and what they promise by themselves."""

import time
from collections.abc import Callable

from streampay_smoke.acceptance.checks.expectation import Expect
from streampay_smoke.acceptance.resources.housekeeping import Housekeeping
from streampay_smoke.chain.adapter import (
    ChainAccount,
    ChainAdapter,
    ChainError,
    ChainHealth,
    ContractFailure,
    TxOutcome,
)
from streampay_smoke.chain.contract import Payment, StreamContract, StreamEvent
from streampay_smoke.core.errors import SettingsInvalid

MOVES_WITHIN_SECONDS = 30.0
"""Six ledgers of testnet's 5 s: slower than that is not moving."""

CLOCK_SKEW_SECONDS = 60
"""Difference between the ledger's clock and ours beyond which time bounds stop working."""


RETRY_FEES_STROOPS = 10_000_000
"""A transaction that was applied and failed costs its fee too, and only the last one's is told."""


TAKES_IT = "a new stream would be taken"

DIRECT_STREAM = "contract stream"
"""A stream on the contract that no service knows of."""

FINAL_STATUSES = frozenset({"settled", "cancelled"})
"""In these the contract takes no cancellation."""


SIMULATED_AHEAD_SECONDS = 86_400
"""An instant ledger closes one second later for each transaction, and so runs ahead of a busy sandbox."""


class NetworkUnwell(ChainError):
    """The network itself is not healthy, stands still, or lives in another time: nothing the release did."""

    kind = "network_unwell"


class Ledger:
    """Reads what happened to streams and money on one contract."""

    def __init__(
        self,
        chain: ChainAdapter,
        contract: StreamContract,
        *,
        contract_id: str,
        token_contract_id: str,
        most_ahead_seconds: int = CLOCK_SKEW_SECONDS,
    ) -> None:
        self.chain = chain
        self.contract = contract
        self.contract_id = contract_id
        self.token_contract_id = token_contract_id
        self.most_ahead_seconds = most_ahead_seconds

    def must_pay(self) -> None:
        """Raise SettingsInvalid for a contract that moves no money or does not tell of it: nothing could be proved."""
        profile = self.contract.profile
        if not (profile.pays and profile.events):
            raise SettingsInvalid(
                f"contracts of profile {profile.name} pay nobody: no settlement can be proved on them",
                next_step="set SMOKE_CONTRACT_PROFILE and SMOKE_CONTRACT_ID to a contract that pays",
            )

    def next_ledger(self) -> int:
        """Return the number of the ledger that closes next: everything from there on happened after now."""
        return self.chain.health().latest_ledger + 1

    def created_to(self, recipient: str, first_ledger: int) -> tuple[StreamEvent, ...]:
        """Return the creations of streams to `recipient` from `first_ledger` on."""
        return tuple(
            event
            for event in self.contract.stream_events(first_ledger)
            if event.name == "created" and event.fields.get("recipient") == recipient
        )

    def starts_to(self, recipient: str, first_ledger: int) -> tuple[StreamEvent, ...]:
        """Return the starts of those streams."""
        streams = {event.stream_id for event in self.created_to(recipient, first_ledger)}
        return tuple(
            event
            for event in self.contract.stream_events(first_ledger)
            if event.name == "started" and event.stream_id in streams
        )

    def payments_to(self, recipient: str, first_ledger: int) -> tuple[Payment, ...]:
        """Return what `recipient` was paid from `first_ledger` on, by whomever."""
        return self.contract.payments(first_ledger, recipient)

    def one_ledger_later(self) -> None:
        """Wait until one more ledger has closed; raises ChainUnavailable for a network that stands still."""
        self.chain.wait_for_close(self.chain.health().closed_at + 1, within_seconds=MOVES_WITHIN_SECONDS)


def network_moves(ledger: Ledger, expect: Expect, *, now_seconds: Callable[[], float] = time.time) -> None:
    """The network is healthy, closes ledgers, and its clock agrees with ours; raises NetworkUnwell otherwise."""
    expect = expect.raising(NetworkUnwell)
    first = ledger.chain.health()
    expect.equal("the network is healthy", first.status, "healthy")
    later: ChainHealth = ledger.chain.wait_for_close(first.closed_at + 1, within_seconds=MOVES_WITHIN_SECONDS)
    expect(
        "the network closes ledgers",
        later.latest_ledger > first.latest_ledger,
        expected=f"a ledger after {first.latest_ledger}",
        observed=f"ledger {later.latest_ledger}",
    )
    ahead_seconds = later.closed_at - now_seconds()
    expect(
        "the ledger's clock agrees with ours",
        -CLOCK_SKEW_SECONDS <= ahead_seconds <= ledger.most_ahead_seconds,
        expected=f"at most {CLOCK_SKEW_SECONDS} s behind and {ledger.most_ahead_seconds} s ahead",
        observed=f"{abs(ahead_seconds):.0f} s {'ahead' if ahead_seconds > 0 else 'behind'}",
    )


def interface_is_there(ledger: Ledger, expect: Expect) -> None:
    """The contract offers what its profile promises; raises ContractMissing or InterfaceDrift otherwise."""
    ledger.contract.check_interface()
    functions = ledger.chain.spec(ledger.contract_id)
    expect(
        "the contract offers what StreamPay builds on",
        bool(functions),
        expected="functions",
        observed=f"{len(functions)} functions",
    )


def contract_takes_streams(ledger: Ledger, payer: str, recipient: str, expect: Expect) -> None:
    """The contract would take a new stream now, asked without signing anything."""
    ledger.must_pay()
    observed = TAKES_IT
    try:
        ledger.contract.would_open_draft(payer, recipient, ledger.token_contract_id, 1, 1)
    except ContractFailure as refusal:
        paused = refusal.name == "ContractPaused"
        observed = "its administrator has paused it: nobody can stream" if paused else str(refusal)
    expect("the contract takes new streams", observed == TAKES_IT, expected=TAKES_IT, observed=observed)


def nobody_can_claim(ledger: Ledger, stranger: str, expect: Expect) -> None:
    """The contract was initialised: else whoever comes first makes themselves its administrator, and owns it."""
    claimable = ledger.contract.may_be_claimed(stranger)
    expect(
        "nobody can make themselves the contract's administrator",
        not claimable,
        expected="a contract that has its administrator",
        observed="a contract nobody has initialised: it is anybody's" if claimable else "it has one",
    )


def obeys(ledger: Ledger, admin: str, expect: Expect) -> None:
    """The contract obeys the administrator who is to answer for it, asked without signing anything."""
    obedient = ledger.contract.obeys(admin)
    expect(
        "the contract obeys its administrator",
        obedient,
        expected=admin,
        observed=admin if obedient else "somebody else, or nobody",
    )


def obeys_nobody_else(ledger: Ledger, stranger: str, expect: Expect) -> None:
    """The contract obeys no stranger."""
    obedient = ledger.contract.obeys(stranger)
    expect(
        "the contract obeys nobody else",
        not obedient,
        expected="a refusal",
        observed="it would obey anybody" if obedient else "a refusal",
    )


class DirectStream:
    """A synthetic stream made on the contract itself, past the service."""

    def __init__(self, ledger: Ledger, payer: ChainAccount, recipient: str, housekeeping: Housekeeping) -> None:
        ledger.must_pay()
        self._ledger = ledger
        self._housekeeping = housekeeping
        self._payer = payer
        self._recipient = recipient
        self._first_ledger = ledger.next_ledger()
        self._recipient_before = ledger.chain.balance(recipient)
        self._payer_before = ledger.chain.balance(payer.address)
        self._total_stroops = 0
        self._started: TxOutcome | None = None
        self._settled: TxOutcome | None = None
        self._stream_id = 0
        self._fees_stroops = 0
        self._retried = False

    def play(self, *, total_stroops: int, duration_seconds: int) -> None:
        """Open, start and, once its time is over, settle a stream; raises the chain's errors."""
        contract = self._ledger.contract
        self._total_stroops = total_stroops
        opened = contract.open_draft(
            self._payer, self._recipient, self._ledger.token_contract_id, total_stroops, duration_seconds
        )
        self._stream_id = opened.stream_id
        self._housekeeping.made(DIRECT_STREAM, str(opened.stream_id), self.cancel)
        self._started = contract.start(opened.stream_id, self._payer)
        self._ledger.chain.wait_for_close(
            self._started.closed_at + duration_seconds, within_seconds=MOVES_WITHIN_SECONDS + duration_seconds
        )
        self._settled = contract.settle(opened.stream_id, self._payer)
        self._housekeeping.finished(DIRECT_STREAM, str(opened.stream_id))
        outcomes = (opened.outcome, self._started, self._settled)
        self._fees_stroops = sum(outcome.fee_charged_stroops for outcome in outcomes)
        self._retried = any(outcome.attempts > 1 for outcome in outcomes)

    def cancel(self) -> bool:
        """End a stream that was not settled: what nobody has earned goes back to the payer."""
        contract = self._ledger.contract
        if contract.stream(self._stream_id).status not in FINAL_STATUSES:
            contract.cancel(self._stream_id, self._payer)
        return True

    def paid_whole_once(self, expect: Expect) -> None:
        """The contract paid the whole amount to the recipient, one time, in the settling transaction."""
        assert self._settled is not None
        payments = self._ledger.payments_to(self._recipient, self._first_ledger)
        paid = [(payment.amount_stroops, payment.tx_hash) for payment in payments]
        expect.equal("the contract paid the whole amount once", paid, [(self._total_stroops, self._settled.tx_hash)])
        state = self._ledger.contract.stream(self._stream_id)
        expect.equal("the contract holds the stream as settled", state.status, "settled")
        expect.equal("everything was released", state.released_stroops, self._total_stroops)

    def money_is_conserved(self, expect: Expect) -> None:
        """The recipient got exactly what the payer gave, fees apart."""
        gained = self._ledger.chain.balance(self._recipient) - self._recipient_before
        given = self._payer_before - self._ledger.chain.balance(self._payer.address)
        expect.equal("the recipient's balance grew by the whole amount", gained, self._total_stroops)
        unexplained = given - self._total_stroops - self._fees_stroops
        most = RETRY_FEES_STROOPS if self._retried else 0
        expect(
            "the payer gave the amount and the fees",
            0 <= unexplained <= most,
            expected=f"{self._total_stroops} and {self._fees_stroops} stroops of fees, up to {most} more for retries",
            observed=f"{given} stroops",
        )
