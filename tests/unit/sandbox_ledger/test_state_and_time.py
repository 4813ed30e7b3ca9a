import itertools

import pytest
from ledger_players import NETWORK, UNIT, Bench
from stellar_sdk import Keypair, StrKey, scval, xdr

from streampay_sandbox.ledger import book as book_module
from streampay_sandbox.ledger.book import Book, ClosedLedger
from streampay_sandbox.ledger.cadence import (
    MOST_AHEAD_SECONDS,
    MOST_CAUGHT_UP,
    FixedInterval,
    Instant,
    Stalled,
    cadence,
)
from streampay_sandbox.ledger.clock import LedgerClock
from streampay_sandbox.ledger.keys import account_key, data_key
from streampay_sandbox.ledger.ledger import LEDGERS_BEFORE, start_ledger
from streampay_sandbox.ledger.state import (
    Account,
    Draft,
    LedgerState,
    SupplyBroken,
    data_row,
    load_account,
    store_account,
)
from streampay_sandbox.ledger.stream_contract import pay_recipient, stream_contract
from streampay_sandbox.stack import start_sandbox
from streampay_sandbox.wire_versions import WIRE_VERSIONS
from streampay_smoke.http.ledger_health import measured_seconds_per_ledger

Change = xdr.LedgerEntryChangeType
SOMEBODY = Keypair.random().public_key
CONTRACT = StrKey.encode_contract(bytes(32))


def account(balance: int) -> Account:
    return Account(address=SOMEBODY, balance=balance, sequence=1)


def commit(state: LedgerState, ledger: int, balance: int) -> None:
    draft = Draft(state, ledger)
    store_account(draft, account(balance))
    state.begin_ledger(ledger)
    state.write(draft.changes)


def test_coins_that_appear_are_noticed() -> None:
    state = LedgerState()
    commit(state, 1, 5)
    with pytest.raises(SupplyBroken, match="5 stroops exist, the ledger was born with 0"):
        state.check_supply()


def test_the_past_can_be_looked_at() -> None:
    state = LedgerState()
    for ledger, balance in ((2, 20), (3, 30), (4, 40)):
        commit(state, ledger, balance)
    balances = [load_account(state.as_of(ledger), SOMEBODY) for ledger in (1, 2, 3, 4)]
    assert [found.balance if found else None for found in balances] == [None, 20, 30, 40]


def kinds(draft: Draft) -> list[str]:
    return [change.type.name.removeprefix("LEDGER_ENTRY_") for change in draft.entry_changes().ledger_entry_changes]


def test_changes_are_told_as_metas_tell_them() -> None:
    state = LedgerState()
    key = data_key(CONTRACT, scval.to_symbol("row"))
    born = Draft(state, 2)
    born.put(key, data_row(CONTRACT, scval.to_symbol("row"), scval.to_uint32(1)), 50)
    assert kinds(born) == ["CREATED", "CREATED"]
    state.write(born.changes)

    changed = Draft(state, 3)
    changed.put(key, data_row(CONTRACT, scval.to_symbol("row"), scval.to_uint32(2)), 50)
    assert kinds(changed) == ["STATE", "UPDATED"]

    extended = Draft(state, 3)
    extended.extend(key, 90)
    extended.extend(account_key(SOMEBODY), 90)
    assert kinds(extended) == ["STATE", "UPDATED"]
    ttl = extended.entry_changes().ledger_entry_changes[1].updated
    assert ttl is not None
    assert ttl.data.ttl is not None
    assert ttl.data.ttl.live_until_ledger_seq.uint32 == 90

    gone = Draft(state, 3)
    gone.changes[key] = None
    gone.changes[account_key(SOMEBODY)] = None
    assert kinds(gone) == ["STATE", "REMOVED"]
    state.write(gone.changes)
    assert state.get(key) is None


def test_keys_show_what_they_name_and_compare_by_it() -> None:
    assert account_key(SOMEBODY) == account_key(SOMEBODY) != SOMEBODY
    assert "ACCOUNT" in repr(account_key(SOMEBODY))


def test_ledger_time_only_moves_on() -> None:
    clock = LedgerClock(wall=lambda: 1_000.9, shortest_gap_ms=1_000)
    assert clock.close_time_ms(0) == 1_000_000
    assert clock.close_time_ms(1_000_000) == 1_001_000
    assert clock.close_time_ms(5_000_000) == 5_001_000
    clock.advance(86_400)
    assert (clock.close_time_ms(1_000_000), clock.wall()) == (87_400_000, 1_000.9)
    assert clock.close_time_ms(0, wall=2_000.5) == 88_400_000
    with pytest.raises(ValueError, match="does not run backwards"):
        clock.advance(-1)


