"""What each scenario is worth as evidence, to the letter: its status, whose fault, under which rule, and why."""

from collections.abc import Callable
from typing import Any

import pytest
from gate_stories import HELD, MONEY, READY, SETTLED, ended, planned, played, started
from msgspec.structs import replace

from streampay_smoke.core.errors import Blame
from streampay_smoke.evidence import events
from streampay_smoke.evidence.journal import JournalRead
from streampay_smoke.gate.attribution import CONTRACT_PROBE, LEDGER_PROBE, NETWORK_AGE_PROBE
from streampay_smoke.gate.checks import examined
from streampay_smoke.gate.history import fold
from streampay_smoke.gate.judge import judge
from streampay_smoke.gate.verdict import Check, VerdictStatus

WriteJournal = Callable[..., JournalRead]
Story = list[Any]

BROKEN = events.Checked(promise="it pays", held=False, expected="5", observed="4")
HARNESS = ". The suite itself failed."
PASSED = ended(readiness__ready="passed", settlement__paid="passed")


def checked(journaled: WriteJournal, *story: Any) -> Check:
    """The check of the first scenario that was planned, and a verdict that agrees with it."""
    read = journaled(*story)
    return examined(fold(read.entries))[0].check


def step(text: str, *evidence: Any, status: str = "passed", failure: events.Failure | None = None) -> Story:
    finished = events.StepFinished(text=text, status=status, duration_ms=1, failure=failure)
    return [events.StepStarted(text=text), *evidence, finished]


def scenario(*steps: Story, status: str = "passed", failure: events.Failure | None = None) -> Story:
    begun: Story = [events.ScenarioStarted(id=READY.id)]
    finished = events.ScenarioFinished(id=READY.id, status=status, duration_ms=9, failure=failure)
    return [*begun, *(event for each in steps for event in each), finished]


def failure(message: str = "it went wrong", next_step: str = "", blame: Blame = Blame.HARNESS) -> events.Failure:
    return events.Failure(kind="some_kind", blame=blame, message=message, next_step=next_step)


def test_a_check_that_passed_is_told_whole(journaled: WriteJournal) -> None:
    assert checked(journaled, started(), planned(READY), played(READY, HELD, HELD), PASSED) == Check(
        id="readiness/ready",
        feature="Service is ready",
        scenario="The release is ready",
        status="passed",
        attribution="none",
        assertions=2,
        duration_ms=9,
        attempts=("passed",),
        hint="",
        rule="",
        quarantined=None,
        flaky=False,
        concern="availability",
        blocked_by="",
    )


def test_a_check_that_is_excluded_keeps_what_it_left(journaled: WriteJournal) -> None:
    excluded = planned(READY, excluded=(events.Exclusion(id=READY.id, reason="read-only"),))
    check = checked(journaled, started(), excluded, played(READY, HELD), PASSED)
    assert (check.status, check.hint, check.rule, check.assertions) == ("excluded", "read-only", "", 1)
    assert (check.attribution, check.duration_ms, check.attempts) == ("none", 9, ("passed",))


def test_a_check_that_never_ran(journaled: WriteJournal) -> None:
    check = checked(journaled, started(), planned(READY), ended())
    assert (check.status, check.hint, check.rule) == ("missing", "never ran", "not-run")
    assert (check.attribution, check.assertions, check.duration_ms, check.attempts) == ("harness", 0, 0, ())


def test_a_check_that_was_interrupted(journaled: WriteJournal) -> None:
    check = checked(journaled, started(), planned(READY), played(READY, HELD, HELD)[:-1])
    assert (check.status, check.hint, check.rule, check.assertions) == ("missing", "was interrupted", "not-run", 2)


def test_a_check_that_the_deadline_ended_between_two_steps(journaled: WriteJournal) -> None:
    over = events.Interrupted(reason="deadline", detail="the 14 s of this run were over")
    check = checked(journaled, started(), planned(READY), scenario(step("When asked"), status="error"), over)
    assert (check.status, check.rule) == ("missing", "run-was-ended")
    assert check.hint == (
        "the run was ended while this was played (deadline). It says nothing of the release. Next: run again."
    )


