"""A person at a terminal sees what goes on, and what is printed for good stands whole above it."""

import os
import re
import subprocess
import sys

import pytest
from suite_parts import Project
from waits import HANG_SECONDS


def on_a_terminal(project: Project, *command: str) -> str:
    """Run a program of the gate on a terminal; return all that it wrote there."""
    terminal, run_side = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=project.folder,
        env={**project.environ, "COLUMNS": "", "TERM": "xterm", "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        stdout=run_side,
        stderr=run_side,
    ) as process:
        os.close(run_side)
        written = bytearray()
        try:
            while some := os.read(terminal, 65536):
                written += some
        except OSError:  # how a terminal says that nobody holds its other side any more
            pass
        finally:
            os.close(terminal)
        assert process.wait(HANG_SECONDS) == 0, written.decode()
    return written.decode().replace("\r\n", "\n")


@pytest.mark.parametrize(
    "command",
    [("streampay_smoke", "run", "--tags", "@readiness"), ("behave", "--tags=@readiness")],
    ids=["supervised", "behave"],
)
def test_a_live_line_says_what_goes_on_and_leaves_nothing_behind(project: Project, command: tuple[str, ...]) -> None:
    lively = on_a_terminal(project, *command)
    assert re.search(r"\r\033\[K\d+ s( of \d+)? \| getting ready", lively)
    screen = re.sub(r"\r\033\[K[^\n\r\033]*(?=\r\033\[K)", "", lively).replace("\r\033[K", "")
    assert re.search(r"^    When the service is asked whether it is ready \.\.\. passed in ", screen, re.MULTILINE)
    assert re.search(r"^PASS  The release keeps every promise", screen, re.MULTILINE)
    assert "getting ready" not in screen
    assert "\033" not in screen
