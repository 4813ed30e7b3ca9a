"""How soon a release that cannot pass is told."""

import contextlib
from collections.abc import Iterator, Mapping

from speed_parts.gate import ROOT, GateRun, play
from speed_parts.rows import Row
from streampay_sandbox.proxy import DisturbingProxy, ProxyBehaviour, SubstituteAnswer
from streampay_sandbox.stack import start_sandbox
from streampay_selftest.proxy_behaviours import below
from streampay_smoke.evidence.events import Checked
from streampay_smoke.settings.environment import read_environment

TOLD_SECONDS = 1.0
"""How much later than its own wait a release that cannot pass may be told."""

WITH_MILLISECONDS = "30"
"""An RPC whose ledgers carry the milliseconds at which they closed."""

NOWHERE = "http://127.0.0.1:9"
REFUSAL = '{"error":{"code":"UNAUTHORIZED","message":"no"}}'
SIGN_IN = "/api/auth/wallet"


def rows(runs: int) -> Iterator[Row]:
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
    yield Row(
        part="told",
        what="a settlement that pays too little: the last red check after the ledger that shows it",
        seconds=tuple(_red_after_ledger_seconds() for _ in range(runs)),
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


def _red_after_ledger_seconds() -> float:
    """Return how long after the newest ledger before it the slowest red check was made."""
    with start_sandbox(close_seconds=5.0, faults=("settle-pays-less",), rpc_version=WITH_MILLISECONDS) as sandbox:
        run = play(sandbox.ready_document()["env"])
        closed_at_ms = sandbox.closed_at_ms()
    red_at_ms = [entry.at_ms for entry in run.entries if isinstance(entry.event, Checked) and not entry.event.held]
    return max(at_ms - max(each for each in closed_at_ms if each <= at_ms) for at_ms in red_at_ms) / 1_000


def _sign_in_answers(status: int) -> ProxyBehaviour:
    refused = SubstituteAnswer(status=status, text=REFUSAL, content_type="application/json")
    return below(SIGN_IN, refused, method="POST")
