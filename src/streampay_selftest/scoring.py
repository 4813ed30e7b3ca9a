"""How good the gate is: shares with exact bounds, computed from results alone, and the targets they have to meet."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import msgspec

from streampay_sandbox.fault import Severity, Truth
from streampay_selftest.case import CAUGHT
from streampay_selftest.case_run import CONTRADICTION, NO_ANSWER
from streampay_selftest.results import DISTURBANCE, FAULT, CaseOutcome, CaseResult, Results
from streampay_smoke.gate.statistics import clopper_pearson, quantile
from streampay_smoke.gate.verdict import VerdictStatus

CONFIDENCE = 0.95
"""Of the bounds, which are Clopper-Pearson's."""

UNDISTURBED = "undisturbed"
"""The case in which nothing is wrong."""

ATTRIBUTION_TARGET = 0.99
INCONCLUSIVE_TARGET = 0.005

FAULT_SEEDS = 4
"""How often a target about faults wants each of them played."""

DISTURBED_RUNS = 3_000
"""How many runs with a disturbance a target about disturbances stands on."""

UNDISTURBED_RUNS = 750
"""None of so many INCONCLUSIVE bounds their share below 0.5 %."""


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """So many of so many, with exact bounds of the probability behind it."""

    hits: int
    of: int

    @property
    def value(self) -> float:
        """The share itself; 1 of nothing."""
        return self.hits / self.of if self.of else 1.0

    @property
    def bounds(self) -> tuple[float, float]:
        """The exact 95 % bounds."""
        interval = clopper_pearson(self.hits, self.of, CONFIDENCE)
        return interval.low or 0.0, 1.0 if interval.high is None else interval.high

    @property
    def description(self) -> str:
        """E.g. `98.5 % (66 of 67; 92.0 to 100.0 %)`."""
        if not self.of:
            return "not played"
        low, high = self.bounds
        return f"{_percent(self.value)} ({self.hits:,} of {self.of:,}; {_percent(low)} to {_percent(high)})"


class SampleSize(msgspec.Struct, frozen=True, kw_only=True):
    """How many runs of the whole smoke there are, and how many it takes before a target counts as met."""

    runs: int
    needed: int

    @property
    def enough(self) -> bool:
        """Whether there are as many as it takes."""
        return self.runs >= self.needed


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """What the results say.

    `recall` counts runs with a fault that ended in FAIL or SAFETY, `named` those in which the right check was red.
    `precision` is of all FAIL and SAFETY; `false_alarms` are those among runs with a disturbance. `attribution` counts
    runs whose attribution is right. `vacuous` are words of PASS where something had to be said, `unanswered` runs
    without one clear answer. `always_wrong` names the cases that were wrong in every run. `cpu_seconds` is what a run
    of the whole smoke cost, None where none was played.
    """

    recall: Share
    recall_by_severity: dict[str, Share]
    named: Share
    precision: Share
    false_alarms: Share
    false_alarms_ridden_out: Share
    attribution: Share
    dependencies_called_product: int
    undisturbed_inconclusive: Share
    vacuous: int
    unanswered: int
    always_wrong: tuple[str, ...]
    seconds_to_fail: tuple[float, float] | None
    seconds_to_pass: tuple[float, float] | None
    cpu_seconds: float | None
    behind_faults: SampleSize
    behind_disturbances: SampleSize
    behind_undisturbed: SampleSize

    @property
    def behind_all(self) -> SampleSize:
        """The runs with a fault and those with a disturbance; the lack of one is not made good by the other."""
        both = self.behind_faults, self.behind_disturbances
        return SampleSize(
            runs=sum(min(each.runs, each.needed) for each in both), needed=sum(each.needed for each in both)
        )


class ScoreTarget(msgspec.Struct, frozen=True, kw_only=True):
    """Something the score has to show: it must not be missed, and enough runs must stand behind that."""

    about: str
    held: Callable[[Score], bool]
    behind: Callable[[Score], SampleSize]

    def described(self, score: Score) -> str:
        """Return MISSED, met, or how much is lacking before either can be said."""
        behind = self.behind(score)
        if not self.held(score):
            return "MISSED"
        return "met" if behind.enough else f"not yet shown ({behind.runs:,} of {behind.needed:,} whole runs)"


