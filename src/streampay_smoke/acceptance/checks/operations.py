"""What StreamPay promises its operators: it answers every request, its clock is right, its metrics can be read."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import ClassVar

import msgspec

from streampay_smoke.acceptance.checks.expectation import Expect
from streampay_smoke.chain.ledger_time import CLOCK_SKEW_SECONDS, INDEX_LAG_LEDGERS, LAG_LEDGERS
from streampay_smoke.core.errors import Blame, CredentialRefused, SmokeError
from streampay_smoke.service.exchange import REFUSED, Answer
from streampay_smoke.service.shape import unfit_answer

WELL, UNAUTHORIZED = 200, 401

_UP = re.compile(r"^streampay_metrics_up(\{[^}]*\})?[ \t]+1(\.0*)?[ \t]*$", re.MULTILINE)


class Clocks(msgspec.Struct, frozen=True, kw_only=True):
    """How far the service's and the ledger's clock are ahead of ours.

    The service's is None where its answers carry no time; the ledger's is None where the service's clock agrees with
    ours, and nobody has to decide between the two.
    """

    service_ahead_seconds: float | None
    ledger_ahead_seconds: float | None
    ledger_most_ahead_seconds: int = CLOCK_SKEW_SECONDS


class ClocksDisagree(SmokeError):
    """Of three clocks no two tell that it is the service's that is wrong: nothing to blame a release for."""

    kind: ClassVar[str] = "clocks_disagree"
    blame: ClassVar[Blame] = Blame.HARNESS


def answers_every_request(answers: Sequence[Answer], code_of: Callable[[Answer], str], expect: Expect) -> None:
    """Each of many requests is answered: one error, also an injected one, is too many."""
    found = Counter(_description(answer, code_of) for answer in answers)
    failed = {words: count for words, count in found.items() if words != "answered"}
    expect(
        "the service answers every request",
        bool(answers) and not failed,
        expected=f"{len(answers)} answers",
        observed="; ".join(f"{count} times {words}" for words, count in sorted(failed.items()))
        or f"{len(answers)} answers",
    )


def _description(answer: Answer, code_of: Callable[[Answer], str]) -> str:
    if answer.status == WELL:
        return "answered"
    return f"status {answer.status} {code_of(answer)}".strip()


def metrics_are_available(answer: Answer, *, variable: str, expect: Expect) -> None:
    """The metrics can be read; without a token, a refusal shows that they are there and protected.

    `variable` names where the token came from, "" where there is none; raises CredentialRefused for a refused one.
    """
    if answer.status in REFUSED and variable:
        raise CredentialRefused(
            f"{answer.asked} refused the token in {variable} with {answer.status}",
            next_step=f"renew {variable}: it may simply be old",
        )
    up = answer.status == WELL and bool(_UP.search(answer.body_text))
    expect(
        "the metrics are available",
        up or answer.status == UNAUTHORIZED,
        expected="metrics that say that the service is up, or a refusal without a token",
        observed="metrics" if up else f"status {answer.status} without them (request {answer.request_id})",
        unfit=unfit_answer(answer),
    )


def index_is_up_to_date(cursors: Sequence[int], newest_ledger: int, expect: Expect) -> None:
    """The index is near the newest ledger, and its position never decreases."""
    expect(
        "the index never goes back",
        list(cursors) == sorted(cursors),
        expected="each ledger at or after the one before",
        observed=" then ".join(map(str, cursors)),
    )
    reached = cursors[-1]
    expect(
        "the index is up to date",
        newest_ledger - INDEX_LAG_LEDGERS <= reached <= newest_ledger + LAG_LEDGERS,
        expected=f"at most {INDEX_LAG_LEDGERS} ledgers behind {newest_ledger}",
        observed=f"ledger {reached}",
    )


def clock_is_right(clocks: Clocks, expect: Expect) -> None:
    """The service's clock agrees with ours; where it does not, the ledger's decides which of the two is wrong.

    Raises ClocksDisagree where the service is not the odd one out.
    """
    ahead, ledger_ahead = clocks.service_ahead_seconds, clocks.ledger_ahead_seconds
    if ahead is None:
        raise ClocksDisagree(
            "the service's answers carry no time: nobody can tell whether its clock is right",
            next_step="let the service or its gateway send the Date header that HTTP asks for",
        )
    if ledger_ahead is not None and not -CLOCK_SKEW_SECONDS <= ledger_ahead <= clocks.ledger_most_ahead_seconds:
        ours = abs(ledger_ahead - ahead) <= CLOCK_SKEW_SECONDS
        raise ClocksDisagree(
            f"{'this runner is the odd one out' if ours else 'no two clocks agree'}: ahead of it are the service by "
            f"{ahead:.0f} s and the newest ledger by {ledger_ahead:.0f} s",
            next_step="set this machine's clock (NTP), then look at the service's",
        )
    expect(
        "the clock of the service is right",
        abs(ahead) <= CLOCK_SKEW_SECONDS,
        expected=f"at most {CLOCK_SKEW_SECONDS} s apart, as the ledger's clock is",
        observed=f"{abs(ahead):.0f} s {'ahead' if ahead > 0 else 'behind'}",
    )
