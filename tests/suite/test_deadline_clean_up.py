"""A run that cannot go on, for its time or its disk is over, leaves nothing on the deployment."""

import math
import subprocess
import sys

import pytest
from suite_parts import Project
from waits import HANG_SECONDS, slowdown

from streampay_sandbox.stack import start_sandbox
from streampay_smoke.settings.deadline import CLEAN_UP_MOST_SECONDS

SECONDS_PER_LEDGER = 2.0
DEADLINE_SECONDS = 8
"""Too short for the settlements on these ledgers: it ends while one is under way."""

SLOWEST = 4.0
"""A machine may be so much slower for what is under way then to be foreseen."""


@pytest.mark.parametrize(("command", "tags"), [("smoke", "@settlement"), ("behave", "@chain")])
def test_a_run_that_is_over_ends_its_streams_in_a_time_of_their_own(project: Project, command: str, tags: str) -> None:
    slow = min(SLOWEST, slowdown())
    deadline_seconds = math.ceil(DEADLINE_SECONDS * slow)
    with start_sandbox(close_seconds=SECONDS_PER_LEDGER * slow) as sandbox:
        project.environ |= sandbox.ready_document()["env"]
        play = getattr(project, command)
        ran = play(f"--tags={tags}", SMOKE_DEADLINE_SECONDS=str(deadline_seconds))
        swept = project.answer("sweep", "--older-than", "0", "--dry-run")

    verdict = ran.verdict
    assert (ran.code, verdict.reason_code) == (3, "deadline"), ran.output
    for told in (f"the {deadline_seconds} s of this run were over in step '", "; spent: ", "SMOKE_DEADLINE_SECONDS"):
        assert told in verdict.message_long
    assert "--deadline, or deadline_seconds in environments/sandbox.toml" in verdict.message_long
    assert verdict.timings.total_ms <= 1000 * (deadline_seconds + CLEAN_UP_MOST_SECONDS)
    if tags == "@settlement" and slow < SLOWEST:  # a busy machine may not get so far on the contract itself
        assert verdict.cleanup.created, "nothing was under way"
    assert verdict.cleanup.leaked == 0, ran.output
    assert "due" not in swept.stdout or "0 due" in swept.stdout, swept.stdout + swept.stderr


def test_a_run_whose_evidence_can_no_longer_be_kept_ends_its_streams(project: Project) -> None:
    tags = ["--no-report", "--tags", "@settlement"]
    with start_sandbox() as sandbox:
        project.environ |= sandbox.ready_document()["env"]
        lines = project.smoke(*tags).folder.joinpath("journal.jsonl").read_bytes().splitlines(keepends=True)
    made_at = next(at for at, line in enumerate(lines) if b"resource_created" in line)
    kibibytes = -(-sum(map(len, lines[: made_at + 2])) // 1024)  # a little more than what comes before its first stream
    limited = ["bash", "-c", f'ulimit -f {kibibytes}; exec "$@"', "-", sys.executable, "-m", "streampay_smoke", "run"]
    with start_sandbox() as sandbox:
        project.environ |= sandbox.ready_document()["env"]
        ran = subprocess.run(
            [*limited, *tags],
            cwd=project.folder,
            env=project.environ,
            capture_output=True,
            text=True,
            timeout=HANG_SECONDS,
            check=False,
        )
        swept = project.answer("sweep", "--older-than", "0", "--dry-run")
        journal = (project.folder / "artifacts" / "latest" / "journal.jsonl").read_text()

    assert ran.returncode == 3, ran.stdout + ran.stderr
    assert journal.count("resource_created") == 1
    assert "0 due" in swept.stdout, swept.stdout + swept.stderr
