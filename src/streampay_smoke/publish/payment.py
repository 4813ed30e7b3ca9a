"""What a run says about money, in one sentence: paid and proved, claimed, not paid, not known, or not looked at."""

from collections.abc import Sequence

import msgspec

from streampay_smoke.core.amounts import units
from streampay_smoke.core.errors import Blame
from streampay_smoke.evidence import events
from streampay_smoke.gate.concerns import Concern
from streampay_smoke.gate.verdict import VerdictStatus
from streampay_smoke.publish.report_model import RunReport, ScenarioReport
from streampay_smoke.publish.report_status import RED, ReportStatus

SETTLE = "settle"
"""The purpose of a request for a settlement (`Exchanged.purpose`)."""

EXACT_AMOUNT = "the amount is exact"
"""The promise that compares what was paid with what was due (`acceptance/checks/settlement.py`), both in stroops."""


class PaymentSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The sentence, and how good the news is."""

    outcome: ReportStatus
    sentence: str


def payment_summary(run: RunReport) -> PaymentSummary:
    """Return what is known of the payment to the recipient. It never says more than the evidence does."""
    if run.verdict.regions:
        return _in_regions(run)
    settled = [entry.event for entry in run.entries if isinstance(entry.event, events.Settled)]
    red = [scenario for scenario in _about_money(run) if scenario.outcome in RED]
    proved = next((each for each in settled if each.proof == "ledger"), None)
    if proved is not None:
        return _paid(run, proved, red)
    if settled:
        return PaymentSummary(
            outcome=ReportStatus.SKIPPED,
            sentence="The service says that the recipient was paid; the ledger was not asked.",
        )
    return _not_paid(run, red)


def _in_regions(run: RunReport) -> PaymentSummary:
    """Return in how many regions a settlement was proved by the ledger."""
    regions = run.verdict.regions
    proved = sum(any(each.settlement.proof == "ledger" for each in region.runs) for region in regions)
    red = [scenario for scenario in _about_money(run) if scenario.outcome in RED]
    simulated = " of a simulation" if run.verdict.chain.simulated else ""
    where = f"The recipient was paid in {proved} of {len(regions)} regions, proved on the ledger{simulated}."
    sentence = where if proved else "No payment to the recipient was proved in any region."
    if red:
        return PaymentSummary(outcome=_outcome(red), sentence=f"{sentence} {_but(red)}")
    whole = proved == len(regions)
    return PaymentSummary(outcome=ReportStatus.PASSED if whole else ReportStatus.SKIPPED, sentence=sentence)


def _outcome(red: Sequence[ScenarioReport]) -> ReportStatus:
    failed = any(scenario.outcome is ReportStatus.FAILED for scenario in red)
    return ReportStatus.FAILED if failed else ReportStatus.BROKEN


def _but(red: Sequence[ScenarioReport]) -> str:
    return f"But {'1 check' if len(red) == 1 else f'{len(red)} checks'} about money did not pass."


def _about_money(run: RunReport) -> list[ScenarioReport]:
    return [scenario for scenario in run.scenarios if scenario.check.concern == Concern.MONEY]


def _paid(run: RunReport, settled: events.Settled, red: Sequence[ScenarioReport]) -> PaymentSummary:
    amount = f" {units(settled.amount_stroops)} {_token(run)}" if settled.amount_stroops is not None else ""
    ledger = f" in ledger {settled.ledger}" if settled.ledger is not None else ""
    simulated = " of a simulation" if run.verdict.chain.simulated else ""
    sentence = f"The recipient was paid{amount}, proved{ledger}{simulated}."
    if not red:
        return PaymentSummary(outcome=ReportStatus.PASSED, sentence=sentence)
    return PaymentSummary(outcome=_outcome(red), sentence=f"{sentence} {_but(red)}")


def _token(run: RunReport) -> str:
    """Return what the amount is of: nobody but the operator knows what another token is called."""
    named = run.started.settings.get("token_contract_id", "") if run.started else ""
    return "XLM" if run.verdict.chain.simulated or named in {"", "None"} else "of the stream's token"


def _not_paid(run: RunReport, red: Sequence[ScenarioReport]) -> PaymentSummary:
    asked = [scenario for scenario in run.scenarios if _asked_for_a_settlement(scenario)]
    if not asked:
        return PaymentSummary(
            outcome=ReportStatus.SKIPPED, sentence=f"Money was not looked at, because {_why_not_looked_at(run)}."
        )
    failed = [scenario for scenario in red if scenario.outcome is ReportStatus.FAILED]
    if failed and failed[0].check.attribution == Blame.PRODUCT.value:
        amounts = filter(None, (_wrong_amount(run, scenario) for scenario in failed))  # plainer than any other failure
        sentence = next(amounts, f"No payment to the recipient was proved: {_what_failed(failed[0])}.")
        return PaymentSummary(outcome=ReportStatus.FAILED, sentence=sentence)
    cause = _what_failed(red[0]) if red else "the settlement was not followed to its end"
    return PaymentSummary(
        outcome=ReportStatus.BROKEN, sentence=f"Whether the recipient was paid is not known: {cause}."
    )


def _asked_for_a_settlement(scenario: ScenarioReport) -> bool:
    return any(step_event.purpose == SETTLE for step in scenario.steps for step_event in step.step_events)


def _wrong_amount(run: RunReport, failed: ScenarioReport) -> str:
    """Return what was paid and what was due where the two were compared and something was paid, "" otherwise."""
    check = failed.broken_check
    if check is None or check.words != EXACT_AMOUNT:
        return ""
    facts = dict(check.facts)
    paid, due = (_stroops(facts.get(name, "")) for name in ("seen", "expected"))
    if not paid or due is None:
        return ""
    return f"The recipient was paid {units(paid)} {_token(run)}, and {units(due)} {_token(run)} were due."


def _stroops(text: str) -> int | None:
    amount = text.partition(" stroops")[0]
    return int(amount) if amount.isdecimal() else None


def _what_failed(scenario: ScenarioReport) -> str:
    """Return the promise that did not hold and what was seen, else what the check says of itself."""
    check = scenario.broken_check
    if check is None:
        return scenario.message.rstrip(".")
    seen = dict(check.facts).get("seen", "")
    return f'"{check.words}" did not hold{f" (seen: {seen})" if seen else ""}'


def _why_not_looked_at(run: RunReport) -> str:
    for scenario in _about_money(run):
        if scenario.outcome is ReportStatus.SKIPPED:
            return f"it is excluded here: {scenario.check.hint.rstrip('.')}"
        if scenario.outcome is ReportStatus.BLOCKED or scenario.is_unfinished:
            return "the run did not come that far"
        if scenario.outcome in RED:
            return scenario.message.rstrip(".")
    if run.started is None or run.verdict.verdict in {VerdictStatus.CONFIG, VerdictStatus.SAFETY}:
        return "the run ended before its first check"
    return "this run was not asked for a settlement"