def _faults(score: Score) -> SampleSize:
    return score.behind_faults


def _disturbances(score: Score) -> SampleSize:
    return score.behind_disturbances


def _all(score: Score) -> SampleSize:
    return score.behind_all


TARGETS = (
    ScoreTarget(about="every fault is caught", held=lambda score: score.recall.hits == score.recall.of, behind=_faults),
    ScoreTarget(
        about="and by the check that is named for it",
        held=lambda score: score.named.hits == score.named.of,
        behind=_faults,
    ),
    ScoreTarget(
        about="no disturbance is called a fault of the release",
        held=lambda score: not score.false_alarms.hits,
        behind=_disturbances,
    ),
    ScoreTarget(
        about=f"the attribution is right in {ATTRIBUTION_TARGET:.0%} of the runs",
        held=lambda score: score.attribution.value >= ATTRIBUTION_TARGET,
        behind=_all,
    ),
    ScoreTarget(
        about="no dependency is called product",
        held=lambda score: not score.dependencies_called_product,
        behind=_disturbances,
    ),
    ScoreTarget(about="no PASS where something is wrong", held=lambda score: not score.vacuous, behind=_all),
    ScoreTarget(
        about=f"at most {INCONCLUSIVE_TARGET:.1%} of the undisturbed runs are INCONCLUSIVE",
        held=lambda score: (
            score.undisturbed_inconclusive.value <= INCONCLUSIVE_TARGET or not score.undisturbed_inconclusive.of
        ),
        behind=lambda score: score.behind_undisturbed,
    ),
    ScoreTarget(about="every run ends in one clear answer", held=lambda score: not score.unanswered, behind=_all),
    ScoreTarget(
        about="no case is wrong each time it is played", held=lambda score: not score.always_wrong, behind=_all
    ),
)


def score(results: Results) -> Score:
    """Return what the results say."""
    faults, disturbances = _of_kind(results, FAULT), _of_kind(results, DISTURBANCE)
    ridden_out = [case for case in disturbances if Truth.NONE in case.truths]
    alarms = _runs(disturbances, _is_alarm)
    caught = _runs(faults, _is_alarm)
    everything = (*faults, *disturbances)
    undisturbed = [case for case in disturbances if case.name == UNDISTURBED]
    return Score(
        recall=Share(hits=caught, of=_runs(faults)),
        recall_by_severity={
            severity: Share(hits=_runs(of_it, _is_alarm), of=_runs(of_it))
            for severity in (Severity.CATASTROPHIC, Severity.SERIOUS)
            if (of_it := [case for case in faults if case.severity == severity])
        },
        named=Share(hits=_runs(faults, lambda outcome: bool(outcome.caught_by)), of=_runs(faults)),
        precision=Share(hits=caught, of=caught + alarms),
        false_alarms=Share(hits=alarms, of=_runs(disturbances)),
        false_alarms_ridden_out=Share(hits=_runs(ridden_out, _is_alarm), of=_runs(ridden_out)),
        attribution=Share(
            hits=sum(
                outcome.runs for case in everything for outcome in case.outcomes if outcome.attribution in case.truths
            ),
            of=_runs(everything),
        ),
        dependencies_called_product=_runs(
            [case for case in disturbances if case.truths[0] == Truth.DEPENDENCY],
            lambda outcome: outcome.attribution == Truth.PRODUCT,
        ),
        undisturbed_inconclusive=Share(
            hits=_runs(undisturbed, lambda outcome: outcome.status == VerdictStatus.INCONCLUSIVE), of=_runs(undisturbed)
        ),
        vacuous=_runs([case for case in everything if Truth.NONE not in case.truths], _is_pass),
        unanswered=_runs(everything, lambda outcome: outcome.status in {NO_ANSWER, CONTRADICTION}),
        always_wrong=tuple(case.name for case in everything if not case.right),
        seconds_to_fail=_times(faults, _is_alarm),
        seconds_to_pass=_times(undisturbed, _is_pass),
        cpu_seconds=_cpu_seconds(everything),
        behind_faults=SampleSize(
            runs=sum(min(case.runs, FAULT_SEEDS) for case in faults if not case.hurried),
            needed=FAULT_SEEDS * len(faults),
        ),
        behind_disturbances=_behind([case for case in disturbances if case.name != UNDISTURBED], DISTURBED_RUNS),
        behind_undisturbed=_behind(undisturbed, UNDISTURBED_RUNS),
    )


