import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_players import UNIT, Bench
from stellar_sdk import scval

from streampay_sandbox.ledger.failures import HostError
from streampay_sandbox.ledger.keys import instance_key
from streampay_sandbox.ledger.state import Draft, instance_row, load_instance
from streampay_sandbox.ledger.stream_contract import (
    pay_less,
    pay_recipient,
    pay_somebody_else,
    pay_twice,
    stream_contract,
)
from streampay_sandbox.ledger.stream_contract.arithmetic import fee, vested, withdrawable
from streampay_sandbox.ledger.stream_contract.payouts import SOMEBODY_ELSE, Payout
from streampay_sandbox.ledger.stream_contract.records import Code, Stream
from streampay_sandbox.ledger.values import I128_MAX, U64_MAX
from streampay_smoke.core.amounts import accrued

NOW = 1_800_000_000
TOTAL = 100 * UNIT


@pytest.fixture
def bench() -> Bench:
    return Bench(stream_contract(pay_recipient), now=NOW)


@pytest.fixture
def sender(bench: Bench) -> str:
    return bench.somebody()


@pytest.fixture
def recipient(bench: Bench) -> str:
    return bench.somebody()


def create(bench: Bench, sender: str, recipient: str, *, start: int = 0, seconds: int = 1_000, bps: int = 0) -> int:
    begins = NOW + start
    stream_id: int = bench.call("create_stream", sender, recipient, bench.token, TOTAL, begins, begins + seconds, bps)
    return stream_id


def draft(bench: Bench, sender: str, recipient: str, total: int = TOTAL, seconds: int = 1_000) -> int:
    stream_id: int = bench.call("create_draft_stream", sender, recipient, bench.token, total, seconds)
    return stream_id


def refused(code: Code, bench: Bench, function: str, *arguments: object) -> None:
    with pytest.raises(HostError) as caught:
        bench.call(function, *arguments)
    assert f"Error(Contract, #{code.value})" in str(caught.value)


def of_stream(bench: Bench, name: str) -> list[object]:
    return [data for contract, topics, data in bench.events if topics == ("stream", name)]


def test_a_stream_escrows_its_total_and_pays_it_out_once_settled(bench: Bench, sender: str, recipient: str) -> None:
    stream_id = create(bench, sender, recipient)
    assert (stream_id, bench.agreed) == (1, [sender])
    assert of_stream(bench, "created") == [[1, sender, recipient, bench.token, TOTAL, 0, 1_000, NOW]]
    assert bench.balance(bench.birth.contract_id) == TOTAL

    bench.now = NOW + 1_000
    before = bench.balance(recipient)
    bench.call("settle", stream_id)
    assert bench.agreed == []
    assert of_stream(bench, "settled") == [[1, recipient, TOTAL, NOW + 1_000]]
    transfer = ("transfer", bench.birth.contract_id, recipient, "native")
    assert bench.events[0] == (bench.token, transfer, TOTAL)
    assert bench.balance(recipient) - before == TOTAL
    assert bench.call("get_stream", stream_id)["status"] == ["Settled"]


def test_settling_again_pays_nobody_and_says_nothing(bench: Bench, sender: str, recipient: str) -> None:
    stream_id = create(bench, sender, recipient)
    bench.now = NOW + 1_000
    bench.call("settle", stream_id)
    paid = bench.balance(recipient)
    assert bench.call("settle", stream_id) is None
    assert (bench.balance(recipient), bench.events) == (paid, [])


def test_a_stream_cannot_be_settled_before_its_end(bench: Bench, sender: str, recipient: str) -> None:
    stream_id = create(bench, sender, recipient)
    bench.now = NOW + 999
    refused(Code.InvalidState, bench, "settle", stream_id)


def test_a_draft_escrows_and_runs_from_its_start(bench: Bench, sender: str, recipient: str) -> None:
    stream_id = draft(bench, sender, recipient)
    assert bench.call("get_stream", stream_id)["start_time"] == 0
    assert bench.call("withdrawable", stream_id) == 0
    refused(Code.InvalidState, bench, "settle", stream_id)
    refused(Code.InvalidState, bench, "pause", stream_id)
    bench.now = NOW + 50
    started = bench.call("start_stream", stream_id)
    assert bench.agreed == [sender]
    assert (started["status"], started["start_time"], started["end_time"]) == (["Active"], NOW + 50, NOW + 1_050)
    assert of_stream(bench, "started") == [[1, NOW + 50, NOW + 1_050, NOW + 50]]
    refused(Code.InvalidState, bench, "start_stream", stream_id)


