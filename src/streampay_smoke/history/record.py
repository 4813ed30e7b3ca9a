"""One line of the history: a run that ended, or what a person said of one.

A line is JSON with a `kind`. Records of the same run replace each other, the newest wins; marks only add up. So
histories of several machines can be merged in any order, any number of times.
"""

from collections.abc import Iterable
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.gate.policy import Decision
from streampay_smoke.gate.verdict import Verdict, VerdictStatus

FALSE_ALARM, CONFIRMED = "false-alarm", "confirmed"
MARKS = (FALSE_ALARM, CONFIRMED)
"""What on-call can say of a run; of several marks the last one counts."""

RunId = Annotated[str, Meta(pattern=r"^[\w.:-]{1,128}$")]
_Milliseconds = Annotated[int, Meta(ge=0, lt=2**53)]


class CheckRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A check of a verdict; see `streampay_smoke.gate.verdict.Check`."""

    id: str
    scenario: str
    status: str
    duration_ms: _Milliseconds = 0
    flaky: bool = False


class ObjectiveRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An objective of a verdict; `estimate` and `threshold` are in `unit`."""

    name: str
    decision: str
    unit: str
    threshold: float
    estimate: float | None = None
    gates: bool = False


class RunRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="run"):
    """A run that ended.

    `whole_suite` is None where nothing was planned. `step` and `page` are of its decision. `recorded_at_ms` decides
    which record of a run is the newest: an override records it again.
    """

    run_id: RunId
    recorded_at_ms: _Milliseconds
    environment: str
    region: str = ""
    verdict: VerdictStatus
    reason_code: str
    message: str = ""
    step: str = ""
    page: bool = False
    whole_suite: bool | None = None
    overridden: bool = False
    rehearsal: bool = False
    ended_by_signal: bool = False
    release_expected: str = ""
    releases: tuple[str, ...] = ()
    network: str = ""
    contract_id: str = ""
    started_at_ms: _Milliseconds = 0
    duration_ms: _Milliseconds = 0
    checks: tuple[CheckRecord, ...] = ()
    objectives: tuple[ObjectiveRecord, ...] = ()

    @property
    def is_green(self) -> bool:
        """Whether the evidence showed that every promise is kept; an override shows nothing."""
        return self.verdict is VerdictStatus.PASS and bool(self.whole_suite) and not self.overridden


class RunMark(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="mark"):
    """What a person said of a run, and when."""

    run_id: RunId
    mark: Literal["false-alarm", "confirmed"]
    why: Annotated[str, Meta(min_length=1)]
    who: str = ""
    at_ms: _Milliseconds


Line = RunRecord | RunMark


def record_of(
    verdict: Verdict,
    *,
    run_id: str,
    whole_suite: bool | None,
    recorded_at_ms: int,
    decision: Decision | None = None,
) -> RunRecord:
    """Return what is kept of a verdict; `decision` is None where it is not known."""
    target = verdict.target
    return RunRecord(
        run_id=run_id,
        recorded_at_ms=recorded_at_ms,
        environment=target.environment,
        region=target.region,
        verdict=verdict.verdict,
        reason_code=verdict.reason_code,
        message=verdict.message,
        step=str(decision.step) if decision else "",
        page=decision.page if decision else False,
        whole_suite=whole_suite,
        overridden=bool(verdict.overrides),
        rehearsal=target.rehearsal,
        ended_by_signal=verdict.ended_by_signal,
        release_expected=target.release_expected,
        releases=target.releases_observed,
        network=verdict.chain.network,
        contract_id=verdict.chain.contract_id,
        started_at_ms=verdict.timings.started_at_ms,
        duration_ms=verdict.timings.total_ms,
        checks=tuple(
            CheckRecord(
                id=check.id,
                scenario=check.scenario,
                status=check.status,
                duration_ms=check.duration_ms,
                flaky=check.flaky,
            )
            for check in verdict.checks
        ),
        objectives=tuple(
            ObjectiveRecord(
                name=each.name,
                decision=each.decision,
                unit=each.unit,
                threshold=each.threshold,
                estimate=each.estimate,
                gates=each.gates,
            )
            for each in verdict.objectives
        ),
    )


def to_line(line: Line) -> str:
    """Return a record or a mark as JSON on one line; equal ones give equal lines."""
    return msgspec.json.encode(line).decode()


def from_line(text: str | bytes) -> Line:
    """Return the record or mark of a line; raises ValueError."""
    try:
        line: Line = msgspec.json.decode(text, type=Line)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise ValueError(str(error)) from error
    return line


def lines_in(texts: Iterable[bytes], file: str) -> list[Line]:
    """Return every line of a file, empty ones left out; raises SettingsInvalid that names each line that is none."""
    lines: list[Line] = []
    problems: list[str] = []
    for number, text in enumerate(texts, start=1):
        if not text.strip():
            continue
        try:
            lines.append(from_line(text))
        except ValueError as error:
            problems.append(f"{file}, line {number}: {error}")
    if problems:
        more = f" (and {len(problems) - _TOLD} more lines)" if len(problems) > _TOLD else ""
        raise SettingsInvalid(
            "\n".join(problems[:_TOLD]) + more,
            next_step="nothing was imported; use a file that `streampay-smoke history export` wrote, whole",
        )
    return lines


_TOLD = 5
