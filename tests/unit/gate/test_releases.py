"""Which release was judged: one and the expected one, from the first answer to the last."""

from collections.abc import Callable

import pytest
from gate_stories import HELD, MONEY, READY, ended, planned, played, started

from streampay_smoke.core.errors import Blame
from streampay_smoke.evidence import events
from streampay_smoke.evidence.journal import JournalRead
from streampay_smoke.gate.judge import judge
from streampay_smoke.gate.releases import ANSWER, END, START, Sighting, mismatch
from streampay_smoke.gate.verdict import VerdictStatus

Told = Callable[..., JournalRead]


def seen(*pairs: tuple[str, str]) -> list[Sighting]:
    return [Sighting(moment=moment, release=release) for moment, release in pairs]


@pytest.mark.parametrize(
    ("expected", "sightings", "code"),
    [
        ("new", [], None),
        ("new", [(START, "new"), (ANSWER, "new"), (END, "new")], None),
        ("new", [(START, "new")], None),
        ("new", [(START, "old"), (ANSWER, "old"), (END, "old")], "release_unexpected"),
        ("new", [(START, "old"), (ANSWER, "old")], "release_unexpected"),
        ("new", [(START, "new"), (ANSWER, "new"), (END, "old")], "release_changed"),
        ("new", [(START, "new"), (ANSWER, "old"), (END, "new")], "release_mixed"),
        ("new", [(START, "new"), ("sample", "old")], "release_mixed"),
        ("new", [(START, "old"), (END, "new")], "release_changed"),
        ("new", [(START, "new"), (END, "")], "release_unconfirmed"),
        ("new", [(START, "")], "release_unconfirmed"),
        ("", [(START, ""), (END, "")], None),
        ("", [(START, "a"), (ANSWER, "a"), (END, "a")], None),
        ("", [(START, "a"), (ANSWER, "a"), (END, "b")], "release_changed"),
        ("", [(START, "a"), (ANSWER, "b"), (END, "a")], "release_mixed"),
        ("", [(START, "a"), (END, "")], None),
    ],
)
def test_each_course_of_a_run_has_its_answer(expected: str, sightings: list[tuple[str, str]], code: str | None) -> None:
    found = mismatch(expected, seen(*sightings))
    assert (found.reason_code if found else None) == code


def test_another_release_is_the_products_where_one_is_expected_and_nobodys_where_none_is() -> None:
    course = seen((START, "new"), (END, "old"))
    expected, unexpected = mismatch("new", course), mismatch("", course)
    assert expected is not None
    assert unexpected is not None
    assert (expected.blame, unexpected.blame) == (Blame.PRODUCT, Blame.HARNESS)
    assert "old" in expected.text


def answered(release: str, peer: str = "service") -> events.Exchanged:
    return events.Exchanged(peer=peer, method="GET", target="/", status=200, duration_ms=1, release=release)


def looked(moment: str, release: str) -> events.ReleaseSeen:
    return events.ReleaseSeen(moment=moment, release=release)


def verdict_of(journaled: Told, *evidence: events.AnyEvent, expected: str = "new") -> tuple[VerdictStatus, str]:
    story = [
        started(release_expected=expected),
        planned(READY),
        played(READY, *evidence, HELD),
        looked(END, "new"),
        ended(readiness__ready="passed"),
    ]
    verdict = judge(journaled(*story))
    return verdict.verdict, verdict.reason_code


def test_what_answered_before_the_service_was_ready_is_a_roll_out(journaled: Told) -> None:
    assert verdict_of(journaled, answered("old"), looked(START, "new"), answered("new"))[0] is VerdictStatus.PASS


def test_one_answer_of_another_release_after_it_is_a_fail(journaled: Told) -> None:
    assert verdict_of(journaled, looked(START, "new"), answered("old")) == (VerdictStatus.FAIL, "release_mixed")


def test_a_fleet_that_is_looked_at_anew_counts_from_there(journaled: Told) -> None:
    course = (looked(START, "new"), looked("sample", "old"), looked(START, "new"), looked("sample", "new"))
    assert verdict_of(journaled, *course)[0] is VerdictStatus.PASS


