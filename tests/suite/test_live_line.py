"""A person at a terminal sees what goes on, and what is printed for good stands whole above it."""

import os
import re
import subprocess
import sys

from suite_parts import Project
from waits import HANG_SECONDS


def on_a_terminal(project: Project, *arguments: str, **environ: str) -> str:
    """Run the gate on a terminal; return all that it wrote there."""
    terminal, run_side = os.openpty()
    command = [sys.executable, "-m", "streampay_smoke", "run", *arguments]
    with subprocess.Popen(
        command,
        cwd=project.folder,
        env={**project.environ, "COLUMNS": "", **environ},
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


def test_a_live_line_says_what_goes_on_and_leaves_nothing_behind(project: Project) -> None:
    lively = on_a_terminal(project, "--tags", "@readiness", TERM="xterm", NO_COLOR="1")
    assert re.search(r"\r\033\[K\d+ s of \d+ \| getting ready", lively)
    screen = re.sub(r"\r\033\[K[^\n\r\033]*(?=\r\033\[K)", "", lively).replace("\r\033[K", "")
    assert re.search(r"^    When the service is asked whether it is ready \.\.\. passed in ", screen, re.MULTILINE)
    assert re.search(r"^PASS  The release keeps every promise", screen, re.MULTILINE)
    assert "getting ready" not in screen
    assert "\033" not in screen

    plain = on_a_terminal(project, "--tags", "@readiness", TERM="dumb")
    assert "\033" not in plain
    assert "| getting ready" not in plain
