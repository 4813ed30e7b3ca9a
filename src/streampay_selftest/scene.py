"""The scene of one run: a sandbox, the roads to it, a copy of the project and the environment the gate finds."""

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from streampay_sandbox.road import Disturbance, Proxy, undisturbed
from streampay_sandbox.stack import Sandbox
from streampay_smoke.settings.deadline import SHORTEST_SECONDS
from streampay_smoke.settings.folders import project_root

RELEASE = "sandbox"
"""What the sandbox calls its release; every run expects it, as a deploy does."""

DEADLINE_SECONDS = f"{SHORTEST_SECONDS:g}"
"""What a run has that says nothing of its own."""

INHERITED = re.compile(r"PATH|LANG|LC_\w+|TMPDIR|VIRTUAL_ENV|SSL_CERT_\w+|PYTHON\w*|COVERAGE\w*|LD_LIBRARY_PATH")
"""What a run inherits of this process's environment: nothing of a CI system that listens, nothing of an operator."""

PROJECT = ("features", "environments", "behave.ini")


class Scene:
    """Conditions change it before the gate starts; everything opened on `stack` is closed when the run is over.

    `road` leads to the deployment, `upstreams` to what stands behind it; `stable_road` to the stable release, None for
    no stable release; `rpc_road` from this runner to the ledger. `place` replaces keys of the environment
    file, `place_edits` text in it.
    `shell` is what the gate is started through. `before` is done one by one before the run, `during` beside it;
    `beside` are runs of the same gate at the same time.
    """

    def __init__(self, folder: Path, sandbox: Sandbox, stack: contextlib.ExitStack, gate: Sequence[str]) -> None:
        self.folder = folder
        self.sandbox = sandbox
        self.stack = stack
        self.gate = tuple(gate)
        self.home = folder / "home"
        self.artifacts = folder / "artifacts"
        self.environ = _inherited()
        self.environ |= sandbox.ready_document()["env"]
        self.environ |= {
            "HOME": str(self.home),
            "SMOKE_REPORT": "0",
            "SMOKE_DEADLINE_SECONDS": DEADLINE_SECONDS,
            "SMOKE_EXPECT_RELEASE": RELEASE,
        }
        self.road: Disturbance = undisturbed
        self.upstreams = [sandbox.base_url]
        self.stable_road: Disturbance | None = None
        self.rpc_road: Disturbance = undisturbed
        self.place: dict[str, object] = {}
        self.place_edits: list[tuple[str, str]] = []
        self.shell: tuple[str, ...] = ()
        self.before: list[Callable[[], None]] = []
        self.during: list[Callable[[subprocess.Popen[bytes]], None]] = []
        self.beside: list[tuple[Scene, str]] = []
        self.output: int | IO[bytes] | None = None
        self.home.mkdir(parents=True)
        for name in PROJECT:
            source = project_root() / name
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, folder / name)

    def open_roads(self) -> None:
        """Put a proxy wherever something is disturbed, and point the run at it, unless it is sent elsewhere already."""
        elsewhere = self.environ["SMOKE_BASE_URL"] != self.sandbox.base_url
        if not elsewhere and (self.road is not undisturbed or len(self.upstreams) > 1):
            self.environ["SMOKE_BASE_URL"] = self._proxy(self.road, *self.upstreams)
        if self.stable_road is not None:
            self.environ["SMOKE_BASELINE_URL"] = self._proxy(self.stable_road, self.sandbox.base_url)
        if self.rpc_road is not undisturbed:
            ledger = self.sandbox.rpc_url.removesuffix("/rpc")
            proxy = self._proxy(self.rpc_road, ledger)
            self.environ["SMOKE_STELLAR_RPC_URL"] = f"{proxy}/rpc"
            self.environ["SMOKE_STELLAR_FRIENDBOT_URL"] = f"{proxy}/friendbot"

    def write_place(self) -> None:
        """Write the environment file with what this scene has changed in it."""
        path = self.folder / "environments" / "sandbox.toml"
        text = path.read_text(encoding="utf-8")
        for name, value in self.place.items():
            text = re.sub(rf"^{name} = .*\n", "", text, flags=re.MULTILINE)
            line = f"{name} = {value}\n"
            text = line + text if name.endswith("step_seconds") else text.replace("[service]\n", f"[service]\n{line}")
        for old, new in self.place_edits:
            if old not in text:
                raise ValueError(f"{old!r} is not in {path.name}")
            text = text.replace(old, new, 1)
        path.write_text(text, encoding="utf-8")

    def start(self, tags: str) -> "subprocess.Popen[bytes]":
        """Start the gate as a user does, in a process group of its own; what it says goes to `output.txt`."""
        output = (self.folder / "output.txt").open("wb")
        self.stack.callback(output.close)
        return subprocess.Popen(
            [*self.shell, *self.gate, "--tags", tags],
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=output if self.output is None else self.output,
            stderr=output,
            start_new_session=True,
        )

    def latest(self) -> Path | None:
        """Return the folder of the newest run, None where none was left."""
        link = self.artifacts / "latest"
        return link.resolve() if link.is_symlink() else None

    def _proxy(self, disturb: Disturbance, *upstreams: str) -> str:
        return self.stack.enter_context(Proxy(*upstreams, disturb=disturb)).url


def _inherited() -> dict[str, str]:
    environ: Mapping[str, str] = os.environ
    return {name: value for name, value in environ.items() if INHERITED.fullmatch(name)}