def test_ledgers_may_share_a_second_where_their_times_have_milliseconds() -> None:
    clock = LedgerClock(wall=lambda: 1_000.9, shortest_gap_ms=1)
    assert clock.close_time_ms(0) == 1_000_900
    assert clock.close_time_ms(1_000_900) == 1_000_901
    assert clock.time_before_ms(1_000.9) == 1_000_899


def test_instant_ledgers_close_for_transactions_and_when_somebody_looks() -> None:
    instant = cadence(0)
    assert isinstance(instant, Instant)
    assert instant.on_submission
    assert (list(instant.due(10, 10.2)), list(instant.due(10, 10.3))) == ([], [10.3])


def test_idle_instant_ledgers_do_not_run_away_from_the_clock() -> None:
    ahead = cadence(0)
    assert list(ahead.due(10, 10.9, ahead_seconds=MOST_AHEAD_SECONDS)) == []
    assert list(ahead.due(10, 11.0, ahead_seconds=MOST_AHEAD_SECONDS)) == [11.0]


def test_intervals_catch_up_but_not_for_ever() -> None:
    five = cadence(5)
    assert isinstance(five, FixedInterval)
    assert not five.on_submission
    assert (list(five.due(10, 14.9)), list(five.due(10, 21))) == ([], [15, 20])
    late = list(five.due(0, 5_000_000))
    assert (len(late), late[-1]) == (MOST_CAUGHT_UP, 5_000_000)
    with pytest.raises(ValueError, match="positive"):
        FixedInterval(-1)


def test_the_pace_of_a_network_is_told_as_soon_as_it_starts() -> None:
    with start_sandbox(close_seconds=5.0) as sandbox:
        assert measured_seconds_per_ledger(sandbox.rpc_url, timeout_seconds=5, closes_on_demand=True) == 5
        closed_at_ms = sandbox.closed_at_ms()
    assert len(closed_at_ms) > LEDGERS_BEFORE
    assert {after - before for before, after in itertools.pairwise(closed_at_ms[1:])} == {5_000}
    with start_ledger() as ledger:
        assert ledger.node.book.latest.sequence == ledger.birth.first_ledger


def test_a_stalled_network_never_closes() -> None:
    assert list(Stalled().due(0, 10**9)) == []


VALIDATOR = Keypair.random()


def empty(sequence: int) -> ClosedLedger:
    return ClosedLedger(sequence=sequence, closed_at_ms=sequence * 1_000, transactions=(), fee_pool=0, total_coins=0)


def test_headers_are_chained_whatever_the_order_they_are_asked_in() -> None:
    forwards, backwards = Book(WIRE_VERSIONS["28"], VALIDATOR), Book(WIRE_VERSIONS["28"], VALIDATOR)
    for sequence in range(1, 6):
        forwards.add(empty(sequence))
        backwards.add(empty(sequence))
    ascending = [forwards.hash(sequence) for sequence in range(1, 6)]
    descending = [backwards.hash(sequence) for sequence in range(5, 0, -1)]
    assert ascending == descending[::-1]
    assert forwards.header(4).previous_ledger_hash.hash == ascending[2]


def test_two_networks_have_no_ledger_in_common() -> None:
    one, other = Book(WIRE_VERSIONS["28"]), Book(WIRE_VERSIONS["28"])
    for sequence in (1, 2):
        one.add(empty(sequence))
        other.add(empty(sequence))
    assert one.hash(1) != other.hash(1)
    assert one.hash(2) != other.hash(2)


def test_what_falls_out_of_the_window_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_module, "RETENTION_LEDGERS", 3)
    book = Book(WIRE_VERSIONS["28"], VALIDATOR)
    for sequence in range(1, 8):
        book.add(empty(sequence))
    assert (book.oldest.sequence, book.latest.sequence) == (5, 7)
    with pytest.raises(KeyError):
        book.ledger(4)
    whole = Book(WIRE_VERSIONS["28"], VALIDATOR)
    monkeypatch.setattr(book_module, "RETENTION_LEDGERS", 100)
    for sequence in range(1, 8):
        whole.add(empty(sequence))
    assert book.hash(7) == whole.hash(7)


def test_genesis_is_the_same_every_time() -> None:
    first, second = Bench(stream_contract(pay_recipient)), Bench(stream_contract(pay_recipient))
    assert first.birth.contract_id == second.birth.contract_id
    assert first.birth.native_token_id == second.token
    assert first.birth.contract_id != first.birth.early_contract_id
    assert first.state.total_coins == 100_000_000_000 * UNIT
    assert NETWORK.simulated
