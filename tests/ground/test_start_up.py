"""Start-up is part of the product: what few runs need is not imported by all. Modules are counted, not seconds."""

import subprocess
import sys

import pytest
from suite_parts import untraced
from waits import HANG_SECONDS

from streampay_smoke.run.supervisor import RUNNER
from streampay_smoke.runner.runner import GateRunner

HEAVY = {
    "aiohttp",
    "click",
    "cryptography",
    "jinja2",
    "jwt",
    "pydantic",
    "requests",
    "rich",
    "sqlite3",
    "starlette",
    "stellar_sdk",
    "uvicorn",
}
EVERY_RUN = ("settings", "service", "evidence", "gate", "history", "acceptance", "run", "runner", "operations", "cli")

IMPORT_ALL = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for found in pkgutil.walk_packages(getattr(package, "__path__", []), package.__name__ + "."):
    importlib.import_module(found.name)
print(*sorted(set(sys.argv[2:]) & set(sys.modules)))
"""


@pytest.mark.parametrize("name", EVERY_RUN)
def test_what_every_run_imports_imports_nothing_heavy(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, f"streampay_smoke.{name}", *HEAVY],
        env=untraced(),
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG_SECONDS,
    )
    assert (done.returncode, done.stdout.split()) == (0, []), done.stderr


def test_the_supervisor_starts_behave_and_imports_neither_it_nor_a_client() -> None:
    supervisor = "streampay_smoke.run.supervisor"
    others = "streampay_smoke.run.conclude, streampay_smoke.run.decision"
    needless = {"behave", "email", "httpx", "ssl"}
    code = f"import sys, streampay_smoke.cli, {supervisor}, {others}; print(*{needless} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=untraced(),
        capture_output=True,
        text=True,
        check=True,
        timeout=HANG_SECONDS,
    )
    assert done.stdout.split() == []


def test_the_runner_that_is_named_is_the_gates() -> None:
    assert f"{GateRunner.__module__}:{GateRunner.__qualname__}" == RUNNER
