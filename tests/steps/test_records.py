"""What StreamPay promises of its records, on answers a fleet could give."""

from typing import Any

import pytest
from step_parts import HASH, OTHER_HASH, RECIPIENT, Witness, answer, receipt, record

from streampay_smoke.acceptance.checks import records
from streampay_smoke.core.errors import PromiseBroken
from streampay_smoke.service.exchange import Answer
from streampay_smoke.service.records import StreamPage, StreamRecord, Withdrawal

DRAFT = record(status="draft", settlement_tx_hash="", receipt_tx_hash="")


def test_a_repeated_order_is_the_first_stream_or_not(witness: Witness) -> None:
    records.repeated_create_returns_first_stream(DRAFT, record(), witness.expect)

    witness.saw_held("a repeated create request returns the first stream")
    with witness.breaks("a repeated create request returns the first stream", expected="stream-1", saw="stream-2"):
        records.repeated_create_returns_first_stream(DRAFT, record(id="stream-2"), witness.expect)


ONLY = "another create request with a used key is refused"


@pytest.mark.parametrize("status", [409, 422])
def test_another_order_under_a_used_key_is_refused(status: int, witness: Witness) -> None:
    refusal = answer(status, {"error": {"code": "IDEMPOTENCY_CONFLICT", "message": "no"}})
    records.other_create_is_refused(refusal, DRAFT, witness.expect)

    witness.saw_held(ONLY)


@pytest.mark.parametrize(
    ("other", "saw"),
    [
        pytest.param(answer(201, {"id": "stream-1"}), "status 201 and stream stream-1", id="the first stream"),
        pytest.param(answer(201, {"id": "stream-2"}), "status 201 (", id="a new stream"),
        pytest.param(answer(409, {"error": "used for stream-1"}), "and stream stream-1", id="a refusal that echoes it"),
        pytest.param(answer(500), "status 500", id="a crash"),
        pytest.param(answer(401), "status 401", id="a refusal of the caller"),
    ],
)
def test_a_key_that_answers_for_another_order_is_found_out(other: Answer, saw: str, witness: Witness) -> None:
    with witness.breaks(ONLY, expected="a refusal", saw=saw):
        records.other_create_is_refused(other, DRAFT, witness.expect)


EVERY = "every replica that answers shows the stream"
SHOWN = {"id": "stream-1", "status": "draft"}
FOUND, GONE = answer(200, {**SHOWN, "data": SHOWN}), answer(404)


@pytest.mark.parametrize("looks", [[FOUND], [FOUND] * 5, [answer(200, SHOWN), answer(200, {"data": SHOWN})]])
def test_every_replica_shows_the_stream(looks: list[Answer], witness: Witness) -> None:
    records.every_replica_shows(looks, DRAFT, witness.expect)

    witness.saw_held(EVERY)


@pytest.mark.parametrize(
    ("looks", "saw"),
    [
        pytest.param([FOUND, GONE, FOUND, GONE], "status 404 in 2 of 4 looks", id="half of them lack it"),
        pytest.param([GONE], "status 404 in 1 of 1 looks", id="none has it"),
        pytest.param([FOUND, answer(500)], "status 500", id="one crashes"),
        pytest.param([answer(200, {**SHOWN, "status": "ended"})], "stream-1 as ended", id="in another state"),
        pytest.param([answer(200, {**SHOWN, "id": "stream-2"})], "stream-2 as draft", id="another stream"),
        pytest.param([answer(200, {})], "None as None", id="an answer about nothing"),
        pytest.param([answer(200, [])], "None as None", id="a list"),
        pytest.param([answer(200, text="<html>")], "None as None", id="a page"),
    ],
)
def test_a_replica_that_lacks_the_stream_is_found_out(looks: list[Answer], saw: str, witness: Witness) -> None:
    kind = "replicas_disagree" if {FOUND.status, GONE.status} == {look.status for look in looks} else "promise_broken"
    with witness.breaks(EVERY, expected=f"stream-1 as draft in {len(looks)} looks", saw=saw, kind=kind):
        records.every_replica_shows(looks, DRAFT, witness.expect)


