"""What a person sees while cases are played, and at the end."""

import shutil
import sys
import time
from collections.abc import Sequence
from typing import TextIO

from streampay_selftest.case import Case
from streampay_selftest.case_run import CaseRun, is_right
from streampay_selftest.results import FAULT, Results
from streampay_selftest.scoring import TARGETS, Confusion, Score, confusion

BAR_WIDTH = 24


class ProgressOutput:
    """Prints a line for each run as it ends and, on a terminal, a bar below them."""

    def __init__(self, total: int, stream: TextIO = sys.stdout) -> None:
        self._total = total
        self._stream = stream
        self._done = 0
        self._wrong = 0
        self._began = time.monotonic()
        self._bar = stream.isatty()

    def show(self, case: Case, played: CaseRun) -> None:
        """Tell about one run."""
        right = is_right(case, played)
        self._done += 1
        self._wrong += not right
        self._clear()
        print(line(case, played, right=right), file=self._stream)
        self._draw()

    def end(self) -> None:
        """Take the bar away."""
        self._clear()
        self._stream.flush()

    def _clear(self) -> None:
        if self._bar:
            self._stream.write("\r\x1b[K")

    def _draw(self) -> None:
        if self._bar:
            filled = round(BAR_WIDTH * self._done / self._total)
            seconds = time.monotonic() - self._began
            left = seconds / self._done * (self._total - self._done)
            text = f"[{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {self._done}/{self._total}, {self._wrong} wrong, "
            text += f"{seconds:.0f} s gone, about {left:.0f} s left"
            self._stream.write(text[: shutil.get_terminal_size().columns - 1])
        self._stream.flush()


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
