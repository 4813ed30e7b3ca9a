"""The engine is a command of yours: a list of words, never a shell, told what to do by its environment."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence

import msgspec

from streampay_smoke.core import system_facts
from streampay_smoke.core.secret_shapes import shortened
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.rollback.hook import HookFailed, Intent

TARGET = "STREAMPAY_TARGET_RELEASE"
FAILED = "STREAMPAY_FAILED_RELEASE"
DEPLOY = "STREAMPAY_DEPLOY"
ENVIRONMENT = "STREAMPAY_ENVIRONMENT"
KEY = "STREAMPAY_ROLLBACK_KEY"
"""The same for every attempt at one rollback: a command that has seen it before has nothing left to do."""

LOOK_SECONDS = 15.0
"""How long a command may take to say which release is live."""

PYTHON = "{python}"

_SHOWN = 300


class CommandSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[rollback.command]`. `live_release` prints one line, the release that is live; it may be left out.

    A command that begins with `{python}` is run by the interpreter that runs this.

    Raises ValueError for a command that is none, and for words that look like a secret: command lines are public.
    """

    roll_back: tuple[str, ...]
    live_release: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        redactor = Redactor()
        if not self.roll_back:
            raise ValueError("roll_back needs at least the program's name")
        for word in (*self.roll_back, *self.live_release):
            if not word:
                raise ValueError("a word of a command is empty")
            if redactor.text(word) != word:
                raise ValueError(
                    "a word of a command looks like a secret; let the command read it from its environment"
                )


class CommandHook:
    """Runs the commands with the environment of this process, without any `SMOKE_` variable, plus the intent."""

    def __init__(self, settings: CommandSettings, *, look_seconds: float = LOOK_SECONDS) -> None:
        self._settings = settings
        self._look_seconds = look_seconds

    def live_release(self) -> str | None:
        """Return the one line the command prints; None where there is no command, or it prints nothing."""
        if not self._settings.live_release:
            return None
        release = _run(self._settings.live_release, {}, within_seconds=self._look_seconds).strip()
        if len(release.splitlines()) > 1:
            raise HookFailed(
                f"{self._settings.live_release[0]} printed {len(release.splitlines())} lines instead of one release",
                next_step="let live_release print the live release and nothing else",
            )
        return release or None

    def roll_back(self, intent: Intent) -> str:
        """Run the command with the intent in its environment; its last line is the engine's own words."""
        given = {
            TARGET: intent.target_release,
            FAILED: intent.failed_release,
            DEPLOY: intent.deploy,
            ENVIRONMENT: intent.environment,
            KEY: intent.key,
        }
        return _last_line(_run(self._settings.roll_back, given, within_seconds=intent.deadline_seconds))


def _run(command: Sequence[str], given: Mapping[str, str], *, within_seconds: float) -> str:
    """Run a command in a process group of its own and return what it printed; raises HookFailed."""
    name = command[0]
    try:
        process = subprocess.Popen(
            [sys.executable if name == PYTHON else name, *command[1:]],
            env={**system_facts.variables(), **given},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # whoever stops the actuator does not stop an engine half-way
        )
    except OSError as error:
        raise HookFailed(
            f"{name} could not be started: {error.strerror}", next_step="correct [rollback.command]"
        ) from error
    with process:
        try:
            out, problems = process.communicate(timeout=within_seconds)
        except subprocess.TimeoutExpired:
            _end(process)
            raise HookFailed(
                f"{name} did not end within {within_seconds:g} s and was stopped",
                next_step="see what the engine waits for",
            ) from None
    if process.returncode != 0:
        line = _last_line(problems.decode(errors="replace")) or _last_line(out.decode(errors="replace"))
        raise HookFailed(
            f"{name} ended with exit code {process.returncode}{f': {line}' if line else ''}",
            next_step="see what the engine says",
        )
    return out.decode(errors="replace")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the command and whatever it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return shortened(lines[-1].strip(), _SHOWN) if lines else ""
