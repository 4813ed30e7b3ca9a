"""How a hook asks its engine: inside one deadline, again where that is safe, and never with a secret in its messages.

A hook's `roll_back` is one attempt that begins by looking, played again by `persist` until it is through: an attempt
that was cut off, refused for now or overtaken is repeated without acting twice, because the next one looks first.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.core.networks import is_loopback
from streampay_smoke.core.secret import Secret
from streampay_smoke.core.secret_shapes import shortened
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.http.client import Client, NoAnswer, Reply
from streampay_smoke.http.retry_after import retry_after_seconds
from streampay_smoke.rollback.hook import HookFailed, Intent

T = TypeVar("T")

TOKEN = "SMOKE_ROLLBACK_TOKEN"  # noqa: S105 (the variable's name)
"""The variable with the bearer token of an engine that takes one."""

LOOK_SECONDS = 15.0
"""How long an engine may take to say which release is live."""

REQUEST_SECONDS = 10.0
"""How long one request to an engine may take."""

PASSING = frozenset({408, 429, 500, 502, 503, 504})
"""Statuses that say nothing of the request itself: the same one may be answered otherwise a moment later."""

_PASSING_CAUSES = frozenset({"dns", "refused", "reset", "unreachable", "timeout"})
_FIRST_PAUSE_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 5.0
_LEAST_SECONDS = 0.5
"""With less than this left, another try would only tell that it had no time, instead of what is in the way."""
_SHOWN = 200


class NotYet(HookFailed):
    """What may be otherwise a moment later: no answer, too much at once, a change in between, an engine at work.

    `pause_seconds` is how long to wait before looking again; 0 leaves it to whoever waits.
    """

    def __init__(self, message: str, *, next_step: str = "", pause_seconds: float = 0.0) -> None:
        super().__init__(message, next_step=next_step)
        self.pause_seconds = pause_seconds


class HookClock(msgspec.Struct, frozen=True, kw_only=True):
    """How time passes, in seconds."""

    steady: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


REAL_CLOCK = HookClock()


class Deadline:
    """The time there is for everything an engine is asked in one go."""

    def __init__(self, seconds: float, clock: HookClock) -> None:
        self._seconds = seconds
        self._steady = clock.steady
        self._started = clock.steady()

    def spent_seconds(self) -> float:
        """Return what has passed of it."""
        return self._steady() - self._started

    def left_seconds(self) -> float:
        """Return what is left of it; negative when it is over."""
        return self._seconds - self.spent_seconds()


def retry_until_done(attempt: Callable[[Deadline], T], seconds: float, clock: HookClock) -> T:
    """Play `attempt` until it returns; raises what it raises, and HookFailed when the time does not reach further."""
    within = Deadline(seconds, clock)
    tries, backoff = 0, _FIRST_PAUSE_SECONDS
    while True:
        tries += 1
        try:
            return attempt(within)
        except NotYet as problem:
            pause = problem.pause_seconds or backoff
            backoff = backoff if problem.pause_seconds else min(backoff * 2, _LONGEST_PAUSE_SECONDS)
            if within.left_seconds() <= pause + _LEAST_SECONDS:
                raise HookFailed(
                    f"{problem}; given up after {tries} tr{'y' if tries == 1 else 'ies'} in "
                    f"{within.spent_seconds():.1f} s (limit {seconds:g} s)",
                    next_step=problem.next_step,
                ) from None
        clock.sleep(pause)


class EngineHook(ABC):
    """A hook whose engine is looked at, and then asked, again and again until it is done or the time is over."""

    def __init__(self, clock: HookClock) -> None:
        self._clock = clock

    def live_release(self) -> str | None:
        """Return the release the engine has as its live one, or is on its way to, None where it tells none."""
        return retry_until_done(self._look, LOOK_SECONDS, self._clock)

    def roll_back(self, intent: Intent) -> str:
        """Make the target live, inside the intent's deadline; return the engine's own words."""
        return retry_until_done(lambda within: self._attempt(intent, within), intent.deadline_seconds, self._clock)

    @abstractmethod
    def _look(self, within: Deadline) -> str | None:
        """Look once for the live release; raises NotYet where another look may tell."""

    @abstractmethod
    def _attempt(self, intent: Intent, within: Deadline) -> str:
        """Look, and ask for what is missing; raises NotYet where it has to be looked at again."""


class EngineApi:
    """An engine's HTTP interface.

    `name` names it in errors. `credentials` gives the headers that let a request through, freshly for each one, with
    the secrets in them, which no error shows. `passes` says of a refusal whether it may be otherwise a moment later.
    `next_steps` says what to do about a status, or about the kind of error that `kind_of` reads from the answer.
    """

    def __init__(
        self,
        name: str,
        client: Client,
        *,
        credentials: "Callable[[EngineRequest], Credentials]",
        next_steps: Mapping[int, str] | Mapping[str, str],
        passes: Callable[[Reply], bool] = lambda reply: reply.status in PASSING,
        kind_of: Callable[[Reply], str] = lambda reply: "",
    ) -> None:
        self.name = name
        self._client = client
        self._credentials = credentials
        self._next_steps = {str(reason): step for reason, step in next_steps.items()}
        self._kind_of = kind_of
        self._passes = passes
        self._secrets: set[str] = set()

    def read(self, path: str, shape: type[T], *, within: Deadline, params: Mapping[str, str] | None = None) -> T:
        """Return what a GET answers, as `shape`; raises as `ask` does."""
        return self.shaped(self.ask("GET", path, within=within, params=params), shape)

    def ask(
        self,
        method: str,
        path: str,
        *,
        within: Deadline,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send one request, once, and return its answer of 2xx; `body` is sent as JSON, bytes as they are.

        Raises NotYet where another attempt may do better, HookFailed where none will.
        """
        content = body if isinstance(body, bytes) or body is None else msgspec.json.encode(body)
        plain = {"accept": "application/json", **({"content-type": "application/json"} if content else {})}
        request = EngineRequest(method=method, path=path, headers={**plain, **(headers or {})}, content=content or b"")
        given = self._credentials(request)
        self._secrets.update(given.secrets)
        if within.left_seconds() <= 0:
            raise self.not_yet(
                f"there was no time left for {method} {path}",
                next_step="give the rollback more time; the same one may be run again, it acts once",
            )
        try:
            reply = self._client.request(
                method,
                path,
                headers={**request.headers, **given.headers},
                content=content,
                params=params,
                timeout_seconds=min(self._client.timeout_seconds, within.left_seconds()),
            )
        except NoAnswer as problem:
            raise self._unanswered(method, path, problem) from None
        if 200 <= reply.status < 300:
            return reply
        raise self._refused(method, path, reply)

    def shaped(self, reply: Reply, shape: type[T]) -> T:
        """Return the answer as `shape`; raises HookFailed when it is something else."""
        try:
            return msgspec.json.decode(reply.content, type=shape)
        except msgspec.DecodeError as error:
            raise HookFailed(
                f"the answer of {self.name} is not what its interface documents: {error}",
                next_step=f"see whether the settings name {self.name}, and nothing in between answers for it",
            ) from None

    def failed(self, message: str, *, next_step: str) -> HookFailed:
        """Return the error that this engine will not do it, in words without secrets."""
        return HookFailed(self._clean(f"{self.name}: {message}"), next_step=next_step)

    def not_yet(self, message: str, *, next_step: str, pause_seconds: float = 0.0) -> NotYet:
        """Return the error that this engine has not done it so far, in words without secrets."""
        return NotYet(self._clean(f"{self.name}: {message}"), next_step=next_step, pause_seconds=pause_seconds)

    def _clean(self, text: str) -> str:
        """Return the text without any secret that was sent so far."""
        redactor = Redactor()
        redactor.learn(*self._secrets)
        return redactor.text(text)

    def _unanswered(self, method: str, path: str, problem: NoAnswer) -> HookFailed:
        message = f"{method} {path} got no answer: {problem}"
        if problem.cause in _PASSING_CAUSES:
            again = "see whether it can be reached from here; the same rollback may be run again, it acts once"
            return self.not_yet(message, next_step=again)
        return self.failed(message, next_step=_NEXT_STEPS[problem.cause])

    def _refused(self, method: str, path: str, reply: Reply) -> HookFailed:
        kind = self._kind_of(reply)
        text = ": ".join(word for word in (kind, shortened(self._clean(error_message_of(reply)), _SHOWN)) if word)
        message = f"{method} {path} was answered {reply.status}{f': {text}' if text else ''}"
        if self._passes(reply):
            pause = retry_after_seconds(reply.header("retry-after")) or 0.0
            return self.not_yet(message, next_step=f"see what keeps {self.name} busy", pause_seconds=pause)
        if 300 <= reply.status < 400:
            return self.failed(message, next_step="name the address it redirects to in the settings: none is followed")
        step = self._next_steps.get(kind) or self._next_steps.get(str(reply.status)) or f"see what {self.name} says"
        return self.failed(message, next_step=step)


class EngineRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it is before credentials are added to it."""

    method: str
    path: str
    headers: Mapping[str, str]
    content: bytes


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """The headers that let a request through, and which values among them are secret."""

    headers: Mapping[str, str]
    secrets: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return "<credentials>"


def bearer(token: Secret) -> Credentials:
    """Return credentials of an OAuth 2 bearer token."""
    return Credentials(headers={"authorization": f"Bearer {token.reveal()}"}, secrets=(token.reveal(),))


def checked_address(setting: str, address: str) -> str:
    """Return the address of an engine, without a slash at its end; raises SettingsInvalid for an unsafe one."""
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        host, parts = "", urlsplit("")
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))):
        raise SettingsInvalid(
            f"[rollback] {setting} is no https address: a rollback is asked for over TLS alone, except on loopback",
            next_step=f"set {setting} to https://host[:port]/path",
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise SettingsInvalid(
            f"[rollback] {setting} has user info, a query or a fragment, where secrets end up in logs",
            next_step=f"set {setting} to https://host[:port]/path and give secrets through SMOKE_ROLLBACK_ variables",
        )
    return address.rstrip("/")


def error_message_of(reply: Reply) -> str:
    """Return an engine's own reason in one line: the message of a JSON error, "" of anything else."""
    try:
        body = msgspec.json.decode(reply.content)
    except msgspec.DecodeError:
        return ""
    if isinstance(body, dict) and isinstance(body.get("error"), dict):
        body = body["error"]
    message = (body.get("message") or body.get("Message") or body.get("error")) if isinstance(body, dict) else ""
    return " ".join(message.split()) if isinstance(message, str) else ""


_NEXT_STEPS = {
    "tls": "see who serves this address and which authority vouches for it",
    "protocol": "see what listens at this address: it does not speak HTTP",
    "too large": "see what was sent: no answer of this interface is that long",
    "bad request": "see that address and credential hold no characters HTTP does not allow",
}
