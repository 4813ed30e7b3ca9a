"""One cause is red, and what it kept from being played is blocked: never passed, and never a failure of its own."""

from collections.abc import Callable
from pathlib import Path

import pytest
from gate_stories import HELD, MONEY, READY, RED_CHECK, SETTLED, ended, planned, played, started
from msgspec.structs import replace

from streampay_smoke.core.errors import Blame, UnfitAnswer
from streampay_smoke.evidence import events
from streampay_smoke.evidence.journal import JournalRead
from streampay_smoke.gate.blocking import Examined, with_blocked
from streampay_smoke.gate.concerns import (
    CONCERNS,
    MONEY_TAG,
    PROVES_SETTLEMENT,
    WITHOUT_LEDGER,
    Concern,
    always_gates,
    concern_of,
    known_concern,
    needs_ledger,
    proves_settlement,
    rank_of,
)
from streampay_smoke.gate.findings import findings_of_checks
from streampay_smoke.gate.history import RunHistory, ScenarioHistory
from streampay_smoke.gate.judge import judge
from streampay_smoke.gate.verdict import MESSAGE_LIMIT, Verdict, VerdictStatus
from streampay_smoke.runner.plan import scenarios_below

WriteJournal = Callable[..., JournalRead]

FEATURES = Path(__file__).parents[3] / "features"


def scenario(name: str, *, given: bool = True) -> events.ExpectedScenario:
    """A scenario with a precondition; `name` is its id."""
    steps = (*(("Given it is ready",) if given else ()), "When asked", "Then answered")
    return replace(READY, id=name, scenario=name, steps=steps, assertions=("Then answered",), tags=("smoke",))


A, B, C = (scenario(name) for name in ("streams/a-caller-with-a", "settlement/b", "operations/c"))
SILENT = events.Failure(kind="service_unavailable", blame=Blame.PRODUCT, message="no answer", cause="refused")
WRONG = events.Failure(kind="promise_broken", blame=Blame.PRODUCT, message="expected 5, saw 4")


def failing(expected: events.ExpectedScenario, failure: events.Failure, step: str = "") -> list[events.AnyEvent]:
    """A scenario that fails at a step, its first one by default."""
    at = step or expected.steps[0]
    before = expected.steps[: expected.steps.index(at)]
    story: list[events.AnyEvent] = [events.ScenarioStarted(id=expected.id)]
    for text in before:
        story += [events.StepStarted(text=text), events.StepFinished(text=text, status="passed", duration_ms=1)]
    story += [events.StepStarted(text=at)]
    story += [events.StepFinished(text=at, status="failed", duration_ms=1, failure=failure)]
    return [*story, events.ScenarioFinished(id=expected.id, status="failed", duration_ms=9, failure=failure)]


def verdict_on(
    journaled: WriteJournal, *stories: tuple[events.ExpectedScenario, list[events.AnyEvent]], **quarantine: str
) -> Verdict:
    entries = tuple(
        events.QuarantineEntry(id=name, owner="o", ticket="t", until="2026-12-01") for name in quarantine.values()
    )
    plan = planned(*(expected for expected, _ in stories))
    end = events.RunFinished(failed=True, hook_failures=0, statuses={expected.id: "failed" for expected, _ in stories})
    return judge(
        journaled(
            started(),
            *([events.QuarantineRead(today="2026-11-01", entries=entries)] if entries else []),
            plan,
            *(story for _, story in stories),
            end,
        )
    )


def statuses(verdict: Verdict) -> list[tuple[str, str]]:
    return [(check.status, check.blocked_by) for check in verdict.checks]


def test_a_failure_that_is_remembered_blocks(journaled: WriteJournal) -> None:
    again = replace(WRONG, first_in=A.id)
    verdict = verdict_on(
        journaled, (A, failing(A, WRONG)), (B, failing(B, again)), (C, failing(C, again, "When asked"))
    )
    assert statuses(verdict) == [("failed", ""), ("blocked", A.id), ("blocked", A.id)]
    assert (verdict.verdict, verdict.attribution) == (VerdictStatus.FAIL, "product")
    (cause,) = verdict.causes
    assert (cause.checks, cause.blocked, cause.concern) == ((A.id,), (B.id, C.id), "availability")
    assert "2 blocked, 1 of money" in verdict.message
    assert "2 checks are blocked by it, 1 about money." in verdict.message_long


