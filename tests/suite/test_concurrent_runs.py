"""Several runs against one deployment at once: they share its limits, and none accuses the release of them.

Four whole runs that have the time (three minutes) are played by the selftest ("three other whole runs beside it").
"""

from collections.abc import Sequence
from pathlib import Path

import pytest
from suite_parts import Project, Ran

from streampay_sandbox.stack import Sandbox, start_sandbox
from streampay_smoke.gate.verdict import VerdictStatus

AT_ONCE = 4
SECONDS = 150
"""How long four runs of a part may take: two sign-ins each, of which one address has five at once and five a minute."""

SHORT_SECONDS = 40


def at_once(folder: Path, sandbox: Sandbox, *arguments: str, **environ: str) -> Sequence[Ran]:
    """Start four runs as four pipelines do, and return how they ended."""
    projects = []
    for number in range(AT_ONCE):
        (folder / str(number)).mkdir()
        projects.append(Project(folder / str(number), {**sandbox.ready_document()["env"], **environ}))
    runs = [project.start("streampay_smoke", "run", *arguments) for project in projects]
    outputs = [run.communicate(timeout=SECONDS)[0] for run in runs]
    return [project.ran(run.returncode, said) for project, run, said in zip(projects, runs, outputs, strict=True)]


@pytest.mark.timeout(SECONDS + 30)
def test_runs_of_a_part_wait_for_their_share_of_the_sign_ins(tmp_path: Path) -> None:
    with start_sandbox() as sandbox:
        runs = at_once(tmp_path, sandbox, "--tags", "@streams or @readiness")

    assert [run.verdict.verdict for run in runs] == [VerdictStatus.PASS] * AT_ONCE, [run.output for run in runs]
    assert any(event["event"] == "rate_limit_wait" for run in runs for event in run.events), (
        "there was nothing to share"
    )


@pytest.mark.timeout(SECONDS + 30)
def test_whole_runs_that_have_no_time_to_wait_hold_and_never_fail(tmp_path: Path) -> None:
    with start_sandbox() as sandbox:
        runs = at_once(tmp_path, sandbox, SMOKE_DEADLINE_SECONDS=f"{SHORT_SECONDS}")

    told = [(run.verdict.verdict, run.verdict.reason_code) for run in runs]
    assert set(told) <= {(VerdictStatus.PASS, "all_promises_kept"), (VerdictStatus.INCONCLUSIVE, "throttled")}, told
    assert (VerdictStatus.INCONCLUSIVE, "throttled") in told, "twenty sign-ins cannot all be let through in this time"
    assert all("rolled back" not in run.output for run in runs)