def test_what_the_stable_release_answers_is_not_held_against_this_one(journaled: Told) -> None:
    assert verdict_of(journaled, looked(START, "new"), answered("old", peer="stable"))[0] is VerdictStatus.PASS


def test_a_release_told_by_a_look_alone_is_observed(journaled: Told) -> None:
    story = [started(), planned(READY), played(READY, looked(START, "new"), HELD), ended(readiness__ready="passed")]
    assert judge(journaled(*story)).target.releases_observed == ("new",)


def test_two_releases_where_none_was_expected_hold(journaled: Told) -> None:
    assert verdict_of(journaled, looked(START, "old"), expected="") == (VerdictStatus.INCONCLUSIVE, "release_changed")


RETRIED = events.Retried(target="GET /api/streams", attempt=2, because="http 502")


def test_a_check_that_met_with_silence_passes_with_a_label(journaled: Told) -> None:
    verdict = judge(
        journaled(started(), planned(READY), played(READY, RETRIED, HELD), ended(readiness__ready="passed"))
    )
    (check,) = verdict.checks
    assert (verdict.verdict, check.status, check.flaky) == (VerdictStatus.PASS, "passed", True)
    assert "GET /api/streams (http 502)" in check.hint
    assert "1 flaky" in verdict.message


def test_a_check_that_met_with_none_has_no_label(journaled: Told) -> None:
    verdict = judge(journaled(started(), planned(READY), played(READY, HELD), ended(readiness__ready="passed")))
    assert [check.flaky for check in verdict.checks] == [False]
    assert "flaky" not in verdict.message


BROKEN = events.Failure(kind="promise_broken", blame="product", message="it is not")


def judged(
    journaled: Told, *before: events.AnyEvent, probes: tuple[events.Probed, ...] = ()
) -> tuple[VerdictStatus, str]:
    story = [
        started(),
        planned(READY),
        list(before),
        played(READY, HELD, status="failed", failure=BROKEN, probes=probes),
        ended(failed=True, readiness__ready="failed"),
    ]
    verdict = judge(journaled(*story))
    return verdict.verdict, verdict.reason_code


def test_a_label_never_makes_a_broken_promise_pass(journaled: Told) -> None:
    assert judged(journaled, RETRIED)[0] is VerdictStatus.FAIL


def test_a_rule_that_knows_better_gives_the_reason_code(journaled: Told) -> None:
    red = events.Probed(name="stable release", ok=False, detail="5xx there too")
    assert judged(journaled, probes=(red,)) == (VerdictStatus.INCONCLUSIVE, "pre_existing")


def test_of_the_probes_at_the_start_only_the_clock_counts_later(journaled: Told) -> None:
    down = events.Probed(name="ledger", ok=False, detail="refused")
    off = events.Probed(name="clock", ok=False, detail="ahead by 300 s")
    assert judged(journaled, down) == (VerdictStatus.FAIL, "promise_broken")
    assert judged(journaled, off) == (VerdictStatus.INCONCLUSIVE, "runner_clock_off")


@pytest.mark.parametrize(
    ("ledger_blame", "expected_status"), [("dependency", VerdictStatus.INCONCLUSIVE), ("product", VerdictStatus.FAIL)]
)
def test_a_write_that_waited_in_vain_for_a_ledger_that_failed_this_run_holds(
    journaled: Told, ledger_blame: str, expected_status: VerdictStatus
) -> None:
    stalled = events.Failure(kind="chain_unavailable", blame=ledger_blame, message="no ledger closed")
    silent = events.Failure(kind="write_timed_out", blame="product", message="no answer in time")
    story = [
        started(),
        planned(READY, MONEY),
        played(READY, HELD, status="failed", failure=silent),
        played(MONEY, HELD, status="failed", failure=stalled),
        ended(failed=True, readiness__ready="failed", settlement__paid="failed"),
    ]
    assert judge(journaled(*story)).verdict is expected_status