def test_a_blocked_check_is_attributed_as_its_cause_is(journaled: WriteJournal) -> None:
    """Whether a ledger that is down explains a failure depends on the scenario, and one failure has one cause."""
    sick = events.Probed(name="ledger", ok=False, detail="behind")
    first = failing(B, WRONG)
    first.insert(-2, sick)
    second = failing(A, replace(WRONG, first_in=B.id))
    second.insert(-2, sick)
    verdict = verdict_on(journaled, (B, first), (A, second))
    assert [(check.status, check.attribution) for check in verdict.checks] == [
        ("broken", "dependency"),
        ("blocked", "dependency"),
    ]
    assert verdict.verdict is VerdictStatus.INCONCLUSIVE


def test_a_host_that_is_silent_is_one_cause(journaled: WriteJournal) -> None:
    later = replace(SILENT, message="no answer to something else")
    verdict = verdict_on(journaled, (A, failing(A, SILENT)), (B, failing(B, later, "When asked")))
    assert statuses(verdict) == [("failed", ""), ("blocked", A.id)]


def test_silence_of_one_request_is_not_that_of_a_host(journaled: WriteJournal) -> None:
    one, other = (replace(SILENT, cause="timeout", message=message) for message in ("GET /a", "GET /b"))
    verdict = verdict_on(journaled, (A, failing(A, one, "When asked")), (B, failing(B, other, "When asked")))
    assert statuses(verdict) == [("failed", ""), ("failed", "")]


def test_a_promise_that_is_broken_twice_is_red_twice_and_told_once(journaled: WriteJournal) -> None:
    verdict = verdict_on(journaled, (A, failing(A, WRONG, "Then answered")), (B, failing(B, WRONG, "Then answered")))
    assert statuses(verdict) == [("failed", ""), ("failed", "")]
    (cause,) = verdict.causes
    assert (cause.checks, cause.concern, cause.scenario) == ((A.id, B.id), "money", B.scenario)


def test_a_quarantined_check_blocks_nobody(journaled: WriteJournal) -> None:
    again = replace(WRONG, first_in=A.id)
    stories = (A, failing(A, WRONG)), (B, failing(B, again)), (C, failing(C, again))
    verdict = verdict_on(journaled, *stories, first=A.id)
    assert statuses(verdict) == [("quarantined", ""), ("failed", ""), ("blocked", B.id)]
    assert verdict.verdict is VerdictStatus.FAIL


def test_errors_of_the_service_accuse_no_check_of_something_else(journaled: WriteJournal) -> None:
    error = replace(WRONG, asked="GET /api/streams", statuses=(500, 500))
    verdict = verdict_on(
        journaled,
        (A, failing(A, error, "Then answered")),
        (C, failing(C, replace(error, message="saw 500"), "When asked")),
    )
    assert statuses(verdict) == [("failed", ""), ("blocked", A.id)]
    assert (verdict.causes[0].concern, verdict.causes[0].scenario) == ("availability", "")
    assert "GET /api/streams answered 500: expected 5" in verdict.message


LIST = "GET /api/streams"
REDIRECTED = UnfitAnswer(asked=LIST, status=302, shown="/login", is_page=True)
HTML = UnfitAnswer(asked=LIST, status=200, shown="1234abcd", is_page=True)
DATA = UnfitAnswer(asked=LIST, status=200, shown="1234abcd", is_data=True)


def unfit(asked: str, answer: UnfitAnswer | int, *, entitled: bool = True) -> events.Failure:
    whose = "" if entitled else "a stranger's "
    of_status = UnfitAnswer(asked=asked, status=answer) if isinstance(answer, int) else answer
    answered = replace(of_status, asked=asked, entitled=entitled)
    return replace(WRONG, message=f"{whose}{asked} answered {answered.status}", asked=asked, unfit=answered)


@pytest.mark.parametrize("answered", [REDIRECTED, HTML, DATA])
def test_nobody_is_let_in_where_everybody_is_answered_alike(journaled: WriteJournal, answered: UnfitAnswer) -> None:
    """The check about strangers is played first, and the cause is that the user is not served."""
    verdict = verdict_on(
        journaled,
        (A, failing(A, unfit(LIST, answered, entitled=False), "Then answered")),
        (C, failing(C, unfit(LIST, answered), "When asked")),
    )
    assert statuses(verdict) == [("blocked", C.id), ("failed", "")]
    assert (verdict.verdict, verdict.causes[0].blocked) == (VerdictStatus.FAIL, (A.id,))
    assert f"FAIL [product]: {LIST} answered {answered.status}" in verdict.message
    assert verdict.checks[0].hint.startswith("not judged, for everybody is answered alike: ")


