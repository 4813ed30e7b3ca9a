"""The setup of one run: a sandbox, the proxies before it, a copy of the project and the environment the gate finds."""

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from streampay_sandbox.proxy import DisturbingProxy, ProxyBehaviour, pass_through
from streampay_sandbox.stack import Sandbox
from streampay_smoke.settings.deadline import MOST_ROUND_TRIP_SECONDS, SHORTEST_SECONDS, derived_deadline_seconds
from streampay_smoke.settings.folders import project_root

RELEASE = "sandbox"
"""What the sandbox calls its release; every run expects it, as a deploy does."""

DEADLINE_SECONDS = f"{SHORTEST_SECONDS:g}"
"""What a run has that says nothing of its own."""

INHERITED = re.compile(r"PATH|LANG|LC_\w+|TMPDIR|VIRTUAL_ENV|SSL_CERT_\w+|PYTHON\w*|COVERAGE\w*|LD_LIBRARY_PATH")
"""What a run inherits of this process's environment: nothing of a CI system that listens, nothing of an operator."""

PROJECT = ("features", "environments", "behave.ini")


class RunSetup:
    """Conditions change it before the gate starts; everything opened on `stack` is closed when the run is over.

    `proxy` is how the proxy before the deployment behaves, `upstreams` what stands behind it; `stable_proxy` that of
    the stable release at `stable_upstream`, None for none; `rpc_proxy` that between this runner and the ledger.
    `environment_file` replaces keys of the file of `environment`, `environment_edits` text in it. `shell` is what the
    gate is started through, `command` what it is asked for, () for a run of the scenarios. `before` is done one by one
    before the run, `during` beside it;
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
        self.environment = "sandbox"
        self.proxy: ProxyBehaviour = pass_through
        self.upstreams = [sandbox.base_url]
        self.stable_proxy: ProxyBehaviour | None = None
        self.stable_upstream = sandbox.base_url
        self.rpc_proxy: ProxyBehaviour = pass_through
        self.environment_file: dict[str, object] = {}
        self.environment_edits: list[tuple[str, str]] = []
        self.shell: tuple[str, ...] = ()
        self.command: tuple[str, ...] = ()
        self.before: list[Callable[[], None]] = []
        self.during: list[Callable[[subprocess.Popen[bytes]], None]] = []
        self.beside: list[tuple[RunSetup, str]] = []
        self.output: int | IO[bytes] | None = None
        self.home.mkdir(parents=True)
        for name in PROJECT:
            source = project_root() / name
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, folder / name)

    def start_proxies(self) -> None:
        """Put a proxy wherever something is disturbed, and point the run at it, unless it is sent elsewhere already."""
        elsewhere = self.environ.get("SMOKE_BASE_URL") != self.sandbox.base_url
        if not elsewhere and (self.proxy is not pass_through or len(self.upstreams) > 1):
            self.environ["SMOKE_BASE_URL"] = self._proxy(self.proxy, *self.upstreams)
        if self.stable_proxy is not None:
            self.environ["SMOKE_BASELINE_URL"] = self._proxy(self.stable_proxy, self.stable_upstream)
        if self.rpc_proxy is not pass_through:
            ledger = self.sandbox.rpc_url.removesuffix("/rpc")
            proxy = self._proxy(self.rpc_proxy, ledger)
            self.environ["SMOKE_STELLAR_RPC_URL"] = f"{proxy}/rpc"
            self.environ["SMOKE_STELLAR_FRIENDBOT_URL"] = f"{proxy}/friendbot"

    def write_environment_file(self) -> None:
        """Write the environment file with what this setup has changed in it."""
        path = self.folder / "environments" / f"{self.environment}.toml"
        text = path.read_text(encoding="utf-8")
        for name, value in self.environment_file.items():
            text = re.sub(rf"^{name} = .*\n", "", text, flags=re.MULTILINE)
            line = f"{name} = {value}\n"
            text = line + text if name.endswith("step_seconds") else text.replace("[service]\n", f"[service]\n{line}")
        for old, new in self.environment_edits:
            if old not in text:
                raise ValueError(f"{old!r} is not in {path.name}")
            text = text.replace(old, new, 1)
        path.write_text(text, encoding="utf-8")

    def start(self, tags: str) -> "subprocess.Popen[bytes]":
        """Start the gate as a user does, in a process group of its own; what it says goes to `output.txt`."""
        output = (self.folder / "output.txt").open("wb")
        self.stack.callback(output.close)
        return subprocess.Popen(
            [*self.shell, *(self.gate[:-1] if self.command else self.gate), *(self.command or ("--tags", tags))],
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=output if self.output is None else self.output,
            stderr=output,
            start_new_session=True,
        )

    def longest_seconds(self, close_seconds: float) -> float:
        """Return how long a run may take: its deadline, or what follows from a ledger that closes so often."""
        told = self.environ.get("SMOKE_DEADLINE_SECONDS", "")
        return (
            float(told)
            if told
            else derived_deadline_seconds(
                ready_within_seconds=60.0,
                seconds_per_ledger=close_seconds,
                round_trip_seconds=MOST_ROUND_TRIP_SECONDS,
            )
        )

    def latest(self) -> Path | None:
        """Return the folder of the newest run, None where none was left."""
        link = self.artifacts / "latest"
        return link.resolve() if link.is_symlink() else None

    def _proxy(self, behaviour: ProxyBehaviour, *upstreams: str) -> str:
        return self.stack.enter_context(DisturbingProxy(*upstreams, behaviour=behaviour)).url


def _inherited() -> dict[str, str]:
    environ: Mapping[str, str] = os.environ
    return {name: value for name, value in environ.items() if INHERITED.fullmatch(name)}
