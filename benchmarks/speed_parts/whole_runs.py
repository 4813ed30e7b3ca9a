"""The whole smoke by how often ledgers close, and how soon a release that cannot pass is told."""

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from speed_parts.gate import ROOT, GateRun, environment, play
from speed_parts.rows import Row
from streampay_sandbox.proxy import DisturbingProxy, Forward, ProxiedRequest, ProxyBehaviour, SubstituteAnswer
from streampay_sandbox.stack import Sandbox, start_sandbox
from streampay_smoke.http.ledger_health import ask_ledger_health
from streampay_smoke.settings.environment import read_environment

CLOSES = 7
"""The most ledgers that a whole run may wait for, one after the other."""

SPARE_SECONDS = 3.0
CLOSE_SECONDS = (1.0, 5.0, 6.0)
MORE_SECONDS = 0.3
MOST_MIB = 100.0
TOLD_SECONDS = 1.0
"""How much later than its own wait a release that cannot pass may be told."""

NOWHERE = "http://127.0.0.1:9"
REFUSAL = '{"error":{"code":"UNAUTHORIZED","message":"no"}}'
SIGN_IN = "/api/auth/wallet"


def rows(runs: int, close_seconds: tuple[float, ...] = CLOSE_SECONDS) -> Iterator[Row]:
    """Yield the instant sandbox against the import of stellar-sdk, and every other one against ledger closes."""
    pairs = [(_import_seconds(), play({}, wanted="PASS").seconds) for _ in range(runs)]
    yield Row(
        part="whole run",
        what="the whole smoke, instant ledgers, sandbox included",
        seconds=tuple(seconds for _, seconds in pairs),
        base="`import stellar_sdk`, from start to exit",
        base_seconds=tuple(seconds for seconds, _ in pairs),
        target=4.0,
        most=20.0,
    )
    for close in close_seconds:
        floor: list[float] = []
        seconds = tuple(_against(close, floor) for _ in range(runs))
        target = (CLOSES * close + SPARE_SECONDS) / (CLOSES * close)
        base = f"{CLOSES} ledgers of {close:g} s"
        yield Row(
            part="whole run",
            what=f"the whole smoke, ledgers of {close:g} s",
            seconds=seconds,
            base=base,
            base_seconds=tuple(floor),
            target=target,
        )
        if close == 5.0:
            slower = tuple(_against(close, [], more_seconds=MORE_SECONDS) for _ in range(runs))
            yield Row(
                part="whole run",
                what=f"the same, each request {MORE_SECONDS * 1000:.0f} ms slower",
                seconds=slower,
                base="the same as it is",
                base_seconds=seconds,
                target=1 + 1 / 3,
            )


def memory_rows(runs: int) -> Iterator[Row]:
    """Yield the memory of a whole run and its sandbox: of a rehearsal, and of one with lanes on ledgers of 5 s."""
    rehearsals = tuple(play({}, wanted="PASS", measures_memory=True).peak_mib for _ in range(runs))
    yield _memory_row("a rehearsal: instant ledgers, the sandbox in the run's own process", rehearsals)

    def beside_its_sandbox() -> float:
        with served_sandbox(5.0) as (environ, pid):
            return play(environ, wanted="PASS", measures_memory=True, sandbox_pid=pid).peak_mib

    laned = tuple(beside_its_sandbox() for _ in range(runs))
    yield _memory_row("ledgers of 5 s: lanes beside each other, and the sandbox's process", laned)


def _memory_row(what: str, mib: tuple[float, ...]) -> Row:
    base = f"{MOST_MIB:.0f} MiB"
    return Row(part="memory", what=what, seconds=mib, base=base, base_seconds=(MOST_MIB,), target=1.0, unit="MiB")


@contextlib.contextmanager
def served_sandbox(close_seconds: float) -> Iterator[tuple[Mapping[str, str], int]]:
    """Serve a sandbox in a process of its own; gives the variables that point a run at it, and its process."""
    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder) / "ready.json"
        command = [str(Path(sys.executable).with_name("streampay-smoke")), "sandbox", "--ready-file", str(ready)]
        command += ["--close-time", f"{close_seconds:g}"]
        with subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL) as process:
            while not ready.exists() and process.poll() is None:
                time.sleep(0.05)
            try:
                yield json.loads(ready.read_text())["env"], process.pid
            finally:
                process.terminate()