@pytest.mark.parametrize(
    "stranger",
    [
        unfit(LIST, replace(DATA, shown="5678abcd"), entitled=False),
        unfit("GET /api/v2/streams", DATA, entitled=False),
    ],
    ids=["another body", "another request"],
)
def test_who_is_answered_otherwise_than_the_user_may_be_let_in(
    journaled: WriteJournal, stranger: events.Failure
) -> None:
    mine = unfit(LIST, DATA)
    verdict = verdict_on(journaled, (A, failing(A, stranger, "Then answered")), (C, failing(C, mine, "When asked")))
    assert statuses(verdict) == [("failed", ""), ("failed", "")]
    assert verdict.causes[0].checks == (A.id,)


def test_a_page_before_everything_is_one_cause(journaled: WriteJournal) -> None:
    verdict = verdict_on(
        journaled,
        (A, failing(A, unfit("POST /api/webhooks", REDIRECTED, entitled=False), "Then answered")),
        (B, failing(B, unfit("GET /api/auth/wallet", REDIRECTED))),
        (C, failing(C, unfit("GET /api/indexer/status", REDIRECTED), "When asked")),
    )
    assert statuses(verdict) == [("blocked", B.id), ("failed", ""), ("blocked", B.id)]
    assert verdict.causes[0].concern == "availability"


def test_what_remembers_a_blocked_failure_is_blocked_by_the_same_cause(journaled: WriteJournal) -> None:
    needed, page = unfit("GET /api/auth/wallet", REDIRECTED), unfit("GET /.well-known/jwks.json", REDIRECTED)
    remembered = replace(needed, first_in=B.id)
    stories = (A, failing(A, needed)), (B, failing(B, page)), (C, failing(C, remembered))
    verdict = verdict_on(journaled, *stories)
    assert statuses(verdict) == [("failed", ""), ("blocked", A.id), ("blocked", A.id)]


def test_strangers_alone_who_are_not_refused_stay_red(journaled: WriteJournal) -> None:
    pages = unfit(LIST, REDIRECTED, entitled=False)
    verdict = verdict_on(journaled, (A, failing(A, pages, "Then answered")), (B, failing(B, pages, "Then answered")))
    assert statuses(verdict) == [("failed", ""), ("failed", "")]
    assert {check.concern for check in verdict.checks} == {"privacy and access", "money"}


def test_an_error_in_place_of_a_refusal_lets_nobody_in(journaled: WriteJournal) -> None:
    """Other attempts of the scenario were refused, so that it met more than errors."""
    error = replace(unfit("POST /api/streams/stream-1/stop", 500, entitled=False), statuses=(401, 500))
    other = replace(unfit("POST /api/streams/stream-2/stop", 500, entitled=False), statuses=(403, 500))
    verdict = verdict_on(journaled, (A, failing(A, error, "Then answered")), (C, failing(C, other, "Then answered")))
    assert statuses(verdict) == [("failed", ""), ("blocked", A.id)]
    assert (verdict.causes[0].concern, verdict.causes[0].scenario) == ("availability", "")


@pytest.mark.parametrize(
    ("failure", "concern"),
    [
        (unfit(LIST, 401), "availability"),
        (unfit(LIST, 404), "money"),
        (unfit(LIST, DATA), "money"),
        (unfit("POST /api/streams/stream-1/settle", 401), "money"),
    ],
    ids=["refused", "gone", "of another shape", "a write"],
)
def test_a_read_that_its_user_is_refused_says_nothing_of_money(
    journaled: WriteJournal, failure: events.Failure, concern: str
) -> None:
    verdict = verdict_on(journaled, (B, failing(B, failure, "Then answered")))
    assert (verdict.causes[0].concern, verdict.causes[0].scenario) == (concern, "")


def test_another_refusal_than_was_promised_lets_nobody_in(journaled: WriteJournal) -> None:
    refused = unfit("POST /api/streams/stream-1/stop", 401, entitled=False)
    verdict = verdict_on(journaled, (A, failing(A, refused, "Then answered")))
    assert verdict.causes[0].concern == "contract of the API"


def test_a_user_who_is_refused_in_two_scenarios_is_one_red_check_the_graver_one(journaled: WriteJournal) -> None:
    start = unfit("POST /api/streams/stream-1/start", 403)
    verdict = verdict_on(journaled, (C, failing(C, start, "When asked")), (B, failing(B, start, "When asked")))
    assert statuses(verdict) == [("blocked", B.id), ("failed", "")]
    assert verdict.causes[0].concern == "money"


