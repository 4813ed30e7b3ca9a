"""The floor of a whole run: the calls that it made, sent again by a bare client that waits for nothing between them."""

import base64
import contextlib
import threading

import msgspec

from speed_parts.calls import Call, send
from speed_parts.gate import play
from streampay_sandbox.proxy import HOP_BY_HOP, DisturbingProxy, Forward, ProxiedAnswer, ProxiedRequest
from streampay_sandbox.service.limits import INSTANT_REFILL_SECONDS, TokenBuckets
from streampay_sandbox.stack import start_sandbox


class Floor(msgspec.Struct, frozen=True, kw_only=True):
    """How long a bare client takes for a run's calls, and how many of them got the status that the run got."""

    seconds: float
    calls: int
    alike: int


class _Limits(TokenBuckets):
    """The limits of the recorded run, which has used them up: the calls are sent again without."""

    are_off = False

    def take(self, tier: str, identity: str) -> int:
        return 0 if self.are_off else super().take(tier, identity)


def floor() -> Floor:
    """Play a run on instant ledgers, and send its calls again to the same sandbox, by plain httpx in a process."""
    limits = _Limits(refill_seconds=INSTANT_REFILL_SECONDS)
    with contextlib.ExitStack() as stack:
        sandbox = stack.enter_context(start_sandbox(buckets=limits))
        recorder = _Recorder()
        rpc = sandbox.rpc_url.removesuffix("/rpc")
        service_url = stack.enter_context(recorder.before(sandbox.base_url)).url
        ledger_url = stack.enter_context(recorder.before(rpc)).url
        environ = {**sandbox.ready_document()["env"], "SMOKE_BASE_URL": service_url}
        environ |= {"SMOKE_STELLAR_RPC_URL": f"{ledger_url}/rpc"}
        environ |= {"SMOKE_STELLAR_FRIENDBOT_URL": f"{ledger_url}/friendbot"}
        play(environ, wanted="PASS")
        limits.are_off = True
        sent = send(recorder.calls)
        return Floor(seconds=sent.process_seconds, calls=len(recorder.calls), alike=sent.alike)


class _Recorder:
    """Notes the calls that pass its proxies, in the order they came."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._lock = threading.Lock()

    def before(self, upstream: str) -> DisturbingProxy:
        """Return a proxy whose calls are noted as sent to what stands behind it."""

        def behaviour(passing: ProxiedRequest) -> Forward:
            headers = {name: value for name, value in passing.headers.items() if name not in HOP_BY_HOP | {"host"}}
            body = base64.b64encode(passing.body).decode()
            call = Call(url=upstream + passing.path, method=passing.method, headers=headers, body=body)

            def answered(sent: ProxiedAnswer) -> ProxiedAnswer:
                call.status = sent.status
                return sent

            with self._lock:
                self.calls.append(call)
            return Forward(then=answered)

        return DisturbingProxy(upstream, behaviour=behaviour)
