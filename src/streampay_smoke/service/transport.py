"""The wire to the deployment under test: every request is marked as synthetic, recorded, and sent once."""

import copy
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from json import dumps
from typing import Any, ClassVar, Protocol, Self
from urllib.parse import urlsplit

from streampay_smoke.core.errors import (
    Blame,
    PromiseBroken,
    ServiceUnavailable,
    SettingsInvalid,
    SmokeError,
    UnfitAnswer,
)
from streampay_smoke.core.trace import Trace
from streampay_smoke.evidence.events import Awaiting, Exchanged, RateLimitWait, Recorder, Waited
from streampay_smoke.http.bodies import Enough
from streampay_smoke.http.client import Client, NoAnswer, Reply
from streampay_smoke.http.retry_after import retry_after_seconds
from streampay_smoke.service.exchange import TOO_MANY_REQUESTS, Answer, parsed, shown_message

SYNTHETIC_HEADERS = {"baggage": "synthetic=true", "x-streampay-synthetic": "smoke"}
"""Headers by which the service's owners can tell this traffic from a customer's."""

RELEASE_HEADER = "x-release"
SIMULATED_HEADER = "x-streampay-simulated"
REQUEST_ID_HEADER = "x-request-id"

WriteSlot = Callable[[], AbstractContextManager[None]]
"""Gives the block in which one write is sent and answered, once this run may send one more."""

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SHORTEST_PAUSE_SECONDS = 1.0

NOTHING_LISTENS = "refused"
"""The cause of a silence where the host is there and nothing listens at the port."""


class NoServiceAnswer(ServiceUnavailable):
    """The deployment gave no answer of its own.

    `cause` is a cause of `streampay_smoke.http.client.NoAnswer`, or e.g. "http 502" where a gateway answered for it.
    """

    def __init__(self, message: str, *, cause: str, next_step: str = "") -> None:
        super().__init__(message, next_step=next_step)
        self.cause = cause


class HostUnresolved(NoServiceAnswer):
    """The deployment's name does not resolve where this gate runs: the runner's trouble, not the release's."""

    kind: ClassVar[str] = "host_unresolved"
    blame: ClassVar[Blame] = Blame.HARNESS


class ProxyFailed(NoServiceAnswer):
    """The proxy this runner is to use gave no way to the deployment: the runner's trouble, not the release's."""

    kind: ClassVar[str] = "proxy_failed"
    blame: ClassVar[Blame] = Blame.HARNESS


class CertificateUntrusted(NoServiceAnswer):
    """No authority that this runner trusts vouches for the deployment's certificate: it may lack the operator's own."""

    kind: ClassVar[str] = "certificate_untrusted"
    blame: ClassVar[Blame] = Blame.CONFIG


class WriteTimedOut(NoServiceAnswer):
    """A write was taken and not answered in time: StreamPay's writes wait for the ledger."""

    kind: ClassVar[str] = "write_timed_out"


class WritePutOff(PromiseBroken):
    """The service itself answered a write with 503: not now. StreamPay's writes wait for the ledger."""

    kind: ClassVar[str] = "write_put_off"


class Throttled(SmokeError):
    """The rate limit asks for more patience than a run has: this caller, or another run beside it, used it up."""

    kind: ClassVar[str] = "throttled"
    blame: ClassVar[Blame] = Blame.HARNESS


class Authorisation(Protocol):
    """What lets a request through: the headers to add."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Header names and values; secret."""


