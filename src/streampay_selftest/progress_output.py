"""What a person sees while cases are played, and at the end."""

import contextlib
from collections.abc import Sequence

from streampay_selftest.case import Case
from streampay_selftest.case_run import CaseRun, is_right
from streampay_selftest.results import FAULT, Results
from streampay_selftest.scoring import TARGETS, Confusion, Score, confusion
from streampay_smoke.core.progress_line import Count


class ProgressOutput:
    """Prints a line for each run as it ends, and says meanwhile how many have, and which are played now."""

    def __init__(self, total: int) -> None:
        self.count = Count("runs", total)
        self._wrong = 0
        self._playing: list[str] = []

    def begin(self, name: str) -> None:
        """Take note of a case that is played from now on."""
        self._playing.append(name)
        self._say()

    def show(self, case: Case, played: CaseRun) -> None:
        """Tell about one run that has ended."""
        right = is_right(case, played)
        self.count.done += 1
        self._wrong += not right
        with contextlib.suppress(ValueError):
            self._playing.remove(case.name)
        self._say()
        print(line(case, played, right=right), flush=True)

    def _say(self) -> None:
        self.count.doing = f"{self._wrong} wrong, playing {', '.join(self._playing)}"


def line(case: Case, played: CaseRun, *, right: bool) -> str:
    """Return the line about one run; a wrong answer says what was right instead, and what the gate said."""
    seed = f" seed {played.seed}" if played.seed else ""
    answer = f"{played.status} {played.attribution}".strip()
    text = f"{'ok   ' if right else 'WRONG'} {played.seconds:5.1f} s  {case.name}{seed}: {answer}"
    if right:
        return f"{text}, {played.caught_by}" if played.caught_by else text
    wanted = " or ".join(case.truths) + (
        f", seen by {case.caught_by or 'a check nobody named'}" if case.is_fault else ""
    )
    red = f"; red: {', '.join(played.red[:3])}" if played.red else ""
    message = played.problem or played.message
    return f"{text} {played.reason_code}, not {wanted}{red}\n      {message}\n      {case.story}"


def summary(results: Results, of: Score) -> str:
    """Return the table of every case, the confusion matrix, the shares, and the targets."""
    return "\n".join((*_table(results), "", *_matrix(results), "", *shares(of), "", *targets(of)))


def _table(results: Results) -> Sequence[str]:
    width = max(len(case.name) for case in results.cases)
    lines = []
    for case in sorted(results.cases, key=lambda case: (case.kind != FAULT, case.right == case.runs)):
        answers = ", ".join(
            f"{outcome.status} {outcome.caught_by or outcome.attribution}"
            + (f" x{outcome.runs}" if case.runs > 1 else "")
            for outcome in case.outcomes
        )
        sign = " " if case.right == case.runs else "!"
        lines.append(f"{sign} {case.kind:11}  {case.name:{width}}  {case.right}/{case.runs}  {answers}")
    return lines


def _matrix(results: Results) -> Sequence[str]:
    matrix = confusion(results)
    width = len("true, answered")
    lines = [f"{'true, answered':{width}}  " + "  ".join(matrix.columns)]
    for row in matrix.rows:
        cells = (f"{_cell(matrix, row, column):>{len(column)}}" for column in matrix.columns)
        lines.append(f"{row:{width}}  " + "  ".join(cells))
    return lines


def _cell(matrix: Confusion, row: str, column: str) -> str:
    count, wrong = matrix.counts[row, column], matrix.wrong[row, column]
    if not wrong:
        return str(count or ".")
    return f"{wrong}!" if wrong == count else f"{count - wrong}+{wrong}!"


def shares(of: Score) -> Sequence[str]:
    """Return the score in lines; each share has its exact 95 % bounds."""
    lines = [
        f"recall                      {of.recall.description}",
        *(f"  {severity:25} {share.description}" for severity, share in of.recall_by_severity.items()),
        f"  by the check named        {of.named.description}",
        f"precision                   {of.precision.description}",
        f"false alarms                {of.false_alarms.description}",
        f"  where PASS was right      {of.false_alarms_ridden_out.description}",
        f"attribution right           {of.attribution.description}",
        f"undisturbed, INCONCLUSIVE   {of.undisturbed_inconclusive.description}",
    ]
    for name, times in (
        ("time to FAIL or SAFETY", of.seconds_to_fail),
        ("time to PASS, undisturbed", of.seconds_to_pass),
    ):
        if times is not None:
            lines.append(f"{name:27} median {times[0]:.1f} s, p95 {times[1]:.1f} s")
    if of.cpu_seconds is not None:
        lines.append(f"{'cost of a whole run':27} {of.cpu_seconds:.1f} s of one core")
    return lines


def targets(of: Score) -> Sequence[str]:
    """Return each target and whether it is met."""
    lines = [f"{target.about}: {target.described(of)}" for target in TARGETS]
    return [*lines, *(f"always wrong: {name}" for name in of.always_wrong)]
