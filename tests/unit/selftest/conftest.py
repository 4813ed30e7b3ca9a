"""One sandbox for all scenes."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from streampay_sandbox.stack import Sandbox, start_sandbox
from streampay_selftest.scene import Scene


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with start_sandbox() as running:
        yield running


@pytest.fixture
def scene(tmp_path: Path, sandbox: Sandbox) -> Iterator[Scene]:
    with contextlib.ExitStack() as stack:
        yield Scene(tmp_path / "project", sandbox, stack, (sys.executable, "-c", "print('a gate')"))
