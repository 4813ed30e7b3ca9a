"""Runs in network namespaces of their own, merged: `benchmarks/namespaces.py`, where namespaces are permitted."""

import subprocess
import sys
from pathlib import Path

import pytest
from waits import HANG_SECONDS

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "namespaces.py"
NOT_PERMITTED = 77


@pytest.mark.timeout(3 * HANG_SECONDS + 30)
def test_what_a_place_does_not_see_turns_no_verdict(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, SCRIPT, "--artifacts", tmp_path],
        capture_output=True,
        text=True,
        timeout=3 * HANG_SECONDS,
        check=False,
    )
    if done.returncode == NOT_PERMITTED:
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, done.stdout + done.stderr
