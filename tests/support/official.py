"""Schemas and validators that others publish, as packages of the registries hold them."""

import importlib
import os
from pathlib import Path
from typing import Any, NoReturn

import pytest

PACKAGES = Path(__file__).parents[1] / "interop" / "node_modules"


def package_file(name: str) -> Path:
    """Return a file of an npm package of tests/interop; without it the test is left out, but never in CI."""
    path = PACKAGES / name
    if not path.exists():
        _leave_out(f"{name} is not installed: run `npm ci` in tests/interop")
    return path


def package(name: str) -> Any:
    """Import a module of the development dependencies; without it the tests are left out, but never in CI."""
    try:
        return importlib.import_module(name)
    except ImportError:
        _leave_out(f"{name} is not installed: run scripts/test.sh")


def _leave_out(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}; in CI official schemas must be checked")
    pytest.skip(reason, allow_module_level=True)
