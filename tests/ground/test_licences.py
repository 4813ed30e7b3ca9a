"""Every package that a run installs has a licence that is allowed, and the page lists it."""

import importlib.util
from email.message import Message
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(name="licences", scope="module")
def the_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("licences", ROOT / "scripts/licences.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def about(**fields: str) -> Message:
    told = Message()
    for name, value in fields.items():
        told[name.replace("_", "-")] = value
    return told


def test_the_page_is_of_the_lock_and_every_licence_is_allowed(
    licences: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert licences.main([]) == 0, capsys.readouterr().out
    assert {"behave", "httpx", "stellar-sdk"} <= licences.licences().keys()


@pytest.mark.parametrize(
    ("told", "licence", "is_allowed"),
    [
        (about(License_Expression="Apache-2.0 OR GPL-3.0-only"), "Apache-2.0 OR GPL-3.0-only", True),
        (about(License_Expression="MIT AND GPL-3.0-only"), "MIT AND GPL-3.0-only", False),
        (about(License="BSD-3-Clause"), "BSD-3-Clause", True),
        (about(License="MIT License"), "MIT", True),
        (about(Classifier="License :: OSI Approved :: BSD License"), "BSD", True),
        (about(Classifier="License :: OSI Approved :: GNU Affero General Public License v3"), "unknown", False),
        (about(Name="silent"), "unknown", False),
    ],
)
def test_a_licence_is_read_and_judged(licences: ModuleType, told: Message, licence: str, is_allowed: bool) -> None:
    assert licences.licence_of(told) == licence
    assert licences.allowed(licence) is is_allowed


def test_a_licence_nobody_allowed_and_a_stale_page_are_named(licences: ModuleType) -> None:
    found = {"good": "MIT", "bad": "AGPL-3.0-only"}
    assert list(licences.problems(found, licences.page({"good": "MIT"}))) == [
        "bad has the licence 'AGPL-3.0-only', which is not allowed: take another, or allow it",
        "docs/licences.md is out of date; run scripts/licences.py --write",
    ]
