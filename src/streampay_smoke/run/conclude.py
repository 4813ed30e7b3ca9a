"""How every run ends: judge, sign, decide, act, record, tell, publish, announce, notify: in this order, always.

It is the same for `streampay-smoke run`, raw `behave`, a refusal, a signal, a run that was killed, and an override.
Whoever waits at a terminal is told the verdict before reports are made of it.
Only the evidence decides: the verdict is computed from the journal, and what is said anywhere from both.
"""

import sys
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from streampay_smoke.core import system_facts
from streampay_smoke.core.ending_signals import ending_signals_disregarded
from streampay_smoke.core.errors import SmokeError
from streampay_smoke.core.progress_line import told_while
from streampay_smoke.core.signing import SigningKey
from streampay_smoke.evidence import journal as journals
from streampay_smoke.evidence.events import Failure, RunRefused
from streampay_smoke.evidence.journal import Entry, Journal
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.gate.history import fold
from streampay_smoke.gate.judge import judge
from streampay_smoke.gate.policy import FILE as DECISION_FILE
from streampay_smoke.gate.policy import Circumstances, Decision, decision_description
from streampay_smoke.gate.verdict import EXIT_CODES, Verdict, VerdictStatus
from streampay_smoke.publish.report_model import RunReport, report_of
from streampay_smoke.publish.terminal import console_answer, console_block, paint_for, width_of
from streampay_smoke.run import decision as decisions
from streampay_smoke.run.earlier_runs import EarlierRuns, recorded
from streampay_smoke.run.failures import failure_of
from streampay_smoke.run.folder import RunFolder
from streampay_smoke.run.output import redacted_output
from streampay_smoke.run.seal import seal
from streampay_smoke.settings import EvidenceSettings
from streampay_smoke.settings.folders import project_root, read_from

NOTHING_ASKED = Circumstances(whole_suite=False, acts_here=False)
"""Nobody asked for a rollback, and nothing here could make one."""

Act = Callable[[Decision], Decision]
"""Starts what a decision asks for, and returns the decision with how that ended."""


def conclude(
    folder: RunFolder,
    *,
    redactor: Redactor,
    signing_key: SigningKey | None = None,
    asked: Circumstances = NOTHING_ASKED,
    act: Act | None = None,
    evidence: EvidenceSettings,
    quiet: bool = False,
) -> int:
    """End a run whose journal is closed, and return its exit code: the verdict's, or INCONCLUSIVE's without one.

    The verdict is on disk, and signed, before anything else is made of it; whatever fails after that is a note and
    changes nothing. `act` is left out where nothing may be rolled back. Allure's report comes last: it may take a
    minute, and a signal ends it, not the answer. A `quiet` end prints the verdict only.
    """
    redactor.learn(*evidence.redacted())
    with redacted_output(redactor):
        with ending_signals_disregarded():
            try:
                entries, verdict, unsigned = _judged(folder, signing_key)
            except OSError as error:
                return evidence_lost(error)
            run = Judged(folder=folder, entries=entries, verdict=verdict, notes=[unsigned] if unsigned else [])
            _carried_out(run, asked, act, evidence, quiet=quiet)
        if evidence.report:
            try:
                attempt("Allure's report could not be written", lambda: _report(folder, quiet=quiet))
            except KeyboardInterrupt:
                print("note: the report was not finished: a signal ended it", file=sys.stderr)
        return verdict.exit_code


def refuse(folder: RunFolder, error: SmokeError, evidence: EvidenceSettings, *, quiet: bool = False) -> int:
    """End a run that cannot begin, and return its exit code."""
    redactor = Redactor()
    try:
        with Journal(folder.journal_path, redactor) as journal:
            journal.append(refusal(folder, failure_of(error), evidence))
    except OSError as lost:
        return evidence_lost(lost)
    return conclude(folder, redactor=redactor, evidence=evidence, quiet=quiet)


def refusal(folder: RunFolder, failure: Failure, evidence: EvidenceSettings) -> RunRefused:
    """Return the evidence that a run could not begin."""
    return RunRefused(
        failure=failure,
        run_id=folder.run_id,
        environment=evidence.environment,
        region=evidence.region,
        read_from=read_from(),
        runbook_url=evidence.runbook_url,
    )


def evidence_lost(error: Exception) -> int:
    """Say that a run has no verdict because its evidence could not be kept, and return its exit code."""
    print(f"INCONCLUSIVE: the evidence was lost: {type(error).__name__}: {error}", file=sys.stderr)
    print("Next: see to the disk and the artifacts folder, then run again", file=sys.stderr)
    return EXIT_CODES[VerdictStatus.INCONCLUSIVE]


