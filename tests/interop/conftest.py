"""Node and what it needs. Without them these tests are left out, except in CI, where Node has to be able to judge."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

HERE = Path(__file__).parent
INSTALL_SECONDS = 100


@pytest.fixture(scope="session")
def node() -> str:
    """Return the path of node, with the packages of the lock installed beside the tests."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("node is not installed: the interop tests are left out")
    lock, stamp = (HERE / "package-lock.json").read_bytes(), HERE / "node_modules" / ".lock-stamp"
    if not stamp.is_file() or stamp.read_bytes() != lock:  # as scripts/lib.sh has it
        _install()
        stamp.write_bytes(lock)
    return found


def _install() -> None:
    npm = shutil.which("npm")
    if npm is None:
        _leave_out("npm is not installed, so the packages of tests/interop cannot be")
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        _leave_out(f"npm ci took longer than {INSTALL_SECONDS} s")
    if done.returncode:
        _leave_out(f"npm ci failed: {done.stderr.strip()[-500:]}")


def _leave_out(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}; in CI the interop tests must run")
    pytest.skip(f"{reason}: the interop tests are left out")
