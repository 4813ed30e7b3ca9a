"""One command plays a fleet and judges it: the replica that differs is named, beside what the others say."""

import subprocess
import sys

from suite_parts import Project
from waits import HANG_SECONDS

from streampay_smoke.gate.verdict import from_json

GATE = [sys.executable, "-m", "streampay_smoke", "run", "--tags", "@readiness"]


def test_a_fleet_that_disagrees_is_judged_by_one_command(bare_project: Project) -> None:
    fleet = [sys.executable, "-m", "streampay_sandbox.fleet", "--replicas", "3", "--differs", "keys", "--", *GATE]
    done = subprocess.run(
        fleet,
        cwd=bare_project.folder,
        env=bare_project.environ,
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    folder = bare_project.folder / "artifacts" / "latest"
    verdict = from_json((folder / "verdict.json").read_bytes())
    assert (verdict.reason_code, verdict.attribution) == ("replicas_disagree", "product")

    assert verdict.fleet is not None
    assert (verdict.fleet.declared, verdict.fleet.replicas) == (3, ("v1-1", "v1-2", "v1-3"))
    assert verdict.fleet.statement.startswith("all 3 declared answered in ")
    (found,) = verdict.fleet.disagreements
    assert (found.about, found.most.replicas, found.other.replicas) == ("keys", ("v1-1", "v1-2"), ("v1-3",))
    for said in (done.stdout, (folder / "summary.md").read_text(), (folder / "report.html").read_text()):
        assert found.most.said in said, "both answers are there"
        assert found.other.said in said
