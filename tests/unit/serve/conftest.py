"""One service for each test, stopped at its end."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from serve_parts import Service


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    started: list[Service] = []

    def start(*arguments: Any, **options: Any) -> Service:
        service = Service(tmp_path / "state", *arguments, **options)
        started.append(service)
        return service

    yield start
    if started:
        started[-1].stop()
