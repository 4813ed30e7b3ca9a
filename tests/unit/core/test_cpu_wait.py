"""How long a thread had no CPU: what the system counts, and nothing where it does not."""

import subprocess
import sys
from pathlib import Path

import pytest

from streampay_smoke.core import cpu_wait
from streampay_smoke.core.cpu_wait import cpu_wait_ms_since, cpu_wait_ns

BESIDE_ANOTHER = """
import os, signal, threading, time
from streampay_smoke.core.cpu_wait import cpu_wait_ms_since, cpu_wait_ns

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
runs, tells = os.pipe()
other = os.fork()
if not other:
    os.write(tells, b"x")
    while True:
        pass
os.read(runs, 1)
before_ns, ends = cpu_wait_ns(), time.monotonic() + 0.4
while time.monotonic() < ends:
    pass
waited_ms = cpu_wait_ms_since(before_ns)
os.kill(other, signal.SIGKILL)
of_a_thread = []
thread = threading.Thread(target=lambda: of_a_thread.append(cpu_wait_ms_since(0)))
thread.start()
thread.join()
print(waited_ms, of_a_thread[0])
"""


@pytest.mark.skipif(cpu_wait_ns() is None, reason="this system does not count it")
def test_a_process_that_shares_its_cpu_waits_for_it_and_a_new_thread_of_it_has_not() -> None:
    told = subprocess.run([sys.executable, "-c", BESIDE_ANOTHER], capture_output=True, text=True, check=True)
    waited_ms, of_a_thread_ms = map(int, told.stdout.split())
    assert waited_ms > 100
    assert of_a_thread_ms < waited_ms


@pytest.mark.parametrize("content", ["0 0 0\n", "", "a word\n", "1 x 2\n", "1 2\n"])
def test_a_system_that_does_not_count_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    (tmp_path / "schedstat").write_text(content)
    monkeypatch.setattr(cpu_wait, "_FILE", str(tmp_path / "schedstat"))
    assert cpu_wait_ns() is None
    assert cpu_wait_ms_since(5) is None


def test_a_system_without_the_file_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "schedstat").write_text("9000000 7600000 3\n")
    monkeypatch.setattr(cpu_wait, "_FILE", str(tmp_path / "schedstat"))
    assert (cpu_wait_ns(), cpu_wait_ms_since(1_000_000), cpu_wait_ms_since(None)) == (7_600_000, 7, None)
    monkeypatch.setattr(cpu_wait, "_FILE", str(tmp_path / "missing"))
    assert (cpu_wait_ns(), cpu_wait_ms_since(1_000_000)) == (None, None)
