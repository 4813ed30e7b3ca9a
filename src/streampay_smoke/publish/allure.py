"""Allure results made from a run's story: read by allure-behave's rules, written by Allure's own model and logger.

A failed result is the release's fault; a broken one is anybody else's, a hook's, a kill's, or a scenario that never
ran; a skipped one was excluded by name and says why.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from uuid import NAMESPACE_URL, uuid4, uuid5

import msgspec
from allure_commons.logger import AllureMemoryLogger
from allure_commons.model2 import (
    Attachment,
    GlobalAttachment,
    GlobalError,
    Globals,
    Label,
    Parameter,
    StatusDetails,
    TestResult,
    TestStepResult,
)
from allure_commons.types import LabelType
from allure_commons.utils import md5

from streampay_smoke.core.errors import Blame
from streampay_smoke.core.files import replacing_folder
from streampay_smoke.gate.concerns import Concern
from streampay_smoke.gate.verdict import VERDICT, Verdict, VerdictStatus, to_json
from streampay_smoke.publish import objectives, runbook, wording
from streampay_smoke.publish.executor import executor
from streampay_smoke.publish.explanation import explained
from streampay_smoke.publish.payment import payment_summary
from streampay_smoke.publish.report_model import RunReport, ScenarioReport, StepReport
from streampay_smoke.publish.report_status import ReportStatus
from streampay_smoke.publish.step_events import StepEvent
from streampay_smoke.publish.summary import summary_md

THE_GATE = "Deploy gate"
"""The epic of what is about no concern of the product: the run itself."""

IN_TURN = "In turn"
"""The thread of what is played in the process of the run, one after the other."""

OWNERS: dict[str, str] = {
    Concern.SAFETY: "Payments",
    Concern.MONEY: "Payments",
    Concern.ACCESS: "Security",
    Concern.AVAILABILITY: "Operations",
    Concern.CONTRACT: "API",
    Concern.OPERABILITY: "Operations",
}
"""Who looks at a red check first, by what it is about; a tag `allure.label.owner:NAME` says otherwise."""


OWNER = "owner"
"""Allure's label for who answers for a test; allure_commons has no name for it."""