def told_rows(runs: int) -> Iterator[Row]:
    """Yield how long after its own wait a release that cannot pass is told."""
    waits = read_environment(ROOT / "environments", "sandbox").service.ready_within_seconds
    cases: Mapping[str, tuple[float, tuple[str, ...], ProxyBehaviour | None, str]] = {
        "nothing listens": (waits, (), None, NOWHERE),
        "never ready": (waits, ("ready-never",), None, ""),
        "sign-in answers 401": (0.0, (), _sign_in_answers(401), ""),
        "sign-in answers 500": (0.0, (), _sign_in_answers(500), ""),
    }
    for what, (wait, faults, behaviour, elsewhere) in cases.items():
        seconds = tuple(_told(faults, behaviour, elsewhere).told_seconds - wait for _ in range(runs))
        yield Row(
            part="told",
            what=f"{what}: told after its own wait of {wait:g} s, ledgers of 5 s",
            seconds=seconds,
            base="a second",
            base_seconds=(TOLD_SECONDS,),
            target=1.0,
        )


def _told(faults: tuple[str, ...], behaviour: ProxyBehaviour | None, elsewhere: str) -> GateRun:
    with contextlib.ExitStack() as stack:
        sandbox = stack.enter_context(start_sandbox(close_seconds=5.0, faults=faults))
        environ = dict(sandbox.ready_document()["env"])
        if behaviour is not None:
            elsewhere = stack.enter_context(DisturbingProxy(sandbox.base_url, behaviour=behaviour)).url
        if elsewhere:
            environ["SMOKE_BASE_URL"] = elsewhere
        return play(environ)


def _sign_in_answers(status: int) -> ProxyBehaviour:
    def behaviour(passing: ProxiedRequest) -> Forward | SubstituteAnswer:
        if passing.path.startswith(SIGN_IN) and passing.method == "POST":
            return SubstituteAnswer(status=status, text=REFUSAL, content_type="application/json")
        return Forward()

    return behaviour


def _against(close: float, floor: list[float], *, more_seconds: float = 0.0) -> float:
    """Play a run against a new sandbox, and append to `floor` how long CLOSES ledgers take there."""
    with contextlib.ExitStack() as stack:
        sandbox = stack.enter_context(start_sandbox(close_seconds=close))
        environ = dict(sandbox.ready_document()["env"])
        if more_seconds:

            def slower(passing: ProxiedRequest) -> Forward:
                return Forward(seconds=more_seconds)

            rpc = sandbox.rpc_url.removesuffix("/rpc")
            environ["SMOKE_BASE_URL"] = stack.enter_context(DisturbingProxy(sandbox.base_url, behaviour=slower)).url
            proxy = stack.enter_context(DisturbingProxy(rpc, behaviour=slower)).url
            environ |= {"SMOKE_STELLAR_RPC_URL": f"{proxy}/rpc", "SMOKE_STELLAR_FRIENDBOT_URL": f"{proxy}/friendbot"}
        seconds = play(environ, wanted="PASS").seconds
        floor.append(_floor_seconds(sandbox, close))
    return seconds


def _floor_seconds(sandbox: Sandbox, close: float) -> float:
    """Return how long CLOSES ledgers take one after the other, as a bare client sees them."""
    began_at, first = 0.0, 0
    while True:
        health = ask_ledger_health(sandbox.rpc_url, timeout_seconds=10.0).health
        assert health is not None
        if first and health.latest_ledger > first and not began_at:
            first, began_at = health.latest_ledger, time.monotonic()
        first = first or health.latest_ledger
        if began_at and health.latest_ledger >= first + CLOSES:
            return time.monotonic() - began_at
        time.sleep(min(0.02, close / 10))


def _import_seconds() -> float:
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", "import stellar_sdk"], env=environment(), check=True)
    return time.monotonic() - began
