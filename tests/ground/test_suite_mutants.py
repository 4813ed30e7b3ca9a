"""A sample of the suite's mutants: none is a PASS. The page is of a full run."""

import re
import subprocess
import sys
from pathlib import Path

from suite_parts import untraced
from waits import HANG_SECONDS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "suite-mutants.md"
ENOUGH = 500


def test_no_mutant_of_a_sample_is_a_pass() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "suite_mutants.py", "--quick"],
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
        env=untraced(),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = re.search(r"(\d+) mutants, 0 PASS, 0 blamed a good release", done.stdout)
    assert said is not None, done.stdout
    assert int(said[1]) >= 20


def test_the_page_is_of_a_full_run_without_a_pass() -> None:
    text = PAGE.read_text(encoding="utf-8")
    said = re.search(r"\*\*(\d+) mutants were played, and (\d+) journals judged: 0 PASS\.\*\*", text)
    assert said is not None
    assert int(said[1]) >= ENOUGH
    rows = re.findall(r"(?m)^\| .+? \| (\d+) \| (\d+) \| ", text)
    assert sum(int(mutants) for mutants, _ in rows) == int(said[1]) + int(said[2])
    assert {passed for _, passed in rows} == {"0"}
