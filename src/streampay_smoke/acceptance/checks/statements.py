"""What StreamPay promises of its records: they say the same whoever asks, in which way, and over which replica."""

from collections.abc import Collection, Mapping, Sequence

from streampay_smoke.acceptance.checks.expectation import Expect
from streampay_smoke.acceptance.checks.settlement import REFUSALS
from streampay_smoke.service.exchange import Answer
from streampay_smoke.service.records import Receipt, StreamPage, StreamRecord, Withdrawal

WELL = 200


def repeated_order_is_the_first(placed: StreamRecord, again: StreamRecord, expect: Expect) -> None:
    """An order that is repeated with its key brings the stream it brought before."""
    expect.equal("a repeated order is the first stream", again.id, placed.id)


def key_does_not_answer_for_other_order(answer: Answer, placed: StreamRecord, expect: Expect) -> None:
    """Another order under a used key is refused: whoever sent it must not take the first stream for it."""
    echoed = placed.id in answer.body_text
    expect(
        "an order's key answers for that order only",
        answer.status in REFUSALS and not echoed,
        expected="a refusal",
        observed=f"status {answer.status}{f' and stream {placed.id}' if echoed else ''} (request {answer.request_id})",
    )


def every_replica_shows(looks: Sequence[Answer], record: StreamRecord, expect: Expect) -> None:
    """A stream is found again over every connection, in the state it was left in."""
    shown = [_as_shown(look) for look in looks]
    wanted = f"{record.id} as {record.status}"
    expect(
        "every replica that answers shows the stream",
        set(shown) == {wanted},
        expected=f"{wanted} in {len(shown)} looks",
        observed=looks_in_words(shown),
    )


def looks_in_words(shown: Sequence[str]) -> str:
    """Return what looks over several connections showed: every answer, and how often; they may disagree."""
    kinds = sorted(set(shown))
    told = "; ".join(f"{what} in {shown.count(what)} of {len(shown)} looks" for what in kinds)
    return f"replicas disagree: {told}" if len(kinds) > 1 else told or "no look"


def _as_shown(look: Answer) -> str:
    body = look.json if isinstance(look.json, dict) else {}
    inner = body.get("data")
    item = inner if isinstance(inner, dict) else body
    if look.status != WELL:
        return f"status {look.status}"
    return f"{item.get('id')} as {item.get('status')}"


def withdrawal_is_of(withdrawal: Withdrawal, stream_id: str, receipt: Receipt, expect: Expect) -> None:
    """A withdrawal is of the money that was settled, and is under way or done."""
    expect.equal("the withdrawal is of the stream that was settled", withdrawal.stream_id, stream_id)
    expect(
        "the withdrawal is under way or done",
        withdrawal.state in {"pending", "succeeded"} and not withdrawal.alert,
        expected="pending or succeeded",
        observed=f"{withdrawal.state}{', and somebody has to look at it' if withdrawal.alert else ''}",
    )
    expect.equal(
        "the withdrawal is of the settled transaction", withdrawal.settlement_tx_hash, receipt.settlement_tx_hash
    )
    promised = {"pending": "ended", "succeeded": "withdrawn"}[withdrawal.state]
    expect.equal("the stream's state follows its withdrawal", withdrawal.stream_status, promised)


def told_alike(
    older: Sequence[StreamPage],
    newer: Sequence[StreamPage],
    opened: StreamRecord,
    own: Collection[str],
    expect: Expect,
) -> None:
    """Both lists, and a stream that is opened, say the same of every stream of this run.

    Only of this run's: what somebody else does meanwhile may well be told by one list and not yet by the other.
    """
    by_older, by_newer = _stories(older, own), _stories(newer, own)
    expect.equal("both ways show every stream of this run", (set(by_older), set(by_newer)), (set(own), set(own)))
    differing = [name for name in sorted(own) if by_newer[name] != by_older[name]]
    expect(
        "both ways tell the same story of every stream of this run",
        not differing,
        expected="; ".join(f"{name}: {by_older[name]}" for name in differing) or "the same story",
        observed="; ".join(f"{name}: {by_newer[name]}" for name in differing) or "the same story",
    )
    expect.equal(f"{opened.id} is the same when it is opened", _story(opened), by_older.get(opened.id))


def _stories(pages: Sequence[StreamPage], own: Collection[str]) -> dict[str, str]:
    return {record.id: _story(record) for page in pages for record in page.streams if record.id in own}


def _story(record: StreamRecord) -> str:
    settled = f", settled in {record.settlement_tx_hash}" if record.settlement_tx_hash else ""
    receipt = f", by receipt in {record.receipt_tx_hash}" if record.receipt_tx_hash else ""
    return f"{record.status}: {record.rate} a {record.schedule} to {record.recipient}{settled}{receipt}"


def is_still_there(looks: Sequence[Answer], stream_id: str, expect: Expect) -> None:
    """A stream that was there before this release is there with it: every replica shows it, in the same state."""
    shown = [_as_shown(look) for look in looks]
    there = [what for what in shown if what.startswith(f"{stream_id} as ")]
    expect(
        "a stream from before this release is still there",
        bool(there) and len(there) == len(shown) and len(set(shown)) == 1,
        expected=f"{stream_id}, as its owner left it, in {len(shown)} looks",
        observed=looks_in_words(shown),
    )


CANCELLED = "cancelled"


def shown_as_cancelled(shown: Mapping[str, str], expect: Expect) -> None:
    """A stream that was cancelled is shown as that; `shown` is its status by where it was looked at, "" for nowhere."""
    expect(
        "a cancelled stream is shown as cancelled everywhere",
        bool(shown) and set(shown.values()) == {CANCELLED},
        expected="; ".join(f"{where}: {CANCELLED}" for where in shown),
        observed="; ".join(f"{where}: {status or 'not shown'}" for where, status in shown.items()),
    )