class ServiceTransport(AbstractContextManager["ServiceTransport"]):
    """Sends requests to one deployment and records each exchange.

    A 429 is waited out as its Retry-After says while `throttle_seconds` per request last, or, where it is given, while
    `patience` returns enough seconds; then it is returned like any other answer. Nothing else is ever sent twice here.
    `headers` go with every request: what leads it to one of several releases behind an address.
    `write_slot` is held while a write is sent and answered. `release_header` names the release of an answer, "" for a
    deployment that tells it another way. Safe to use from several threads when `record` is.
    """

    def __init__(
        self,
        base_url: str,
        *,
        record: Recorder,
        timeout_seconds: float,
        throttle_seconds: float = 30.0,
        patience: Callable[[], float] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        trace: Trace | None = None,
        release_header: str = RELEASE_HEADER,
        write_slot: WriteSlot = nullcontext,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.base_url = base_url
        self._release_header = release_header
        self.record = record
        self._throttle_seconds = throttle_seconds
        self._patience = patience
        self._sleep = sleep
        self._trace = trace or Trace.fresh()
        self._write_slot = write_slot
        self._served_as_asked = False  # once it was, a redirect to https is the release's own doing
        self._headers = {**SYNTHETIC_HEADERS, **(headers or {})}
        self._client = Client(base_url=base_url, timeout_seconds=timeout_seconds, headers=self._headers)

    def send(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        credential: Authorisation | None = None,
        purpose: str = "",
        enough: Enough | None = None,
    ) -> Answer:
        """Send one request and return the answer, whatever its status; `purpose` is recorded with it.

        A body is read as far as `enough` asks for, to its end without it.

        Raises ServiceUnavailable (as NoServiceAnswer with `cause`, or what this runner is in the way by) when there is
        none, and SettingsInvalid when the request cannot be written as HTTP, or the whole host is served by https only.
        """
        given = {**(headers or {}), **(credential.headers if credential else {})}
        waited, attempts, within_seconds = 0.0, 1, self._patience_seconds(0.0)
        answer = self._send_once(method, path, given, json, purpose, enough)
        while answer.status == TOO_MANY_REQUESTS:
            pause = pause_seconds(answer)
            if pause > self._patience_seconds(waited):
                break
            self.record(Awaiting(what=f"the rate limit to let {method} {path} through"))
            self.record(RateLimitWait(seconds=pause))
            self._sleep(pause)
            waited, attempts = waited + pause, attempts + 1
            answer = self._send_once(method, path, given, json, purpose, enough)
        if attempts > 1 or answer.status == TOO_MANY_REQUESTS:
            self.record(
                Waited(
                    what=f"the rate limit to let {method} {path} through",
                    met=answer.status != TOO_MANY_REQUESTS,
                    within_seconds=round(within_seconds, 3),
                    waited_seconds=waited,
                    attempts=attempts,
                    last=f"status {answer.status}, Retry-After {answer.headers.get('retry-after', 'not given')!r}",
                )
            )
        return answer

    def _patience_seconds(self, waited_seconds: float) -> float:
        return self._patience() if self._patience else self._throttle_seconds - waited_seconds

    def _send_once(
        self, method: str, path: str, given: Mapping[str, str], json: Any, purpose: str, enough: Enough | None
    ) -> Answer:
        headers = {
            REQUEST_ID_HEADER: f"smoke-{secrets.token_hex(16)}",
            **self._trace.headers(),
            "accept": "application/json",
            **given,
        }
        body = None
        if json is not None:
            body = dumps(json, ensure_ascii=False, separators=(",", ":")).encode()
            headers = {"content-type": "application/json", **headers}
        sent = shown_message(f"{method} {path}", headers.items(), (body or b"").decode())
        try:
            with self._write_slot() if method not in _READS else nullcontext():
                self.record(Awaiting(peer="service", what=f"{method} {path}"))
                reply = self._client.request(method, path, headers=headers, content=body, enough=enough)
        except NoAnswer as problem:
            self.record(
                Exchanged(
                    peer="service",
                    method=method,
                    target=path,
                    status=None,
                    duration_ms=round(problem.waited_seconds * 1000),
                    request=sent,
                    error=str(problem),
                    request_id=headers[REQUEST_ID_HEADER],
                    purpose=purpose,
                )
            )
            asked = f"{method} {path}"
            raise _unavailable(asked, problem).about(UnfitAnswer(asked=asked)) from None
        answer = _answer(method, path, reply, headers[REQUEST_ID_HEADER], self._release_header)
        moved_to = https_address(self.base_url, path, answer)
        self.record(
            Exchanged(
                peer="service",
                method=method,
                target=path,
                status=answer.status,
                duration_ms=answer.duration_ms,
                request=sent,
                response=shown_message(f"HTTP {answer.status}", reply.header_items, answer.body_text),
                request_id=answer.request_id,
                release=answer.release,
                purpose=purpose,
                opened_connection=reply.opened_connection,
                cpu_wait_ms=reply.cpu_wait_ms,
            )
        )
        if moved_to and not self._served_as_asked:
            raise SettingsInvalid(
                f"{self.base_url} sends everybody to https: {method} {path} is redirected to {moved_to}{path}",
                next_step=f"set SMOKE_BASE_URL (--base-url) to {moved_to}",
            )
        self._served_as_asked = True
        return answer

    def fresh(self, address: str = "") -> Self:
        """Return the same wire over connections of its own, to one IP address of the host where one is given."""
        fresh = copy.copy(self)
        fresh._client = Client(
            base_url=self.base_url,
            timeout_seconds=self._client.timeout_seconds,
            headers=self._headers,
            address=address,
        )
        return fresh

    def close(self) -> None:
        """Close kept connections."""
        self._client.close()

    def __exit__(self, *error: object) -> None:
        self.close()


def https_address(base_url: str, path: str, answer: Answer) -> str:
    """Return the https address of a plain http one that an answer redirects to on the same host and path, or ""."""
    base = urlsplit(base_url)
    if base.scheme != "http" or answer.status not in _REDIRECTS:
        return ""
    try:
        target = urlsplit(answer.headers.get("location", ""))
        same = target.scheme == "https" and target.hostname == base.hostname
    except ValueError:
        return ""
    asked = f"{base.path}{path.partition('?')[0]}"
    return f"https://{target.netloc}{base.path}" if same and target.path == asked else ""


def pause_seconds(throttled: Answer) -> float:
    """Return the seconds that a 429 asks to wait; at least 1, so as not to hammer."""
    return max(retry_after_seconds(throttled.headers.get("retry-after", "")) or 0.0, _SHORTEST_PAUSE_SECONDS)


def _answer(method: str, path: str, reply: Reply, sent_request_id: str, release_header: str) -> Answer:
    headers = {name: reply.header(name) for name, _ in reply.header_items}
    return Answer(
        method=method,
        path=path,
        status=reply.status,
        headers=headers,
        body_text=reply.text,
        json=parsed(reply.text),
        request_id=headers.get(REQUEST_ID_HEADER, "") or sent_request_id,
        release=headers.get(release_header, ""),
        simulated=headers.get(SIMULATED_HEADER, "") not in {"", "false"},
        duration_ms=reply.duration_ms,
        set_cookies=reply.header_values("set-cookie"),
        received_at=time.time(),
    )


def _unavailable(asked: str, problem: NoAnswer) -> SmokeError:
    parts = urlsplit(problem.where)  # its path is told already
    message = f"{asked} got no answer: {problem.told}, at {parts.scheme}://{parts.netloc}"
    if problem.cause == "bad request":
        return SettingsInvalid(
            f"{asked} could not be sent: {problem}",
            next_step="check SMOKE_BASE_URL and the credential for characters that HTTP does not allow",
        )
    if problem.cause == "dns":
        return HostUnresolved(
            message, cause=problem.cause, next_step="check SMOKE_BASE_URL and the name resolution of this runner"
        )
    if problem.cause == "proxy":
        return ProxyFailed(
            message,
            cause=problem.cause,
            next_step="see to the proxy, or exempt the host from it in NO_PROXY: this says nothing of the release",
        )
    if problem.cause == "untrusted":
        return CertificateUntrusted(
            message,
            cause=problem.cause,
            next_step="add the certificate of your authority to this machine, or name it in SSL_CERT_FILE; where the "
            "deployment should have a public certificate, see which one it shows, and whether its chain is whole",
        )
    silent = WriteTimedOut if problem.cause == "timeout" and asked.startswith("POST ") else NoServiceAnswer
    return silent(message, cause=problem.cause, next_step=_NEXT_STEPS[problem.cause])


_NEXT_STEPS = {
    NOTHING_LISTENS: "see whether the new release started at all, and listens on this port; a mistyped port in "
    "SMOKE_BASE_URL looks the same, and is told apart only where the expected release answers at another port",
    "reset": "see whether the service or its gateway crashed on this request",
    "unreachable": "see whether the deployment is reachable from this runner",
    "timeout": "see what the service was waiting for: its database, the ledger, its key store",
    "tls": "see who serves this name, and whether its certificate is for it and still valid",
    "protocol": "see what listens on this address: it does not speak HTTP",
    "body": "see which gateway or middleware sets Content-Encoding, and whether it sends bodies whole",
    "too large": "see what the service sent: no answer of StreamPay is this long",
}
