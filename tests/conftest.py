"""What holds for every test: no setting of the person running it leaks in, and no timing luck decides."""

import os
import signal
import sys

# pytest keeps the tests as it compiled them, and compiles them anew each time where Python may write no bytecode: that
# costs more than twice as much as all the rest of the collection. The tests themselves run as the caller wants it.
_caller_wants_no_bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, False

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402 - pytest compiles hypothesis as it compiles the tests
from slow_first import SECONDS, slow_first  # noqa: E402

for name in [name for name in os.environ if name.startswith(("SMOKE_", "BEHAVE_"))]:
    del os.environ[name]

# What the tests start, and they themselves, are hung up like under a terminal, also where nohup started the tests.
if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda number, frame: None)

# Shared machines are slow at times: an example may take as long as it needs. CI draws the same examples each time.
settings.register_profile("streampay", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("streampay")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0")):
        items[:] = slow_first(items, workers, SECONDS)


def pytest_collection_finish() -> None:
    sys.dont_write_bytecode = _caller_wants_no_bytecode