def test_no_look_shows_nothing(witness: Witness) -> None:
    with witness.breaks(EVERY, expected="in 0 looks"):
        records.every_replica_shows([], DRAFT, witness.expect)


def withdrawal(**changes: Any) -> Withdrawal:
    told: dict[str, Any] = {
        "stream_id": "stream-1",
        "stream_status": "withdrawn",
        "state": "succeeded",
        "alert": False,
        "settlement_tx_hash": HASH,
    }
    return Withdrawal(**{**told, **changes})


@pytest.mark.parametrize("changes", [{}, {"state": "pending", "stream_status": "ended"}])
def test_a_withdrawal_is_of_the_settled_money(changes: dict[str, Any], witness: Witness) -> None:
    records.withdrawal_is_of(withdrawal(**changes), "stream-1", receipt(), witness.expect)

    assert len(witness.checks) == 4
    assert all(check.held for check in witness.checks)


@pytest.mark.parametrize(
    ("changes", "promise", "saw"),
    [
        ({"stream_id": "stream-2"}, "the withdrawal is of the stream that was settled", "stream-2"),
        ({"state": "failed"}, "the withdrawal is under way or done", "failed"),
        ({"alert": True}, "the withdrawal is under way or done", "somebody has to look at it"),
        ({"settlement_tx_hash": OTHER_HASH}, "the withdrawal is of the settled transaction", OTHER_HASH),
        ({"settlement_tx_hash": ""}, "the withdrawal is of the settled transaction", ""),
        ({"state": "pending"}, "the stream's state follows its withdrawal", "withdrawn"),
        ({"stream_status": "ended"}, "the stream's state follows its withdrawal", "ended"),
    ],
    ids=str,
)
def test_a_withdrawal_of_something_else_is_found_out(
    changes: dict[str, Any], promise: str, saw: str, witness: Witness
) -> None:
    with witness.breaks(promise, saw=saw):
        records.withdrawal_is_of(withdrawal(**changes), "stream-1", receipt(), witness.expect)


def pages(*records: StreamRecord) -> list[StreamPage]:
    """One page for each record."""
    return [StreamPage(streams=(one,), next_cursor="", has_next=False, total=1, items=({},)) for one in records] or [
        StreamPage(streams=(), next_cursor="", has_next=False, total=0, items=())
    ]


SETTLED, OTHER = record(status="withdrawn"), record(id="stream-2", status="draft", settlement_tx_hash="")
SOMEBODYS = record(id="stream-9", status="active")
OWN = {"stream-1", "stream-2"}


def test_two_lists_that_tell_one_story(witness: Witness) -> None:
    records.same_in_both_versions(
        pages(SETTLED, OTHER, SOMEBODYS), pages(OTHER, SETTLED, record(id="stream-9")), SETTLED, OWN, witness.expect
    )

    witness.saw_held(
        "API v1 and API v2 list every stream of this run",
        "API v1 and API v2 return the same records",
        "stream-1 is the same when it is read by id",
    )


@pytest.mark.parametrize(
    ("change", "saw"),
    [
        ({"status": "draft"}, "draft: 0.7777777"),
        ({"rate": "0.78"}, "0.78 a minute"),
        ({"recipient": "GSOMEBODY"}, "to GSOMEBODY"),
        ({"settlement_tx_hash": ""}, "withdrawn: 0.7777777 a minute"),
        ({"receipt_tx_hash": ""}, f"settled in {HASH}"),
        ({"receipt_tx_hash": OTHER_HASH}, f"by receipt in {OTHER_HASH}"),
    ],
)
def test_a_list_or_a_page_that_tells_another_story_is_found_out(
    change: dict[str, str], saw: str, witness: Witness
) -> None:
    changed = record(**{"status": "withdrawn", **change})
    alike = pages(SETTLED, OTHER)
    promise = "API v1 and API v2 return the same records"
    with witness.breaks(promise, expected=f"by receipt in {HASH}", saw=saw):
        records.same_in_both_versions(alike, pages(changed, OTHER), SETTLED, OWN, witness.expect)
    with witness.breaks("stream-1 is the same when it is read by id", saw=saw):
        records.same_in_both_versions(alike, alike, changed, OWN, witness.expect)


