"""The whole smoke, by how often ledgers close."""

import contextlib
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

from speed_parts import replay
from speed_parts.gate import environment, play
from speed_parts.rows import Row
from streampay_sandbox.proxy import DisturbingProxy, Forward
from streampay_sandbox.stack import Sandbox, start_sandbox
from streampay_selftest.proxy_behaviours import everywhere
from streampay_smoke.http.ledger_health import ask_ledger_health

CLOSES = 7
"""The most ledgers that a whole run may wait for, one after the other."""

CLOSES_AT_P95 = 8
SPARE_SECONDS = 3.0
CLOSE_SECONDS = (1.0, 5.0, 6.0)
TARGET_CLOSE_SECONDS = (5.0, 6.0)
"""Those with a target: where ledgers close each second, the service's limits are what a run waits for."""

MORE_SECONDS = 0.3
INSTANT = "the whole smoke, instant ledgers, sandbox included"
SDK = "`import stellar_sdk`, from start to exit"


def rows(runs: int, close_seconds: tuple[float, ...] = CLOSE_SECONDS) -> Iterator[Row | str]:
    """Yield the instant sandbox against the import of stellar-sdk and a bare client, and others against their ledgers.

    Without `close_seconds` only the first of these.
    """
    pairs = [(_import_seconds(), play({}, wanted="PASS").seconds) for _ in range(runs)]
    instant = tuple(seconds for _, seconds in pairs)
    yield _row(INSTANT, instant, SDK, tuple(seconds for seconds, _ in pairs), target=4.0, most=20.0)
    if not close_seconds:
        return
    floors = [replay.floor() for _ in range(runs)]
    calls = f"its {floors[-1].calls} calls, sent again by plain httpx"
    yield _row(INSTANT, instant, calls, tuple(floor.seconds for floor in floors))
    yield (
        f"Of the {floors[-1].calls} calls sent again, {floors[-1].alike} got the status that the run got: the others "
        "change what is changed already. Where ledgers take their time, the floor is the longer of these calls and of "
        f"{CLOSES} ledgers, as a bare client sees them: calls fit between ledgers. There is no target where they "
        "close each second: a run creates 14 streams, a user may create 10 a minute, and the gate waits as it is told."
    )
    for close in close_seconds:
        yield from _by_ledgers(close, runs, calls_seconds=statistics.median(floor.seconds for floor in floors))


def _by_ledgers(close: float, runs: int, *, calls_seconds: float) -> Iterator[Row]:
    ledgers_seconds: list[float] = []
    seconds = tuple(_against(close, ledgers_seconds) for _ in range(runs))
    floor = [max(each, calls_seconds) for each in ledgers_seconds]
    what, ledgers = f"the whole smoke, ledgers of {close:g} s", f"{CLOSES} ledgers of {close:g} s"
    is_measured_by_it = close in TARGET_CLOSE_SECONDS
    median_target = (CLOSES * close + SPARE_SECONDS) / (CLOSES * close) if is_measured_by_it else None
    yield _row(what, seconds, ledgers, tuple(floor), target=median_target)
    if not is_measured_by_it:
        return
    yield _row(f"{what}: the slowest", (max(seconds),), ledgers, tuple(floor), target=CLOSES_AT_P95 / CLOSES)
    if close == min(TARGET_CLOSE_SECONDS):
        slower = tuple(_against(close, None, more_seconds=MORE_SECONDS) for _ in range(runs))
        what = f"the same, each request {MORE_SECONDS * 1000:.0f} ms slower"
        yield _row(what, slower, "the same as it is", seconds, target=1 + 1 / 3)


def _row(  # one of a whole run
    what: str,
    seconds: tuple[float, ...],
    base: str,
    base_seconds: tuple[float, ...],
    *,
    target: float | None = None,
    most: float | None = None,
) -> Row:
    return Row(
        part="whole run", what=what, seconds=seconds, base=base, base_seconds=base_seconds, target=target, most=most
    )


def _against(close: float, floor: list[float] | None, *, more_seconds: float = 0.0) -> float:
    """Play a run against a new sandbox; append to `floor`, where it is given, how long CLOSES ledgers take there."""
    with contextlib.ExitStack() as stack:
        sandbox = stack.enter_context(start_sandbox(close_seconds=close))
        environ = dict(sandbox.ready_document()["env"])
        if more_seconds:
            slower = everywhere(Forward(seconds=more_seconds))
            rpc = sandbox.rpc_url.removesuffix("/rpc")
            environ["SMOKE_BASE_URL"] = stack.enter_context(DisturbingProxy(sandbox.base_url, behaviour=slower)).url
            proxy = stack.enter_context(DisturbingProxy(rpc, behaviour=slower)).url
            environ |= {"SMOKE_STELLAR_RPC_URL": f"{proxy}/rpc", "SMOKE_STELLAR_FRIENDBOT_URL": f"{proxy}/friendbot"}
        seconds = play(environ, wanted="PASS").seconds
        if floor is not None:
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
