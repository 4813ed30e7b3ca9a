"""What each expected scenario is worth as evidence: its status, whose fault, and why in words."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from streampay_smoke.core.errors import Blame, PromiseBroken
from streampay_smoke.evidence.events import ExpectedScenario, Failure, Probed, cut_off
from streampay_smoke.gate.attribution import (
    ANOTHER_APPLICATION,
    CLOCK_PROBE,
    CREATION_KINDS,
    LEDGER_FAILURES,
    RELEASE_ELSEWHERE,
    RUN_ENDED,
    UNANSWERED,
    Attribution,
    FailedCheck,
    attribute,
)
from streampay_smoke.gate.blocking import CALLER_KINDS, Examined, with_blocked
from streampay_smoke.gate.concerns import Concern, concern_of, needs_ledger, proves_settlement
from streampay_smoke.gate.history import RunHistory, ScenarioHistory
from streampay_smoke.gate.quarantine import in_force, quarantined
from streampay_smoke.gate.verdict import RUN, Check

MISSING = "missing"
"""The status of a scenario that never came to its end."""

EVIDENCE_MISSING = "evidence_missing"
"""Why a scenario that ended well enough for behave proves nothing."""


def examined(run: RunHistory) -> Sequence[Examined]:
    """Return one check for each expected scenario, in the order they were promised, and why it is no pass."""
    if run.planned is None:
        return ()
    reasons = {exclusion.id: exclusion.reason for exclusion in run.planned.excluded}
    entries = in_force(run.quarantine)
    said = _said_elsewhere(history.failure for history in run.scenarios.values())
    each = [_examined(run, expected, reasons.get(expected.id), said) for expected in run.planned.expected]
    gating = [replace(one, check=quarantined(one.check, entries.get(one.check.id))) for one in each]
    return with_blocked(gating)


def _examined(
    run: RunHistory, expected: ExpectedScenario, excluded_because: str | None, said: Counter[str]
) -> Examined:
    history = run.scenarios.get(expected.id)
    if excluded_because is not None:
        return Examined(check=_described(expected, history, status="excluded", hint=excluded_because))
    if history is None or history.finished is None:
        how = "was interrupted" if history else "never ran"
        missing = _described(expected, history, status=MISSING, blame=Blame.HARNESS, rule="not-run", hint=how)
        return Examined(check=replace(missing, blocked_by=RUN if history is None and run.ended_early else ""))
    failure = _failure(run, expected, history)
    if failure is None:
        return Examined(check=_described(expected, history, status="passed", hint=_flaky_because(history)))
    early = _is_precondition(history.failed_step, expected)
    check = _unhappy(run, expected, history, failure, said)
    return Examined(
        check=replace(check, concern=_concern(failure, check, early=early)),
        failure=failure,
        at_precondition=early,
        about=check.concern,
    )


UNAVAILABLE = frozenset({*UNANSWERED, *LEDGER_FAILURES, *CALLER_KINDS, "host_unresolved"})
"""Kinds of failures that say that nothing was served, whatever was asked for."""


def _concern(failure: Failure, check: Check, *, early: bool) -> str:
    """Return what a failure is about.

    Where the service answered with errors only, nobody got in or saw anything; writes may have moved money still. Nor
    does a read that gives its user nothing say anything of what it is about.
    """
    if check.attribution == Blame.SAFETY:
        return Concern.SAFETY
    unfit = failure.unfit
    met_errors = failure.met_server_errors_only or (unfit is not None and unfit.is_server_error)
    errors = met_errors and check.concern not in {Concern.MONEY, Concern.OPERABILITY}
    asked = unfit.asked if unfit is not None else failure.asked
    useless = met_errors or (unfit is not None and unfit.entitled and unfit.shows_nothing)
    unread = useless and check.concern != Concern.OPERABILITY and asked.startswith("GET ")
    if unfit is not None and unfit.refuses_otherwise and check.concern == Concern.ACCESS:
        return Concern.CONTRACT
    unavailable = early or errors or unread or failure.kind in UNAVAILABLE
    return Concern.AVAILABILITY if unavailable else check.concern


def _is_precondition(step: str, expected: ExpectedScenario) -> bool:
    """Return whether a step comes before the first one that does what the scenario is about."""
    doing = next((place for place, text in enumerate(expected.steps) if text.startswith("When ")), 0)
    return step in expected.steps[:doing]


_ELSEWHERE: Mapping[str, Callable[[Failure], bool]] = {
    "ledger_failed_elsewhere": lambda failure: failure.blame == Blame.DEPENDENCY,
    "another_application_answers": lambda failure: failure.kind == ANOTHER_APPLICATION,
    "guard_refused_elsewhere": lambda failure: failure.blame == Blame.SAFETY,
    "release_is_elsewhere": lambda failure: failure.kind == RELEASE_ELSEWHERE,
    "creation_failed_elsewhere": lambda failure: failure.kind in CREATION_KINDS,
}
"""What a failure says about the other scenarios of its run, by the field of `FailedCheck`."""


def _said_elsewhere(failures: Iterable[Failure | None]) -> Counter[str]:
    """Return how many failures say each of these things."""
    return Counter(name for failure in failures if failure for name, says in _ELSEWHERE.items() if says(failure))


def _unhappy(
    run: RunHistory, expected: ExpectedScenario, history: ScenarioHistory, failure: Failure, said: Counter[str]
) -> Check:
    own = _said_elsewhere([history.failure])
    cause: Attribution = attribute(
        FailedCheck(
            failure=failure,
            needs_ledger=needs_ledger(expected.id),
            probes=_probes(run, history),
            **{name: said[name] > own[name] for name in _ELSEWHERE},
        )
    )
    status = MISSING if cause.rule == RUN_ENDED else "failed" if cause.blame is Blame.PRODUCT else "broken"
    where = f" (at: {history.failed_step})" if history.failed_step else ""
    next_step = f" Next: {failure.next_step}." if failure.next_step else ""
    hint = f"{failure.message}{where}. {cause.reason.capitalize()}.{next_step}"
    return _described(expected, history, status=status, blame=cause.blame, rule=cause.rule, hint=hint)


def _probes(run: RunHistory, history: ScenarioHistory) -> tuple[Probed, ...]:
    """Return the probes made beside a failure; of those made at the start only the clock still holds good."""
    return (*(probe for probe in run.probes_at_start if probe.name == CLOCK_PROBE), *history.probes)


def _flaky_because(history: ScenarioHistory) -> str:
    """Return what a check needed more than one attempt for, "" for one that needed no more."""
    if not history.retries:
        return ""
    silences = dict.fromkeys(f"{retry.target} ({retry.because})" for retry in history.retries)
    return f"flaky: {len(history.retries)} requests were sent again after silence: {', '.join(silences)}"


def _described(
    expected: ExpectedScenario,
    history: ScenarioHistory | None,
    *,
    status: str,
    hint: str,
    blame: Blame | None = None,
    rule: str = "",
) -> Check:
    finished = history.finished if history else None
    return Check(
        id=expected.id,
        feature=expected.feature,
        scenario=expected.scenario,
        status=status,
        attribution=blame.value if blame else "none",
        assertions=sum(check.held for check in history.checks) if history else 0,
        duration_ms=finished.duration_ms if finished else 0,
        attempts=(finished.status,) if finished else (),
        hint=hint,
        rule=rule,
        concern=expected.concern or concern_of(expected.id),
        flaky=bool(history and history.retries),
    )


def _failure(run: RunHistory, expected: ExpectedScenario, history: ScenarioHistory) -> Failure | None:
    """Return why a finished scenario is no evidence for the release, None when it is."""
    assert history.finished is not None
    broken_promise = next((check for check in history.checks if not check.held), None)
    last_word = run.finished.statuses.get(expected.id, "never reported") if run.finished else history.finished.status
    if history.failure is not None:
        return history.failure
    if broken_promise is not None:
        return Failure(
            kind=PromiseBroken.kind,
            blame=Blame.PRODUCT,
            message=f"{broken_promise.promise}: expected {broken_promise.expected}, saw {broken_promise.observed}",
        )
    if run.interrupted is not None and history.finished.status == "error":  # between two steps
        return cut_off(run.interrupted.reason)
    if history.finished.status != "passed" or last_word != "passed":
        status = history.finished.status if history.finished.status != "passed" else last_word
        return _unproved(f"the scenario ended as {status!r}")
    if history.overran:
        return _unproved(f"a step went on past its budget: {history.overran}", kind="step_timeout")
    passed = tuple(step.text for step in history.steps if step.status == "passed")
    if passed != expected.steps:
        return _unproved(f"{len(passed)} of {len(expected.steps)} steps left evidence of passing")
    short = next(_short(expected, history), "" if history.checks else "nothing was asserted")
    if short:
        return _unproved(short)
    if proves_settlement(expected.id, expected.tags) and not _proved(run, history):
        return _unproved("no settlement was proved in the way this run asks for")
    return None


def _short(expected: ExpectedScenario, history: ScenarioHistory) -> Iterator[str]:
    """Yield in words which of the steps, all of which passed, asserted less than they do in a good run."""
    measured = expected.at_least or (0,) * len(expected.steps)
    if len(measured) != len(expected.steps):
        yield f"assertions were counted of {len(measured)} steps, and there are {len(expected.steps)}"
    for step, fewest in zip(history.steps, measured, strict=False):
        at_least = max(fewest, int(step.text in expected.assertions))
        if not step.checks_held and at_least:
            yield f"nothing was asserted by: {step.text}"
        elif step.checks_held < at_least:
            yield f"{step.checks_held} of at least {at_least} assertions were made by: {step.text}"


def _unproved(message: str, *, kind: str = EVIDENCE_MISSING) -> Failure:
    return Failure(kind=kind, blame=Blame.HARNESS, message=message)


def _proved(run: RunHistory, history: ScenarioHistory) -> bool:
    wanted = run.started.proof if run.started else "ledger"
    return any(settled.proof == wanted and settled.tx_hash for settled in history.settlements)