@pytest.mark.parametrize(("older", "newer"), [([SETTLED], [SETTLED, OTHER]), ([SETTLED, OTHER], [SETTLED]), ([], [])])
def test_a_list_that_lacks_a_stream_of_this_run_is_found_out(
    older: list[StreamRecord], newer: list[StreamRecord], witness: Witness
) -> None:
    with witness.breaks("API v1 and API v2 list every stream of this run", expected="stream-2"):
        records.same_in_both_versions(pages(*older), pages(*newer), SETTLED, OWN, witness.expect)


THERE = "a stream from an earlier release still exists"


KEPT = answer(200, {"id": "stream-canary", "status": "ended"})


@pytest.mark.parametrize("looks", [[KEPT], [KEPT] * 5])
def test_a_kept_stream_is_there(looks: list[Answer], witness: Witness) -> None:
    records.kept_stream_exists(looks, "stream-canary", witness.expect)

    witness.saw_held(THERE)


@pytest.mark.parametrize(
    ("kept", "saw"),
    [
        ([answer(404)], "status 404 in 1 of 1 looks"),
        ([answer(401)], "status 401"),
        ([answer(500)], "status 500"),
        ([answer(200, {"id": "stream-1", "status": "ended"})], "stream-1 as ended"),
        ([answer(200, {})], "None as None"),
        ([answer(200, text="<html>")], "None as None"),
        ([], "no look"),
        (
            [KEPT, answer(404), KEPT],
            "replicas disagree: status 404 in 1 of 3 looks; stream-canary as ended in 2 of 3 looks",
        ),
        (
            [KEPT, answer(200, {"id": "stream-canary", "status": "draft"})],
            "replicas disagree: stream-canary as draft in 1 of 2 looks; stream-canary as ended in 1 of 2 looks",
        ),
    ],
    ids=["gone", "refused", "crashed", "another", "nothing", "a page", "no look", "on some", "in two states"],
)
def test_a_kept_stream_that_is_gone_is_found_out(kept: list[Answer], saw: str, witness: Witness) -> None:
    kind = "replicas_disagree" if saw.startswith("replicas disagree") else "promise_broken"
    with witness.breaks(THERE, expected="stream-canary, as its owner left it", saw=saw, kind=kind):
        records.kept_stream_exists(kept, "stream-canary", witness.expect)


CANCELLED = "a cancelled stream is shown as cancelled in API v1 and API v2"


def test_a_cancelled_stream_is_shown_as_cancelled(witness: Witness) -> None:
    records.shown_as_cancelled({"list of API v1": "cancelled", "list of API v2": "cancelled"}, witness.expect)

    witness.saw_held(CANCELLED)


@pytest.mark.parametrize(
    ("shown", "saw"),
    [
        ({"list of API v1": "cancelled", "list of API v2": "draft"}, "list of API v2: draft"),
        ({"list of API v1": "", "list of API v2": "cancelled"}, "list of API v1: not shown"),
        ({"list of API v1": "draft"}, "list of API v1: draft"),
        ({}, ""),
    ],
    ids=["told otherwise", "missing", "nowhere cancelled", "nowhere looked"],
)
def test_a_cancelled_stream_that_is_shown_otherwise_is_found_out(
    shown: dict[str, str], saw: str, witness: Witness
) -> None:
    with pytest.raises(PromiseBroken, match=CANCELLED):
        records.shown_as_cancelled(shown, witness.expect)

    assert saw in witness.checks[-1].observed


def test_the_recipient_of_a_story_is_the_orders() -> None:
    assert records._summary(SETTLED).endswith(f"to {RECIPIENT}, settled in {HASH}, by receipt in {HASH}")