SILENT = replace(READY, steps=("When asked", "Then ready", "And well"), assertions=("Then ready", "And well"))
COURSES: dict[str, tuple[events.ExpectedScenario, Story, str, str]] = {
    "a promise that was broken, though nothing raised": (
        READY,
        [played(READY, HELD, BROKEN), PASSED],
        "promise_broken",
        "it pays: expected 5, saw 4. The release did not keep its promise, and no control probe explains it otherwise.",
    ),
    "an end that is none": (
        READY,
        [scenario(step("When asked"), step("Then ready", HELD), status="hook_error"), PASSED],
        "evidence_missing",
        f"the scenario ended as 'hook_error'{HARNESS}",
    ),
    "another last word": (
        READY,
        [played(READY, HELD), ended(readiness__ready="cleanup_error")],
        "evidence_missing",
        f"the scenario ended as 'cleanup_error'{HARNESS}",
    ),
    "no last word": (
        READY,
        [played(READY, HELD), ended(other="passed")],
        "evidence_missing",
        f"the scenario ended as 'never reported'{HARNESS}",
    ),
    "a step past its budget": (
        READY,
        [
            scenario(
                step("When asked"),
                step("Then ready", HELD, events.StepOverran(text="Then ready", budget_seconds=1.0)),
            ),
            PASSED,
        ],
        "evidence_missing",
        f"a step went on past its budget: Then ready{HARNESS}",
    ),
    "a step that left no trace": (
        READY,
        [scenario(step("Then ready", HELD)), PASSED],
        "evidence_missing",
        f"1 of 2 steps left evidence of passing{HARNESS}",
    ),
    "nothing asserted at all": (
        replace(READY, assertions=()),
        [played(READY), PASSED],
        "evidence_missing",
        f"nothing was asserted{HARNESS}",
    ),
    "a step that asserts nothing": (
        SILENT,
        [scenario(step("When asked"), step("Then ready", HELD), step("And well")), PASSED],
        "evidence_missing",
        f"nothing was asserted by: And well{HARNESS}",
    ),
    "a step that asserts less than in a good run": (
        replace(SILENT, at_least=(0, 2, 1)),
        [scenario(step("When asked"), step("Then ready", HELD), step("And well", HELD, HELD)), PASSED],
        "evidence_missing",
        f"1 of at least 2 assertions were made by: Then ready{HARNESS}",
    ),
    "a step that asserts nothing, though nobody counted": (
        replace(SILENT, at_least=(0, 1, 0)),
        [scenario(step("When asked"), step("Then ready", HELD), step("And well")), PASSED],
        "evidence_missing",
        f"nothing was asserted by: And well{HARNESS}",
    ),
    "other steps were counted": (
        replace(SILENT, at_least=(0, 1)),
        [scenario(step("When asked"), step("Then ready", HELD), step("And well", HELD)), PASSED],
        "evidence_missing",
        f"assertions were counted of 2 steps, and there are 3{HARNESS}",
    ),
    "no settlement": (
        replace(MONEY, id=READY.id),
        [played(replace(MONEY, id=READY.id), HELD), PASSED],
        "evidence_missing",
        f"no settlement was proved in the way this run asks for{HARNESS}",
    ),
    "a failure without a next step": (
        READY,
        [scenario(step("When asked", status="error", failure=failure()), status="error"), PASSED],
        "some_kind",
        f"it went wrong (at: When asked){HARNESS}",
    ),
    "a failure with a next step": (
        READY,
        [scenario(step("When asked", status="error", failure=failure(next_step="look")), status="error"), PASSED],
        "some_kind",
        f"it went wrong (at: When asked){HARNESS} Next: look.",
    ),
    "a failure outside the steps": (
        READY,
        [scenario(step("When asked"), status="error", failure=failure()), PASSED],
        "some_kind",
        f"it went wrong{HARNESS}",
    ),
    "the first of two failures": (
        READY,
        [
            scenario(
                step("When asked", status="error", failure=failure("first")),
                step("Then ready", status="error", failure=failure("second")),
                status="error",
                failure=failure("third"),
            ),
            PASSED,
        ],
        "some_kind",
        f"first (at: When asked){HARNESS}",
    ),
}


