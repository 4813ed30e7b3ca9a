"""A CI runner's shell: the very text of a step, with the programs it names standing in for real ones."""

import os
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path

from fake_smoke import FakeSmoke

OURS = ("install-gate", "deploy-candidate", "discard-candidate", "promote")
"""Scripts the owner of a deployment writes; here they note that they were called."""


class Checkout:
    """A working copy with those scripts, in which steps run; what was called is in `calls`."""

    def __init__(self, folder: Path, fake: FakeSmoke) -> None:
        self.folder = folder
        self._fake = fake
        (folder / "ci").mkdir(parents=True)
        for name in OURS:
            script = folder / "ci" / name
            script.write_text(f'#!/bin/sh\necho "ci/{name} $*" >>"$FAKE/calls"\n')
            script.chmod(script.stat().st_mode | stat.S_IXUSR)

    @property
    def calls(self) -> list[str]:
        """Return every command line so far, ours and the gate's."""
        return self._fake.calls

    def run(self, command: list[str], environ: Mapping[str, str]) -> int:
        """Run a command of a step and return its exit code."""
        path = f"{self._fake.bin}:{os.environ['PATH']}"
        return subprocess.run(
            command,
            cwd=self.folder,
            env={"PATH": path, **self._fake.environ, **environ},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        ).returncode

    def called(self, words: str) -> bool:
        """Whether a command line that begins with these words was called."""
        return any(call == words or call.startswith(f"{words} ") for call in self.calls)
