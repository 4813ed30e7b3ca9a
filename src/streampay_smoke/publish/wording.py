"""The wording of every report: what a verdict means, who is meant, what was simulated, what to do next."""

import re
from collections import Counter
from collections.abc import Sequence

from streampay_smoke.core.amounts import units
from streampay_smoke.gate.canary import NO_WORSE, WORSE
from streampay_smoke.gate.message import NEXT, WHO
from streampay_smoke.gate.verdict import EXIT_CODES, Action, Check, Verdict, VerdictStatus
from streampay_smoke.publish.report_model import RunReport, ScenarioReport
from streampay_smoke.publish.report_status import ReportStatus

MEANING = {
    VerdictStatus.PASS: "The release keeps every promise that was checked.",
    VerdictStatus.FAIL: "The release broke a promise.",
    VerdictStatus.INCONCLUSIVE: "There is not enough evidence to judge the release.",
    VerdictStatus.CONFIG: "Nothing was judged: the run was set up wrongly.",
    VerdictStatus.SAFETY: "The guard of real money refused to go on.",
}

_MEANING_OF_REASON = {
    NO_WORSE: "The candidate is no worse than the stable release.",
    WORSE: "The candidate is worse than the stable release.",
}
"""What a comparison of two releases means."""

_NEXT_OF_REASON = {
    NO_WORSE: "Give the candidate more traffic, or go on with the rollout: a comparison alone promotes nothing.",
    WORSE: "Take the traffic away from the candidate, then read both distributions.",
}

NEXT_STEP = {
    VerdictStatus.PASS: "Promote the release.",
    VerdictStatus.FAIL: "Roll back to the previous release, then read the first failed check.",
    VerdictStatus.INCONCLUSIVE: "Hold: promote nothing, roll nothing back. See to the cause, then run again.",
    VerdictStatus.CONFIG: "Hold. Correct what is named, then run again.",
    VerdictStatus.SAFETY: "Hold and page the owner of this gate. Do not run again before the cause is understood.",
}

_ENGINES_STEPS = tuple(f" Next: {step}." for step in (*NEXT.values(), "hold"))

LONG_NAMES = re.compile(r"\b(?:[0-9a-f]{64}|[CG][A-Z2-7]{55})\b")
"""Hashes, accounts and contracts."""

SHORT_NAME = 12
"""Letters of a long name that are shown where there is no room for it."""

_REHEARSED = "This was a rehearsal against a simulation: it says nothing about a deployment."
_SIMULATED_NOTE = "What was judged is a simulation."
_OVERRIDDEN = {
    Action.PROMOTE: "Promote on the word of the person named.",
    Action.HOLD: "Hold on the word of the person named: roll nothing back.",
}
_WITHOUT_SUITE = "Hold: the word of the person named stands for a run that did not play the whole suite."
_FORCED = "Its exit code is that of a failure, as this run was told (--on-inconclusive fail)."
_HELD = {
    VerdictStatus.PASS: "Hold: a part of the suite is no reason to promote. Play the whole suite.",
    VerdictStatus.FAIL: "Hold: nothing is rolled back for this by itself. Read the first failed check, then decide.",
}


def meaning(verdict: Verdict) -> str:
    """Return what a verdict means; an overridden one means what somebody answers for, not what was proved."""
    for override in verdict.overrides:
        return (
            f"OVERRIDDEN from {override.from_} to {override.to} by {override.who} until {override.until}: "
            f"{override.why.rstrip('.')}."
        )
    return _MEANING_OF_REASON.get(verdict.reason_code, MEANING[verdict.verdict])


def left_out(check: Check, *, excluded: str) -> str:
    """Return why a check counts for nothing here; `excluded` is the report's word for what never ran."""
    if check.quarantined is not None:
        return check.hint
    return f"{excluded}: {check.hint or 'no reason was given'}"