def test_ids_are_sequential_from_one(bench: Bench, sender: str, recipient: str) -> None:
    assert [draft(bench, sender, recipient), create(bench, sender, recipient), draft(bench, sender, recipient)] == [
        1,
        2,
        3,
    ]


@pytest.mark.parametrize(
    ("code", "change"),
    [
        (Code.InvalidAmount, {"total": 0}),
        (Code.InvalidAmount, {"total": -5}),
        (Code.InvalidTimeRange, {"end": NOW + 10, "start": NOW + 10}),
        (Code.InvalidTimeRange, {"start": NOW - 1}),
        (Code.InvalidFeeBps, {"bps": 10_001}),
    ],
)
def test_create_stream_refuses_bad_terms(
    bench: Bench, sender: str, recipient: str, code: Code, change: dict[str, int]
) -> None:
    terms = {"total": TOTAL, "start": NOW, "end": NOW + 100, "bps": 0} | change
    refused(code, bench, "create_stream", sender, recipient, bench.token, *terms.values())


def test_streaming_to_oneself_has_one_error_per_entry_point(bench: Bench, sender: str) -> None:
    refused(Code.SelfStream, bench, "create_stream", sender, sender, bench.token, TOTAL, NOW, NOW + 1, 0)
    refused(Code.InvalidState, bench, "create_draft_stream", sender, sender, bench.token, TOTAL, 1)


def test_a_draft_refuses_bad_terms(bench: Bench, sender: str, recipient: str) -> None:
    refused(Code.InvalidAmount, bench, "create_draft_stream", sender, recipient, bench.token, 0, 1)
    refused(Code.InvalidTimeRange, bench, "create_draft_stream", sender, recipient, bench.token, 1, 0)


def test_a_start_beyond_the_end_of_time_is_refused(bench: Bench, sender: str, recipient: str) -> None:
    stream_id = draft(bench, sender, recipient, seconds=U64_MAX)
    refused(Code.InvalidTimeRange, bench, "start_stream", stream_id)


def test_somebody_who_cannot_pay_gets_the_tokens_own_error(bench: Bench, recipient: str) -> None:
    poor = bench.somebody(balance=2 * UNIT)
    with pytest.raises(HostError, match=r"#10.*not within the allowed range"):
        draft(bench, poor, recipient)


def test_a_recipient_who_does_not_exist_stops_create_stream_but_not_a_draft(bench: Bench, sender: str) -> None:
    nobody = bench.somebody(balance=0)
    with pytest.raises(HostError, match=r"#6.*account entry is missing"):
        create(bench, sender, nobody)
    assert draft(bench, sender, nobody) == 1


def test_unknown_streams_are_not_found(bench: Bench) -> None:
    for function in ("get_stream", "withdrawable", "stream_balance", "start_stream", "settle", "cancel_stream"):
        refused(Code.NotFound, bench, function, 99)


