"""What it means that the service forgot what a run had made, after everything that the run checked."""

from collections.abc import Callable

import pytest
from gate_stories import HELD, READY, ended, planned, played, started

from streampay_smoke.core.errors import Blame, PromiseBroken
from streampay_smoke.evidence import events
from streampay_smoke.evidence.journal import JournalRead
from streampay_smoke.gate.judge import judge
from streampay_smoke.gate.verdict import VerdictStatus

Told = Callable[..., JournalRead]

MADE = [events.ResourceCreated(kind="stream", id=f"stream-{number}") for number in range(5)]
RELEASE = events.ReleaseSeen(moment="start", release="new")


def lost(*numbers: int) -> list[events.AnyEvent]:
    seen = "GET /x answered 404"
    return [events.ResourceLost(kind="stream", id=f"stream-{number}", seen=seen) for number in numbers]


def story(*last: events.AnyEvent, failure: events.Failure | None = None) -> list[object]:
    status = "failed" if failure else "passed"
    return [
        started(release_expected="new"),
        planned(READY),
        played(READY, RELEASE, *MADE, HELD, status=status, failure=failure),
        list(last),
        ended(failed=bool(failure), readiness__ready=status),
    ]


def test_streams_that_are_still_known_are_a_pass(journaled: Told) -> None:
    assert judge(journaled(*story())).verdict is VerdictStatus.PASS


def test_a_release_that_forgot_streams_after_the_last_check_fails(journaled: Told) -> None:
    verdict = judge(journaled(*story(*lost(0, 3))))

    assert (verdict.verdict, verdict.reason_code, verdict.attribution) == (
        VerdictStatus.FAIL,
        "streams_lost",
        "product",
    )
    assert (
        "2 of the 5 streams of this run after the last check: stream-0, stream-3 (GET /x answered 404)"
        in verdict.causes[0].text
    )
    assert verdict.causes[0].concern == "money"


def test_many_lost_streams_are_named_in_part(journaled: Told) -> None:
    assert "stream-0, stream-1, stream-2 and 2 more" in judge(journaled(*story(*lost(0, 1, 2, 3, 4)))).causes[0].text


def test_another_release_that_took_the_environment_is_what_is_told(journaled: Told) -> None:
    verdict = judge(journaled(*story(events.ReleaseSeen(moment="end", release="old"), *lost(0))))

    assert verdict.reason_code == "release_changed"
    assert [cause.reason_code for cause in verdict.causes] == ["release_changed"]


@pytest.mark.parametrize("blame", [Blame.PRODUCT, Blame.DEPENDENCY])
def test_what_a_check_found_stands_before_it_where_it_fails_too(journaled: Told, blame: Blame) -> None:
    found = events.Failure(kind=PromiseBroken.kind, blame=blame, message="no")
    verdict = judge(journaled(*story(*lost(0), failure=found)))

    assert verdict.verdict is VerdictStatus.FAIL
    first = PromiseBroken.kind if blame is Blame.PRODUCT else "streams_lost"
    assert verdict.reason_code == first
    assert {cause.reason_code for cause in verdict.causes} == {PromiseBroken.kind, "streams_lost"}
