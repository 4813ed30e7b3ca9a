"""What a process owes whoever started it: ending signals are answered, closed standard streams are harmless."""

import signal
import subprocess
import sys

import pytest
from waits import HANG_SECONDS

IGNORES = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)"
SHOW = """
from streampay_smoke.core.ending_signals import ending_signals
print(*sorted(number.name for number in ending_signals()))
"""


def printed(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_a_hangup_ends_a_command_unless_it_is_ignored() -> None:
    assert printed(SHOW) == "SIGHUP SIGINT SIGTERM\n"
    assert printed(IGNORES + SHOW) == "SIGINT SIGTERM\n"


DISREGARDS = """
import os, signal, subprocess, sys
from streampay_smoke.core.ending_signals import ending_signals_disregarded
with ending_signals_disregarded():
    signal.raise_signal(signal.{name})
    child = subprocess.Popen([sys.executable, "-c", "import time; print(flush=True); time.sleep(60)"], stdout=-1)
    child.stdout.readline()
    child.terminate()
    print(child.wait())
try:
    signal.raise_signal(signal.{name})
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_what_must_be_finished_is_and_programs_started_meanwhile_still_end(number: signal.Signals) -> None:
    assert printed(DISREGARDS.format(name=number.name)) == f"{-signal.SIGTERM}\ninterrupted\n"


OPENS = """
import os, sys
from streampay_smoke.core.standard_streams import open_standard_streams
open_standard_streams()
print("printed"); print("printed", file=sys.stderr)
read, write = os.pipe()
os.write(int(sys.argv[1]), f"{min(read, write)}".encode())
"""


@pytest.mark.parametrize("closed", ["", ">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_what_is_opened_next_is_no_standard_stream(closed: str) -> None:
    line = f'exec 9>&1; exec "{sys.executable}" -c "$CODE" 9 {closed or ">/dev/null"}'
    done = subprocess.run(
        ["/bin/sh", "-c", line],
        env={"CODE": OPENS},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=HANG_SECONDS,
    )
    assert int(done.stdout.replace("printed", "")) > 2
