"""A witness for every test, and a small StreamPay for those that need one."""

from collections.abc import Iterator

import pytest
from step_parts import SmallStreamPay, Witness


@pytest.fixture
def witness() -> Witness:
    return Witness()


@pytest.fixture
def small() -> Iterator[SmallStreamPay]:
    service = SmallStreamPay()
    yield service
    service.close()