@pytest.mark.parametrize("name", COURSES)
def test_each_course_is_told_to_the_letter(journaled: WriteJournal, name: str) -> None:
    expected, story, reason_code, hint = COURSES[name]
    read = journaled(started(), planned(expected), *story)
    check = examined(fold(read.entries))[0].check
    assert check.hint == hint
    verdict = judge(read)
    assert verdict.reason_code == reason_code
    assert verdict.verdict is (VerdictStatus.FAIL if check.status == "failed" else VerdictStatus.INCONCLUSIVE)
    assert check.status == ("failed" if reason_code == "promise_broken" else "broken")
    assert check.attribution == ("product" if reason_code == "promise_broken" else "harness")


def test_a_run_without_a_last_word_leaves_the_scenarios_own(journaled: WriteJournal) -> None:
    assert checked(journaled, started(), planned(READY), played(READY, HELD)).status == "passed"


def test_a_step_may_assert_more_than_in_a_good_run(journaled: WriteJournal) -> None:
    expected = replace(SILENT, at_least=(0, 2, 1))
    story = scenario(step("When asked"), step("Then ready", HELD, HELD, HELD), step("And well", HELD))
    assert checked(journaled, started(), planned(expected), story, PASSED).status == "passed"


def test_a_settlement_counts_in_the_way_the_run_asks_for_only(journaled: WriteJournal) -> None:
    by_service = replace(SETTLED, proof="service")
    for asked, seen, status in (
        (started(), SETTLED, "passed"),
        (started(), by_service, "broken"),
        (started(proof="service"), by_service, "passed"),
        (started(proof="service"), SETTLED, "broken"),
        (started(), replace(SETTLED, tx_hash=""), "broken"),
    ):
        assert checked(journaled, asked, planned(MONEY), played(MONEY, HELD, seen), PASSED).status == status


def test_a_run_that_does_not_say_how_takes_the_ledgers_word_only(journaled: WriteJournal) -> None:
    by_service = replace(SETTLED, proof="service")
    assert checked(journaled, planned(MONEY), played(MONEY, HELD, SETTLED), PASSED).status == "passed"
    assert checked(journaled, planned(MONEY), played(MONEY, HELD, by_service), PASSED).status == "broken"


def test_a_step_past_its_budget_is_explained_by_a_way_out_that_is_shut(journaled: WriteJournal) -> None:
    shut = events.Probed(name="egress", ok=False, detail="silent")
    overran = events.StepOverran(text="Then ready", budget_seconds=1.0)
    story = scenario(step("When asked"), step("Then ready", HELD, overran, shut))
    check = checked(journaled, started(), planned(READY), story, PASSED)
    assert (check.rule, check.attribution) == ("runner-has-no-way-out", "harness")


def test_the_checks_of_a_step_are_its_own(journaled: WriteJournal) -> None:
    story = scenario(step("When asked", HELD, HELD), step("Then ready", BROKEN))
    history = fold(journaled(story).entries).scenarios[READY.id]
    assert (history.id, history.started_at_ms) == (READY.id, 1_000)
    assert [(each.text, each.status, each.checks_held) for each in history.steps] == [
        ("When asked", "passed", 2),
        ("Then ready", "passed", 0),
    ]
    before = fold(journaled(events.ScenarioStarted(id=READY.id), HELD).entries).scenarios[READY.id]
    assert (before.checks, before.steps) == ([HELD], [])


