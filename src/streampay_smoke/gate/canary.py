"""Whether a candidate is worse than the stable release, by the same requests made on both at the same time.

Three questions share one error: are reads slower, are writes slower, do more requests fail? Each has two answers that
need proof. *Worse* is proved by the sequential tests of `streampay_smoke.gate.statistics` and is a FAIL. *No worse* is
proved against a margin (`within`, `errors_within` of `[canary]`), and only that is a PASS. Whatever is between, or was
compared on too few pairs, holds.

Who answered is told by the release that an answer names. One that names none counts for the side whose address was
asked, as long as that address has named this side's release and no other; at an address of both it proves nothing.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence

import msgspec

from streampay_smoke.core.times import US_PER_MS
from streampay_smoke.evidence.canary import CANARY_ERRORS, QUESTIONS, Canary, CanaryAnswer
from streampay_smoke.gate import statistics
from streampay_smoke.gate.history import RunHistory
from streampay_smoke.gate.verdict import FAIL, INSUFFICIENT, PASS, ObjectiveResult

ERROR = 0.001
"""The most a candidate that is no worse is blamed by all questions together."""

CANDIDATE, STABLE = "candidate", "stable"

DOUBT = 10.0
"""Evidence against a candidate that proves nothing, and beside which there is no PASS: chance in one of ten at most."""

BETS = (
    statistics.Bet(slope=math.inf, most=math.log(0.85 / 0.15), weight=2),
    statistics.Bet(slope=3.0, most=2.0, weight=2),
    statistics.Bet(slope=1.0, most=1.0),
)
"""Those of `statistics.BETS`, chosen for few pairs, and a cautious one for many pairs of a noisy network."""

RUNNERS_OWN = frozenset({"host_unresolved", "proxy_failed", "certificate_untrusted", "throttled"})
"""Kinds of failures that are this runner's, or about the caller: what met one says nothing of a release."""

BAD_SHARE = 0.1
"""A stable release that fails at least this share of the requests is no measure for another."""

STEPS_OF_A_KIND = 3
"""How many reads, and how many writes, every journey has at least: stakes are set before anything is seen."""

STAKE_ON_STEPS = 0.3
"""The share of the wealth that is bet on single steps, the same on each."""


class ComparedPair(msgspec.Struct, frozen=True, kw_only=True):
    """A pair of which one answer is proved to be the candidate's, and the other the stable release's."""

    step: str
    candidate: CanaryAnswer
    stable: CanaryAnswer
    writes: bool
    throttled: bool = False

    @property
    def counts_for_errors(self) -> bool:
        """Whether it says which of the releases failed, or that none did."""
        return not self.throttled and not {self.candidate.failed, self.stable.failed} & RUNNERS_OWN

    @property
    def counts_for_latency(self) -> bool:
        """Whether both answers were good ones, and took the same way: neither or both over a new connection."""
        alike = self.candidate.opened_connection == self.stable.opened_connection
        return self.counts_for_errors and alike and not self.candidate.failed and not self.stable.failed


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """What the pairs of a canary are worth.

    `by_candidate` and `by_stable` count the answers that are proved to be of a side, `unidentified` those of neither:
    of them `failed_unidentified` failed. `stable_releases` are those that answered beside the candidate.
    """

    pairs: tuple[ComparedPair, ...]
    by_candidate: int
    by_stable: int
    unidentified: int
    failed_unidentified: int
    stable_releases: tuple[str, ...]


def kinds_of(*, writes: bool) -> tuple[str, ...]:
    """Return the questions of a canary."""
    return tuple(kind for kind, question in QUESTIONS.items() if writes or not question.writes)


def confidence_each(*, writes: bool) -> float:
    """Return the confidence of each answer."""
    return 1 - ERROR / len(kinds_of(writes=writes))


def fewest_pairs(*, writes: bool) -> int:
    """Return the number of pairs below which no latency could be proved to differ, however much it does."""
    confidence, test = confidence_each(writes=writes), statistics.PairedTest(1.0, bets=BETS)
    while test.decided(confidence) is None:
        test.add(math.inf, 1.0)
    return test.pairs


def compared(run: RunHistory) -> Compared:
    """Return the pairs of a run whose answers are proved to be of different sides."""
    sides = _Sides(run)
    pairs: list[ComparedPair] = []
    counted = {CANDIDATE: 0, STABLE: 0, "": 0}
    failed_unidentified = 0
    for pair in run.canary_pairs:
        found = {}
        for answer in (pair.first, pair.second):
            side = sides.of(answer)
            counted[side] += 1
            failed_unidentified += not side and bool(answer.failed) and answer.failed not in RUNNERS_OWN
            found[side] = answer
        if {CANDIDATE, STABLE} <= set(found):
            pairs.append(
                ComparedPair(
                    step=pair.step,
                    candidate=found[CANDIDATE],
                    stable=found[STABLE],
                    writes=pair.writes,
                    throttled=pair.throttled,
                )
            )
    return Compared(
        pairs=tuple(pairs),
        by_candidate=counted[CANDIDATE],
        by_stable=counted[STABLE],
        unidentified=counted[""],
        failed_unidentified=failed_unidentified,
        stable_releases=sides.stable_releases,
    )