def test_silence_of_one_request_is_one_cause(journaled: WriteJournal) -> None:
    settle = UnfitAnswer(asked="POST /api/streams/stream-1/settle")
    hung = replace(SILENT, kind="step_timeout", cause="", message="waited 4 s; the last answer was a", unfit=settle)
    again = replace(hung, message="waited 4 s; the last answer was b")
    verdict = verdict_on(journaled, (A, failing(A, hung, "When asked")), (B, failing(B, again, "When asked")))
    assert statuses(verdict) == [("failed", ""), ("blocked", A.id)]


def test_a_promise_that_is_the_scenarios_name_is_told_once(journaled: WriteJournal) -> None:
    named = replace(WRONG, message=f"{C.scenario.capitalize()}: expected 5, saw 4")
    verdict = verdict_on(journaled, (C, failing(C, named, "Then answered")))
    assert verdict.message.lower().count("operations/c") == 1


def test_one_answer_that_was_no_error_keeps_a_check_red(journaled: WriteJournal) -> None:
    error = replace(WRONG, asked="GET /api/streams", statuses=(500, 500))
    shown = replace(error, message="saw streams", statuses=(200, 500))
    verdict = verdict_on(journaled, (C, failing(C, error, "Then answered")), (A, failing(A, shown, "Then answered")))
    assert statuses(verdict) == [("failed", ""), ("failed", "")]
    assert verdict.causes[0].checks == (A.id,)


def test_the_gravest_cause_is_the_headline(journaled: WriteJournal) -> None:
    contract = scenario("streams/a-user-lists")
    stories = tuple(
        (expected, failing(expected, replace(WRONG, message=f"{expected.id} is wrong"), "Then answered"))
        for expected in (C, contract, A, B)
    )
    verdict = verdict_on(journaled, *stories)
    assert [cause.concern for cause in verdict.causes] == [
        "money",
        "privacy and access",
        "contract of the API",
        "operability",
    ]
    assert verdict.message.startswith("FAIL [product]: settlement/b: settlement/b is wrong")
    assert verdict.message.endswith(" (+3 red) -> roll back")
    assert len(verdict.message) <= MESSAGE_LIMIT
    assert "3 more checks are red." in verdict.message_long


def test_safety_is_graver_than_money(journaled: WriteJournal) -> None:
    guard = events.Failure(kind="guard_refused", blame=Blame.SAFETY, message="the public network")
    verdict = verdict_on(journaled, (B, failing(B, WRONG, "Then answered")), (C, failing(C, guard)))
    assert (verdict.verdict, verdict.causes[0].concern) == (VerdictStatus.SAFETY, "safety")
    assert verdict.message.endswith("(+1 red, 1 of money) -> hold, page")


def test_a_precondition_that_fails_is_not_about_what_it_is_for(journaled: WriteJournal) -> None:
    verdict = verdict_on(
        journaled, (B, failing(B, replace(WRONG, message="it answered 404"))), (A, failing(A, WRONG, "Then answered"))
    )
    assert [cause.concern for cause in verdict.causes] == ["privacy and access", "availability"]


def test_what_a_run_did_not_come_to_is_blocked_by_its_end(journaled: WriteJournal) -> None:
    story = [played(READY, HELD), events.Interrupted(reason="SIGTERM", detail="by CI")]
    verdict = judge(journaled(started(), planned(READY, MONEY, A), *story))
    assert [(check.status, check.blocked_by) for check in verdict.checks] == [
        ("passed", ""),
        ("missing", "run"),
        ("missing", "run"),
    ]
    assert (verdict.causes[0].reason_code, verdict.causes[0].blocked) == ("terminated", (MONEY.id, A.id))
    assert verdict.evidence.missing_ids == (MONEY.id, A.id)


def test_a_scenario_that_a_whole_run_left_out_is_red(journaled: WriteJournal) -> None:
    verdict = judge(journaled(started(), planned(READY, A), played(READY, HELD), ended(readiness__ready="passed")))
    assert (verdict.checks[1].status, verdict.checks[1].blocked_by) == ("missing", "")
    assert (verdict.verdict, verdict.reason_code) == (VerdictStatus.INCONCLUSIVE, "scenarios_missing")


def test_a_pass_has_no_causes(journaled: WriteJournal) -> None:
    story = played(READY, HELD), played(MONEY, HELD, SETTLED)
    passed = ended(readiness__ready="passed", settlement__paid="passed")
    assert judge(journaled(started(), planned(READY, MONEY), *story, passed)).causes == ()


