"""The judge: a pure function from a journal to a verdict. PASS is earned; everything unproved holds."""

from collections.abc import Sequence

import msgspec

from streampay_smoke.errors import Blame
from streampay_smoke.evidence.events import ExpectedScenario, Failure, Probed
from streampay_smoke.evidence.journal import JournalRead
from streampay_smoke.gate.attribution import CLOCK_PROBE, REASON_CODES, Attribution, FailedCheck, attribute
from streampay_smoke.gate.history import RunHistory, ScenarioHistory, fold
from streampay_smoke.gate.message import line, paragraph
from streampay_smoke.gate.objectives import misses, results
from streampay_smoke.gate.override import REASON_CODE, in_words, standing
from streampay_smoke.gate.quarantine import QUARANTINED, in_force, lapsed, quarantined
from streampay_smoke.gate.releases import mismatch
from streampay_smoke.gate.verdict import (
    ACTIONS,
    EXIT_CODES,
    SCHEMA,
    SIGNAL_EXIT_CODES,
    Action,
    Chain,
    Check,
    Cleanup,
    Data,
    Evidence,
    ObjectiveResult,
    Settlement,
    Target,
    Timings,
    Verdict,
    Word,
)

MONEY_TAG = "money"
"""Scenarios that may only pass when a settlement was proved."""

WORD_OF_BLAME = {
    Blame.SAFETY: Word.SAFETY,
    Blame.PRODUCT: Word.FAIL,
    Blame.CONFIG: Word.CONFIG,
    Blame.DEPENDENCY: Word.INCONCLUSIVE,
    Blame.HARNESS: Word.INCONCLUSIVE,
}

TIME_OVER = frozenset({"deadline", "step_timeout"})
"""Interruptions that leave a proved fault of the release standing: what was seen before the time was over, was seen."""

GRAVITY = (Word.SAFETY, Word.FAIL, Word.CONFIG, Word.INCONCLUSIVE)
"""When several apply, the first wins: money first, then what is proved against the release."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One reason against PASS."""

    word: Word
    reason_code: str
    attribution: str
    text: str
    scenario: str = ""


def judge(journal: JournalRead) -> Verdict:
    """Return the verdict on a journal. The same journal gives the same verdict anywhere."""
    run = fold(journal.entries)
    checks = tuple(_checks(run))
    answers = results(run.objectives.objectives if run.objectives else (), journal.entries, checks)
    findings = [
        *_findings_of_the_run(run, journal),
        *_findings_of_checks(run, checks),
        *_findings_of_objectives(run, journal, checks, answers),
    ]
    decisive = _decisive(run, findings)
    word = decisive.word if decisive else Word.PASS
    reason_code = decisive.reason_code if decisive else "all_promises_kept"
    text = decisive.text if decisive else _praise(run, checks)
    attribution = decisive.attribution if decisive else "none"
    override, refused_overrides = standing(run, word, tampered=bool(journal.tampered_at))
    if override is not None:
        word, reason_code, text, attribution = Word(override.to), REASON_CODE, in_words(override, text), "none"
    scenario = decisive.scenario if decisive and override is None else ""
    action = _action(run, word)
    simulated = _simulated(run, short=word is not Word.PASS)
    started = run.started
    return Verdict(
        schema=SCHEMA,
        run_id=started.run_id if started else "",
        verdict=word,
        exit_code=_exit_code(run, word, reason_code),
        reason_code=reason_code,
        message=line(word, attribution, action, simulated, scenario=scenario, text=text),
        attribution=attribution,
        action=action,
        target=_target(run),
        chain=_chain(run),
        checks=checks,
        settlement=_settlement(run),
        objectives=answers,
        evidence=_evidence(run, checks, journal),
        cleanup=_cleanup(run),
        timings=Timings(
            started_at_ms=run.started_at_ms,
            ended_at_ms=run.ended_at_ms,
            total_ms=run.ended_at_ms - run.started_at_ms,
        ),
        warnings=(
            *dict.fromkeys(warning.text for warning in run.warnings),
            *lapsed(run.quarantine),
            *refused_overrides,
        ),
        overrides=(override,) if override else (),
        message_long=paragraph(word, attribution, action, text=text),
        trace_id=started.trace_id if started else "",
        signed_by=started.signed_by if started else "",
        data=Data.of(word),
    )