class _Sides:
    """Tells of an answer whose it is."""

    def __init__(self, run: RunHistory) -> None:
        started, ended = run.canary, run.canary_ended
        self._candidate = started.candidate if started else ""
        looks = {
            CANDIDATE: [each.at_candidate for each in (started, ended) if each is not None],
            STABLE: [each.at_stable for each in (started, ended) if each is not None],
        }
        named = [answer for pair in run.canary_pairs for answer in (pair.first, pair.second) if answer.release]
        for answer in named:
            looks.setdefault(answer.asked, []).append(answer.release)
        self.proved = {side for side, releases in looks.items() if side and self._all_of(side, releases)}
        others = [release for seen in looks.values() for release in seen if release and release != self._candidate]
        self.stable_releases = tuple(dict.fromkeys(others))

    def of(self, answer: CanaryAnswer) -> str:
        if answer.release:
            return self._side_of(answer.release)
        return answer.asked if answer.asked in self.proved else ""

    def _side_of(self, release: str) -> str:
        if not self._candidate:
            return ""
        return CANDIDATE if release == self._candidate else STABLE

    def _all_of(self, side: str, releases: Sequence[str]) -> bool:
        """Whether an address named a release, and never one of the other side."""
        named = {self._side_of(release) for release in releases if release}
        return named == {side}


def results(run: RunHistory) -> tuple[ObjectiveResult, ...]:
    """Return the answer to each question of a canary, none where there was no canary."""
    if run.canary is None:
        return ()
    found, limits = compared(run), run.canary.canary
    writes = not run.canary.no_writes_because
    confidence = confidence_each(writes=writes)
    return tuple(
        _judge_latency(kind, found, limits, confidence)
        if QUESTIONS[kind].latency
        else _judge_errors(found, limits, confidence)
        for kind in kinds_of(writes=writes)
    )


def error_pairs(found: Compared) -> tuple[ComparedPair, ...]:
    """Return the pairs that say which of the releases failed, or that none did."""
    return tuple(pair for pair in found.pairs if pair.counts_for_errors)


def latency_pairs(found: Compared, kind: str) -> tuple[ComparedPair, ...]:
    """Return the pairs whose times are compared: those of reads, or of writes."""
    writes = QUESTIONS[kind].writes
    return tuple(pair for pair in found.pairs if pair.counts_for_latency and pair.writes == writes)


def _judge_latency(kind: str, found: Compared, limits: Canary, confidence: float) -> ObjectiveResult:
    pairs = latency_pairs(found, kind)[: statistics.MOST_SAMPLES]
    times = [
        Timed(step=pair.step, candidate=max(pair.candidate.microseconds, 1), stable=max(pair.stable.microseconds, 1))
        for pair in pairs
    ]
    ratios = [each.candidate / each.stable for each in times]
    interval = statistics.quantile_interval(ratios, 0.5, confidence)
    asked = sum(pair.writes == QUESTIONS[kind].writes for pair in found.pairs)
    return ObjectiveResult(
        name=QUESTIONS[kind].name,
        kind=kind,
        method="paired betting test",
        threshold=limits.slower_than,
        unit="x",
        samples=len(pairs),
        estimate=_rounded(statistics.quantile(ratios, 0.5) if ratios else None),
        low=_rounded(interval.low),
        high=_rounded(interval.high),
        confidence=round(confidence, 6),
        decision=latency_decision(times, limits, confidence),
        gates=True,
        warm_up=asked - len(pairs),
        note=f"passes where less than {limits.within:g} times as slow is proved",
    )


class Timed(msgspec.Struct, frozen=True, kw_only=True):
    """What one request of a journey took on both sides, in the same unit and above 0."""

    step: str
    candidate: float
    stable: float


