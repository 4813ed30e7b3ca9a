"""What is made of a verdict: the decision is written beside it, said, and acted on only where everything was prepared.

The rollback itself is another program (`python -m streampay_smoke.rollback`), started after the verdict is on disk, in
a session of its own: a pipeline that is cancelled while it runs does not leave a fleet half-way.
"""

import contextlib
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from msgspec.structs import replace

from streampay_smoke.evidence.policy import Policy
from streampay_smoke.gate.policy import (
    HOLD,
    Answer,
    Circumstances,
    Decision,
    RolledBack,
    decide,
    in_words,
    may_act,
    to_json,
)
from streampay_smoke.gate.verdict import Verdict, Word, written_at
from streampay_smoke.publish.files import replace_file
from streampay_smoke.run import pins
from streampay_smoke.run.folder import RunFolder
from streampay_smoke.settings import Settings
from streampay_smoke.settings.reading import project_root

FILE = "decision.json"

ROLLBACK = "streampay_smoke.rollback"
"""The program that acts."""

_SMOKE = "smoke"
_SAYS_NOTHING = (Word.CONFIG,)
"""Words that neither go on with a row of INCONCLUSIVE answers nor end it."""


def accepted_smoke() -> frozenset[str]:
    """Return the ids of all accepted scenarios of the smoke, nothing where nobody knows them."""
    try:
        accepted = pins.read(project_root() / "features" / pins.FILE)
    except pins.SuiteChanged:
        return frozenset()
    return frozenset(
        pin.name for pin in accepted.values() if isinstance(pin, pins.PinnedScenario) and _SMOKE in pin.tags
    )


def is_whole(verdict: Verdict, smoke: frozenset[str]) -> bool:
    """Whether a run planned all of the smoke: what its environment leaves out by name was planned too.

    A tag filter leaves out without a name, and a suite that nobody accepted is never the whole one.
    """
    planned = {*verdict.evidence.expected_ids, *verdict.evidence.excluded_ids}
    return bool(smoke) and smoke <= planned


def notes_before(settings: Settings, *, paths: Sequence[str], target_release: str) -> Iterator[str]:
    """Yield, before a run that shall roll back, what would keep it from doing so; a part of the suite says nothing."""
    run = _prepared(settings, whole=True, paths=paths, target_release=target_release)
    if settings.on_fail != HOLD and not paths:
        for reason in may_act(run):
            yield f"--on-fail rollback was asked for, and this run will not roll back: {reason}"


def decided(
    folder: RunFolder, verdict: Verdict, settings: Settings | None, *, paths: Sequence[str], target_release: str
) -> Decision:
    """Return the decision on a run that ended, written down and said. `settings` is None where there are none."""
    smoke = accepted_smoke()
    whole = is_whole(verdict, smoke)
    if settings is None:
        policy, run = Policy(), Circumstances(whole_suite=whole)
    else:
        before = inconclusive_in_a_row(_verdicts_before(folder), settings.environment, settings.region, smoke)
        prepared = _prepared(settings, whole=whole, paths=paths, target_release=target_release)
        policy, run = settings.place.policy, replace(prepared, inconclusive_before=before)
    decision = decide(Answer.of(verdict), policy, run, run_id=folder.run_id)
    write(folder, decision)
    print(f"decision: {in_words(decision)}")
    sys.stdout.flush()
    return decision


def acted_on(folder: RunFolder, decision: Decision, settings: Settings, environ: Mapping[str, str]) -> Decision:
    """Start the rollback a decision asks for, wait for it, and return the decision with its ending."""
    command = [
        *(sys.executable, "-m", ROLLBACK, "--env", settings.environment, "--deploy", settings.deploy),
        *("--failed", settings.expect_release),
    ]
    done = subprocess.run(command, cwd=project_root(), env=dict(environ), start_new_session=True, check=False)
    ended = replace(decision, rollback=RolledBack(exit_code=done.returncode))
    write(folder, ended)
    return ended


def inconclusive_in_a_row(
    verdicts: Iterable[Verdict | None], environment: str, region: str, smoke: frozenset[str]
) -> int:
    """Return how many of these runs, the newest first, were INCONCLUSIVE before another answer ends the row.

    A verdict that cannot be read is None, and counts: an answer that is lost is no answer. Runs of another place, and
    those that somebody made of a part of the suite, are passed over.
    """
    row = 0
    for verdict in verdicts:
        if verdict is None:
            row += 1
            continue
        started = bool(verdict.target.environment)
        elsewhere = started and (verdict.target.environment, verdict.target.region) != (environment, region)
        partial = bool(verdict.evidence.expected_ids) and not is_whole(verdict, smoke)
        if elsewhere or partial or verdict.verdict in _SAYS_NOTHING:
            continue
        if verdict.verdict is not Word.INCONCLUSIVE:
            break
        row += 1
    return row


def write(folder: RunFolder, decision: Decision) -> None:
    """Write `decision.json`; a folder that cannot be written is said, for the verdict stands without it."""
    try:
        replace_file(folder.path / FILE, to_json(decision))
    except OSError as error:
        print(f"note: {FILE} could not be written: {error.strerror}", file=sys.stderr)


def _prepared(settings: Settings, *, whole: bool, paths: Sequence[str], target_release: str) -> Circumstances:
    return Circumstances(
        whole_suite=whole,
        by_path=bool(paths),
        on_fail=settings.on_fail,
        deploy=settings.deploy,
        target_release=target_release,
        release_expected=settings.expect_release,
    )


def _verdicts_before(folder: RunFolder) -> Iterator[Verdict | None]:
    """Yield the verdicts of earlier runs in the same artifacts folder, the newest first."""
    for other in sorted(_runs_beside(folder), key=lambda path: path.name, reverse=True):
        if other.name < folder.path.name:
            yield written_at(other / "verdict.json")


def _runs_beside(folder: RunFolder) -> Iterator[Path]:
    with contextlib.suppress(OSError):
        for path in folder.path.parent.iterdir():
            if not path.is_symlink() and (path / "journal.jsonl").is_file():
                yield path
