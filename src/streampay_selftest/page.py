"""`docs/selftest/README.md`: the results as a page, made from `results.json` and nothing else."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from streampay_selftest.case import BY_SERVICE
from streampay_selftest.chart import chart
from streampay_selftest.results import DISTURBANCE, FAULT, CaseOutcome, CaseResult, Results
from streampay_selftest.scoring import TARGETS, Confusion, Score, confusion, score
from streampay_smoke.gate.statistics import quantile

PAGE, CHART = "README.md", "chart.svg"

MOST_NAMES = {FAULT: 6, DISTURBANCE: 3}
"""How many cases that were answered alike are named; `streampay-smoke selftest --list` names all."""

_ABOUT_CASES = (
    "Below each answer (with what was true) the check or reason code that gave it, and cases.\n"
    "`streampay-smoke selftest --list` tells all cases and what each is, `results.json` how often each was played.\n"
    "A * marks those that were played with proof `service` too.\n"
)


def page(results: Results) -> str:
    """Return the page, in Markdown."""
    of = score(results)
    parts = (
        _head(results),
        f"![Recall, precision and attribution with their exact 95 % bounds, and the time to a verdict]({CHART})\n",
        "## The score\n",
        _score(of),
        "## The targets\n",
        "".join(f"- {target.about}: **{target.described(of)}**\n" for target in TARGETS),
        "## Time to a verdict, by the pace of the ledger\n",
        _paces(results),
        "## What was true, and what was answered\n",
        _matrix(results),
        "## Faults: each has to be FAIL or SAFETY, and the check that is named for it has to be red\n",
        _ABOUT_CASES,
        _cases(results, FAULT),
        "## Disturbances: they may be ridden out or held, and are never FAIL\n",
        _cases(results, DISTURBANCE),
        _limits(),
    )
    return "\n".join(parts)


FILES: Mapping[str, Callable[[Results], str]] = {PAGE: page, CHART: chart}
"""Every file that is made from the results, by its name."""


def _head(results: Results) -> str:
    faults = [case for case in results.cases if case.kind == FAULT]
    disturbances = [case for case in results.cases if case.kind == DISTURBANCE]
    runs = sum(case.runs for case in results.cases)
    whole = sum(case.runs for case in results.cases if not case.hurried)
    return (
        "# What the gate catches, measured\n\n"
        "The gate runs, as a process, against a sandbox of its own in which one thing is wrong: a **fault** that it\n"
        "must catch, or a **disturbance** that it must not blame on the release.\n"
        f"{len(faults)} faults, {len(disturbances)} disturbances, {runs:,} runs, {whole:,} of them of the whole smoke. "
        "A target\nis met only when as many whole runs stand behind it as it asks for.\n\n"
        "```\nstreampay-smoke selftest --full --write    # the whole smoke, several variations a case: a night\n"
        "streampay-smoke selftest --every-case      # every case once, with the features it is about: some minutes\n"
        "streampay-smoke selftest --quick           # a sixth of that, another for each commit; a check of CI\n```\n\n"
        f"Made at {_commits(results)}. A seed draws a run variation: when\n"
        "ledgers close, jitter of the proxy, how the user signs in. Bounds are exact (Clopper-Pearson, 95 %).\n"
        "[How to add a fault](../writing-faults.md).\n"
    )


def _commits(results: Results) -> str:
    """Return the commits that most and fewest cases were played at, and how many there are."""
    counts = Counter(case.commit for case in results.cases).most_common()
    told = f"commit `{counts[0][0]}` ({counts[0][1]} cases)" if counts else "no commit"
    return f"{told} and {len(counts) - 1} others" if len(counts) > 1 else told


def _score(of: Score) -> str:
    rows = [
        ("recall: runs with a fault that end in FAIL or SAFETY", of.recall.description),
        *((f"recall, {severity} faults", share.description) for severity, share in of.recall_by_severity.items()),
        ("the check that is named for the fault is red", of.named.description),
        ("precision: FAIL and SAFETY that are a fault's", of.precision.description),
        ("false alarms in runs with a disturbance", of.false_alarms.description),
        ("false alarms in disturbances that can be ridden out", of.false_alarms_ridden_out.description),
        ("attribution right", of.attribution.description),
        ("undisturbed runs that are INCONCLUSIVE", of.undisturbed_inconclusive.description),
        *((name, _seconds(times)) for name, times in _times(of)),
        ("cost of a whole run", f"{of.cpu_seconds:.1f} s of one core" if of.cpu_seconds is not None else "not played"),
    ]
    return "| | |\n|---|---|\n" + "".join(f"| {name} | {value} |\n" for name, value in rows)


def _times(of: Score) -> Iterator[tuple[str, tuple[float, float] | None]]:
    yield "time to FAIL or SAFETY, the start of the process included", of.seconds_to_fail
    yield "time to PASS, undisturbed", of.seconds_to_pass


def _paces(results: Results) -> str:
    paced = [case for case in results.cases if case.close_seconds is not None]
    rows = [
        f"| {case.close_seconds:g} s | {case.name} | {outcome.status} | {outcome.runs:,} "
        f"| {_seconds((quantile(outcome.seconds, 0.5), quantile(outcome.seconds, 0.95)))} |\n"
        for case in sorted(paced, key=lambda case: case.close_seconds or 0.0)
        for outcome in case.outcomes
    ]
    return (
        "A run waits for the ledger again and again: how long it takes is told by how often one closes (0 s: as soon\n"
        "as there is a transaction).\n\n"
        "| a ledger closes every | case | answer | runs | time |\n|---:|---|---|---:|---|\n" + "".join(rows)
    )


def _seconds(times: tuple[float, float] | None) -> str:
    """Return a median and a p95 in words, one of them where both are the same."""
    if times is None:
        return "not played"
    return f"median {times[0]:.1f} s, p95 {times[1]:.1f} s" if times[0] != times[1] else f"{times[0]:.1f} s"


def _matrix(results: Results) -> str:
    matrix = confusion(results)
    lines = [f"| true \\ answered | {' | '.join(matrix.columns)} |", "|---|" + "---:|" * len(matrix.columns)]
    lines += [
        f"| {row} | {' | '.join(_cell(matrix, row, column) for column in matrix.columns)} |" for row in matrix.rows
    ]
    return "\n".join(lines) + (
        "\n\nA row is what is mainly true; where a disturbance may also be held, or ridden out, that is right\n"
        "too. Bold is wrong.\n"
    )


def _cell(matrix: Confusion, row: str, column: str) -> str:
    count, wrong = matrix.counts[row, column], matrix.wrong[row, column]
    right = f"{count - wrong:,}" if count > wrong else "" if wrong else "·"
    return " + ".join(filter(None, (right, f"**{wrong:,} wrong**" if wrong else "")))


def _cases(results: Results, kind: str) -> str:
    """Return the cases of a kind, those that were answered alike on one line below their answer."""
    answers: dict[str, dict[str, list[CaseResult]]] = {}
    for case in results.cases:
        if case.kind == kind:
            groups = answers.setdefault(_heading(case), {})
            groups.setdefault(" or ".join(dict.fromkeys(map(_cause, case.outcomes))), []).append(case)
    return "".join(
        f"- {heading}\n"
        + "".join(f"  - {cause}: {_names(cases, MOST_NAMES[kind])}\n" for cause, cases in groups.items())
        for heading, groups in answers.items()
    )


def _heading(case: CaseResult) -> str:
    answers = " or ".join(dict.fromkeys(_answer(outcome) for outcome in case.outcomes))
    return f"**{answers}** ({' or '.join(case.truths)})"


def _answer(outcome: CaseOutcome) -> str:
    return f"{'' if outcome.right else 'WRONG: '}{outcome.status}"


def _cause(outcome: CaseOutcome) -> str:
    return f"`{outcome.caught_by or outcome.reason_code or outcome.attribution or 'nothing'}`"


def _names(cases: Sequence[CaseResult], most: int) -> str:
    """Return the names of cases, those with a note after it: how often each answer came, what was not red.

    Of those that are alike only the first `most` are named, and the others are counted.
    """
    noted: dict[str, list[str]] = {"": []}
    for case in cases:
        noted.setdefault(_note(case), []).append(case.name)
    told = [f"{note}: {_first(names, most)}" if note else _first(names, most) for note, names in noted.items() if names]
    return "; ".join(told)


def _first(names: Sequence[str], most: int) -> str:
    both = [f"{name}*" if name + BY_SERVICE in names else name for name in names if not _again(name, names)]
    more = [f"and {len(both) - most} more"] if len(both) > most else []
    return "; ".join([*both[:most], *more])


def _again(name: str, names: Sequence[str]) -> bool:
    return name.endswith(BY_SERVICE) and name.removesuffix(BY_SERVICE) in names


def _note(case: CaseResult) -> str:
    differ = len({(_answer(outcome), _cause(outcome)) for outcome in case.outcomes}) > 1
    played = "+".join(f"{outcome.runs}" for outcome in case.outcomes) + "x" if differ else ""
    named = any(outcome.caught_by.startswith(case.names_check) for outcome in case.outcomes)
    missed = "" if named else f"`{case.names_check}` was to be red"
    return ", ".join(filter(None, (played, missed)))


def _limits() -> str:
    return (
        "## What these numbers are not\n\n"
        "We chose the cases, each counts the same, and they are played on a simulation: the shares say how the gate\n"
        "answers these cases, not how often deployments fail. The bounds treat runs as independent; runs\n"
        "of one case differ only by variation. As a bar: Azure's Gandalf, over 18 months of deployments, had 92.4 %\n"
        "precision and 100 % recall for the data plane, 94.9 % and 99.8 % for the control\n"
        "plane (Li et al., NSDI 2020).\n"
    )
