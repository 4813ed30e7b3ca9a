"""What is made of a verdict: the decision beside it, and the rollback, only where everything was prepared for it.

The rollback itself is another program (`python -m streampay_smoke.rollback`), started after the verdict is on disk, in
a session of its own: a pipeline that is cancelled while it runs does not leave a fleet half-way.
"""

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

from streampay_smoke.core.files import replace_file
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
from streampay_smoke.gate.verdict import Verdict, VerdictStatus
from streampay_smoke.run.earlier_runs import EarlierRuns
from streampay_smoke.run.folder import RunFolder
from streampay_smoke.settings import Settings
from streampay_smoke.settings.folders import project_root

ROLLBACK = "streampay_smoke.rollback"
"""The program that acts."""


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


def decided(
    folder: RunFolder, verdict: Verdict, history: RunHistory, asked: Circumstances, before: EarlierRuns
) -> Decision:
    """Return the decision on a run that ended. What an earlier decision on it started is kept (an override)."""
    planned, earlier = history.planned, policy.written_at(folder.path / FILE)
    whole = planned is not None and planned.whole_suite
    counts = whole and verdict.verdict is VerdictStatus.INCONCLUSIVE
    place = (verdict.target.environment, verdict.target.region)
    run = replace(
        asked,
        whole_suite=whole,
        by_path=planned is not None and planned.by_path,
        inconclusive_before=before.inconclusive_before(*place) if counts else 0,
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


def write(folder: RunFolder, decision: Decision) -> None:
    """Write `decision.json`; raises OSError."""
    replace_file(folder.path / FILE, to_json(decision))