def missed(of: Score) -> Sequence[ScoreTarget]:
    """Return the targets that were missed."""
    return [target for target in TARGETS if not target.held(of)]


def _behind(cases: Iterable[CaseResult], needed: int) -> SampleSize:
    return SampleSize(runs=sum(case.runs for case in cases if not case.hurried), needed=needed)


def _cpu_seconds(cases: Iterable[CaseResult]) -> float | None:
    whole = [case for case in cases if not case.hurried]
    runs = sum(case.runs for case in whole)
    return sum(case.cpu_seconds for case in whole) / runs if runs else None


class Confusion(msgspec.Struct, frozen=True, kw_only=True):
    """How often each answer came where each thing was true, and how many of those answers were wrong.

    A row is what is mainly true of a case; where something else is right too, such answers are not wrong.
    """

    counts: Counter[tuple[str, str]]
    wrong: Counter[tuple[str, str]]

    @property
    def rows(self) -> Sequence[str]:
        """What was true."""
        return [truth for truth in _ROWS if any(row == truth for row, _ in self.counts)]

    @property
    def columns(self) -> Sequence[str]:
        """What was answered, the known answers first."""
        seen = {answer for _, answer in self.counts}
        return [*(answer for answer in _COLUMNS if answer in seen), *sorted(seen - set(_COLUMNS))]


def confusion(results: Results) -> Confusion:
    """Return what was answered to what."""
    counts: Counter[tuple[str, str]] = Counter()
    wrong: Counter[tuple[str, str]] = Counter()
    for case in results.cases:
        for outcome in case.outcomes:
            cell = case.truths[0], f"{outcome.status} {outcome.attribution}".strip()
            counts[cell] += outcome.runs
            wrong[cell] += 0 if outcome.right else outcome.runs
    return Confusion(counts=counts, wrong=wrong)


_ROWS = ("product", "safety", "none", "dependency", "harness", "config")
_COLUMNS = (
    "FAIL product",
    "SAFETY safety",
    "PASS none",
    "INCONCLUSIVE dependency",
    "INCONCLUSIVE harness",
    "CONFIG config",
)


def _of_kind(results: Results, kind: str) -> Sequence[CaseResult]:
    return [case for case in results.cases if case.kind == kind]


def _runs(cases: Iterable[CaseResult], which: Callable[[CaseOutcome], bool] = lambda outcome: True) -> int:
    return sum(outcome.runs for case in cases for outcome in case.outcomes if which(outcome))


def _is_alarm(outcome: CaseOutcome) -> bool:
    return outcome.status in CAUGHT


def _is_pass(outcome: CaseOutcome) -> bool:
    return outcome.status == VerdictStatus.PASS


def _times(cases: Iterable[CaseResult], which: Callable[[CaseOutcome], bool]) -> tuple[float, float] | None:
    """Return the median and the 95th percentile of the gate's time in seconds."""
    seconds = [each for case in cases for outcome in case.outcomes if which(outcome) for each in outcome.seconds]
    return (quantile(seconds, 0.5), quantile(seconds, 0.95)) if seconds else None


def _percent(share: float) -> str:
    """Return a share in per cent, with more places near 0 and 1, where they count; never the 0 or 1 it is not."""
    if 0 < share < 0.0001:
        return "<0.01 %"
    if 0.9999 < share < 1:
        return ">99.99 %"
    return f"{100 * share:.{2 if 0 < share < 0.01 or 0.99 < share < 1 else 1}f} %"