def _checks(run: RunHistory) -> Sequence[Check]:
    if run.planned is None:
        return ()
    reasons = {exclusion.id: exclusion.reason for exclusion in run.planned.excluded}
    entries = in_force(run.quarantine)
    return [
        quarantined(_check(run, expected, reasons.get(expected.id)), entries.get(expected.id))
        for expected in run.planned.expected
    ]


def _check(run: RunHistory, expected: ExpectedScenario, excluded_because: str | None) -> Check:
    history = run.scenarios.get(expected.id)
    if excluded_because is not None:
        return _described(expected, history, status="excluded", hint=excluded_because)
    if history is None or history.finished is None:
        how = "was interrupted" if history else "never ran"
        return _described(expected, history, status="missing", blame=Blame.HARNESS, rule="not-run", hint=how)
    failure = _failure(run, expected, history)
    if failure is None:
        return _described(expected, history, status="passed", hint=_flaky_because(history))
    cause: Attribution = attribute(
        FailedCheck(
            failure=failure,
            tags=frozenset(expected.tags),
            probes=_probes(run, history),
            ledger_failed_elsewhere=_ledger_failed_elsewhere(run, history),
        )
    )
    status = "failed" if cause.blame is Blame.PRODUCT else "broken"
    where = f" (at: {history.failed_step})" if history.failed_step else ""
    next_step = f" Next: {failure.next_step}." if failure.next_step else ""
    hint = f"{failure.message}{where}. {cause.reason.capitalize()}.{next_step}"
    return _described(expected, history, status=status, blame=cause.blame, rule=cause.rule, hint=hint)


def _ledger_failed_elsewhere(run: RunHistory, history: ScenarioHistory) -> bool:
    """Return whether another scenario failed because the ledger itself gave this run no usable answer."""
    others = (other.failure for other in run.scenarios.values() if other is not history)
    return any(failure is not None and failure.blame == Blame.DEPENDENCY for failure in others)


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
    hint: str = "",
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
            kind="promise_broken",
            blame=Blame.PRODUCT,
            message=f"{broken_promise.promise}: expected {broken_promise.expected}, saw {broken_promise.observed}",
        )
    if history.finished.status != "passed" or last_word != "passed":
        status = history.finished.status if history.finished.status != "passed" else last_word
        return _harness_failure("scenario_" + status, f"the scenario ended as {status!r}")
    if history.overran:
        return _harness_failure("step_timeout", f"a step went on past its budget: {history.overran}")
    passed = tuple(step.text for step in history.steps if step.status == "passed")
    if passed != expected.steps:
        return _harness_failure(
            "steps_missing", f"{len(passed)} of {len(expected.steps)} steps left evidence of passing"
        )
    silent = [step.text for step in history.steps if step.text in expected.assertions and not step.checks_held]
    if silent or not history.checks:
        return _harness_failure("nothing_asserted", f"nothing was asserted{f' by: {silent[0]}' if silent else ''}")
    if MONEY_TAG in expected.tags and not _proved(run, history):
        return _harness_failure("settlement_unproved", "no settlement was proved in the way this run asks for")
    return None


def _harness_failure(kind: str, message: str) -> Failure:
    return Failure(kind=kind, blame=Blame.HARNESS, message=message)


def _proved(run: RunHistory, history: ScenarioHistory) -> bool:
    wanted = run.started.proof if run.started else "ledger"
    return any(settled.proof == wanted and settled.tx_hash for settled in history.settlements)


def _findings_of_the_run(run: RunHistory, journal: JournalRead) -> Sequence[Finding]:
    findings: list[Finding] = []
    if journal.tampered_at:
        findings.append(_unproved("journal_tampered", f"line {journal.tampered_at} of the journal does not follow"))
    if run.refused is not None:
        failure = run.refused.failure
        blame = Blame(failure.blame)
        findings.append(
            Finding(word=WORD_OF_BLAME[blame], reason_code=failure.kind, attribution=blame, text=_with_next(failure))
        )
    elif run.planned is None:
        findings.append(_unproved("never_started", "the journal ends before any scenario was planned"))
    else:
        findings += _findings_of_the_plan(run)
    if run.finished is None:
        findings.append(_unproved("unfinished", "the journal ends before the run did"))
    elif _failed_outside_scenarios(run):
        findings.append(_unproved("harness_error", "behave failed outside the scenarios (a hook or a clean-up)"))
    strange = mismatch(run.started.release_expected if run.started else "", run.sightings)
    if strange is not None:
        findings.append(
            Finding(
                word=WORD_OF_BLAME[strange.blame],
                reason_code=strange.reason_code,
                attribution=strange.blame,
                text=strange.text,
            )
        )
    if _foreign_simulation(run):
        findings.append(
            Finding(
                word=Word.CONFIG,
                reason_code="simulated_target",
                attribution=Blame.CONFIG,
                text=f"{_target(run).environment} answered as a sandbox: a simulation cannot vouch for a deployment",
            )
        )
    return findings


