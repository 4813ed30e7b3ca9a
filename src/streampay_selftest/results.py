"""What was measured, as data: `docs/selftest/results.json`, and what a run adds to it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from streampay_selftest.case import Case
from streampay_selftest.case_run import CaseRun, is_right

SCHEMA = "streampay.dev/gate-selftest/v1"

FAULT, DISTURBANCE = "fault", "disturbance"


class CaseOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """One answer to a case and how often it came: `seconds` has the gate's time of each run that gave it."""

    status: str = msgspec.field(name="word")
    attribution: str
    reason_code: str
    caught_by: str
    right: bool
    seconds: tuple[float, ...]

    @property
    def runs(self) -> int:
        """How often it came."""
        return len(self.seconds)


class CaseResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A case, and every answer it got.

    `close_seconds` is the pace of its ledger, None where run variations draw it. `commit` is that of the code it was
    played with; `hurried` says that only the features it is about were played, `cpu_seconds` what all its runs cost.
    """

    name: str
    kind: str
    severity: str
    truths: tuple[str, ...]
    story: str
    names_check: str
    commit: str
    hurried: bool
    cpu_seconds: float
    outcomes: tuple[CaseOutcome, ...]
    close_seconds: float | None = None

    @property
    def runs(self) -> int:
        """How often it was played."""
        return sum(outcome.runs for outcome in self.outcomes)

    @property
    def right(self) -> int:
        """How often the answer was right."""
        return sum(outcome.runs for outcome in self.outcomes if outcome.right)


def described(case: Case | CaseResult) -> tuple[Any, ...]:
    """Return what a case says of itself, for the question whether results are about this one."""
    if isinstance(case, CaseResult):
        return case.kind, case.severity, case.truths, case.story, case.names_check, case.close_seconds
    kind = FAULT if case.is_fault else DISTURBANCE
    return kind, str(case.severity), tuple(map(str, case.truths)), case.story, case.caught_by, case.close_seconds


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """The answers to all cases, in the order of the corpus."""

    schema: str
    cases: tuple[CaseResult, ...]

    @property
    def by_name(self) -> Mapping[str, CaseResult]:
        """The cases by their name."""
        return {case.name: case for case in self.cases}


def collected(corpus: Mapping[str, Case], played: Iterable[CaseRun], *, commit: str, hurried: bool) -> Results:
    """Return the results of a run, those of cases that were played at all."""
    answers: dict[str, list[CaseRun]] = defaultdict(list)
    for each in played:
        answers[each.case].append(each)
    return Results(
        schema=SCHEMA,
        cases=tuple(
            _result(case, answers[name], commit=commit, hurried=hurried)
            for name, case in corpus.items()
            if name in answers
        ),
    )


def merged(corpus: Iterable[str], earlier: Results, later: Results) -> Results:
    """Return the earlier results with those played again replaced, and without cases the corpus has no more."""
    known = {**earlier.by_name, **later.by_name}
    return replace(later, cases=tuple(known[name] for name in corpus if name in known))


def _result(case: Case, played: Sequence[CaseRun], *, commit: str, hurried: bool) -> CaseResult:
    seconds: dict[tuple[Any, ...], list[float]] = defaultdict(list)
    for each in played:
        answer = (each.status, each.attribution, each.reason_code, each.caught_by, is_right(case, each))
        seconds[answer].append(each.seconds)
    common = sorted(seconds, key=lambda answer: (-len(seconds[answer]), answer))
    kind, severity, truths, story, names_check, close_seconds = described(case)
    return CaseResult(
        name=case.name,
        kind=kind,
        severity=severity,
        truths=truths,
        story=story,
        names_check=names_check,
        close_seconds=close_seconds,
        commit=commit,
        hurried=hurried,
        cpu_seconds=round(sum(each.cpu_seconds for each in played), 2),
        outcomes=tuple(
            CaseOutcome(
                status=status,
                attribution=attribution,
                reason_code=reason_code,
                caught_by=caught_by,
                right=right,
                seconds=tuple(seconds[status, attribution, reason_code, caught_by, right]),
            )
            for status, attribution, reason_code, caught_by, right in common
        ),
    )


def to_json(results: Results) -> bytes:
    """Return the bytes of `results.json`: a line for each case, so that a change is easy to read."""
    head, tail = b'{\n  "schema": "%s",\n  "cases": [\n' % results.schema.encode(), b"\n  ]\n}\n"
    return head + b",\n".join(b"    " + msgspec.json.encode(case) for case in results.cases) + tail


def from_json(content: bytes) -> Results:
    """Read `results.json`; raises msgspec.ValidationError or DecodeError when it is not one."""
    return msgspec.json.decode(content, type=Results)
