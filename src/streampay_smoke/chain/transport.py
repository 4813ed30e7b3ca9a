"""The wire to the ledger: an answer is either proper JSON-RPC, or one ChainUnavailable before the SDK parses it.

The SDK's own clients raise bare validation errors on half of what a gateway can say, repeat POST requests, and
accept an answer to another question; none of that happens here.
"""

import json
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from stellar_sdk.client.base_sync_client import BaseSyncClient
from stellar_sdk.client.response import Response

from streampay_smoke.chain.adapter import ChainUnavailable
from streampay_smoke.chain.ledger_time import Clock
from streampay_smoke.core.secret_shapes import shortened
from streampay_smoke.evidence.addresses import host_only
from streampay_smoke.evidence.events import Awaiting, Exchanged, Recorder
from streampay_smoke.http.client import Client, NoAnswer, Reply
from streampay_smoke.http.retry_after import retry_after_seconds

NOT_REPEATED = frozenset({"sendTransaction"})
"""Methods that are never sent a second time by the transport: whoever sent them must look first."""

_LASTING = ("redirect", "tls", "untrusted", "bad request", "body", "not json-rpc", "http 4", "rpc error -326")
"""Causes that another try a moment later does not cure; all others may pass."""
_PASSING = ("http 429", "http 408", "http 425", "rpc error -32603")

_ABOUT = {
    "html": "an HTML page answered, not the RPC",
    "empty": "the answer was empty",
    "not json": "the answer was not JSON",
    "not json-rpc": "the answer was JSON, but not JSON-RPC",
    "id null": "the answer named no request",
    "id mismatch": "the answer belongs to another request",
    "no result": "the answer held no result",
    "redirect": "it redirected, and redirects are refused",
}

_NEXT_STEPS = {
    "proxy": "see to the proxy, or exempt the host from it in NO_PROXY: this says nothing of the release",
    "untrusted": "add the certificate of that authority to this machine, or name it in SSL_CERT_FILE: this says "
    "nothing of the release",
}
"""What to do about a silence that is this runner's own, by its cause."""

_SUMMARY_FIELDS = (
    "status",
    "error",
    "errorResultXdr",
    "hash",
    "ledger",
    "latestLedger",
    "passphrase",
    "minResourceFee",
)
_SUMMARY_LENGTH = 300


class RpcTransport(BaseSyncClient):
    """The SDK's client for one ledger, recorded call by call.

    Requests may be repeated, except `NOT_REPEATED`, as long as the repetition starts within `retry_seconds` of the
    first try; Retry-After is honoured. Addresses are named by host only: paths of RPC providers hold API keys.
    """

    def __init__(self, *, record: Recorder, clock: Clock, retry_seconds: float, timeout_seconds: float = 10.0) -> None:
        self._record = record
        self._clock = clock
        self._retry_seconds = retry_seconds
        self._http = Client(timeout_seconds=timeout_seconds, headers={"accept": "application/json"})
        self._purpose = ""

    @contextmanager
    def about(self, purpose: str) -> Iterator[None]:
        """Name what the calls inside are for, such as the contract's function, in their events."""
        before, self._purpose = self._purpose, purpose
        try:
            yield
        finally:
            self._purpose = before

    def post(self, url: str, data: dict[str, str] | None = None, json_data: dict[str, Any] | None = None) -> Response:
        """Call the JSON-RPC method in `json_data`; raises ChainUnavailable."""
        request = json_data or {}
        method = str(request["method"])

        def once() -> Response:
            return self._once("POST", url, method, lambda reply: _rpc_problem(reply, request["id"]), json_data=request)

        return once() if method in NOT_REPEATED else self._repeat(once)

    def call(self, url: str, method: str) -> dict[str, Any]:
        """Return the result of a method without parameters, unparsed; raises ChainUnavailable."""
        request = {"jsonrpc": "2.0", "id": f"streampay-smoke-{method}", "method": method}
        result = self.post(url, json_data=request).json()["result"]
        if not isinstance(result, dict):
            raise self._unavailable(url, method, "not json-rpc", "its result is no object")
        return result

    def get(self, url: str, params: dict[str, str] | None = None, max_content_size: int | None = None) -> Response:
        """Return friendbot's answer: success, or a refusal (400) with its reason; raises ChainUnavailable."""
        return self._repeat(lambda: self._once("GET", url, "friendbot", _friendbot_problem, params=params))

    def stream(self, url: str, params: dict[str, str] | None = None) -> Generator[dict[str, Any], None, None]:
        """Not offered: Stellar RPC has no streams."""
        raise NotImplementedError("Stellar RPC has no streams")

    def close(self) -> None:
        """Release the connection."""
        self._http.close()

    def _repeat(self, once: Callable[[], Response]) -> Response:
        ends_at = self._clock.steady() + self._retry_seconds
        backoff = 0.1
        while True:
            try:
                return once()
            except ChainUnavailable as problem:
                pause = backoff if problem.retry_after_seconds is None else problem.retry_after_seconds
                if _lasting(problem.cause) or self._clock.steady() + pause > ends_at:
                    raise
            self._clock.sleep(pause)
            backoff = min(backoff * 2, 2.0)

    def _once(
        self,
        verb: str,
        url: str,
        target: str,
        problem_of: "Callable[[Reply], tuple[str, str] | None]",
        *,
        json_data: dict[str, Any] | None = None,
        params: dict[str, str] | None = None,
    ) -> Response:
        self._record(Awaiting(peer="ledger", what=f"{verb} {target}"))
        asked = _request_summary(self._purpose, json_data, params)
        exchanged = partial(Exchanged, peer="ledger", method=verb, target=target, request=asked)
        try:
            # Not following redirects is the client's rule: a signed transaction goes nowhere it was not sent.
            reply = self._http.request(verb, url, json=json_data, params=params)
        except NoAnswer as problem:
            unavailable = self._unavailable(url, target, problem.cause, _silence(problem))
            duration_ms = round(problem.waited_seconds * 1000)
            self._record(exchanged(status=None, duration_ms=duration_ms, error=str(unavailable)))
            raise unavailable from None
        answered = partial(exchanged, status=reply.status, duration_ms=reply.duration_ms)
        found = problem_of(reply)
        if found is None:
            self._record(answered(response=_response_summary(reply.text)))
            return Response(reply.status, reply.text, dict(reply.header_items), "")
        pause = retry_after_seconds(reply.header("retry-after"), now=self._clock.wall())
        unavailable = self._unavailable(url, target, *found, status=reply.status, retry_after_seconds=pause)
        self._record(answered(response=shortened(reply.text, _SUMMARY_LENGTH), error=str(unavailable)))
        raise unavailable

    @staticmethod
    def _unavailable(
        url: str,
        target: str,
        cause: str,
        detail: str,
        *,
        status: int | None = None,
        retry_after_seconds: float | None = None,
    ) -> ChainUnavailable:
        friendbot = target == "friendbot"
        who = "friendbot" if friendbot else "the ledger's RPC"
        asked = "" if friendbot else f" to {target}"
        return ChainUnavailable(
            f"{who} at {host_only(url)} gave no usable answer{asked}: {detail}",
            cause=cause,
            status=status,
            retry_after_seconds=retry_after_seconds,
            next_step=_NEXT_STEPS.get(cause)
            or f"check {'SMOKE_STELLAR_FRIENDBOT_URL' if friendbot else 'SMOKE_STELLAR_RPC_URL'} "
            "and whether that network is up, then run again: this says nothing of the release",
        )