class SlownessTest:
    """Follows pairs and keeps the evidence that a candidate is slower in all steps of a journey, or in one of them.

    A mean of wealth is wealth: what is bet on all steps together, and a smaller stake on each step by itself, so that
    one slow request among quick ones is found too. The stakes are set before anything is seen.
    """

    def __init__(self, limits: Canary) -> None:
        self._limits = limits
        self._together = self._new_test()
        self._of_steps: defaultdict[str, statistics.PairedTest] = defaultdict(self._new_test)

    def add(self, timed: Timed) -> None:
        """Take one pair, in microseconds."""
        for test in (self._together, self._of_steps[timed.step]):
            test.add(timed.candidate, timed.stable)

    @property
    def slower(self) -> float:
        """The evidence against "no slower than the threshold in any step"."""
        waiting = max(0, STEPS_OF_A_KIND - len(self._of_steps))
        of_steps = (sum(test.slower for test in self._of_steps.values()) + waiting) / (len(self._of_steps) + waiting)
        return (1 - STAKE_ON_STEPS) * self._together.slower + STAKE_ON_STEPS * of_steps

    def _new_test(self) -> statistics.PairedTest:
        least_more = self._limits.least_ms * US_PER_MS
        return statistics.PairedTest(self._limits.slower_than, least_more=least_more, bets=BETS)


def latency_decision(times: Sequence[Timed], limits: Canary, confidence: float) -> str:
    """Return FAIL for a candidate that is proved slower, for good, and PASS for one that is proved within the margin.

    Where there is some evidence that it is slower, it is in doubt. `times` are microseconds on candidate and stable
    release, in their order.
    """
    enough = 1 / (1 - confidence)
    worse = SlownessTest(limits)
    within = statistics.PairedTest(limits.within, least_more=limits.least_ms * US_PER_MS, bets=BETS)
    proved_within = False
    for timed in times:
        worse.add(timed)
        within.add(timed.candidate, timed.stable)
        if worse.slower >= enough:
            return FAIL
        proved_within = proved_within or within.faster >= enough
    return PASS if proved_within and worse.slower < DOUBT else INSUFFICIENT


def _judge_errors(found: Compared, limits: Canary, confidence: float) -> ObjectiveResult:
    pairs = error_pairs(found)[: statistics.MOST_SAMPLES]
    failed = [(bool(pair.candidate.failed), bool(pair.stable.failed)) for pair in pairs]
    alone = sum(candidate and not stable for candidate, stable in failed)
    interval = statistics.share_interval(alone, len(pairs), confidence)
    return ObjectiveResult(
        name=QUESTIONS[CANARY_ERRORS].name,
        kind=CANARY_ERRORS,
        method="binomial confidence sequence of pairs with one failure",
        threshold=limits.errors_within,
        unit="ratio",
        samples=len(pairs),
        estimate=_rounded(alone / len(pairs) if pairs else None),
        low=_rounded(interval.low),
        high=_rounded(interval.high),
        confidence=round(confidence, 6),
        decision=errors_decision(failed, limits, confidence, unknown=found.failed_unidentified),
        gates=True,
        bad=alone,
        warm_up=len(found.pairs) - len(pairs),
        note=f"{sum(stable for _, stable in failed)} failed on the stable release",
    )


def errors_decision(failed: Sequence[tuple[bool, bool]], limits: Canary, confidence: float, *, unknown: int = 0) -> str:
    """Return FAIL where the candidate is proved to fail more often, PASS where few failures of its own are proved.

    Where there is some evidence that it fails more often, it is in doubt.
    `failed` tells of each pair whether candidate and stable release failed. `unknown` failures may be the candidate's:
    they are never held against it, and keep it from a PASS as its own would.
    """
    enough = 1 / (1 - confidence)
    worse = better = 0
    for candidate, stable in failed:
        worse += candidate and not stable
        better += stable and not candidate
        if statistics.share_above(worse, worse + better, 0.5) >= enough:
            return FAIL
    bad = min(worse + unknown, len(failed))
    within = statistics.share_below(bad, len(failed), limits.errors_within) >= enough
    in_doubt = statistics.share_above(worse, worse + better, 0.5) >= DOUBT
    return PASS if within and not in_doubt else INSUFFICIENT


class CanaryProblem(msgspec.Struct, frozen=True, kw_only=True):
    """Why a canary is no ground for a PASS."""

    reason_code: str
    text: str


WORSE, BOTH_BAD = "canary_worse", "canary_both_bad"
NOT_HIT, TOO_FEW, UNDECIDED = "canary_not_hit", "canary_too_few_pairs", "canary_undecided"
NO_WORSE = "candidate_no_worse"
"""The reason code of a PASS that was earned by a comparison alone."""


