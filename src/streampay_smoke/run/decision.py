"""What is made of a verdict: the decision beside it, and the rollback, only where everything was prepared for it.

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
from streampay_smoke.gate import policy
from streampay_smoke.gate.history import RunHistory
from streampay_smoke.gate.policy import (
    FILE,
    HOLD,
    Circumstances,
    Decision,
    RolledBack,
    VerdictSummary,
    decide,
    may_act,
    to_json,
)
from streampay_smoke.gate.verdict import Verdict, VerdictStatus, written_at
from streampay_smoke.publish.files import replace_file
from streampay_smoke.run import pins
from streampay_smoke.run.folder import RunFolder
from streampay_smoke.settings import Settings
from streampay_smoke.settings.folders import FEATURES, project_root, suite_root

ROLLBACK = "streampay_smoke.rollback"
"""The program that acts."""

_SMOKE = "smoke"
_SAYS_NOTHING = (VerdictStatus.CONFIG,)
"""Words that neither go on with a row of INCONCLUSIVE answers nor end it."""


def smoke_of(accepted: pins.Pins) -> frozenset[str]:
    """Return the ids of all accepted scenarios of the smoke."""
    return frozenset(
        pin.name for pin in accepted.values() if isinstance(pin, pins.PinnedScenario) and _SMOKE in pin.tags
    )


def is_whole(planned: Iterable[str], smoke: frozenset[str]) -> bool:
    """Whether these scenarios are all of the smoke: what an environment leaves out by name was planned too.

    A tag filter leaves out without a name, and a suite that nobody accepted is never the whole one.
    """
    return bool(smoke) and smoke <= set(planned)


def prepared(settings: Settings, *, target_release: str = "", acts_here: bool) -> Circumstances:
    """Return what was asked for in case the release fails. What was played is only known once a run has ended."""
    return Circumstances(
        whole_suite=False,
        on_fail=settings.on_fail,
        deploy=settings.deploy,
        target_release=target_release,
        release_expected=settings.expect_release,
        acts_here=acts_here,
    )


def notes_before(asked: Circumstances, paths: Sequence[str]) -> Iterator[str]:
    """Yield, before a run that shall roll back, what would keep it from doing so; a part of the suite says nothing."""
    if asked.on_fail != HOLD and not paths:
        for reason in may_act(replace(asked, whole_suite=True)):
            yield f"--on-fail rollback was asked for, and this run will not roll back: {reason}"


def decided(folder: RunFolder, verdict: Verdict, history: RunHistory, asked: Circumstances) -> Decision:
    """Return the decision on a run that ended. What an earlier decision on it started is kept (an override)."""
    planned, earlier = history.planned, policy.written_at(folder.path / FILE)
    run = replace(
        asked,
        whole_suite=planned is not None and planned.whole_suite,
        by_path=planned is not None and planned.by_path,
        inconclusive_before=_inconclusive_before(folder, verdict),
    )
    of_environment = history.started.policy if history.started else Policy()
    decision = decide(VerdictSummary.of(verdict), of_environment, run, run_id=folder.run_id)
    return replace(decision, rollback=earlier.rollback if earlier else None)


def acted_on(decision: Decision, settings: Settings, environ: Mapping[str, str]) -> Decision:
    """Start the rollback a decision asks for, wait for it, and return the decision with its ending."""
    command = [
        *(sys.executable, "-m", ROLLBACK, "--env", settings.environment, "--deploy", settings.deploy),
        *("--failed", settings.expect_release),
    ]
    try:
        done = subprocess.run(command, cwd=project_root(), env=dict(environ), start_new_session=True, check=False)
    except OSError as error:
        print(f"the rollback could not be started: {error.strerror}", file=sys.stderr)
        return replace(decision, rollback=RolledBack(exit_code=None))
    return replace(decision, rollback=RolledBack(exit_code=done.returncode))


def inconclusive_in_a_row(
    verdicts: Iterable[Verdict | None], environment: str, region: str, smoke: frozenset[str]
) -> int:
    """Return how many of these runs, the newest first, were INCONCLUSIVE before another answer ends the row.

    A verdict that cannot be read is None, and counts: an answer that is lost is no answer. Runs of another environment,
    those that somebody made of a part of the suite, and those that somebody ended, are passed over.
    """
    row = 0
    for verdict in verdicts:
        if verdict is None:
            row += 1
            continue
        named = bool(verdict.target.environment)
        elsewhere = named and (verdict.target.environment, verdict.target.region) != (environment, region)
        planned = {*verdict.evidence.expected_ids, *verdict.evidence.excluded_ids}
        partial = bool(planned) and not is_whole(planned, smoke)
        if elsewhere or partial or verdict.ended_by_signal or verdict.verdict in _SAYS_NOTHING:
            continue
        if verdict.verdict is not VerdictStatus.INCONCLUSIVE:
            break
        row += 1
    return row


def write(folder: RunFolder, decision: Decision) -> None:
    """Write `decision.json`; raises OSError."""
    replace_file(folder.path / FILE, to_json(decision))


def _inconclusive_before(folder: RunFolder, verdict: Verdict) -> int:
    try:
        smoke = smoke_of(pins.read(suite_root(project_root()) / FEATURES / pins.FILE))
    except pins.SuiteChanged:
        smoke = frozenset()
    return inconclusive_in_a_row(_verdicts_before(folder), verdict.target.environment, verdict.target.region, smoke)


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
