"""`run --region all`: regions side by side as real runs, and one verdict of them."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from suite_parts import Project
from waits import HANG_SECONDS, wait_until

from streampay_smoke.gate.verdict import from_json, written_at

COMMAND = [sys.executable, "-m", "streampay_smoke", "run", "--env", "sandbox-regions", "--region", "all"]


@pytest.fixture
def two_regions(bare_project: Project) -> Project:
    """A project whose sandbox has two regions."""
    path = bare_project.folder / "environments" / "sandbox-regions.toml"
    first, *regions = path.read_text().split("\n[[regions]]\n")
    path.write_text("\n[[regions]]\n".join([first, regions[0], regions[1]]))
    return bare_project


def test_two_regions_are_played_and_one_verdict_is_made_of_them(two_regions: Project) -> None:
    outputs = two_regions.folder / "outputs"
    environ = {**two_regions.environ, "GITHUB_OUTPUT": str(outputs)}
    command = [*COMMAND, "--tags", "@readiness"]
    done = subprocess.run(
        command, cwd=two_regions.folder, env=environ, capture_output=True, text=True, timeout=HANG_SECONDS, check=False
    )
    folder = two_regions.folder / "artifacts" / "latest"
    assert done.returncode == 0, done.stdout + done.stderr
    verdict = from_json((folder / "verdict.json").read_bytes())

    assert (verdict.reason_code, verdict.target.region) == ("every_region_passed", "all")
    assert [region.region for region in verdict.regions] == ["us-east-1", "us-west-2"]
    assert len({region.runs[0].run_id for region in verdict.regions}) == 2
    assert json.loads((folder / "decision.json").read_bytes())["step"] == "hold"  # a part of the suite
    assert outputs.read_text().count("verdict=") == 1  # no region speaks for all
    started = [
        json.loads((Path(region.runs[0].artifacts) / "journal.jsonl").read_text().splitlines()[0])["event"]
        for region in verdict.regions
    ]
    assert len({each["base_url"] for each in started}) == 2

    forged = Path(verdict.regions[1].runs[0].artifacts)
    journal = forged / "journal.jsonl"
    journal.write_text(re.sub(r'"held":true', '"held":false', journal.read_text(), count=1))
    artifacts = [region.runs[0].artifacts for region in verdict.regions]
    merge = [sys.executable, "-m", "streampay_smoke", "merge", *artifacts, "--env", "sandbox-regions"]
    done = subprocess.run(
        merge, cwd=two_regions.folder, env=two_regions.environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 3, done.stdout + done.stderr
    assert "journal_forged: us-west-2" in done.stdout


def test_a_signal_ends_every_region_and_proves_nothing(two_regions: Project) -> None:
    with subprocess.Popen([*COMMAND, "--quiet"], cwd=two_regions.folder, env=two_regions.environ) as run:

        def under_way() -> bool:
            journals = list((two_regions.folder / "artifacts").glob("2*/regions/*/2*/journal.jsonl"))
            return sum("scenario_started" in journal.read_text() for journal in journals) == 2

        wait_until(under_way, "both regions play a scenario", alive=lambda: run.poll() is None)
        run.send_signal(signal.SIGTERM)
        assert run.wait(HANG_SECONDS) == 143
    verdict = written_at(two_regions.folder / "artifacts" / "latest" / "verdict.json")

    assert verdict is not None
    assert [region.reason_code for region in verdict.regions] == ["terminated", "terminated"]
    assert verdict.cleanup.leaked == 0
