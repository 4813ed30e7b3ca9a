"""A fleet of the sandbox as the deployment of a pipeline: real processes, the real gate, the real actuator."""

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from engines.files import DEPLOY
from streampay_sandbox.fleet import ENGINE_VARIABLE, Fleet

ROOT = DEPLOY.parent

_LENT = ("scripts", "requirements", "src", "features", "environments", "behave.ini", "pyproject.toml")


class FleetMachine:
    """A runner with a working copy that holds what the head of a pipeline asks for, and nothing else.

    `action` is a checkout of the gate in which the lock's packages are installed already: those of this Python.
    """

    def __init__(self, folder: Path, *, rollback: str) -> None:
        self.folder = folder / "workspace"
        self.action = folder / "action"
        self.said: list[str] = []
        environments = self.folder / "environments"
        environments.mkdir(parents=True)
        (environments / "sandbox.toml").write_text(_environment(rollback))
        self.action.mkdir()
        for name in _LENT:
            (self.action / name).symlink_to(ROOT / name)
        self._install()

    def run(self, command: list[str], environ: Mapping[str, str], paths: Sequence[str] = ()) -> int:
        """Run a command with nothing of this process's variables but the path of its programs."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={"PATH": ":".join([*paths, os.environ["PATH"]]), "HOME": str(self.folder), "CI": "true", **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.said.append(done.stdout)
        return done.returncode

    @property
    def image_paths(self) -> Sequence[str]:
        """Where the program is for steps that run in the gate's image."""
        return [str(self.action / ".venv" / "bin")]

    def _install(self) -> None:
        bin_folder = self.action / ".venv" / "bin"
        bin_folder.mkdir(parents=True)
        (bin_folder / "python").symlink_to(sys.executable)
        program = bin_folder / "streampay-smoke"
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m streampay_smoke "$@"\n')
        program.chmod(0o755)
        (self.action / ".venv" / "pyvenv.cfg").touch()
        stamp = (
            ". scripts/lib.sh; packages_stamp .venv requirements/runtime.txt >.venv/.packages-stamp;"
            " project_stamp >.venv/.project-stamp; venv_ready .venv requirements/runtime.txt"
        )
        subprocess.run(["bash", "-euc", stamp], cwd=self.action, check=True)


def commands(fleet: Fleet) -> dict[str, str]:
    """Return the variables of a repository that deploy to a fleet: how is the owner's, the engine's address too."""
    engine = f"{ENGINE_VARIABLE}={fleet.engine_url} {shlex.quote(sys.executable)} -m streampay_sandbox.engine_client"
    return {
        "DEPLOY_CANDIDATE_COMMAND": f'echo "url=$({engine} preview "$RELEASE")" >>"${{GITHUB_OUTPUT:-candidate.env}}"',
        "DISCARD_CANDIDATE_COMMAND": 'echo "$RELEASE" >>discarded',
        "PROMOTE_COMMAND": f'{engine} POST "/promote?release=$RELEASE"',
        "LIVE_RELEASE_COMMAND": f"{engine} live",
        "ROLL_BACK_COMMAND": f'{engine} POST "/roll-back?release=$TARGET&key=$KEY"',
    }


def _environment(rollback: str) -> str:
    """Return the sandbox's environment with another `[rollback]`.

    What would take a minute for each run is left out: a limit on sign-ins.
    """
    text = (ROOT / "environments" / "sandbox.toml").read_text()
    before, _, rest = text.partition("[rollback]")
    lines = [line for line in before.splitlines() if not line.startswith("sign_ins_per_minute")]
    return "\n".join([*lines, rollback, rest[rest.index("[bake") :]])
