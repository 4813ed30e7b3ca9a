"""The adapter and the contract's words against the sandbox ledger: real XDR, signatures, fees and arithmetic."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from waits import HANG_SECONDS, Stopwatch

from streampay_sandbox.ledger import SandboxLedger, start_ledger
from streampay_smoke.chain.adapter import (
    ChainAccount,
    ChainUnavailable,
    ContractFailure,
    ContractMissing,
    HostFailure,
    InterfaceDrift,
    TxTimeout,
)
from streampay_smoke.chain.contract import StreamContract
from streampay_smoke.chain.stellar import StellarAdapter
from streampay_smoke.core.amounts import accrued
from streampay_smoke.core.contract_profiles import PROFILES
from streampay_smoke.core.errors import GuardRefused
from streampay_smoke.core.networks import ALLOWED, Pace
from streampay_smoke.evidence.events import TransactionClosed

TOTAL = 10_000_001
DURATION = 97
LONG_ENOUGH = DURATION + 60
"""Instant ledgers run ahead of the wall clock, which advancing starts from."""


class LedgerSetup:
    """A sandbox ledger with a funded payer and recipient, and the adapter under test connected to it."""

    def __init__(self, ledger: SandboxLedger, adapter: StellarAdapter, recorded: list[Any]) -> None:
        self.ledger = ledger
        self.adapter = adapter
        self.recorded = recorded
        self.contract = StreamContract(adapter, ledger.contract_id, PROFILES["streampay-stream"])
        self.payer = adapter.account("payer")
        self.recipient = adapter.account("recipient")

    def fund(self) -> None:
        self.adapter.fund(self.payer.address, self.recipient.address)

    def open(self, total: int = TOTAL, duration: int = DURATION) -> int:
        token = self.adapter.native_token_contract()
        return self.contract.open_draft(self.payer, self.recipient.address, token, total, duration).stream_id

    def next_ledger(self) -> int:
        return self.adapter.health().latest_ledger + 1


MakeLedgerSetup = Callable[..., LedgerSetup]


@pytest.fixture
def make_setup() -> Iterator[MakeLedgerSetup]:
    with ExitStack() as stack:

        def make(*, faults: tuple[str, ...] = (), close_seconds: float = 0.0, **changes: Any) -> LedgerSetup:
            ledger = stack.enter_context(start_ledger(faults=faults, close_seconds=close_seconds))
            recorded: list[Any] = []
            settings: dict[str, Any] = {"rpc_url": ledger.rpc_url, "friendbot_url": ledger.friendbot_url}
            adapter = StellarAdapter(ALLOWED["sandbox"], record=recorded.append, **(settings | changes))
            stack.callback(adapter.close)
            return LedgerSetup(ledger, adapter, recorded)

        yield make


@pytest.fixture
def setup(make_setup: MakeLedgerSetup) -> LedgerSetup:
    made = make_setup()
    made.fund()
    return made


def test_the_interface_on_chain_is_the_profiles(setup: LedgerSetup) -> None:
    setup.contract.check_interface()


def test_the_early_contracts_interface_is_its_profiles_too(setup: LedgerSetup) -> None:
    StreamContract(setup.adapter, setup.ledger.early_contract_id, PROFILES["streampay-contracts"]).check_interface()


def test_funding_gives_ten_thousand_units_once(setup: LedgerSetup) -> None:
    setup.fund()
    assert setup.adapter.balance(setup.payer.address) == 100_000_000_000
    assert sum(event.target == "friendbot" for event in setup.recorded if hasattr(event, "target")) == 2


def test_each_signed_transaction_tells_its_fee_and_what_it_locked(setup: LedgerSetup) -> None:
    before = setup.adapter.balance(setup.payer.address)
    stream_id = setup.open()
    setup.contract.start(stream_id, setup.payer)
    setup.ledger.advance(LONG_ENOUGH)
    setup.contract.settle(stream_id, setup.payer)

    closed = [event for event in setup.recorded if isinstance(event, TransactionClosed)]
    assert [(event.function, event.locked_stroops, event.failed) for event in closed] == [
        ("create_draft_stream", TOTAL, False),
        ("start_stream", 0, False),
        ("settle", -TOTAL, False),
    ]
    assert sum(event.fee_stroops for event in closed) == before - setup.adapter.balance(setup.payer.address) - TOTAL


def test_a_stream_is_paid_whole_and_exactly_once(setup: LedgerSetup) -> None:
    first = setup.next_ledger()
    before = setup.adapter.balance(setup.payer.address), setup.adapter.balance(setup.recipient.address)
    stream_id = setup.open()
    escrowed = setup.adapter.balance(setup.ledger.contract_id)
    started = setup.contract.start(stream_id, setup.payer)
    setup.ledger.advance(LONG_ENOUGH)
    settled = setup.contract.settle(stream_id, setup.payer)
    again = setup.contract.settle(stream_id, setup.payer)

    payments = setup.contract.payments(first, setup.recipient.address)
    assert [(payment.amount_stroops, payment.sender, payment.tx_hash) for payment in payments] == [
        (TOTAL, setup.ledger.contract_id, settled.tx_hash)
    ]
    assert setup.contract.payments(again.ledger, setup.recipient.address) == ()
    assert [event.name for event in setup.contract.stream_events(first)] == ["created", "started", "settled"]
    assert setup.contract.stream_events(settled.ledger)[0].fields["total_stroops"] == TOTAL
    state = setup.contract.stream(stream_id)
    assert (state.status, state.released_stroops, state.ends_at - state.started_at) == ("settled", TOTAL, DURATION)
    assert state.started_at == started.closed_at
    assert escrowed == TOTAL
    gained = setup.adapter.balance(setup.recipient.address) - before[1]
    given = before[0] - setup.adapter.balance(setup.payer.address)
    opened = setup.adapter.transaction(setup.contract.stream_events(first)[0].tx_hash)
    assert opened is not None
    fees = sum(outcome.fee_charged_stroops for outcome in (opened, started, settled, again))
    assert (gained, given) == (TOTAL, TOTAL + fees)


def test_a_cancelled_stream_pays_what_accrued_and_returns_the_rest(setup: LedgerSetup) -> None:
    first = setup.next_ledger()
    stream_id = setup.open()
    started = setup.contract.start(stream_id, setup.payer)
    setup.ledger.advance(40)
    cancelled = setup.contract.cancel(stream_id, setup.payer)
    earned = accrued(TOTAL, DURATION, cancelled.closed_at - started.closed_at)
    assert 0 < earned < TOTAL
    (paid,) = setup.contract.payments(first, setup.recipient.address)
    (returned,) = setup.contract.payments(cancelled.ledger, setup.payer.address)
    assert (paid.amount_stroops, returned.amount_stroops) == (earned, TOTAL - earned)
    (event,) = setup.contract.stream_events(cancelled.ledger)
    assert (event.fields["released_stroops"], event.fields["returned_stroops"]) == (earned, TOTAL - earned)
    assert setup.contract.stream(stream_id).status == "cancelled"


def test_a_draft_accrues_nothing(setup: LedgerSetup) -> None:
    stream_id = setup.open()
    setup.ledger.advance(1_000)
    cancelled = setup.contract.cancel(stream_id, setup.payer)
    assert setup.contract.payments(cancelled.ledger, setup.recipient.address) == ()
    (returned,) = setup.contract.payments(cancelled.ledger, setup.payer.address)
    assert returned.amount_stroops == TOTAL


def test_a_pause_moves_the_end_and_accrues_nothing(setup: LedgerSetup) -> None:
    stream_id = setup.open()
    started = setup.contract.start(stream_id, setup.payer)
    paused = setup.contract.pause(stream_id, setup.payer)
    assert setup.contract.stream(stream_id).status == "paused"
    setup.ledger.advance(500)
    resumed = setup.contract.resume(stream_id, setup.payer)
    state = setup.contract.stream(stream_id)
    assert state.status == "active"
    assert state.ends_at == started.closed_at + DURATION + resumed.closed_at - paused.closed_at
    cancelled = setup.contract.cancel(stream_id, setup.payer)
    ran = (paused.closed_at - started.closed_at) + (cancelled.closed_at - resumed.closed_at)
    (paid,) = setup.contract.payments(cancelled.ledger, setup.recipient.address)
    assert paid.amount_stroops == accrued(TOTAL, DURATION, ran)


def test_the_contracts_refusals_have_names(setup: LedgerSetup) -> None:
    stream_id = setup.open()
    refusals: list[tuple[Callable[[], object], str]] = [
        (lambda: setup.contract.settle(stream_id, setup.payer), "InvalidState"),
        (lambda: setup.contract.stream(999), "NotFound"),
        (lambda: setup.open(total=0), "InvalidAmount"),
        (lambda: setup.contract.resume(stream_id, setup.payer), "InvalidState"),
    ]
    for refused, name in refusals:
        with pytest.raises(ContractFailure) as caught:
            refused()
        assert caught.value.name == name


def test_a_stranger_cannot_start_somebody_elses_stream(setup: LedgerSetup) -> None:
    stream_id = setup.open()
    with pytest.raises(HostFailure, match=setup.payer.address) as caught:
        setup.contract.start(stream_id, setup.recipient)
    assert caught.value.error == "Auth, MissingSigner"
    assert setup.contract.stream(stream_id).status == "draft"


def test_the_early_contract_runs_a_stream_without_moving_money(setup: LedgerSetup) -> None:
    contract = StreamContract(setup.adapter, setup.ledger.early_contract_id, PROFILES["streampay-contracts"])
    before = setup.adapter.balance(setup.recipient.address)
    opened = contract.open_draft(setup.payer, setup.recipient.address, "", 9_700, DURATION)
    assert contract.stream(opened.stream_id).status == "draft"
    contract.start(opened.stream_id, setup.payer)
    assert contract.stream(opened.stream_id).status == "active"
    setup.ledger.advance(40)
    settled = contract.settle(opened.stream_id, setup.payer)
    assert settled.value >= 1_000
    contract.pause(opened.stream_id, setup.payer)
    assert contract.stream(opened.stream_id).status == "draft"
    assert setup.adapter.balance(setup.recipient.address) == before


def withdrawn_from(setup: LedgerSetup) -> StreamContract:
    return StreamContract(setup.adapter, setup.ledger.withdrawal_contract_id, PROFILES["streampay-contracts-v0.2"])


def test_the_contract_whose_recipients_withdraw_pays_what_was_earned_and_once(setup: LedgerSetup) -> None:
    contract, token = withdrawn_from(setup), setup.adapter.native_token_contract()
    contract.check_interface()
    since = setup.adapter.health().latest_ledger + 1
    opened = contract.open_draft(setup.payer, setup.recipient.address, token, 9_700, 97)
    assert setup.adapter.balance(setup.recipient.address) == 100_000_000_000
    contract.start(opened.stream_id, setup.payer)
    setup.ledger.advance(LONG_ENOUGH)
    assert contract.settle(opened.stream_id, setup.payer).value == 9_700
    assert contract.payments(since, setup.recipient.address) == ()
    assert contract.stream(opened.stream_id).status == "active"

    withdrawn = contract.withdraw(opened.stream_id, setup.recipient)
    again = contract.withdraw(opened.stream_id, setup.recipient)

    (paid,) = contract.payments(since, setup.recipient.address)
    assert (paid.amount_stroops, paid.sender, paid.tx_hash) == (9_700, contract.contract_id, withdrawn.tx_hash)
    assert (again.value, contract.paid_out(again)) == (0, ())
    assert contract.stream(opened.stream_id).status == "settled"
    (created,) = contract.stream_events(since)
    assert (created.name, created.stream_id, created.fields["total_stroops"]) == ("created", opened.stream_id, 9_700)


def test_a_stream_whose_recipient_withdraws_is_ended_before_its_start_too(setup: LedgerSetup) -> None:
    contract, token = withdrawn_from(setup), setup.adapter.native_token_contract()
    opened = contract.open_draft(setup.payer, setup.recipient.address, token, 9_700, 97)
    contract.cancel(opened.stream_id, setup.payer)
    assert contract.stream(opened.stream_id).status == "cancelled"
    with pytest.raises(HostFailure, match="WasmVm"):
        contract.cancel(opened.stream_id, setup.payer)


def test_the_early_contracts_panics_are_host_failures(setup: LedgerSetup) -> None:
    contract = StreamContract(setup.adapter, setup.ledger.early_contract_id, PROFILES["streampay-contracts"])
    with pytest.raises(HostFailure) as caught:
        contract.stream(999)
    assert caught.value.error == "WasmVm, InvalidAction"


def test_streams_opened_at_the_same_moment_all_come_into_being(make_setup: MakeLedgerSetup) -> None:
    setup = make_setup(close_seconds=0.3)
    accounts = [setup.adapter.account(str(number)) for number in range(3)]
    setup.adapter.fund(setup.recipient.address, *(account.address for account in accounts))
    token = setup.adapter.native_token_contract()

    def open_own(account: ChainAccount) -> tuple[int, int]:
        own = StellarAdapter(ALLOWED["sandbox"], rpc_url=setup.ledger.rpc_url, record=lambda event: None)
        contract = StreamContract(own, setup.ledger.contract_id, setup.contract.profile)
        try:
            opened = contract.open_draft(account, setup.recipient.address, token, TOTAL, DURATION)
        finally:
            own.close()
        return opened.stream_id, opened.outcome.attempts

    with ThreadPoolExecutor(3) as pool:
        opened = list(pool.map(open_own, accounts))
    assert sorted(stream_id for stream_id, _ in opened) == [1, 2, 3]
    assert max(attempts for _, attempts in opened) > 1, "nobody raced: all three predicted another id"


def test_polling_follows_a_ledger_that_closes_each_second(make_setup: MakeLedgerSetup) -> None:
    setup = make_setup(close_seconds=0.5)
    setup.fund()
    token = setup.adapter.native_token_contract()
    with Stopwatch() as watch:
        opened = setup.contract.open_draft(setup.payer, setup.recipient.address, token, TOTAL, DURATION)
    assert watch.seconds < 0.5 + watch.allows(0.5)
    assert setup.contract.stream(opened.stream_id).status == "draft"


def test_waiting_for_a_close_sees_an_idle_ledger_move(setup: LedgerSetup) -> None:
    before = setup.adapter.health()
    after = setup.adapter.wait_for_close(before.closed_at + 1, within_seconds=HANG_SECONDS)
    assert after.closed_at > before.closed_at
    assert after.latest_ledger > before.latest_ledger


@pytest.mark.parametrize(
    ("fault", "attempts"),
    [
        ("rpc-bad-seq-once", 2),
        ("rpc-insufficient-fee-once", 2),
        ("rpc-duplicate", 1),
        ("rpc-try-again-later", 3),
        ("archived-entry-once", 2),
    ],
)
def test_a_passing_fault_of_the_network_is_lived_through(
    fault: str, attempts: int, make_setup: MakeLedgerSetup
) -> None:
    setup = make_setup(faults=(fault,))
    setup.fund()
    opened = setup.contract.open_draft(
        setup.payer, setup.recipient.address, setup.adapter.native_token_contract(), TOTAL, DURATION
    )
    assert opened.outcome.attempts == attempts
    assert setup.contract.stream(opened.stream_id).total_stroops == TOTAL


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        ("rpc-dead", "http 503"),
        ("rpc-429", "http 429"),
        ("rpc-503-json", "http 503"),
        ("rpc-html", "html"),
        ("rpc-null-id", "id null"),
        ("rpc-hangs", "timeout"),
    ],
)
def test_a_broken_rpc_is_unavailable_and_says_why(fault: str, cause: str, make_setup: MakeLedgerSetup) -> None:
    setup = make_setup(faults=(fault,), timeout_seconds=0.3, pace=IMPATIENT)
    with pytest.raises(ChainUnavailable) as caught:
        setup.adapter.connect()
    assert caught.value.cause == cause


IMPATIENT = Pace(first_poll=0.0, shortest=0.02, longest=0.1, valid=2, ledger_wait=0.3, retry=0.2)
"""For what never comes: how long that is waited for does not matter."""


@pytest.mark.parametrize("fault", ["network-public", "network-unknown"])
def test_an_rpc_of_another_network_is_refused(fault: str, make_setup: MakeLedgerSetup) -> None:
    setup = make_setup(faults=(fault,))
    with pytest.raises(GuardRefused):
        setup.fund()


def test_a_dropped_transaction_is_told_as_a_timeout(make_setup: MakeLedgerSetup) -> None:
    setup = make_setup(faults=("rpc-drops-transaction",), pace=IMPATIENT)
    setup.fund()
    with pytest.raises(TxTimeout):
        setup.open()


def test_a_ledger_that_stands_still_is_told(make_setup: MakeLedgerSetup) -> None:
    stalled = make_setup(faults=("ledger-stalled",), pace=IMPATIENT, timeout_seconds=0.3)
    with pytest.raises(ChainUnavailable, match="setup: "):
        stalled.fund()
    with pytest.raises(ChainUnavailable) as caught:
        stalled.adapter.wait_for_close(int(time.time()) + 60, within_seconds=0.3)
    assert caught.value.cause == "ledger stands still"


def test_friendbot_trouble_is_setup_trouble(make_setup: MakeLedgerSetup) -> None:
    with pytest.raises(ChainUnavailable, match=r"setup: .* could not be funded"):
        make_setup(faults=("friendbot-500",), pace=IMPATIENT).fund()


def test_a_friendbot_that_lies_is_found_out(make_setup: MakeLedgerSetup) -> None:
    with pytest.raises(ChainUnavailable, match="the RPC does not see it"):
        make_setup(faults=("friendbot-already-funded",), pace=IMPATIENT).fund()


def test_a_reset_network_lacks_the_contract(make_setup: MakeLedgerSetup) -> None:
    with pytest.raises(ContractMissing):
        make_setup(faults=("contract-missing",)).contract.check_interface()


def test_another_contract_under_the_same_id_is_drift(make_setup: MakeLedgerSetup) -> None:
    with pytest.raises(InterfaceDrift, match="create_draft_stream is absent"):
        make_setup(faults=("contract-other-interface",)).contract.check_interface()


def test_a_paused_contract_says_so(make_setup: MakeLedgerSetup) -> None:
    setup = make_setup(faults=("contract-paused",))
    setup.fund()
    with pytest.raises(ContractFailure) as caught:
        setup.open()
    assert caught.value.name == "ContractPaused"


@pytest.mark.parametrize(
    ("fault", "paid"),
    [("contract-pays-twice", [TOTAL, TOTAL]), ("contract-pays-less", [TOTAL - 1]), ("contract-pays-other", [])],
)
def test_what_a_dishonest_contract_really_paid_is_seen(
    fault: str, paid: list[int], make_setup: MakeLedgerSetup
) -> None:
    setup = make_setup(faults=(fault,))
    setup.fund()
    first = setup.next_ledger()
    stream_id = setup.open()
    setup.contract.start(stream_id, setup.payer)
    setup.ledger.advance(LONG_ENOUGH)
    setup.contract.settle(stream_id, setup.payer)
    assert [payment.amount_stroops for payment in setup.contract.payments(first, setup.recipient.address)] == paid


def test_the_ledger_saw_no_fault_of_its_own(setup: LedgerSetup) -> None:
    setup.open()
    assert list(setup.ledger.errors) == []
