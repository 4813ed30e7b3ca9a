"""What StreamPay promises of a settlement that it answered with an error: nothing has happened, and its key works."""

from collections.abc import Callable, Sequence

import msgspec

from streampay_smoke.acceptance.checks.expectation import Expect
from streampay_smoke.acceptance.checks.settlement import SETTLED
from streampay_smoke.core.http_statuses import SERVER_ERROR
from streampay_smoke.service.exchange import Answer
from streampay_smoke.service.records import StreamRecord

PUT_OFF = 503
"""From the first on, a settlement has failed; below it, it was refused, and with the second the service said: not now.
"""

UNSETTLED = frozenset({"active", "paused"})
"""The statuses of a stream that can be settled."""


def has_failed(answer: Answer) -> bool:
    """Return whether an answer says that a settlement failed."""
    return answer.status >= SERVER_ERROR and answer.status != PUT_OFF


class FailedSettlement(msgspec.Struct, frozen=True, kw_only=True):
    """A settlement that was answered with a server error, and what came of it.

    `record` is the stream right afterwards, None where it could not be looked at. `repeated` is the answer to the same
    key, `with_new_key` to another one, None while nobody has asked.
    """

    stream_id: str
    key: str
    answer: Answer
    record: StreamRecord | None
    repeated: Answer | None = None
    with_new_key: Answer | None = None

    @property
    def is_made(self) -> bool:
        """Whether the settlement was made after all."""
        later = (self.repeated, self.with_new_key)
        return any(answer is not None and answer.status == SETTLED for answer in later)


def left_unsettled(
    failed: Sequence[FailedSettlement], made: int, code_of: Callable[[Answer], str], expect: Expect
) -> None:
    """A settlement that failed has not ended its stream: it can still be settled. `made` is how many were made."""
    ended = [each for each in failed if not _can_be_settled(each.record)]
    expect(
        "a failed settlement leaves its stream unsettled",
        not ended,
        expected="each stream active or paused, without a transaction",
        observed=_description(ended, code_of)
        or _description(failed, code_of)
        or f"{made} settlements, and none failed",
    )


def succeed_with_same_key(
    failed: Sequence[FailedSettlement], made: int, code_of: Callable[[Answer], str], expect: Expect
) -> None:
    """A settlement that failed is made later when it is repeated with its key."""
    lost = [each for each in failed if each.repeated is None or each.repeated.status != SETTLED]
    expect(
        "a failed settlement succeeds when it is repeated with the same key",
        not lost,
        expected="a receipt",
        observed=_description(lost, code_of) or _description(failed, code_of) or f"{made} settlements, and none failed",
    )


def _can_be_settled(record: StreamRecord | None) -> bool:
    if record is None:
        return False
    return record.status in UNSETTLED and not (record.settlement_tx_hash or record.receipt_tx_hash)


def _description(failed: Sequence[FailedSettlement], code_of: Callable[[Answer], str]) -> str:
    return "; ".join(_told(each, code_of) for each in failed)


def _told(failed: FailedSettlement, code_of: Callable[[Answer], str]) -> str:
    """Return all that is known of a settlement that failed: one check that does not hold must not hide the rest."""
    record = failed.record
    hashes = [tx_hash for tx_hash in (record.settlement_tx_hash, record.receipt_tx_hash) if tx_hash] if record else []
    state = f"{record.status}{f' with transaction {hashes[0]}' if hashes else ''}" if record else "not shown"
    parts = [f"{failed.stream_id}: the settlement answered {_answer(failed.answer, code_of)}", f"then it was {state}"]
    parts += [f"its key answered {_answer(failed.repeated, code_of)}"] if failed.repeated else []
    parts += [f"a new key answered {_answer(failed.with_new_key, code_of)}"] if failed.with_new_key else []
    return ", ".join(parts)


def _answer(answer: Answer, code_of: Callable[[Answer], str]) -> str:
    return f"{answer.status} {code_of(answer)}".strip()