def test_requests_that_were_sent_again_are_counted_and_named(journaled: WriteJournal) -> None:
    again = (
        events.Retried(target="the list", attempt=1, because="refused"),
        events.Retried(target="the list", attempt=2, because="refused"),
        events.Retried(target="the readiness", attempt=2, because="http 502"),
    )
    check = checked(journaled, started(), planned(READY), played(READY, HELD, *again), PASSED)
    said = "flaky: 3 requests were sent again after silence: the list (refused), the readiness (http 502)"
    assert (check.flaky, check.hint) == (True, said)


def test_a_ledger_that_failed_another_check_explains_a_write_that_timed_out(journaled: WriteJournal) -> None:
    ledger = failure("no answer", blame=Blame.DEPENDENCY)
    timed_out = events.Failure(kind="write_timed_out", blame=Blame.PRODUCT, message="no answer to a write")
    both = [played(READY, status="error", failure=timed_out), played(MONEY, status="error", failure=ledger)]
    alone = [played(READY, status="error", failure=timed_out), played(MONEY, HELD, SETTLED)]
    assert checked(journaled, started(), planned(READY, MONEY), *both, ended()).rule == "ledger-failed-in-this-run"
    assert checked(journaled, started(), planned(READY, MONEY), *alone, ended()).rule == "release"
    itself = replace(timed_out, blame=Blame.DEPENDENCY)
    own = [played(READY, status="error", failure=itself)]
    assert checked(journaled, started(), planned(READY), *own, ended()).rule == "ledger-side"


@pytest.mark.parametrize(
    ("kind", "rule"),
    [
        ("stream_not_created", "contract-never-deployed"),
        ("write_put_off", "contract-never-deployed"),
        ("promise_broken", "settings"),
    ],
)
def test_a_service_that_cannot_create_in_another_scenario_tells_whose_the_missing_contract_is(
    journaled: WriteJournal, kind: str, rule: str
) -> None:
    missing = events.Failure(kind="contract_missing", blame=Blame.CONFIG, message="no such contract")
    other = events.Failure(kind=kind, blame=Blame.PRODUCT, message="it did not")
    probes = tuple(
        events.Probed(name=name, ok=ok, detail="d")
        for name, ok in ((LEDGER_PROBE, True), (CONTRACT_PROBE, False), (NETWORK_AGE_PROBE, True))
    )
    played_both = [
        played(READY, status="error", failure=missing, probes=probes),
        played(MONEY, status="failed", failure=other),
    ]
    assert checked(journaled, started(), planned(READY, MONEY), *played_both, ended()).rule == rule


@pytest.mark.parametrize(
    ("asked", "statuses", "about"),
    [
        ("GET /api/streams/1", (503,), "availability"),
        ("POST /api/streams/1/settle", (503,), "money"),
        ("GET /api/streams/1", (503, 200), "money"),
        ("GET /api/streams/1", (), "money"),
    ],
)
def test_money_that_could_not_be_read_is_unavailable_and_a_write_may_have_moved_it(
    journaled: WriteJournal, asked: str, statuses: tuple[int, ...], about: str
) -> None:
    met = replace(failure(blame=Blame.PRODUCT), asked=asked, statuses=statuses)
    story = played(MONEY, status="failed", failure=met)
    assert checked(journaled, started(), planned(MONEY), story, ended(failed=True)).concern == about


@pytest.mark.parametrize(
    ("steps", "about"),
    [
        (("Given a stream", "When it is settled", "Then it pays"), "availability"),
        (("Given a stream", "Then it pays"), "money"),
    ],
)
def test_a_failure_before_the_first_step_that_acts_is_about_availability(
    journaled: WriteJournal, steps: tuple[str, ...], about: str
) -> None:
    """A scenario without such a step acts from its first one on."""
    met = failure(blame=Blame.PRODUCT)
    story = [
        events.ScenarioStarted(id=MONEY.id),
        *step(steps[0], status="failed", failure=met),
        events.ScenarioFinished(id=MONEY.id, status="failed", duration_ms=9),
    ]
    expected = replace(MONEY, steps=steps)
    read = journaled(started(), planned(expected), story, ended(failed=True))
    found = examined(fold(read.entries))[0]
    assert (found.check.concern, found.at_precondition) == (about, about == "availability")