def _silence(problem: NoAnswer) -> str:
    """Return a silence in words: where it was is told by host beside them."""
    return str(problem).removeprefix(f"{problem.where}: ")


def _rpc_problem(reply: Reply, request_id: Any) -> tuple[str, str] | None:
    """Return why `reply` does not answer the request, as a cause and a sentence; None when it does."""
    text = reply.text.strip()
    if problem := _status_problem(reply):
        return problem
    if not text:
        return "empty", _ABOUT["empty"]
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        cause = "html" if text.startswith("<") else "not json"
        return cause, _ABOUT[cause]
    if not isinstance(answer, dict) or answer.get("jsonrpc") != "2.0" or not {"result", "error"} & answer.keys():
        return "not json-rpc", _ABOUT["not json-rpc"]
    error = answer.get("error")
    message = f": {shortened(str(error.get('message')), _SUMMARY_LENGTH)}" if isinstance(error, dict) else ""
    if answer.get("id") is None:
        return "id null", _ABOUT["id null"] + message
    if answer["id"] != request_id:
        return "id mismatch", _ABOUT["id mismatch"]
    if error is not None:
        code = error.get("code") if isinstance(error, dict) else None
        if not isinstance(code, int):
            return "not json-rpc", _ABOUT["not json-rpc"]
        return f"rpc error {code}", f"it answered with error {code}{message}"
    return ("no result", _ABOUT["no result"]) if answer.get("result") is None else None


def _friendbot_problem(reply: Reply) -> tuple[str, str] | None:
    return None if reply.status == 400 else _status_problem(reply)


def _status_problem(reply: Reply) -> tuple[str, str] | None:
    if 300 <= reply.status < 400:
        to = host_only(reply.header("location"))
        return "redirect", f"{_ABOUT['redirect']}{f' (it points at {to})' if to else ''}"
    if reply.status != 200:
        page = " (an HTML page)" if reply.text.lstrip().startswith("<") else ""
        return f"http {reply.status}", f"status {reply.status}{page}"
    return None


def _lasting(cause: str) -> bool:
    return cause.startswith(_LASTING) and not cause.startswith(_PASSING)


def _request_summary(purpose: str, json_data: dict[str, Any] | None, params: dict[str, str] | None) -> str:
    """Say what was asked: the purpose and the scalar parameters, never an envelope."""
    asked = dict((json_data or {}).get("params") or {}) | (params or {})
    scalars = {name: value for name, value in asked.items() if type(value) in (int, str) and name != "transaction"}
    words = " ".join(part for part in (purpose, json.dumps(scalars) if scalars else "") if part)
    return shortened(words, _SUMMARY_LENGTH)


def _response_summary(text: str) -> str:
    try:
        answer = json.loads(text)
    except ValueError:
        return shortened(text, _SUMMARY_LENGTH)
    result = answer.get("result", answer) if isinstance(answer, dict) else None
    if not isinstance(result, dict):
        return shortened(text, _SUMMARY_LENGTH)
    shown = {name: result[name] for name in _SUMMARY_FIELDS if result.get(name) is not None}
    counts = {name: len(value) for name, value in result.items() if isinstance(value, list)}
    return shortened(json.dumps(shown | counts), _SUMMARY_LENGTH)