def passed_of(scenarios: Sequence[ScenarioReport]) -> str:
    """Return how many of some checks passed, e.g. `3 of 4 passed, 1 blocked, 2 left out`."""
    number = Counter(scenario.outcome for scenario in scenarios)
    counted = len(scenarios) - number[ReportStatus.SKIPPED]
    told = {
        f"{number[ReportStatus.PASSED]} of {counted} passed": counted,
        f"{number[ReportStatus.BLOCKED]} blocked": number[ReportStatus.BLOCKED],
        f"{number[ReportStatus.SKIPPED]} left out": number[ReportStatus.SKIPPED],
    }
    return ", ".join(part for part, any_of_it in told.items() if any_of_it)


def outcomes(run: RunReport) -> str:
    """Return how many checks of a run have each outcome, e.g. `30 passed, 2 failed`."""
    return ", ".join(f"{run.count(outcome)} {outcome}" for outcome in ReportStatus if run.count(outcome))


def result(scenario: ScenarioReport) -> str:
    """Return a check's result in a few words: the outcome, and whose it is or why it is none."""
    if scenario.is_unfinished:
        return str(scenario.ending)
    if scenario.outcome is ReportStatus.SKIPPED:
        return left_out(scenario.check, excluded="excluded")
    if scenario.outcome is ReportStatus.PASSED:
        quarantined = scenario.check.quarantined
        passed = "passed, flaky" if scenario.check.flaky else "passed"
        return f"{passed}, quarantined until {quarantined.until}" if quarantined else passed
    return f"{scenario.outcome}: {who(scenario.check.attribution)}"


def next_step(verdict: Verdict) -> str:
    """Return what to do with this verdict, in one sentence or two."""
    for override in verdict.overrides:
        text = f"The evidence says {override.from_}: see to its cause before {override.until}."
        without_suite = override.to == VerdictStatus.PASS and verdict.action is Action.HOLD
        return f"{_WITHOUT_SUITE if without_suite else _OVERRIDDEN[verdict.action]} {text}"
    if verdict.verdict is VerdictStatus.PASS and verdict.target.rehearsal:
        return _REHEARSED
    rolled_back = [each.region for each in verdict.regions if each.action is Action.ROLLBACK]
    if rolled_back:
        return (
            f"Roll back {', '.join(rolled_back)}, and promote no other region. Then read the first failed check there."
        )
    if verdict.reason_code in _NEXT_OF_REASON and verdict.action is Action.HOLD:
        return _NEXT_OF_REASON[verdict.reason_code]
    if verdict.action is Action.HOLD and verdict.verdict in _HELD:
        return _HELD[verdict.verdict]
    if verdict.verdict is VerdictStatus.INCONCLUSIVE and verdict.exit_code == EXIT_CODES[VerdictStatus.FAIL]:
        return f"{NEXT_STEP[VerdictStatus.INCONCLUSIVE]} {_FORCED}"
    if verdict.verdict is VerdictStatus.PASS and verdict.target.simulated:
        return f"{NEXT_STEP[VerdictStatus.PASS]} {_SIMULATED_NOTE}"
    return NEXT_STEP[verdict.verdict]


def reason(verdict: Verdict) -> str:
    """Return why, as the paragraph for people; verdicts of older versions have only the line for engines.

    The engine's next step at its end is left out: reports say the next step in a sentence of their own.
    """
    text = verdict.message_long or verdict.message
    return next((text.removesuffix(end) for end in _ENGINES_STEPS if text.endswith(end)), text)


def shortened(text: str) -> str:
    """Return text in which hashes, accounts and contracts are cut to what tells them apart, for one line."""
    return LONG_NAMES.sub(lambda found: f"{found[0][:SHORT_NAME]}…", text)


