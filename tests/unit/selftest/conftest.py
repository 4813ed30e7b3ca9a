"""One sandbox for all scenes."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from streampay_sandbox.stack import Sandbox, start_sandbox
from streampay_selftest.run_setup import RunSetup


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with start_sandbox() as running:
        yield running


@pytest.fixture
def setup(tmp_path: Path, sandbox: Sandbox) -> Iterator[RunSetup]:
    with contextlib.ExitStack() as stack:
        yield RunSetup(tmp_path / "project", sandbox, stack, (sys.executable, "-c", "print('a gate')"))