def test_withdrawals_pay_what_has_vested_and_the_last_one_settles(bench: Bench, sender: str, recipient: str) -> None:
    stream_id = create(bench, sender, recipient)
    bench.now = NOW + 250
    assert bench.call("withdrawable", stream_id) == TOTAL // 4 == bench.call("claim_drip", stream_id)
    refused(Code.OverWithdraw, bench, "withdraw", recipient, stream_id, TOTAL // 4 + 1)
    refused(Code.InvalidAmount, bench, "withdraw", recipient, stream_id, 0)
    assert bench.call("withdraw", recipient, stream_id, TOTAL // 4) == TOTAL // 4
    assert bench.agreed == [recipient]
    assert of_stream(bench, "withdrawn") == [[1, recipient, TOTAL // 4, NOW + 250]]
    assert of_stream(bench, "settled") == []
    bench.now = NOW + 2_000
    bench.call("withdraw", recipient, stream_id, TOTAL - TOTAL // 4)
    assert of_stream(bench, "settled") == [[1, recipient, TOTAL, NOW + 2_000]]
    refused(Code.AlreadySettled, bench, "withdraw", recipient, stream_id, 1)


def test_only_the_recipient_and_named_withdrawers_may_withdraw(bench: Bench, sender: str, recipient: str) -> None:
    delegate = bench.somebody()
    stream_id = create(bench, sender, recipient)
    bench.now = NOW + 500
    refused(Code.Unauthorized, bench, "withdraw", delegate, stream_id, 1)
    refused(Code.Unauthorized, bench, "withdraw", sender, stream_id, 1)
    bench.call("add_withdrawer", stream_id, delegate)
    assert bench.agreed == [sender]
    bench.call("add_withdrawer", stream_id, delegate)
    assert bench.call("get_withdrawer_allowlist", stream_id) == [delegate]
    before = bench.balance(recipient)
    bench.call("withdraw", delegate, stream_id, 1)
    assert (bench.agreed, bench.balance(recipient) - before) == ([delegate], 1)
    bench.call("remove_withdrawer", stream_id, delegate)
    bench.call("remove_withdrawer", stream_id, delegate)
    refused(Code.Unauthorized, bench, "withdraw", delegate, stream_id, 1)


def test_a_draft_cannot_be_withdrawn_from(bench: Bench, sender: str, recipient: str) -> None:
    stream_id = draft(bench, sender, recipient)
    with pytest.raises(HostError, match="#6"):
        bench.call("withdraw", recipient, stream_id, 1)


def test_a_fee_goes_to_the_collector_and_to_the_recipient_where_there_is_none(
    bench: Bench, sender: str, recipient: str
) -> None:
    stream_id = create(bench, sender, recipient, bps=250)
    bench.now = NOW + 500
    before = bench.balance(recipient)
    bench.call("withdraw", recipient, stream_id, 1_000)
    assert bench.balance(recipient) - before == 1_000
    assert of_stream(bench, "fee") == []
    collector = bench.somebody()
    bench.call("set_fee_collector", bench.admin, collector)
    assert bench.call("get_fee_collector") == collector
    held, before = bench.balance(collector), bench.balance(recipient)
    bench.call("withdraw", recipient, stream_id, 1_000)
    assert (bench.balance(collector) - held, bench.balance(recipient) - before) == (25, 975)
    assert of_stream(bench, "fee") == [[1, 25, 250, collector, NOW + 500]]


def test_a_pause_stops_accrual_and_a_resume_moves_the_end(bench: Bench, sender: str, recipient: str) -> None:
    stream_id = create(bench, sender, recipient)
    bench.now = NOW + 400
    assert bench.call("pause", stream_id)["status"] == ["Paused"]
    assert bench.agreed == [sender]
    assert of_stream(bench, "paused") == [[1, sender, NOW + 400, NOW + 400]]
    refused(Code.InvalidState, bench, "pause", stream_id)
    bench.now = NOW + 900
    assert bench.call("stream_balance", stream_id) == TOTAL * 4 // 10
    resumed = bench.call("resume", stream_id)
    assert (resumed["end_time"], resumed["total_paused_duration"], resumed["paused_at"]) == (NOW + 1_500, 500, 0)
    assert of_stream(bench, "resumed") == [[1, sender, NOW + 1_500, NOW + 900]]
    refused(Code.InvalidState, bench, "resume", stream_id)
    bench.now = NOW + 1_000
    assert bench.call("stream_balance", stream_id) == TOTAL // 2


def test_a_paused_stream_settles_in_full_once_its_first_end_has_passed(
    bench: Bench, sender: str, recipient: str
) -> None:
    stream_id = create(bench, sender, recipient)
    bench.now = NOW + 100
    bench.call("pause", stream_id)
    bench.now = NOW + 1_000
    before = bench.balance(recipient)
    bench.call("settle", stream_id)
    assert bench.balance(recipient) - before == TOTAL


def test_cancelling_splits_by_what_has_vested(bench: Bench, sender: str, recipient: str) -> None:
    stream_id = create(bench, sender, recipient)
    bench.now = NOW + 300
    held, before = bench.balance(sender), bench.balance(recipient)
    assert bench.call("cancel_stream", stream_id)["status"] == ["Cancelled"]
    assert bench.agreed == [sender]
    assert bench.balance(sender) - held == TOTAL * 7 // 10
    assert bench.balance(recipient) - before == TOTAL * 3 // 10
    assert of_stream(bench, "cancelled") == [[1, sender, TOTAL * 7 // 10, TOTAL * 3 // 10, NOW + 300]]
    refused(Code.InvalidState, bench, "cancel_stream", stream_id)
    refused(Code.InvalidState, bench, "settle", stream_id)


def test_a_cancelled_draft_goes_back_in_full_and_a_finished_stream_to_the_recipient(
    bench: Bench, sender: str, recipient: str
) -> None:
    first, second = draft(bench, sender, recipient), create(bench, sender, recipient)
    held = bench.balance(sender)
    bench.call("cancel_stream", first)
    assert bench.balance(sender) - held == TOTAL
    bench.now = NOW + 1_000
    before = bench.balance(recipient)
    bench.call("cancel_stream", second)
    assert bench.balance(recipient) - before == TOTAL


def test_amending_to_a_later_end_takes_other_peoples_escrow_as_the_contract_does(
    bench: Bench, sender: str, recipient: str
) -> None:
    create(bench, bench.somebody(), recipient)
    stream_id = create(bench, sender, recipient)
    bench.now = NOW + 500
    bench.call("withdraw", recipient, stream_id, TOTAL // 2)
    amended = bench.call("amend_stream", stream_id, 7, NOW + 10_000)
    assert (amended["duration"], amended["end_time"]) == (10_000, NOW + 10_000)
    assert of_stream(bench, "amended") == [[2, sender, 7, NOW + 10_000, NOW + 500]]
    held = bench.balance(sender)
    bench.call("cancel_stream", stream_id)
    assert bench.balance(sender) - held == TOTAL - TOTAL * 500 // 10_000


def test_amending_refuses_bad_terms_and_finished_streams(bench: Bench, sender: str, recipient: str) -> None:
    stream_id = create(bench, sender, recipient, start=100)
    refused(Code.InvalidAmount, bench, "amend_stream", stream_id, 0, NOW + 500)
    refused(Code.InvalidTimeRange, bench, "amend_stream", stream_id, 1, NOW)
    refused(Code.InvalidTimeRange, bench, "amend_stream", stream_id, 1, NOW + 100)
    bench.call("cancel_stream", stream_id)
    refused(Code.InvalidState, bench, "amend_stream", stream_id, 1, NOW + 500)


def test_the_global_pause_stops_money_coming_in_and_settling_but_not_cancelling(
    bench: Bench, sender: str, recipient: str
) -> None:
    stream_id = draft(bench, sender, recipient)
    bench.call("set_paused", bench.admin, True)
    assert of_stream(bench, "set_pause") == [[bench.admin, True, NOW]]
    for function, arguments in (
        ("create_stream", (sender, recipient, bench.token, TOTAL, NOW, NOW + 1, 0)),
        ("create_draft_stream", (sender, recipient, bench.token, TOTAL, 1)),
        ("start_stream", (stream_id,)),
        ("settle", (stream_id,)),
        ("withdraw", (recipient, stream_id, 1)),
        ("amend_stream", (stream_id, 1, NOW + 5)),
    ):
        refused(Code.ContractPaused, bench, function, *arguments)
    bench.call("cancel_stream", stream_id)
    bench.call("set_paused", bench.admin, False)
    assert draft(bench, sender, recipient) == 2


def test_only_the_admin_administers(bench: Bench, sender: str) -> None:
    for function, argument in (
        ("set_paused", True),
        ("set_admin", sender),
        ("set_fee_collector", sender),
        ("set_default_fee_bps", 1),
        ("set_fee_bps", 1),
        ("set_max_streams_per_sender", 1),
        ("set_cooloff_duration", 1),
    ):
        refused(Code.Unauthorized, bench, function, sender, argument)
    refused(Code.Unauthorized, bench, "set_token_allowed", sender, bench.token, False)
    bench.call("set_admin", bench.admin, sender)
    assert of_stream(bench, "set_admin") == [[bench.admin, sender, NOW]]
    bench.call("set_paused", sender, True)


def test_the_contract_is_initialised_once(bench: Bench, sender: str) -> None:
    refused(Code.AlreadyInitialized, bench, "initialize", sender)
    refused(Code.AlreadyInitialized, bench, "init_with_token_allowlist", sender, [])


@pytest.mark.parametrize(("function", "extra"), [("initialize", ()), ("init_with_token_allowlist", (["token"],))])
def test_whoever_initialises_first_owns_the_contract(
    bench: Bench, sender: str, function: str, extra: tuple[list[str], ...]
) -> None:
    _forget_admin(bench)
    refused(Code.NotFound, bench, "set_paused", sender, True)
    bench.call(function, sender, *([bench.token] for _ in extra))
    assert bench.agreed == [sender]
    assert bool(of_stream(bench, "deprecated_entrypoint")) is (function == "initialize")
    bench.call("set_paused", sender, True)


def _forget_admin(bench: Bench) -> None:
    instance = load_instance(bench.state, bench.birth.contract_id)
    assert instance is not None
    blank = Draft(bench.state, bench.sequence)
    blank.put(
        instance_key(bench.birth.contract_id),
        instance_row(bench.birth.contract_id, instance.executable, None),
        bench.sequence + 1_000_000,
    )
    bench.state.write(blank.changes)


def test_a_blocked_token_is_refused_until_it_is_allowed_again(bench: Bench, sender: str, recipient: str) -> None:
    bench.call("set_token_allowed", bench.admin, bench.token, False)
    assert of_stream(bench, "set_token") == [[bench.admin, bench.token, False, NOW]]
    refused(Code.TokenNotAllowed, bench, "create_draft_stream", sender, recipient, bench.token, TOTAL, 1)
    refused(Code.TokenNotAllowed, bench, "create_stream", sender, recipient, bench.token, TOTAL, NOW, NOW + 1, 0)
    bench.call("set_token_allowed", bench.admin, bench.token, True)
    assert draft(bench, sender, recipient) == 1


def test_fees_are_administered_within_bounds(bench: Bench, sender: str, recipient: str) -> None:
    assert (bench.call("get_default_fee_bps"), bench.call("fee_bps"), bench.call("get_fee_collector")) == (0, 0, None)
    refused(Code.InvalidFeeBps, bench, "set_default_fee_bps", bench.admin, 10_001)
    refused(Code.InvalidAmount, bench, "set_fee_bps", bench.admin, 10_001)
    bench.call("set_default_fee_bps", bench.admin, 30)
    assert of_stream(bench, "set_dfee") == [[bench.admin, 30, NOW]]
    bench.call("set_fee_bps", bench.admin, 40)
    assert bench.events == []
    assert (bench.call("get_default_fee_bps"), bench.call("fee_bps")) == (30, 40)
    by_draft, created = draft(bench, sender, recipient), create(bench, sender, recipient, bps=77)
    assert bench.call("get_stream_fee_bps", by_draft) == 0
    assert bench.call("get_stream_fee_bps", created) == 30
    refused(Code.NotFound, bench, "get_stream_fee_bps", 99)


def test_the_limit_counts_drafts_but_is_checked_for_created_streams(bench: Bench, sender: str, recipient: str) -> None:
    assert (bench.call("max_streams_per_sender"), bench.call("remaining_sender_capacity", sender)) == (10, 10)
    bench.call("set_max_streams_per_sender", bench.admin, 1)
    create(bench, sender, recipient)
    create(bench, sender, recipient)
    assert bench.call("sender_stream_count", sender) == 0
    first = draft(bench, sender, recipient)
    draft(bench, sender, recipient)
    assert bench.call("sender_stream_count", sender) == 2
    assert bench.call("remaining_sender_capacity", sender) == 0
    refused(Code.StreamLimitExceeded, bench, "create_stream", sender, recipient, bench.token, 1, NOW, NOW + 1, 0)
    bench.call("cancel_stream", first)
    assert bench.call("sender_stream_count", sender) == 1


def test_a_cooloff_makes_senders_wait(bench: Bench, sender: str, recipient: str) -> None:
    assert (bench.call("get_cooloff_duration"), bench.call("get_cooloff_until", sender)) == (0, 0)
    bench.call("set_cooloff_duration", bench.admin, 60)
    assert of_stream(bench, "cooloff") == [[bench.admin, 60, NOW]]
    draft(bench, sender, recipient)
    assert bench.call("get_cooloff_until", sender) == NOW + 60
    refused(Code.CooloffActive, bench, "create_draft_stream", sender, recipient, bench.token, TOTAL, 1)
    bench.now = NOW + 60
    assert create(bench, sender, recipient, start=60) == 2


def test_lists_page_by_id_and_filter(bench: Bench, sender: str, recipient: str) -> None:
    other = bench.somebody()
    for number in range(5):
        draft(bench, sender if number % 2 else other, recipient, total=UNIT)
    bench.call("start_stream", 3)
    page = bench.call("list_streams", None, 2)
    assert ([stream["id"] for stream in page["streams"]], page["next_cursor"]) == ([1, 2], 2)
    page = bench.call("list_streams", 2, 100)
    assert ([stream["id"] for stream in page["streams"]], page["next_cursor"]) == ([3, 4, 5], None)
    ids = [stream["id"] for stream in bench.call("list_streams_by_sender", sender, None, 10)["streams"]]
    assert ids == [2, 4]
    assert len(bench.call("list_streams_by_recipient", recipient, None, 10)["streams"]) == 5
    active = bench.call("list_streams_by_status", "Active", None, 10)["streams"]
    assert [stream["id"] for stream in active] == [3]
    assert bench.call("storage_version") == 1


def test_arguments_of_the_wrong_kind_trap(bench: Bench) -> None:
    contract = bench.birth.contract_id
    with pytest.raises(HostError, match=r"WasmVm, InvalidAction"):
        bench.run(contract, "get_stream", scval.to_uint32(1))
    with pytest.raises(HostError, match=r"WasmVm, UnexpectedSize"):
        bench.run(contract, "get_stream")
    with pytest.raises(HostError, match=r"WasmVm, MissingValue"):
        bench.run(contract, "no_such_function")
    with pytest.raises(HostError, match=r"Storage, MissingValue"):
        bench.run("CAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAD2KM", "get_stream")


@pytest.mark.parametrize(
    ("payout", "to_recipient", "to_other"),
    [(pay_twice, 2 * TOTAL, 0), (pay_less, TOTAL - 1, 0), (pay_somebody_else, 0, TOTAL)],
)
def test_broken_payouts_pay_wrongly_and_say_that_all_is_well(payout: Payout, to_recipient: int, to_other: int) -> None:
    bench = Bench(stream_contract(payout), now=NOW)
    sender, recipient = bench.somebody(), bench.somebody()
    create(bench, bench.somebody(), recipient)
    stream_id = create(bench, sender, recipient)
    bench.now = NOW + 1_000
    before, other = bench.balance(recipient), bench.balance(SOMEBODY_ELSE)
    bench.call("settle", stream_id)
    assert bench.balance(recipient) - before == to_recipient
    assert bench.balance(SOMEBODY_ELSE) - other == to_other
    assert of_stream(bench, "settled") == [[stream_id, recipient, TOTAL, NOW + 1_000]]


def stream(**changes: object) -> Stream:
    terms: dict[str, object] = {
        "id": 1,
        "sender": "G",
        "recipient": "G",
        "token": "C",
        "total_amount": 1_000,
        "released_amount": 0,
        "start_time": 1_000,
        "end_time": 2_000,
        "duration": 1_000,
        "last_update": 0,
        "status": "Active",
        "paused_at": 0,
        "total_paused_duration": 0,
        "fee_bps": 0,
    }
    return Stream(**(terms | changes))  # type: ignore[arg-type]


@given(total=st.integers(1, 10**15), seconds=st.integers(1, 10**9), elapsed=st.integers(-10, 2 * 10**9))
def test_accrual_is_the_rule_the_gate_expects(total: int, seconds: int, elapsed: int) -> None:
    running = stream(total_amount=total, end_time=1_000 + seconds, duration=seconds)
    assert vested(running, 1_000 + elapsed) == accrued(total, seconds, elapsed)


def test_accrual_overflows_where_128_bits_do() -> None:
    with pytest.raises(HostError, match="#10"):
        vested(stream(total_amount=I128_MAX), 1_500)


def test_a_stream_without_duration_has_vested_at_once() -> None:
    assert vested(stream(duration=0), 1_000) == 1_000


def test_nothing_is_withdrawable_below_what_was_released() -> None:
    assert withdrawable(stream(released_amount=900), 1_500) == 0


def test_fees_are_floored_basis_points() -> None:
    assert (fee(999, 250), fee(1_000, 0), fee(0, 250), fee(10_000, 10_000)) == (24, 0, 0, 10_000)