def on_one_line(text: str) -> str:
    """Return text on one line, without what a terminal or a chat would obey."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def who(attribution: str) -> str:
    """Return who an attribution points at, in plain words; empty for nobody."""
    return WHO.get(attribution, "" if attribution == "none" else attribution)


def replicas(verdict: Verdict) -> str:
    """Return which replicas were met, "" where no release answered and for a merged verdict."""
    return verdict.fleet.statement if verdict.fleet else ""


SIMULATED = "simulated"
REAL = "real"
NOT_REACHED = "not reached"


def service(verdict: Verdict) -> str:
    """Return whether the service was real, simulated, or never reached."""
    if verdict.target.simulated:
        return SIMULATED
    reached = verdict.target.reached
    if reached is None:  # an older verdict
        reached = bool(verdict.evidence.executed_ids or verdict.target.releases_observed)
    return REAL if reached else NOT_REACHED


def ledger(verdict: Verdict) -> str:
    """Return whether the ledger was real, simulated, or never reached."""
    if verdict.chain.simulated:
        return SIMULATED
    return REAL if verdict.chain.ledger_start is not None else NOT_REACHED


def against(verdict: Verdict) -> str:
    """Return what the run was played against, and plainly whether that was real."""
    where = f" at {verdict.target.base_url}" if verdict.target.base_url else ""
    network = f" ({verdict.chain.network})" if verdict.chain.network else ""
    return f"service {service(verdict).upper()}{where}, ledger {ledger(verdict).upper()}{network}"


def release(verdict: Verdict) -> str:
    """Return the release that answered, and the expected one where it differs or was not seen."""
    observed = ", ".join(verdict.target.releases_observed) or "not stated"
    expected = verdict.target.release_expected
    if not expected or verdict.target.releases_observed == (expected,):
        return observed
    return f"{observed} (expected {expected})"


def assertions(count: int) -> str:
    """Return a number of assertions in words."""
    return counted(count, "assertion")


def seconds(duration_ms: int) -> str:
    """Return a duration for people, e.g. `340 ms`, `2.4 s` or `1 min 5 s`."""
    if duration_ms < 1_000:
        return f"{duration_ms} ms"
    if duration_ms < 60_000:
        return f"{duration_ms / 1_000:.1f} s"
    minutes, rest = divmod(round(duration_ms / 1_000), 60)
    return f"{minutes} min {rest} s"


def cost(verdict: Verdict) -> str:
    """Return what the run cost, in one sentence; empty where it asked for nothing or an older verdict does not say."""
    spent = verdict.cost
    if spent is None or not spent.by_feature:
        return ""
    requests = f"{counted(spent.service_requests, 'request')} to the service, {spent.ledger_requests} to the ledger"
    if not spent.transactions:
        return f"{requests}, no transactions."
    locked = f", at most {units(spent.most_locked_stroops)} locked at a time" if spent.most_locked_stroops else ""
    signed = f"{counted(spent.transactions, 'transaction')} signed, {units(spent.fees_stroops)} XLM in fees"
    return f"{requests}, {signed}{locked}; test money."


NO_FEATURE = "Set-up, clean-up and measurements"
COST_HEAD = ("Feature", "Requests to the service", "To the ledger", "Transactions", "Fees (stroops)", "Most locked")


def cost_rows(verdict: Verdict) -> list[tuple[str, ...]]:
    """Return what each feature cost, as texts under COST_HEAD; the most locked money is in whole units of its token."""
    return [
        (
            each.feature or NO_FEATURE,
            str(each.service_requests),
            str(each.ledger_requests),
            str(each.transactions),
            str(each.fees_stroops),
            units(each.most_locked_stroops),
        )
        for each in (verdict.cost.by_feature if verdict.cost else ())
    ]


def counted(count: int, what: str) -> str:
    """Return a number of things, e.g. `1 request` or `3 requests`."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def settlement(verdict: Verdict) -> str:
    """Return how the settlement was proved, in one sentence; empty when none was."""
    proved = verdict.settlement
    if not proved.tx_hash:
        return ""
    if proved.proof == "ledger":
        where = f" in ledger {proved.ledger}" if proved.ledger is not None else ""
        return f"Proved on the ledger: transaction {proved.tx_hash}{where}."
    return f"Claimed by the service only, the ledger was not asked: transaction {proved.tx_hash}."
