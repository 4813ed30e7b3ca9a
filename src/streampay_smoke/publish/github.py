"""What GitHub Actions reads of a step: annotations on standard output, outputs, and the step's summary."""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from streampay_smoke.core.errors import Blame
from streampay_smoke.gate.concerns import Concern
from streampay_smoke.gate.policy import Decision
from streampay_smoke.gate.verdict import Verdict, VerdictStatus
from streampay_smoke.publish import runbook, wording
from streampay_smoke.publish.report_model import RunReport, ScenarioReport
from streampay_smoke.publish.reported_problems import ReportedProblem, reported_problems
from streampay_smoke.publish.summary import summary_md

MOST_ANNOTATIONS = 10
"""GitHub shows no more of a step, and drops the rest without a word."""

ACTIONS = "GITHUB_ACTIONS"
OUTPUT = "GITHUB_OUTPUT"
SUMMARY = "GITHUB_STEP_SUMMARY"

_LEVELS = {
    Blame.PRODUCT.value: "error",
    Blame.SAFETY.value: "error",
    Blame.CONFIG.value: "error",
    Blame.DEPENDENCY.value: "warning",
    Blame.HARNESS.value: "notice",
}
"""How loud an annotation is, by whose fault it tells of."""

_MESSAGE = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})
"""GitHub's own escapes: a command ends with its line, a property with a comma or a colon."""


def announce(run: RunReport, decision: Decision, environ: Mapping[str, str]) -> Iterator[str]:
    """Append outputs and summary where GitHub asks for them; yield the annotations to print.

    Raises OSError when one of GitHub's files cannot be written.
    """
    if path := environ.get(OUTPUT):
        _append(path, outputs(run.verdict, decision))
    if path := environ.get(SUMMARY):
        _append(path, summary_md(run).decode())
    if environ.get(ACTIONS) == "true":
        yield from annotations(run)


REHEARSAL = "REHEARSAL"
"""The verdict that later jobs see of a run for which nobody named a deployment: neither PASS nor FAIL of one."""


def outputs(verdict: Verdict, decision: Decision) -> str:
    """Return what later jobs decide by; a job that never wrote it has an empty verdict, and that is no PASS."""
    values = {
        "verdict": REHEARSAL if verdict.target.rehearsal else str(verdict.verdict),
        "action": str(verdict.action),
        "reason": verdict.reason_code,
        "message": verdict.message,
        "run_id": verdict.run_id,
        "exit_code": str(verdict.exit_code),
        "decision": str(decision.step),
        "page": str(decision.page).lower(),
        "simulated": str(verdict.target.simulated).lower(),
    }
    return "".join(_output(name, value) for name, value in values.items())


def annotations(run: RunReport) -> Iterator[str]:
    """Yield the verdict as a workflow command, the gravest problems, and how many more there are; none for a PASS."""
    verdict = run.verdict
    found = [problem for problem in reported_problems(run) if problem.scenario is not None]
    if verdict.verdict is VerdictStatus.PASS and not found:  # an override hides nothing
        return
    at = runbook.section(run)
    more = f" Reason code {verdict.reason_code}, see {at}." if at else ""
    yield _command(verdict.attribution, str(verdict.verdict), f"{verdict.message_long or verdict.message}{more}")
    unpaid = [*_money_not_looked_at(found)]
    yield from unpaid
    room = MOST_ANNOTATIONS - 1 - len(unpaid)
    shown = found if len(found) <= room else found[: room - 1]
    yield from map(_annotation, shown)
    rest = found[len(shown) :]
    if rest:
        money = sum(problem.concern == Concern.MONEY for problem in rest)
        about = f", {money} of them about money" if money else ""
        yield _command(verdict.attribution, "and more", f"{len(rest)} more causes{about}: see the step's summary")


def _money_not_looked_at(problems: Sequence[ReportedProblem]) -> Iterator[str]:
    """Yield one annotation where a cause of another kind kept checks about money from being played."""
    for problem in problems:
        money = [each for each in problem.blocked if each.check.concern == Concern.MONEY]
        if money and problem.concern != Concern.MONEY:
            text = f"{wording.counted(len(money), 'check')} about money not played, because of: "
            title = f"not played: {money[0].check.scenario}"
            yield _command(problem.attribution, title, f"{text}{problem.title}", _place(money[0]))
            return


def _annotation(problem: ReportedProblem) -> str:
    assert problem.scenario is not None
    beside = f" ({problem.beside})" if problem.beside else ""
    return _command(problem.attribution, problem.title, f"{problem.text}{beside}", _place(problem.scenario))


def _place(scenario: ScenarioReport) -> Mapping[str, str]:
    file, _, line = scenario.location.rpartition(":")
    return {"file": file, "line": line} if file and line.isdecimal() else {}


def _command(attribution: str, what: str, message: str, place: Mapping[str, str] | None = None) -> str:
    properties = {**(place or {}), "title": f"[{attribution}] {what}"}
    listed = ",".join(f"{name}={value.translate(_PROPERTY)}" for name, value in properties.items())
    return f"::{_LEVELS.get(attribution, 'warning')} {listed}::{message.translate(_MESSAGE)}"


def _output(name: str, value: str) -> str:
    """Return one output; a value of several lines stands between delimiters nobody can foresee."""
    if "\n" not in value and "\r" not in value:
        return f"{name}={value}\n"
    delimiter = f"end_{secrets.token_hex(16)}"
    return f"{name}<<{delimiter}\n{value}\n{delimiter}\n"


def _append(path: str, text: str) -> None:
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(text)