def _judged(folder: RunFolder, signing_key: SigningKey | None) -> tuple[tuple[Entry, ...], Verdict, str]:
    read = journals.read(folder.journal_path)
    verdict = judge(read)
    unsigned = seal(folder, verdict, signing_key)
    folder.write_verdict(verdict)
    return read.entries, verdict, unsigned


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A run that has its verdict, on disk and signed. `notes` gathers what could not be made of it."""

    folder: RunFolder
    entries: tuple[Entry, ...]
    verdict: Verdict
    notes: list[str]


def _carried_out(
    judged: Judged, asked: Circumstances, act: Act | None, evidence: EvidenceSettings, *, quiet: bool
) -> None:
    """Decide, act, record, tell, publish and announce."""
    folder, verdict, notes = judged.folder, judged.verdict, judged.notes
    history, before = fold(judged.entries), EarlierRuns(folder, evidence.history)
    decision = decisions.decided(folder, verdict, history, asked, before)
    attempt(f"{DECISION_FILE} could not be written", lambda: decisions.write(folder, decision))
    if decision.acts and act is not None:
        # A rollback may take minutes.
        print(f"{verdict.message}\ndecision: {decision_description(decision)}", flush=True)
        decision = act(decision)
        attempt(f"{DECISION_FILE} could not be written", lambda: decisions.write(folder, decision))
    since_green: list[str] = []
    whole_suite = history.planned.whole_suite if history.planned else None
    record = recorded(folder, verdict, decision, whole_suite)
    attempt("the history could not be kept", lambda: since_green.append(before.record(record)))
    run = report_of(judged.entries, verdict, decision=decision_description(decision), since_green="".join(since_green))
    attempt("the verdict could not be printed", lambda: _tell(run, quiet=quiet))
    notes += before.notes
    attempt("the reports could not be made", lambda: notes.extend(_published(folder, run)))
    attempt("the CI system could not be told", lambda: _announce(folder, run, decision, notes, quiet=quiet))
    attempt("nobody could be told", lambda: notify_people(run, decision, evidence))


def notify_people(run: RunReport, decision: Decision, evidence: EvidenceSettings) -> None:
    """Tell people where somebody has set whom. What comes of it changes nothing, and is a note."""
    from streampay_smoke.notify.delivery import deliver
    from streampay_smoke.notify.notice import is_told, notice_of  # few runs have somebody to tell
    from streampay_smoke.notify.targets import targets_of

    targets = list(targets_of(evidence))
    if not targets or not is_told(run.verdict, decision, decision.policy.notify):
        return
    for result in deliver(notice_of(run, decision, evidence, system_facts.variables()), targets):
        if result.problem:
            print(f"note: {result.target} was not told: {result.problem}", file=sys.stderr)


def _published(folder: RunFolder, run: RunReport) -> Iterable[str]:
    from streampay_smoke.publish.publish import publish  # neither a verdict nor behave's process waits for it

    return publish(folder.path, run).notes


def _tell(run: RunReport, *, quiet: bool) -> None:
    paint, width = paint_for(sys.stdout, system_facts.variables()), width_of(sys.stdout)
    if quiet:
        print(console_answer(run, paint, width), end="", flush=True)
        return
    print(console_block(run, paint, width))
    print(f"decision: {run.decision}", flush=True)


def _announce(folder: RunFolder, run: RunReport, decision: Decision, notes: Iterable[str], *, quiet: bool) -> None:
    from streampay_smoke.publish import github
    from streampay_smoke.publish.publish import PAGE

    if not quiet:
        print(f"evidence: {_shown(folder.path)}")
        print(f"report: {_shown(folder.path / PAGE)}")
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    for line in github.announce(run, decision, system_facts.variables()):
        print(line)


def _report(folder: RunFolder, *, quiet: bool) -> None:
    from streampay_smoke.publish.report import ALLURE_TIMEOUT_SECONDS, ReportKind, build_report

    if quiet:
        build_report(folder.path, node_report_dir=project_root() / "report")
        return
    with told_while("making Allure's report", most_seconds=ALLURE_TIMEOUT_SECONDS):
        built = build_report(folder.path, node_report_dir=project_root() / "report")
    if built.kind is ReportKind.ALLURE:
        print(f"Allure's report: {_shown(built.path)}")
    else:
        print(f"note: no report of Allure's: {built.note}")


def attempt(trouble: str, step: Callable[[], None]) -> None:
    """Take a step after the verdict is on disk; what it trips over is a note, with what the `trouble` is."""
    try:
        step()
    except OSError as error:
        print(f"note: {trouble}: {error.strerror or error}", file=sys.stderr)
    except Exception:  # noqa: BLE001 - the verdict stands, whatever is made of it
        print(f"note: {trouble}:\n{traceback.format_exc()}", file=sys.stderr)


def _shown(path: Path) -> Path:
    """Return a path as people type it, in the project's folder."""
    root = project_root()
    return path.relative_to(root) if path.is_relative_to(root) else path
