import pytest
from ledger_players import UNIT, Bench
from stellar_sdk import scval, xdr

from streampay_sandbox.ledger.early_contract import MODEL as EARLY
from streampay_sandbox.ledger.failures import HostError
from streampay_sandbox.ledger.stellar_asset_contract import INT64_MAX
from streampay_sandbox.ledger.stream_contract import pay_recipient, stream_contract

NOW = 1_800_000_000


@pytest.fixture
def bench() -> Bench:
    return Bench(stream_contract(pay_recipient), now=NOW)


def of(*addresses: str) -> list[xdr.SCVal]:
    return [scval.to_address(address) for address in addresses]


def test_the_token_names_itself(bench: Bench) -> None:
    assert [bench.run(bench.token, name) for name in ("name", "symbol", "decimals")] == ["native", "native", 7]


def test_a_transfer_moves_coins_and_says_so(bench: Bench) -> None:
    giver, taker = bench.somebody(), bench.somebody()
    bench.run(bench.token, "transfer", *of(giver, taker), scval.to_int128(5 * UNIT))
    assert bench.agreed == [giver]
    assert bench.events == [(bench.token, ("transfer", giver, taker, "native"), 5 * UNIT)]
    assert bench.balance(taker) == 1_005 * UNIT


def test_a_transfer_to_oneself_changes_nothing(bench: Bench) -> None:
    giver = bench.somebody()
    bench.run(bench.token, "transfer", *of(giver, giver), scval.to_int128(5 * UNIT))
    assert bench.balance(giver) == 1_000 * UNIT


def test_the_reserve_cannot_be_spent(bench: Bench) -> None:
    giver, taker = bench.somebody(balance=2 * UNIT), bench.somebody()
    with pytest.raises(HostError, match="#10"):
        bench.run(bench.token, "transfer", *of(giver, taker), scval.to_int128(UNIT + 1))
    bench.run(bench.token, "transfer", *of(giver, taker), scval.to_int128(UNIT))


def test_negative_amounts_missing_accounts_and_overflow_have_their_errors(bench: Bench) -> None:
    giver, nobody = bench.somebody(), bench.somebody(balance=0)
    with pytest.raises(HostError, match="#8"):
        bench.run(bench.token, "transfer", *of(giver, giver), scval.to_int128(-1))
    with pytest.raises(HostError, match="#14"):
        bench.run(bench.token, "transfer", *of(giver, nobody), scval.to_int128(1))
    with pytest.raises(HostError, match="#6"):
        bench.run(bench.token, "transfer", *of(nobody, giver), scval.to_int128(1))
    with pytest.raises(HostError, match="#6"):
        bench.run(bench.token, "balance", *of(nobody))
    rich = bench.somebody(balance=INT64_MAX)
    with pytest.raises(HostError, match="#10"):
        bench.run(bench.token, "transfer", *of(giver, rich), scval.to_int128(1))
    with pytest.raises(HostError, match="#12"):
        bench.run(bench.token, "transfer", *of(giver, rich), scval.to_int128(INT64_MAX + 1))


def test_an_allowance_lets_a_spender_spend_until_it_runs_out(bench: Bench) -> None:
    owner, spender, taker = bench.somebody(), bench.somebody(), bench.somebody()

    def spend(amount: int) -> None:
        bench.run(bench.token, "transfer_from", *of(spender, owner, taker), scval.to_int128(amount))

    assert bench.run(bench.token, "allowance", *of(owner, spender)) == 0
    with pytest.raises(HostError, match="#9"):
        spend(1)
    until = scval.to_uint32(bench.sequence + 5)
    bench.run(bench.token, "approve", *of(owner, spender), scval.to_int128(100), until)
    assert bench.agreed == [owner]
    assert bench.events == [(bench.token, ("approve", owner, spender, "native"), [100, bench.sequence + 5])]
    spend(60)
    assert bench.agreed == [spender]
    spend(0)
    assert bench.run(bench.token, "allowance", *of(owner, spender)) == 40
    with pytest.raises(HostError, match="#9"):
        spend(41)
    bench.sequence += 6
    assert bench.run(bench.token, "allowance", *of(owner, spender)) == 0
    with pytest.raises(HostError, match="#9"):
        bench.run(bench.token, "approve", *of(owner, spender), scval.to_int128(1), scval.to_uint32(3))


@pytest.fixture
def early() -> Bench:
    return Bench(EARLY, now=NOW)


def test_the_early_contract_counts_a_number_down_and_pays_nobody(early: Bench) -> None:
    payer, recipient = early.somebody(), early.somebody()
    stream_id = early.call("create_stream", payer, recipient, 10, 1_000)
    assert (stream_id, early.agreed, early.events) == (1, [payer], [])
    assert early.call("settle_stream", stream_id) == 0
    early.call("start_stream", stream_id)
    assert early.agreed == [payer]
    early.now = NOW + 30
    assert early.call("settle_stream", stream_id) == 300
    assert early.agreed == []
    early.now = NOW + 500
    assert early.call("settle_stream", stream_id) == 700
    assert early.balance(recipient) == 1_000 * UNIT
    early.call("stop_stream", stream_id)
    info = early.call("get_stream_info", stream_id)
    assert (info["balance"], info["is_active"], info["end_time"]) == (0, False, NOW + 500)
    assert early.call("version") == 1000


def test_the_early_contract_panics_without_a_word(early: Bench) -> None:
    payer, recipient = early.somebody(), early.somebody()
    stream_id = early.call("create_stream", payer, recipient, 10, 1_000)
    for function, arguments in (
        ("create_stream", (payer, recipient, 0, 1)),
        ("create_stream", (payer, recipient, 1, 0)),
        ("get_stream_info", (99,)),
        ("stop_stream", (stream_id,)),
    ):
        with pytest.raises(HostError, match=r"Error\(WasmVm, InvalidAction\): VM call trapped"):
            early.call(function, *arguments)
    early.call("start_stream", stream_id)
    with pytest.raises(HostError, match="WasmVm"):
        early.call("start_stream", stream_id)
