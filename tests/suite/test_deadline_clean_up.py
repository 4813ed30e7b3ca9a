"""A run that meets its deadline says what took the time, and leaves nothing on the deployment."""

import pytest
from suite_parts import Project

from streampay_sandbox.stack import start_sandbox
from streampay_smoke.settings.deadline import CLEAN_UP_MOST_SECONDS

SECONDS_PER_LEDGER = 2.0
DEADLINE_SECONDS = 8
"""Too short for the settlements on these ledgers: it ends while one is under way."""


@pytest.mark.timeout(DEADLINE_SECONDS + 2 * CLEAN_UP_MOST_SECONDS)
@pytest.mark.parametrize(("command", "tags"), [("smoke", "@settlement"), ("behave", "@chain")])
def test_a_run_that_is_over_ends_its_streams_in_a_time_of_their_own(project: Project, command: str, tags: str) -> None:
    with start_sandbox(close_seconds=SECONDS_PER_LEDGER) as sandbox:
        project.environ |= sandbox.ready_document()["env"]
        play = getattr(project, command)
        ran = play(f"--tags={tags}", SMOKE_DEADLINE_SECONDS=str(DEADLINE_SECONDS))
        swept = project.answer("sweep", "--older-than", "0", "--dry-run")

    verdict = ran.verdict
    assert (ran.code, verdict.reason_code) == (3, "deadline"), ran.output
    for told in (f"the {DEADLINE_SECONDS} s of this run were over in step '", "; spent: ", "SMOKE_DEADLINE_SECONDS"):
        assert told in verdict.message_long
    assert "--deadline, or deadline_seconds in environments/sandbox.toml" in verdict.message_long
    assert verdict.timings.total_ms <= 1000 * (DEADLINE_SECONDS + CLEAN_UP_MOST_SECONDS)
    if tags == "@settlement":  # a busy machine may not get so far on the contract itself
        assert verdict.cleanup.created, "nothing was under way"
    assert verdict.cleanup.leaked == 0, ran.output
    assert "due" not in swept.stdout or "0 due" in swept.stdout, swept.stdout + swept.stderr
