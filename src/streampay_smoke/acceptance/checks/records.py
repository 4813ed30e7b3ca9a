"""What StreamPay promises of its records: they are the same in each version of the API and on each replica."""

from collections.abc import Collection, Mapping, Sequence

from streampay_smoke.acceptance.checks.expectation import Expect
from streampay_smoke.acceptance.checks.fleet import ReplicasDisagree
from streampay_smoke.acceptance.checks.refusals import NOT_SETTLED
from streampay_smoke.core.errors import PromiseBroken, UnfitAnswer
from streampay_smoke.core.http_statuses import GONE, SERVER_ERROR
from streampay_smoke.service.exchange import Answer
from streampay_smoke.service.records import Receipt, StreamPage, StreamRecord, Withdrawal
from streampay_smoke.service.shape import unfit_answer

WELL = 200


def repeated_create_returns_first_stream(first: StreamRecord, again: StreamRecord, expect: Expect) -> None:
    """A create request that is repeated with its key returns the stream of the first one."""
    expect.equal("a repeated create request returns the first stream", again.id, first.id)


def other_create_is_refused(answer: Answer, first: StreamRecord, expect: Expect) -> None:
    """Another create request with a used key is refused: its sender must not mistake the first stream for theirs."""
    echoed = first.id in answer.body_text
    expect(
        "another create request with a used key is refused",
        answer.status in NOT_SETTLED and not echoed,
        expected="a refusal",
        observed=f"status {answer.status}{f' and stream {first.id}' if echoed else ''} (request {answer.request_id})",
    )


def every_replica_shows(looks: Sequence[Answer], record: StreamRecord, expect: Expect) -> None:
    """A stream is found again over every connection, in the state it was left in."""
    shown = [_as_shown(look) for look in looks]
    wanted = f"{record.id} as {record.status}"
    expect.raising(_error_of(looks))(
        "every replica that answers shows the stream",
        set(shown) == {wanted},
        expected=f"{wanted} in {len(shown)} looks",
        observed=looks_description(shown),
        unfit=_unfit(looks),
    )


def looks_description(shown: Sequence[str]) -> str:
    """Return what looks over several connections showed: every answer, and how often; they may disagree."""
    kinds = sorted(set(shown))
    counts = "; ".join(f"{what} in {shown.count(what)} of {len(shown)} looks" for what in kinds)
    return f"replicas disagree: {counts}" if len(kinds) > 1 else counts or "no look"


def _error_of(looks: Sequence[Answer]) -> type[PromiseBroken]:
    """Return what it is where looks do not show a stream as they should: one that all, or that some replicas lost.

    A server error says nothing of what a replica knows.
    """
    return ReplicasDisagree if len({shown_data(look) for look in looks} - {""}) > 1 else PromiseBroken


def _unfit(looks: Sequence[Answer]) -> UnfitAnswer | None:
    """Return what every look was answered with, where that says nothing of a stream; None where one tells of it."""
    answers = [unfit_answer(look) for look in looks if look.status not in {WELL, *GONE}]
    alike = answers and len(answers) == len(looks) and all(map(answers[0].is_like, answers))
    return answers[0] if alike else None


def shown_data(look: Answer) -> str:
    """Return what a look at a stream tells of what the replica knows; "" for a server error."""
    return "" if look.status >= SERVER_ERROR else _as_shown(look)


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


def same_in_both_versions(
    v1: Sequence[StreamPage],
    v2: Sequence[StreamPage],
    opened: StreamRecord,
    own: Collection[str],
    expect: Expect,
) -> None:
    """Both versions of the API list the same records of this run, and so does a stream that is read by id.

    Only of this run's: another user may change a stream between the two lists.
    """
    by_v1, by_v2 = _summaries(v1, own), _summaries(v2, own)
    expect(
        "API v1 and API v2 list every stream of this run",
        set(by_v1) == set(by_v2) == set(own),
        expected=set(own),
        observed={"API v1": set(by_v1), "API v2": set(by_v2)},
    )
    differing = [name for name in sorted(own) if by_v2[name] != by_v1[name]]
    expect(
        "API v1 and API v2 return the same records",
        not differing,
        expected="; ".join(f"{name}: {by_v1[name]}" for name in differing) or "the same records",
        observed="; ".join(f"{name}: {by_v2[name]}" for name in differing) or "the same records",
    )
    expect.equal(f"{opened.id} is the same when it is read by id", _summary(opened), by_v1.get(opened.id))


def _summaries(pages: Sequence[StreamPage], own: Collection[str]) -> dict[str, str]:
    return {record.id: _summary(record) for page in pages for record in page.streams if record.id in own}


def _summary(record: StreamRecord) -> str:
    settled = f", settled in {record.settlement_tx_hash}" if record.settlement_tx_hash else ""
    receipt = f", by receipt in {record.receipt_tx_hash}" if record.receipt_tx_hash else ""
    return f"{record.status}: {record.rate} a {record.schedule} to {record.recipient}{settled}{receipt}"


def kept_stream_exists(looks: Sequence[Answer], stream_id: str, expect: Expect) -> None:
    """A stream of an earlier release exists: every replica shows it, in the same state."""
    shown = [_as_shown(look) for look in looks]
    there = [what for what in shown if what.startswith(f"{stream_id} as ")]
    expect.raising(_error_of(looks))(
        "a stream from an earlier release still exists",
        bool(there) and len(there) == len(shown) and len(set(shown)) == 1,
        expected=f"{stream_id}, as its owner left it, in {len(shown)} looks",
        observed=looks_description(shown),
        unfit=_unfit(looks),
    )


CANCELLED = "cancelled"


def shown_as_cancelled(shown: Mapping[str, str], expect: Expect) -> None:
    """A stream that was cancelled is shown as that; `shown` is its status by where it was looked at, "" for nowhere."""
    expect(
        "a cancelled stream is shown as cancelled in API v1 and API v2",
        bool(shown) and set(shown.values()) == {CANCELLED},
        expected="; ".join(f"{where}: {CANCELLED}" for where in shown),
        observed="; ".join(f"{where}: {status or 'not shown'}" for where, status in shown.items()),
    )
