"""Runs the gate as its users do: as a process, on a copy of the project's features."""

import atexit
import contextlib
import functools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from gate_forks import Forks
from waits import HANG_SECONDS, wait_until

from streampay_smoke.gate.verdict import Verdict, from_json
from streampay_smoke.runner.manifest import INI, write

ROOT = Path(__file__).parents[2]


def untraced() -> dict[str, str]:
    """Return the variables of this process for one whose coverage nobody needs."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """A run that ended: its exit code, what it printed, and its folder (None when it left none)."""

    code: int
    output: str
    latest: Path | None

    @property
    def folder(self) -> Path:
        assert self.latest is not None, self.output
        return self.latest

    @property
    def verdict(self) -> Verdict:
        return from_json((self.folder / "verdict.json").read_bytes())

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line)["event"] for line in (self.folder / "journal.jsonl").read_text().splitlines()]


class Project:
    """A copy of the project's features that a test may spoil; a run that takes longer than it may is killed.

    Processes whose coverage is that of other tests need not be `traced`: they take half the time.
    """

    def __init__(
        self, folder: Path, environ: Mapping[str, str], *, run_seconds: float = HANG_SECONDS, traced: bool = True
    ) -> None:
        self.folder = folder
        self.run_seconds = run_seconds
        self.features = folder / "features"
        shutil.copytree(ROOT / "features", self.features)
        shutil.copytree(ROOT / "environments", folder / "environments")
        shutil.copy(ROOT / "behave.ini", folder)
        own = os.environ if traced else untraced()
        self.environ = {**own, "HOME": str(folder), "SMOKE_REPORT": "0", **environ}

    def edit(self, name: str, old: str, new: str) -> None:
        """Change a file of the features, and accept the change."""
        self.spoil(name, old, new)
        self.accept()

    def put(self, name: str, text: str) -> None:
        """Write a file of the features, and accept the change."""
        (self.features / name).write_text(text)
        self.accept()

    def accept(self) -> None:
        """Accept the features as they are now."""
        write(self.features, self.folder / INI)

    def spoil(self, name: str, old: str, new: str) -> None:
        """Change a file of the features behind the back of the manifest."""
        path = self.features / name
        text = path.read_text()
        assert old in text, f"{old!r} is not in {name}"
        path.write_text(text.replace(old, new, 1))

    def behave(self, *arguments: str, **environ: str) -> Ran:
        done = self._done("behave", arguments, environ)
        return self.ran(done.returncode, done.stdout + done.stderr)

    def smoke(self, *arguments: str, **environ: str) -> Ran:
        done = self.answer("run", *arguments, **environ)
        return self.ran(done.returncode, done.stdout + done.stderr)

    def start(
        self, *command: str, cwd: Path | None = None, own_session: bool = False, **environ: str
    ) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=cwd or self.folder,
            env={**self.environ, **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=own_session,
        )

    def answer(self, *command: str, **environ: str) -> "subprocess.CompletedProcess[str]":
        """Have one of the other commands answer."""
        return self._done("streampay_smoke", command, environ)

    def latest(self) -> Path | None:
        link = self.folder / "artifacts" / "latest"
        return link.resolve() if link.exists() else None

    def ran(self, code: int, output: str) -> Ran:
        return Ran(code=code, output=output, latest=self.latest())

    def _done(
        self, program: str, arguments: Sequence[str], environ: Mapping[str, str]
    ) -> "subprocess.CompletedProcess[str]":
        return forks().run(
            program,
            arguments,
            folder=self.folder,
            environ={**self.environ, **environ},
            within_seconds=self.run_seconds,
        )


FORKS = contextlib.ExitStack()
"""Holds what runs the commands of every project in this process, once there is one."""

atexit.register(FORKS.close)


@functools.cache
def forks() -> Forks:
    """Return what runs the commands of every project in this process."""
    return FORKS.enter_context(Forks())


def wait_for_file(path: Path, running: "subprocess.Popen[str]") -> None:
    """Wait until a file that the process makes is there."""
    wait_until(lambda: path.exists() or running.poll() is not None, path.name)
    assert path.exists(), running.communicate()[0]