def _with_next(failure: Failure) -> str:
    return f"{failure.message}; {failure.next_step}" if failure.next_step else failure.message


def _findings_of_the_plan(run: RunHistory) -> Sequence[Finding]:
    plan = run.planned
    assert plan is not None
    findings = [
        Finding(word=Word.CONFIG, reason_code="suite_defective", attribution=Blame.CONFIG, text=problem)
        for problem in (*plan.problems, *(run.quarantine.problems if run.quarantine else ()))
    ]
    if not plan.expected:
        text = f"no scenario matches {plan.tags or 'the selection'}"
        findings.append(Finding(word=Word.CONFIG, reason_code="nothing_selected", attribution=Blame.CONFIG, text=text))
    elif {scenario.id for scenario in plan.expected} <= {exclusion.id for exclusion in plan.excluded} | set(
        in_force(run.quarantine)
    ):
        text = "every selected scenario is excluded in this environment or quarantined"
        findings.append(
            Finding(word=Word.CONFIG, reason_code="everything_excluded", attribution=Blame.CONFIG, text=text)
        )
    return findings


def _unproved(reason_code: str, text: str) -> Finding:
    return Finding(word=Word.INCONCLUSIVE, reason_code=reason_code, attribution=Blame.HARNESS, text=text)


def _findings_of_checks(run: RunHistory, checks: Sequence[Check]) -> Sequence[Finding]:
    return [
        Finding(
            word=WORD_OF_BLAME[Blame(check.attribution)],
            reason_code=_reason_code(run, check),
            attribution=check.attribution,
            text=f"{check.scenario}: {check.hint}",
            scenario=check.scenario,
        )
        for check in checks
        if check.status not in {"passed", "excluded", QUARANTINED}
    ]


def _findings_of_objectives(
    run: RunHistory, journal: JournalRead, checks: Sequence[Check], answers: Sequence[ObjectiveResult]
) -> Sequence[Finding]:
    probes = [*run.probes_at_start, *(probe for history in run.scenarios.values() for probe in history.probes)]
    return [
        Finding(
            word=WORD_OF_BLAME[miss.blame], reason_code=miss.reason_code, attribution=miss.blame.value, text=miss.text
        )
        for miss in misses(answers, journal.entries, checks, probes)
    ]


def _reason_code(run: RunHistory, check: Check) -> str:
    if check.status == "missing":
        return "scenarios_missing"
    if check.rule in REASON_CODES:
        return REASON_CODES[check.rule]
    history = run.scenarios[check.id]
    if history.failure is not None:
        return history.failure.kind
    return "promise_broken" if check.status == "failed" else "evidence_missing"


def _failed_outside_scenarios(run: RunHistory) -> bool:
    """Whether behave failed for something no gating scenario tells: a quarantined one must not cover for it."""
    assert run.finished is not None
    failed = {name for name, status in run.finished.statuses.items() if status not in {"passed", "skipped"}}
    if not failed:
        return run.finished.failed
    return failed <= set(in_force(run.quarantine)) and bool(run.finished.hook_failures or run.finished.cleanup_errors)


def _decisive(run: RunHistory, findings: Sequence[Finding]) -> Finding | None:
    """Return the gravest finding; an interruption leaves only a safety finding or a proved fault standing."""
    by_gravity = sorted(findings, key=lambda finding: GRAVITY.index(finding.word))
    gravest = by_gravity[0] if by_gravity else None
    if run.interrupted is None:
        return gravest
    if gravest is not None and gravest.word is Word.SAFETY:
        return gravest
    doing = run.pending.told()
    if run.interrupted.reason in TIME_OVER:
        if gravest is not None and gravest.word is Word.FAIL:
            return gravest
        return _unproved(run.interrupted.reason, f"{run.interrupted.detail} {doing}".strip())
    return _unproved("terminated", f"ended by {run.interrupted.reason} {run.interrupted.detail} {doing}".strip())