class Category(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One entry of `categories.json`. The first that matches has the result, so the order counts."""

    name: str
    matched_statuses: tuple[str, ...]
    trace_regex: str


DID_NOT_RUN = "did not run"

BLOCKED = "blocked"

_STATUSES = {outcome: outcome.value for outcome in ReportStatus} | {ReportStatus.BLOCKED: ReportStatus.SKIPPED.value}
"""Allure's words: it has none for what was not played because of something else, and shows it as skipped."""

_CATEGORY_NAMES = {
    DID_NOT_RUN: "Did not run: no evidence",
    Blame.SAFETY.value: "Safety: the guard of real money refused",
    Blame.PRODUCT.value: "Product: the release broke a promise",
    Blame.CONFIG.value: "Configuration: the run was set up wrongly",
    Blame.DEPENDENCY.value: "Dependency: something the release stands on was down",
    Blame.HARNESS.value: "Harness: the suite or its machine failed",
    BLOCKED: "Blocked: not played because of another cause",
}


def _statuses_of(cause: str) -> tuple[str, ...]:
    """Return the statuses of results with a cause: what did not run is red only where the run was cut off in it."""
    if cause == BLOCKED:
        return (ReportStatus.SKIPPED.value,)
    red = (ReportStatus.FAILED.value, ReportStatus.BROKEN.value)
    return (*red, ReportStatus.SKIPPED.value) if cause == DID_NOT_RUN else red


CATEGORIES = tuple(
    # Allure 2 matches the whole text, Allure 3 searches in it: anchored and open-ended, this means the same to both.
    Category(name=name, matched_statuses=_statuses_of(cause), trace_regex=rf"^Cause: {cause}\b[\s\S]*")
    for cause, name in _CATEGORY_NAMES.items()
)


class ResultWriter:
    """Writes results as Allure's own logger does, in less of the time: that one has JSON made piece by piece."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._logger = AllureMemoryLogger()

    def result(self, result: TestResult) -> None:
        """Write the result of one check."""
        self._logger.report_result(result)
        self._write(result.file_pattern, self._logger.test_cases.pop())

    def globals(self, whole_run: Globals) -> None:
        """Write what belongs to the whole run."""
        self._logger.report_globals(whole_run)
        self._write(whole_run.file_pattern, self._logger.globals.pop())

    def attach(self, content: bytes, name: str) -> None:
        """Write what others name as their attachment."""
        (self._folder / name).write_bytes(content)

    def _write(self, pattern: str, fields: Mapping[str, object]) -> None:
        (self._folder / pattern.format(prefix=uuid4())).write_bytes(msgspec.json.encode(fields))


def write_allure_results(folder: Path, run: RunReport, environ: Mapping[str, str]) -> None:
    """Replace the folder by this run's results: one file for each check, and what Allure shows around them."""
    with replacing_folder(folder) as part:
        writer = ResultWriter(part)
        for scenario in run.scenarios:
            writer.result(_result(scenario, run, writer))
        writer.globals(_globals(run, writer))
        (part / "environment.properties").write_text(_properties(environment(run)), encoding="ascii")
        ci = executor(environ)
        if ci.type:  # where it is none, the name would only stand before what the run says
            (part / "executor.json").write_bytes(msgspec.json.encode(ci))
        (part / "categories.json").write_bytes(msgspec.json.encode(CATEGORIES))


def report_name(verdict: Verdict) -> str:
    """Return the title of the report: the verdict's word and the environment it is about."""
    place = f" · {verdict.target.environment}" if verdict.target.environment else ""
    return f"{verdict.verdict}{place} · StreamPay deploy gate"


def environment(run: RunReport) -> dict[str, str]:
    """Return what was judged, by whom and where, as named lines: the report shows them above the checks."""
    verdict = run.verdict
    target, chain, at = verdict.target, verdict.chain, runbook.section(run)
    lines = {
        "Verdict": f"{verdict.verdict} ({verdict.action})",
        "Money": payment_summary(run).sentence,
        "Objectives": objectives.counted(verdict),
        "Decision": run.decision,
        "Why": verdict.message,
        "Reason code": f"{verdict.reason_code}{f', see {at}' if at else ''}",
        "Environment": target.environment,
        "Release observed": ", ".join(target.releases_observed),
        "Release expected": target.release_expected,
        "Service": wording.service(verdict),
        "Ledger": wording.ledger(verdict),
        "Base URL": target.base_url,
        "Region": target.region,
        "Network": chain.network,
        "Contract": chain.contract_id,
        "Settlement": wording.settlement(verdict),
        "Run id": verdict.run_id,
        "Suite version": run.started.suite_version if run.started else "",
    }
    return {name: value for name, value in lines.items() if value}


def _properties(lines: Mapping[str, str]) -> str:
    return "".join(f"{_escaped(name)} = {_escaped(value)}\n" for name, value in lines.items())


_ESCAPES = {" ": "\\ ", "=": "\\=", ":": "\\:", "#": "\\#", "!": "\\!", "\\": "\\\\", "\n": "\\n", "\r": "\\r"}


def _escaped(text: str) -> str:
    """Return a key or value of a Java properties file: ASCII, UTF-16 units escaped."""
    units = memoryview(text.encode("utf-16", "surrogatepass")[2:]).cast("H")
    return "".join(
        _ESCAPES.get(chr(unit)) or (chr(unit) if 0x20 <= unit < 0x7F else f"\\u{unit:04x}") for unit in units
    )


def _globals(run: RunReport, writer: ResultWriter) -> Globals:
    """Return the summary and the verdict as what belongs to the whole run, and any verdict but PASS as its error."""
    verdict = run.verdict
    attached = [
        GlobalAttachment(
            name=name,
            source=_attached(writer, content, f"{verdict.run_id}/{name}", ending),
            type=media_type,
            timestamp=verdict.timings.ended_at_ms,
        )
        for name, media_type, ending, content in (
            ("summary.md", "text/markdown", "md", summary_md(run)),
            (VERDICT, "application/json", "json", to_json(verdict)),
        )
    ]
    if verdict.verdict is VerdictStatus.PASS:
        return Globals(attachments=attached)
    trace = f"{wording.meaning(verdict)}\nReason code: {verdict.reason_code}\nNext: {wording.next_step(verdict)}"
    error = GlobalError(message=verdict.message, trace=trace, timestamp=verdict.timings.ended_at_ms)
    return Globals(attachments=attached, errors=[error])


def _attached(writer: ResultWriter, content: bytes, identity: str, ending: str) -> str:
    """Write an attachment beside the results, and return its file's name."""
    source = f"{uuid5(NAMESPACE_URL, f'streampay-smoke/{identity}')}-attachment.{ending}"
    writer.attach(content, source)
    return source


def _result(scenario: ScenarioReport, run: RunReport, writer: ResultWriter) -> TestResult:
    from allure_behave import utils as allure_behave  # brings behave along, which this process needs for nothing else

    check = scenario.check
    as_behave = _as_behave_has_it(scenario)
    identity = f"{run.verdict.run_id}/{check.id}"
    return TestResult(
        uuid=str(uuid5(NAMESPACE_URL, f"streampay-smoke/{identity}")),
        name=check.scenario,
        fullName=allure_behave.get_fullname(as_behave),
        historyId=md5(check.id),  # not of its name: a check that is renamed keeps its history
        testCaseId=md5(check.id),
        titlePath=allure_behave.get_title_path(as_behave),
        description=_description(scenario, run.verdict),
        status=_STATUSES[scenario.outcome],
        statusDetails=_details(scenario),
        stage="finished",
        start=scenario.started_at_ms,
        stop=scenario.started_at_ms + scenario.duration_ms,
        labels=_labels(scenario, run.verdict, allure_behave.scenario_labels(as_behave)),
        links=list(allure_behave.scenario_links(as_behave, issue_pattern=None, link_pattern=None)),
        steps=[_step(step, scenario, writer, f"{identity}/{number}") for number, step in enumerate(scenario.steps)],
    )


def _as_behave_has_it(scenario: ScenarioReport) -> SimpleNamespace:
    """Return a scenario of the journal with the attributes of behave's that allure-behave reads its tags by."""
    return SimpleNamespace(
        name=scenario.check.scenario,
        keyword="Scenario",
        tags=list(scenario.tags),
        filename=scenario.location.rpartition(":")[0],
        feature=SimpleNamespace(name=scenario.check.feature, keyword="Feature", tags=[]),  # theirs are in the plan's
    )


def _description(scenario: ScenarioReport, verdict: Verdict) -> str:
    """Return, in Markdown, what the feature is for, how much was asserted, and whether it was real."""
    lines = (
        scenario.description,
        f"{wording.assertions(scenario.check.assertions)} held. Played against: {wording.against(verdict)}.",
        f"`{scenario.location}`" if scenario.location else "",
    )
    return "\n\n".join(line for line in lines if line)


def _details(scenario: ScenarioReport) -> StatusDetails | None:
    if scenario.outcome is ReportStatus.PASSED:
        return StatusDetails(flaky=True, message=scenario.check.hint) if scenario.check.flaky else None
    if scenario.outcome is ReportStatus.SKIPPED:
        return StatusDetails(message=wording.left_out(scenario.check, excluded="Excluded here"))
    return StatusDetails(message=_message(scenario), trace="\n".join(_trace(scenario)))


def _message(scenario: ScenarioReport) -> str:
    """Return why a scenario is not green, in lines for readers where one of its assertions failed."""
    why = explained(scenario.message, scenario)
    if scenario.is_unfinished or not why.expected:
        return scenario.message
    parts = {"Expected": why.expected, "Seen": why.seen, "Meaning": why.meaning, "What to do": why.next_step}
    return "\n".join([why.what, *(f"{name}: {text}" for name, text in parts.items() if text)])


def _trace(scenario: ScenarioReport) -> Iterator[str]:
    """Yield the cause in the form the categories look for, then what is known of it."""
    check = scenario.check
    cause = BLOCKED if scenario.outcome is ReportStatus.BLOCKED else check.attribution
    if scenario.is_unfinished:
        cause = DID_NOT_RUN
    yield f"Cause: {cause}" + (f" ({wording.who(cause)})" if wording.who(cause) != cause else "")
    if check.rule:
        yield f"Decided by: {check.rule}"
    if scenario.failed_step is not None:
        yield f"Step: {scenario.failed_step.text}"
    if scenario.failure is not None:
        yield f"Kind: {scenario.failure.kind}"
        yield f"Error: {scenario.failure.message}"
        if scenario.failure.next_step:
            yield f"Next: {scenario.failure.next_step}"


def _labels(scenario: ScenarioReport, verdict: Verdict, tagged: Sequence[Label]) -> list[Label]:
    """Return the labels the tags ask for, and the gate's own where a tag does not say otherwise.

    The timeline shows what has a host and a thread: the place that was judged, and the lane.
    """
    check, target = scenario.check, verdict.target
    named = {label.name for label in tagged}
    own = {
        LabelType.EPIC: check.concern[:1].upper() + check.concern[1:] or THE_GATE,
        LabelType.FEATURE: check.feature,
        LabelType.STORY: check.scenario,
        LabelType.SUITE: check.feature,
        OWNER: OWNERS.get(check.concern, ""),
        LabelType.HOST: target.region or target.environment or THE_GATE,
        LabelType.THREAD: f"Lane {scenario.lane}" if scenario.lane else IN_TURN,
        "attribution": check.attribution,
        "concern": check.concern,
        "region": target.region,
    }
    return [*(Label(name=name, value=value) for name, value in own.items() if value and name not in named), *tagged]


def _step(step: StepReport, scenario: ScenarioReport, writer: ResultWriter, identity: str) -> TestStepResult:
    details = StatusDetails(message=step.failure.message) if step.failure else None
    if step is scenario.failed_step:
        # Allure 3 adds a step of its own for a result's error unless one of the steps has the very same message.
        details = _details(scenario)
    return TestStepResult(
        name=f"{step.text} ({step.note})" if step.note else step.text,
        status=_STATUSES[step.outcome],
        statusDetails=details,
        stage="finished",
        start=step.started_at_ms,
        stop=step.started_at_ms + step.duration_ms,
        steps=[
            _step_event(step_event, writer, f"{identity}/{number}")
            for number, step_event in enumerate(step.step_events)
        ],
    )


def _step_event(step_event: StepEvent, writer: ResultWriter, identity: str) -> TestStepResult:
    """Return a line of the step; an exchange becomes an attachment in its place, as Allure folds a step into it.

    Allure does that where a step's only content is an attachment of the same name.
    """
    line = TestStepResult(
        name=step_event.words,
        status=_STATUSES[step_event.outcome],
        stage="finished",
        start=step_event.at_ms,
        stop=step_event.at_ms + step_event.duration_ms,
    )
    if step_event.is_exchange:
        source = _attached(writer, _exchange_text(step_event).encode(), identity, "txt")
        line.attachments = [Attachment(name=step_event.words, source=source, type="text/plain")]
    else:
        line.parameters = _parameters(step_event.facts)
    return line


def _parameters(facts: Iterable[tuple[str, str]]) -> list[Parameter]:
    return [Parameter(name=name, value=value) for name, value in facts]


def _exchange_text(step_event: StepEvent) -> str:
    facts = [f"{name}: {value}" for name, value in step_event.facts]
    bodies = [f"{name}\n{'-' * len(name)}\n{text}" for name, text in step_event.bodies]
    return "\n\n".join(["\n".join([step_event.words, *facts]), *bodies]) + "\n"