def test_every_scenario_of_the_suite_is_classified() -> None:
    unknown = [item.expected.id for item in scenarios_below(FEATURES) if known_concern(item.expected.id) is None]
    assert unknown == []


def test_every_row_of_the_tables_is_about_a_scenario_of_the_suite() -> None:
    ids = [item.expected.id for item in scenarios_below(FEATURES)]
    rows = (*CONCERNS, *WITHOUT_LEDGER, *PROVES_SETTLEMENT)
    assert [row for row in rows if not any(known.startswith(row) for known in ids)] == []


def test_what_proves_a_settlement_does_so_without_its_tag_and_the_tag_can_only_ask_for_more() -> None:
    suite = [item.expected for item in scenarios_below(FEATURES)]
    assert {each.id for each in suite if MONEY_TAG in each.tags} == {
        each.id for each in suite if proves_settlement(each.id, ())
    }
    assert proves_settlement("own/payment", {MONEY_TAG})
    assert not proves_settlement("own/payment", ())


def test_a_broken_ledger_can_fail_whatever_is_not_known_to_do_without_one() -> None:
    needing = {
        item.expected.id.partition("/")[0] for item in scenarios_below(FEATURES) if needs_ledger(item.expected.id)
    }
    assert needing >= {"ledger", "operations", "readiness", "records", "settlement"}
    assert needs_ledger("own/payment")
    assert not needs_ledger("streams/x")


def test_what_always_gates_does_so_whatever_its_tags_are() -> None:
    assert all(always_gates(name, ()) for name in ("readiness/x", "settlement/x"))
    assert always_gates("own/payment", {MONEY_TAG})
    assert not always_gates("streams/x", {"readiness"})


def test_the_longest_beginning_counts() -> None:
    assert concern_of("access/a-user-cannot-mark-their-own-stream-as-settled") is Concern.MONEY
    assert concern_of("access/anything-else") is Concern.ACCESS
    assert concern_of("a/new-feature") is Concern.CONTRACT


@pytest.mark.parametrize(
    ("graver", "lesser"), [("safety", "money"), ("money", "privacy and access"), ("operability", "a new word")]
)
def test_concerns_are_ranked(graver: str, lesser: str) -> None:
    assert rank_of(graver) < rank_of(lesser)


def red(name: str, failure: events.Failure | None, *, early: bool = False) -> Examined:
    check = replace(
        RED_CHECK,
        id=name,
        scenario=f"scenario {name}",
        status="failed",
        attribution="product",
        attempts=("failed",),
        rule="a-rule",
    )
    return Examined(check=check, failure=failure, at_precondition=early)


def test_of_what_nobody_kept_a_failure_nothing_is_blocked() -> None:
    for pair in ((None, None), (None, WRONG), (WRONG, None)):
        marked = with_blocked([red("a", pair[0], early=True), red("b", pair[1], early=True)])
        assert [each.check.status for each in marked] == ["failed", "failed"]


def test_a_blocked_check_names_what_was_met_where_first() -> None:
    met = replace(WRONG, statuses=(503,), asked="GET /api/streams/stream-1")
    again = replace(WRONG, statuses=(503,), asked="GET /api/streams/stream-2", message="another")
    check = with_blocked([red("a", met), red("b", again)])[1].check
    assert (check.status, check.rule, check.blocked_by) == ("blocked", "blocked", "a")
    assert check.hint == "not played: expected 5, saw 4 (first met by: scenario a)"
    elsewhere = with_blocked([red("a", met), red("b", replace(again, asked="GET /api/healthz"))])[1].check
    assert elsewhere.status == "failed"


def test_the_cause_that_blocks_most_is_told_first_and_stands_for_itself() -> None:
    small, great, behind = red("a", WRONG), red("b", SILENT), red("c", SILENT)
    run = RunHistory(scenarios={each: ScenarioHistory(id=each, started_at_ms=0) for each in "abc"})
    first, second = findings_of_checks(run, with_blocked([small, great, behind]))
    assert (first.checks, first.blocked, first.scenario) == (("b",), ("c",), "")
    assert (second.checks, second.blocked, second.scenario) == (("a",), (), "scenario a")


def test_what_is_blocked_by_a_cause_that_does_not_gate_is_a_finding_itself() -> None:
    astray = red("a", WRONG)
    astray = replace(astray, check=replace(astray.check, status="blocked", blocked_by="quarantined/one"))
    run = RunHistory(scenarios={"a": ScenarioHistory(id="a", started_at_ms=0)})
    assert [found.checks for found in findings_of_checks(run, [astray])] == [("a",)]
