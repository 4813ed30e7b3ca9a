"""A CI runner's shell: the very text of a step, with the programs it names standing in for real ones."""

import os
import stat
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from fake_smoke import FakeSmoke

OURS = ("deploy-candidate", "discard-candidate", "promote", "live", "roll-back")
"""Scripts the owner of a deployment writes; here they note that they were called."""

COMMANDS = {
    "DEPLOY_CANDIDATE_COMMAND": 'ci/deploy-candidate "$RELEASE"',
    "DISCARD_CANDIDATE_COMMAND": 'ci/discard-candidate "$RELEASE"',
    "PROMOTE_COMMAND": 'ci/promote "$RELEASE"',
    "LIVE_RELEASE_COMMAND": "ci/live",
    "ROLL_BACK_COMMAND": 'ci/roll-back "$TARGET" "$FAILED" "$KEY"',
}
"""The variables of a repository that call them."""

_SCRIPT = """#!/bin/sh
echo "ci/{name} $*" >>"$FAKE/calls"
"""
_LIVE = """#!/bin/sh
cat "$FAKE/live"
"""
_ROLL_BACK = """#!/bin/sh
echo "ci/roll-back $*" >>"$FAKE/calls"
printf %s "$1" >"$FAKE/live"
"""


class Checkout:
    """A working copy with those scripts, in which steps run; what was called is in `calls`.

    `action` is a checkout of the gate whose installation is done: it brings the fake program.
    """

    def __init__(self, folder: Path, fake: FakeSmoke) -> None:
        self.folder = folder
        self._fake = fake
        (folder / "ci").mkdir(parents=True)
        for name in OURS:
            script = folder / "ci" / name
            script.write_text({"live": _LIVE, "roll-back": _ROLL_BACK}.get(name, _SCRIPT.format(name=name)))
            script.chmod(script.stat().st_mode | stat.S_IXUSR)
        self.action = folder.with_name(f"{folder.name}-action")
        (self.action / "scripts").mkdir(parents=True)
        (self.action / "scripts" / "lib.sh").write_text('ensure_venv() { [ -d "$1" ] && [ -n "$2" ]; }\n')
        (self.action / ".venv").mkdir()
        (self.action / ".venv" / "bin").symlink_to(fake.bin)

    @property
    def calls(self) -> list[str]:
        """Return every command line so far, ours and the gate's."""
        return self._fake.calls

    @property
    def image_paths(self) -> Sequence[str]:
        """Where the program is for steps that run in the gate's image."""
        return [str(self._fake.bin)]

    def run(self, command: list[str], environ: Mapping[str, str], paths: Sequence[str] = ()) -> int:
        """Run a command of a step and return its exit code."""
        return self.answer(command, environ, paths).returncode

    def answer(
        self, command: list[str], environ: Mapping[str, str], paths: Sequence[str] = (), given: bytes = b""
    ) -> "subprocess.CompletedProcess[bytes]":
        """Run a command with `given` as its standard input, and return what it said and its exit code."""
        path = ":".join([*paths, os.environ["PATH"]])
        return subprocess.run(
            command,
            cwd=self.folder,
            env={"PATH": path, **self._fake.environ, **environ},
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=False,
        )

    def called(self, words: str) -> bool:
        """Whether a command line that begins with these words was called."""
        return any(call == words or call.startswith(f"{words} ") for call in self.calls)