def _exit_code(run: RunHistory, word: Word, reason_code: str) -> int:
    if reason_code == "terminated" and run.interrupted is not None:
        return SIGNAL_EXIT_CODES.get(run.interrupted.reason, EXIT_CODES[word])
    if word is Word.INCONCLUSIVE and _two_state(run):
        return EXIT_CODES[Word.FAIL]
    return EXIT_CODES[word]


def _action(run: RunHistory, word: Word) -> Action:
    if word is Word.INCONCLUSIVE and _two_state(run):
        return Action.ROLLBACK
    return ACTIONS.get(word, Action.HOLD)


def _two_state(run: RunHistory) -> bool:
    """Whether the operator asked that INCONCLUSIVE be treated as a failure, for engines with two states."""
    return run.started is not None and run.started.on_inconclusive == "fail"


def _simulated(run: RunHistory, *, short: bool) -> str:
    target, chain = _target(run).simulated, _chain(run).simulated
    said = {
        (True, True): "simulated" if short else "simulated service and ledger",
        (True, False): "simulated service",
        (False, True): "simulated ledger",
        (False, False): "",
    }
    return said[target, chain]


def _foreign_simulation(run: RunHistory) -> bool:
    """Whether a sandbox answered for a place that chose neither the sandbox nor its ledger."""
    if run.started is None or run.started.service_simulated or run.started.network == "sandbox":
        return False
    return any(service.simulated for service in run.services)


def _praise(run: RunHistory, checks: Sequence[Check]) -> str:
    passed = [check for check in checks if check.status == "passed"]
    held_apart = [check for check in checks if check.status == QUARANTINED]
    excluded = len(checks) - len(passed) - len(held_apart)
    settlement = _settlement(run)
    parts = [
        f"{len(passed)} {'scenario' if len(passed) == 1 else 'scenarios'}",
        f"{sum(check.assertions for check in passed)} assertions",
    ]
    if settlement.tx_hash:
        parts.append(f"settlement proved by the {settlement.proof}")
    if excluded:
        parts.append(f"{excluded} excluded here")
    flaky = sum(check.flaky for check in passed)
    if flaky:
        parts.append(f"{flaky} flaky")
    if held_apart:
        parts.append(f"{len(held_apart)} quarantined and not passed")
    return ", ".join(parts)


def _target(run: RunHistory) -> Target:
    started = run.started
    observed = dict.fromkeys([*(service.release for service in run.services if service.release), *run.releases])
    return Target(
        environment=started.environment if started else "",
        region=started.region if started else "",
        base_url=started.base_url if started else "",
        release_expected=started.release_expected if started else "",
        releases_observed=tuple(observed),
        simulated=bool(started and started.service_simulated) or any(service.simulated for service in run.services),
    )


def _chain(run: RunHistory) -> Chain:
    first, last = (run.chains[0], run.chains[-1]) if run.chains else (None, None)
    return Chain(
        network=run.started.network if run.started else "",
        simulated=bool(run.started and run.started.network == "sandbox") or bool(first and first.simulated),
        contract_id=run.started.contract_id if run.started else "",
        ledger_start=first.ledger if first else None,
        ledger_end=last.ledger if last else None,
    )


def _settlement(run: RunHistory) -> Settlement:
    proved = [settled for scenario in run.scenarios.values() for settled in scenario.settlements]
    if not proved:
        return Settlement(stream_id="", tx_hash="", ledger=None, proof="none")
    first = proved[0]
    return Settlement(stream_id=first.stream_id, tx_hash=first.tx_hash, ledger=first.ledger, proof=first.proof)


def _evidence(run: RunHistory, checks: Sequence[Check], journal: JournalRead) -> Evidence:
    return Evidence(
        expected_ids=tuple(check.id for check in checks if check.status != "excluded"),
        executed_ids=tuple(check.id for check in checks if check.status != "excluded" and _finished(run, check.id)),
        missing_ids=tuple(check.id for check in checks if check.status == "missing"),
        excluded_ids=tuple(check.id for check in checks if check.status == "excluded"),
        assertions=sum(check.assertions for check in checks),
        journal_sha256=journal.sha256,
    )


def _finished(run: RunHistory, scenario_id: str) -> bool:
    history = run.scenarios.get(scenario_id)
    return history is not None and history.finished is not None


def _cleanup(run: RunHistory) -> Cleanup:
    made = {(resource.kind, resource.id) for resource in run.created}
    gone = {(resource.kind, resource.id) for resource in run.released}
    return Cleanup(created=len(made), deleted=len(made & gone), leaked=len(made - gone))
