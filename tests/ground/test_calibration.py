"""The calibration's quick form: it claims what the page claims."""

import re
import subprocess
import sys
from pathlib import Path

from suite_parts import untraced
from waits import HANG_SECONDS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "calibration.md"
RATE = re.compile(r"(\d+\.\d+)% \((\d+\.\d+)%-(\d+\.\d+)%\)")


def tables(text: str) -> dict[tuple[str, str], list[tuple[float, float, float]]]:
    """Return the rates of each row, by the row's section and the cells before its first rate."""
    found, section = {}, ""
    for line in text.splitlines():
        if line.startswith("## "):
            section = line
        elif line.startswith("| ") and RATE.search(line):
            rates = [(float(a), float(b), float(c)) for a, b, c in RATE.findall(line)]
            found[section, RATE.split(line)[0]] = rates
    return found


def test_the_quick_form_reproduces_the_claims_of_the_page() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "calibration.py", "--quick"],
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
        env=untraced(),
    )
    assert done.returncode == 0, done.stderr
    assert "every claim holds" in done.stderr
    quick, written = tables(done.stdout), tables(PAGE.read_text(encoding="utf-8"))
    assert quick.keys() == written.keys()
    assert len(quick) >= 30
    for row, rates in quick.items():
        for (_, low, high), (rate, _, _) in zip(rates, written[row], strict=True):
            # Each interval is wrong in one of a hundred cells; wide apart is another matter.
            width = high - low
            assert low - width <= rate <= high + width, row


def test_the_page_is_of_a_full_run() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text.count("20,000 simulated runs a cell") == 2


def test_the_page_says_what_the_script_would_write() -> None:
    source = (ROOT / "benchmarks" / "calibration.py").read_text(encoding="utf-8")
    text = source.partition('TEXT = """')[2].partition('"""')[0]
    page = PAGE.read_text(encoding="utf-8")
    for paragraph in re.split(r"\n\n|\{\w+(?:\:,)?\}", text):
        assert paragraph.strip() in page, paragraph
