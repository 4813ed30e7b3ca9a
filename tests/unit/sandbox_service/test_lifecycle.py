"""What moves a stream, and that money and record always agree."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from msgspec.structs import replace

from streampay_sandbox.service import lifecycle
from streampay_sandbox.service.stellar import LedgerRefused, LedgerSilent
from streampay_sandbox.service.streams import ACTIONS, Status
from streampay_smoke.core.amounts import accrued


def body(reply: Any) -> Any:
    return json.loads(reply.content)


def code(reply: Any) -> str:
    error = body(reply)["error"]
    return str(error if isinstance(error, str) else error["code"])


def in_state(deployment: Any, status: Status) -> str:
    """Create a stream and bring it to `status`."""
    stream_id = str(deployment.create())
    owner = {"actor-wallet-address": deployment.wallet.public_key}
    paths = {
        Status.DRAFT: [],
        Status.ACTIVE: ["start"],
        Status.PAUSED: ["start", "pause"],
        Status.ENDED: ["start", "settle"],
        Status.WITHDRAWN: ["start", "settle", "withdraw"],
        Status.CANCELLED: ["start", "cancel"],
    }
    for action in paths[status]:
        reply = deployment.act(stream_id, action, key=f"path-{action}", headers=owner)
        assert reply.status == 200, reply.text
    return stream_id


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("status", list(Status))
def test_every_action_is_possible_in_the_states_of_the_table_only(deployment: Any, action: str, status: Status) -> None:
    stream_id = in_state(deployment, status)
    before = deployment.record(stream_id)
    owner = {"actor-wallet-address": deployment.wallet.public_key}
    reply = deployment.act(stream_id, action, key="the-one", headers=owner)
    if status in ACTIONS[action].allowed:
        assert reply.status == 200
        assert body(reply)["data"]["status"] == ACTIONS[action].to
        assert deployment.record(stream_id)["status"] == ACTIONS[action].to
        return
    refusals = {"cancel": (409, "ALREADY_TERMINAL")}
    expected = (422, "STREAM_NOT_CANCELLABLE") if (action, status) == ("cancel", "draft") else refusals.get(action)
    assert (reply.status, code(reply)) == (expected or (409, "INVALID_STREAM_STATE"))
    assert deployment.record(stream_id) == before


@pytest.mark.parametrize("action", ACTIONS)
def test_an_unknown_stream_is_not_found(deployment: Any, action: str) -> None:
    owner = {"actor-wallet-address": deployment.wallet.public_key}
    reply = deployment.act("stream-00000000", action, key="k", headers=owner)
    assert (reply.status, code(reply)) == (404, "STREAM_NOT_FOUND")


def test_settling_pays_what_was_earned_and_the_receipt_is_the_ledgers(deployment: Any) -> None:
    stream_id = deployment.started(rate="7.7777777")
    deployment.ledger.now += 13
    data = body(deployment.act(stream_id, "settle", key="k"))["data"]
    assert deployment.paid() == accrued(77_777_777, 60, 13)
    outcome = deployment.ledger.transactions[data["settlementTxHash"]]
    assert outcome.function == "cancel_stream"
    assert data["settlement"] == {"txHash": outcome.tx_hash, "settledAt": "2027-01-15T08:00:13.000Z"}
    assert data["withdrawal"]["settlementTxHash"] == outcome.tx_hash
    assert (data["withdrawal"]["state"], data["withdrawal"]["attempts"]) == ("pending", 0)
    record = deployment.record(stream_id)
    assert {name: record[name] for name in data} == data


def test_a_stream_that_is_over_is_settled_in_full(deployment: Any) -> None:
    stream_id = deployment.started()
    deployment.ledger.now += 60
    data = body(deployment.act(stream_id, "settle", key="k"))["data"]
    assert deployment.ledger.transactions[data["settlementTxHash"]].function == "settle"
    assert deployment.paid() == 100_000_000


def test_a_paused_stream_pays_what_was_earned_before_the_pause(deployment: Any) -> None:
    stream_id = deployment.started()
    deployment.ledger.now += 6
    paused = body(deployment.act(stream_id, "pause"))["data"]
    assert paused["pausedAt"]
    assert paused["nextAction"] == "stop"
    deployment.ledger.now += 1000
    assert deployment.act(stream_id, "settle", key="k").status == 200
    assert deployment.paid() == 10_000_000


def test_a_resumed_stream_runs_on(deployment: Any) -> None:
    stream_id = deployment.started()
    deployment.act(stream_id, "pause")
    deployment.ledger.now += 1000
    resumed = body(deployment.act(stream_id, "start"))["data"]
    assert (resumed["status"], resumed["nextAction"]) == ("active", "pause")
    assert "pausedAt" not in resumed
    deployment.ledger.now += 30
    deployment.act(stream_id, "settle", key="k")
    assert deployment.paid() == 50_000_000


@pytest.mark.parametrize("state", [Status.ACTIVE, Status.DRAFT])
def test_stop_ends_without_paying(deployment: Any, state: Status) -> None:
    stream_id = in_state(deployment, state)
    deployment.ledger.now += 30
    data = body(deployment.act(stream_id, "stop"))["data"]
    assert (data["status"], data["nextAction"]) == ("ended", "withdraw")
    assert "settlementTxHash" not in data
    assert deployment.paid() == 0
    withdrawn = body(deployment.act(stream_id, "withdraw", key="k"))
    assert withdrawn["alert"] is True
    assert (withdrawn["withdrawal"]["state"], withdrawn["withdrawal"]["failureCode"]) == (
        "failed", "SETTLEMENT_TX_MISSING",
    )  # fmt: skip
    again = body(deployment.act(stream_id, "withdraw", key="k2"))
    assert again["withdrawal"] == withdrawn["withdrawal"]
    assert again["data"]["status"] == "ended"


PROBLEMS = [
    LedgerSilent("connection refused by 127.0.0.1"),
    LedgerRefused("the contract said InvalidState"),
]


@pytest.mark.parametrize("problem", PROBLEMS, ids=["unreachable", "refusing"])
@pytest.mark.parametrize(
    ("state", "action", "expected"),
    [
        (Status.DRAFT, "start", "LEDGER_FAILED"),
        (Status.ACTIVE, "pause", "LEDGER_FAILED"),
        (Status.PAUSED, "start", "LEDGER_FAILED"),
        (Status.DRAFT, "stop", "LEDGER_FAILED"),
        (Status.ACTIVE, "settle", "SETTLEMENT_FAILED"),
        (Status.PAUSED, "settle", "SETTLEMENT_FAILED"),
        (Status.ACTIVE, "cancel", "LEDGER_FAILED"),
    ],
)
def test_a_ledger_that_fails_moves_nothing_and_the_same_key_works_afterwards(
    deployment: Any, problem: Exception, state: Status, action: str, expected: str
) -> None:
    stream_id = in_state(deployment, state)
    before = deployment.record(stream_id)
    owner = {"actor-wallet-address": deployment.wallet.public_key}
    deployment.ledger.failing = problem
    reply = deployment.act(stream_id, action, key="same", headers=owner)
    assert (reply.status, code(reply)) == (502, expected)
    assert str(problem) not in reply.text
    assert deployment.record(stream_id) == before
    deployment.ledger.failing = None
    assert deployment.act(stream_id, action, key="same", headers=owner).status == 200
    assert deployment.record(stream_id)["status"] == ACTIONS[action].to


def test_a_settlement_lost_from_sight_is_found_again_instead_of_paid_twice(deployment: Any) -> None:
    stream_id = deployment.started()
    deployment.ledger.now += 30
    deployment.ledger.failing_after = LedgerSilent("nobody saw it", tx_hash="")
    assert deployment.act(stream_id, "settle", key="k").status == 502
    assert deployment.record(stream_id)["status"] == "active"
    data = body(deployment.act(stream_id, "settle", key="k"))["data"]
    assert data["settlementTxHash"] == list(deployment.ledger.transactions)[-1]
    assert deployment.paid() == 50_000_000


def test_a_transaction_of_unknown_fate_blocks_the_retry_until_it_cannot_succeed_any_more(deployment: Any) -> None:
    stream_id = deployment.started()
    treasury = deployment.treasury
    deployment.ledger.failing = LedgerSilent("nobody saw it", tx_hash="f" * 64)
    assert deployment.act(stream_id, "settle", key="k").status == 502
    deployment.ledger.failing = None
    assert deployment.act(stream_id, "settle", key="k").status == 502
    treasury._fate_seconds = 0
    assert deployment.act(stream_id, "settle", key="k").status == 200


def test_a_transaction_that_failed_on_the_ledger_is_sent_anew(deployment: Any) -> None:
    stream_id = deployment.started()
    deployment.ledger.failing = LedgerSilent("nobody saw it", tx_hash="f" * 64)
    deployment.act(stream_id, "settle", key="k")
    deployment.ledger.failing = None
    some = next(iter(deployment.ledger.transactions.values()))
    deployment.ledger.transactions["f" * 64] = replace(some, tx_hash="f" * 64, succeeded=False)
    assert deployment.act(stream_id, "settle", key="k").status == 200


def test_eight_settles_at_once_with_one_key_pay_once(deployment: Any) -> None:
    stream_id = deployment.started()
    deployment.ledger.now += 30
    replies = at_once(lambda place: deployment.act(stream_id, "settle", key="one"))
    assert [reply.status for reply in replies] == [200] * 8
    assert sorted(reply.header("idempotency-replay") for reply in replies) == ["false", *["true"] * 7]
    assert len({body(reply)["data"]["settlementTxHash"] for reply in replies}) == 1
    assert deployment.paid() == 50_000_000


def test_eight_settles_at_once_with_eight_keys_pay_once(deployment: Any) -> None:
    stream_id = deployment.started()
    deployment.ledger.now += 30
    replies = at_once(lambda place: deployment.act(stream_id, "settle", key=f"key-{place}"))
    assert sorted(reply.status for reply in replies) == [200, *[409] * 7]
    assert deployment.paid() == 50_000_000


def test_eight_creates_at_once_with_one_key_escrow_once(deployment: Any) -> None:
    order = deployment.order()
    replies = at_once(lambda place: deployment.user("POST", "/api/streams", json=order, key="one"))
    assert len({body(reply)["data"]["id"] for reply in replies}) == 1
    assert len(deployment.ledger.streams) == 1


def at_once(call: Any) -> list[Any]:
    barrier = threading.Barrier(8)

    def go(place: int) -> Any:
        barrier.wait()
        return call(place)

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(go, range(8)))


def test_withdraw_confirms_what_the_ledger_holds(deployment: Any) -> None:
    stream_id = in_state(deployment, Status.ENDED)
    settled = deployment.record(stream_id)
    shown = body(deployment.act(stream_id, "withdraw", key="k"))
    assert shown["alert"] is False
    assert shown["withdrawal"]["state"] == "succeeded"
    assert shown["withdrawal"]["confirmedTxHash"] == settled["settlementTxHash"]
    assert shown["withdrawal"]["requestedAt"] == settled["withdrawal"]["requestedAt"]
    assert shown["data"]["status"] == "withdrawn"
    again = body(deployment.act(stream_id, "withdraw", key="k2"))
    assert again == shown


def test_withdraw_gives_up_after_ten_attempts(deployment: Any) -> None:
    stream_id = in_state(deployment, Status.ENDED)
    deployment.ledger.transactions.clear()
    states = [body(deployment.act(stream_id, "withdraw", key=f"k{n}"))["withdrawal"] for n in range(10)]
    assert [state["state"] for state in states] == ["pending"] * 9 + ["failed"]
    assert (states[-1]["attempts"], states[-1]["failureCode"]) == (10, "FINALITY_TIMEOUT")


def test_withdraw_gives_up_after_five_minutes(deployment: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stream_id = in_state(deployment, Status.ENDED)
    deployment.ledger.transactions.clear()
    monkeypatch.setattr(lifecycle, "MAX_CONFIRMATION_SECONDS", 0)
    shown = body(deployment.act(stream_id, "withdraw", key="k"))
    assert (shown["alert"], shown["withdrawal"]["state"]) == (True, "failed")


def test_withdraw_waits_while_the_ledger_does_not_answer(deployment: Any) -> None:
    stream_id = in_state(deployment, Status.ENDED)
    deployment.ledger.failing = LedgerSilent("no answer")
    assert body(deployment.act(stream_id, "withdraw", key="k"))["withdrawal"]["state"] == "pending"


def test_cancel_tells_what_really_moved(deployment: Any) -> None:
    stream_id = deployment.started()
    deployment.ledger.now += 15
    owner = {"actor-wallet-address": deployment.wallet.public_key}
    reply = body(deployment.act(stream_id, "cancel", headers=owner))
    told = reply["cancellation"]
    assert deployment.paid() == 25_000_000
    assert (told["recipientPayout"], told["senderRefund"], told["totalAmount"], told["alreadyReleased"]) == (
        "2.5", "7.5", "10", "0",
    )  # fmt: skip
    assert told["recipientTxHash"] == told["senderTxHash"]
    assert told["recipientTxHash"] in deployment.ledger.transactions
    assert told["token"] == "XLM"
    assert told["cancelledAt"].endswith("Z")
    assert reply["links"] == {"self": f"/api/streams/{stream_id}"}


def test_only_the_owner_cancels(deployment: Any) -> None:
    stream_id = deployment.started()
    without = deployment.act(stream_id, "cancel")
    assert (without.status, code(without)) == (401, "UNAUTHORIZED")
    foreign = deployment.act(stream_id, "cancel", headers={"actor-wallet-address": deployment.recipient})
    assert (foreign.status, code(foreign)) == (403, "NOT_STREAM_OWNER")
    assert deployment.record(stream_id)["status"] == "active"
