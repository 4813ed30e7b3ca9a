"""A real sandbox for all runs of this folder, and a project of its own for each."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from suite_parts import FORKS, Project

from streampay_sandbox.stack import Sandbox, start_sandbox


@pytest.fixture(scope="session", autouse=True)
def forks_end_with_the_session() -> Iterator[None]:
    """What they covered is written before it is read."""
    yield
    FORKS.close()


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with start_sandbox() as running:
        yield running


@pytest.fixture
def project(tmp_path: Path, sandbox: Sandbox) -> Project:
    return Project(tmp_path, sandbox.ready_document()["env"])


@pytest.fixture
def bare_project(tmp_path: Path) -> Project:
    """A project that knows no sandbox but the embedded one."""
    return Project(tmp_path, {})
