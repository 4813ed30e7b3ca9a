# mypy: ignore-errors
# Played by pytest-bdd in an environment of its own, which the project's does not have.
"""The steps of `reads.feature` for pytest-bdd."""

import os

import httpx
import pytest
from pytest_bdd import parsers, scenarios, then, when

scenarios("reads.feature")


@pytest.fixture(scope="session")
def client():
    with httpx.Client(base_url=os.environ["BASE"]) as opened:
        yield opened


@when(parsers.parse('a client reads "{path}" {how} its key'), target_fixture="answer")
def read(client, path, how):
    return client.get(path, headers={"x-api-key": os.environ["KEY"]} if how == "with" else {})


@then(parsers.parse("the answer has status {status:d}"))
def has_status(answer, status):
    assert answer.status_code == status


@then(parsers.re(r'the answer has the fields "(?P<fields>.*)"'))
def has_fields(answer, fields):
    assert not fields or set(fields.split(",")) <= answer.json().keys()