def problem_of(run: RunHistory, answers: Sequence[ObjectiveResult]) -> CanaryProblem | None:
    """Return what a canary that was asked for says against PASS, None for nothing. The gravest counts."""
    if run.started is None or not run.started.canary_journeys:
        return None
    if run.canary is None:
        return CanaryProblem(reason_code=TOO_FEW, text="candidate and stable release were not compared")
    found = compared(run)
    mine = [answer for answer in answers if answer.kind in QUESTIONS]
    worse = [answer for answer in mine if answer.decision == FAIL]
    if worse:
        text = f"{_candidate(run)} is worse than {_stable(found)}: {'; '.join(map(description, worse))}"
        return CanaryProblem(reason_code=WORSE, text=text)
    both = "; ".join(_both_bad(run, found))
    if both:
        return CanaryProblem(reason_code=BOTH_BAD, text=f"candidate and stable release are equally bad: {both}")
    few = [answer for answer in mine if answer.samples < run.canary.fewest_pairs]
    if few:
        return _too_few(run, found, few)
    undecided = [answer for answer in mine if answer.decision != PASS]
    if undecided:
        text = f"neither worse nor as good is proved: {'; '.join(map(description, undecided))}; compare more journeys"
        return CanaryProblem(reason_code=UNDECIDED, text=text)
    if run.canary_ended is None:
        return CanaryProblem(reason_code=TOO_FEW, text="the comparison did not come to its end")
    return None


def _too_few(run: RunHistory, found: Compared, few: Sequence[ObjectiveResult]) -> CanaryProblem:
    assert run.canary is not None
    ended = f"; it ended: {run.canary_ended.reason}" if run.canary_ended else ""
    needed = f"of the {run.canary.fewest_pairs} pairs it takes, {_pairs_counted(few)} could be compared"
    if not run.canary_pairs:
        return CanaryProblem(reason_code=TOO_FEW, text=f"{needed}{ended}")
    hidden = f", {found.unidentified} named no release" if found.unidentified else ""
    answered = f"answered {found.by_candidate} of {2 * len(run.canary_pairs)} requests"
    who = f"{_candidate(run)} {answered}, the stable release {found.by_stable}{hidden}"
    code = NOT_HIT if found.by_candidate < run.canary.fewest_pairs else TOO_FEW
    return CanaryProblem(reason_code=code, text=f"{who}: {needed}{ended}")


def _pairs_counted(answers: Sequence[ObjectiveResult]) -> str:
    return " and ".join(f"{answer.samples} {QUESTIONS[answer.kind].counted}" for answer in answers)


def _both_bad(run: RunHistory, found: Compared) -> Iterator[str]:
    """Yield in which ways the stable release is no better than what nobody should promote."""
    pairs = error_pairs(found)
    failed = sum(bool(pair.stable.failed) for pair in pairs)
    if pairs and failed >= max(2, BAD_SHARE * len(pairs)):
        of_candidate = sum(bool(pair.candidate.failed) for pair in pairs)
        yield f"{failed} of {len(pairs)} requests failed on the stable release, {of_candidate} on the candidate"
    objectives = run.objectives.objectives if run.objectives else ()
    for kind, question in QUESTIONS.items():
        limits_ms = [each.threshold for each in objectives if each.kind == question.latency and each.gates]
        times = latency_pairs(found, kind)
        if not times or not limits_ms:
            continue
        limit_ms = min(limits_ms)
        candidate, stable = (
            statistics.quantile([getattr(pair, side).microseconds / US_PER_MS for pair in times], 0.5)
            for side in (CANDIDATE, STABLE)
        )
        quicker_ms = min(candidate, stable)
        if quicker_ms > limit_ms:
            yield f"half of the {question.timed} take more than {quicker_ms:.0f} ms on both, promised {limit_ms:g} ms"


def _rounded(value: float | None) -> float | None:
    """Return a value as the verdict keeps it: the last bits of a logarithm differ between machines."""
    return None if value is None else round(float(value), 4)


def _candidate(run: RunHistory) -> str:
    assert run.canary is not None
    return f"the candidate {run.canary.candidate}" if run.canary.candidate else "the candidate, which nobody named,"


def _stable(found: Compared) -> str:
    return f"the stable release {', '.join(found.stable_releases)}".strip()


def description(answer: ObjectiveResult) -> str:
    """Return what was compared, as people say it."""
    if answer.estimate is None:
        return f"{answer.name}: nothing compared"
    if not QUESTIONS[answer.kind].timed:
        return (
            f"{answer.bad} of {answer.samples} requests failed on the candidate alone, "
            f"{answer.note.partition(' ')[0]} on the stable release"
        )
    return f"{QUESTIONS[answer.kind].timed} {answer.estimate:.3g} times as slow ({answer.samples} pairs)"


def praise(run: RunHistory, answers: Sequence[ObjectiveResult]) -> str:
    """Return what a comparison proved, "" where there was none."""
    if run.canary is None:
        return ""
    found = compared(run)
    told = "; ".join(description(answer) for answer in answers if answer.kind in QUESTIONS)
    return f"{_candidate(run)} is no worse than {_stable(found)}: {told}"
