"""The deployment under test, as a user meets it: every call either keeps its promise or raises what went wrong."""

from collections.abc import Callable
from types import TracebackType
from typing import Self

from msgspec.structs import replace

from streampay_smoke.errors import CredentialRefused, PromiseBroken
from streampay_smoke.evidence.events import Recorder, ServiceSeen
from streampay_smoke.service.declared_network import host_of
from streampay_smoke.service.dialects import Call, Dialect, dialect_named
from streampay_smoke.service.exchange import Answer
from streampay_smoke.service.identity import Credential, SyntheticUser
from streampay_smoke.service.records import Readiness, Receipt, StreamOrder, StreamPage, StreamRecord
from streampay_smoke.service.release import ReleaseTeller, Sight, release_teller
from streampay_smoke.service.shape import body_in_words, is_one_word
from streampay_smoke.service.transport import (
    TOO_MANY_REQUESTS,
    NoServiceAnswer,
    ServiceTransport,
    Throttled,
    retry_after_seconds,
)

_GATEWAY_STATUSES = frozenset({502, 503, 504})
_UNAUTHORIZED = 401


class Deployment:
    """Typed calls to one deployment. Safe to use from several threads when the transport's recorder is.

    Any call raises ServiceUnavailable when there is no answer, or a gateway answered in the service's place;
    PromiseBroken when an answer has a wrong status or shape; CredentialRefused when a credential that the operator
    supplied gets a 401; Throttled when the rate limit asks for more patience than a run has.
    """

    def __init__(
        self,
        transport: ServiceTransport,
        dialect: Dialect,
        *,
        tell_release: ReleaseTeller | None = None,
        release_expected: str = "",
        ledger_urls: tuple[str, ...] = (),
        learn_secret: Callable[[str], None] = lambda secret: None,
    ) -> None:
        self._transport = transport
        self._dialect = dialect
        self._tell_release = tell_release or release_teller("header:x-release")
        self._release_expected = release_expected
        self._own_hosts = frozenset(host for url in ledger_urls if (host := host_of(url)))
        self._learn_secret = learn_secret
        self._csrf_token = ""
        self._credentials: dict[str, Credential] = {}

    @classmethod
    def at(
        cls,
        base_url: str,
        *,
        dialect: str,
        record: Recorder,
        timeout_seconds: float,
        learn_secret: Callable[[str], None],
        release_told_by: str = "header:x-release",
        release_expected: str = "",
        ledger_urls: tuple[str, ...] = (),
    ) -> "Deployment":
        """Return the deployment at a root URL; nothing is sent yet.

        `ledger_urls` are where this run's ledger answers: a service that names one of those hosts is on it. Raises
        SettingsInvalid for an unknown dialect or a bad `release_told_by`.
        """
        return cls(
            ServiceTransport(base_url, record=record, timeout_seconds=timeout_seconds),
            dialect_named(dialect),
            tell_release=release_teller(release_told_by),
            release_expected=release_expected,
            ledger_urls=ledger_urls,
            learn_secret=learn_secret,
        )

    def readiness(self) -> Readiness:
        """Ask once whether the service is ready, on which network and in which release; records a ServiceSeen.

        Never raises for what was answered: an answer that is not the service's own is `genuine=False`.
        """
        answer = self._send(self._dialect.readiness(), None)
        readiness = self._dialect.read_readiness(answer, own_hosts=self._own_hosts)
        if readiness.genuine:
            sight = Sight(readiness=answer, fetch=self._fetch, expected=self._release_expected)
            readiness = replace(readiness, release=self._tell_release(sight))
            self._transport.record(
                ServiceSeen(release=readiness.release, network=readiness.network, simulated=readiness.simulated)
            )
        return readiness

    def sign_in(self, user: SyntheticUser) -> Credential:
        """Return a credential for `user`: by signing a challenge in mode wallet, else the supplied one."""
        if user.mode != "wallet":
            return user.supplied_credential()
        challenge = self._challenge(user)
        answer = self._promised(self._dialect.login(user.address, challenge, user.sign(challenge)), None)
        return user.token_credential(self._dialect.read_token(answer))

    def signed_in(self, user: SyntheticUser) -> Credential:
        """Return the credential `user` got from this object before, signing in only the first time.

        Sign-ins are limited to a few per minute and caller: scenarios that are about something else share one.
        """
        if user.address not in self._credentials:
            self._credentials[user.address] = self.sign_in(user)
        return self._credentials[user.address]

    def sign_in_signing(self, user: SyntheticUser, sign: Callable[[str], str]) -> Answer:
        """Try to sign in with `sign` in place of the wallet's own signature; for checks of the refusal."""
        challenge = self._challenge(user)
        return self._raw(self._dialect.login(user.address, challenge, sign(challenge)), None)

    def streams(self, credential: Credential, *, limit: int = 20, cursor: str = "") -> StreamPage:
        """Return one page of the streams the credential's holder sees."""
        answer = self._promised(self._dialect.streams(limit=limit, cursor=cursor), credential)
        return self._dialect.read_page(answer, limit=limit)

    def refusal(self, credential: Credential) -> Answer:
        """Ask for the streams and return the answer, refused or not."""
        return self._raw(self._dialect.streams(limit=1, cursor=""), credential)

    def stream(self, credential: Credential, stream_id: str) -> StreamRecord:
        """Return one stream."""
        answer = self._promised(self._dialect.stream(stream_id), credential)
        return self._about(answer, stream_id, self._dialect.read_stream(answer))

    def stream_answer(self, credential: Credential, stream_id: str) -> Answer:
        """Ask for one stream and return the answer, refused or not."""
        return self._raw(self._dialect.stream(stream_id), credential)

    def create(self, credential: Credential, order: StreamOrder, key: str = "") -> StreamRecord:
        """Create a stream; the same key and order again must bring the same stream. Raises for another order."""
        answer = self._promised(self._dialect.create(order, key), credential)
        record = self._dialect.read_stream(answer)
        for field in ("recipient", "rate", "schedule"):
            if getattr(record, field) != getattr(order, field):
                raise PromiseBroken(
                    f"{answer.asked} created a stream whose {field} is {getattr(record, field)!r} where "
                    f"{getattr(order, field)!r} was ordered (request id {answer.request_id})",
                    next_step="see what the service stored for this request id",
                )
        return record

    def create_answer(self, credential: Credential, order: StreamOrder, key: str = "") -> Answer:
        """Ask for a stream and return the answer, refused or not."""
        return self._raw(self._dialect.create(order, key), credential)

    def start(self, credential: Credential, stream_id: str, key: str = "") -> StreamRecord:
        """Start a stream, or resume a paused one."""
        return self._moved(credential, stream_id, "start", key)

    def pause(self, credential: Credential, stream_id: str, key: str = "") -> StreamRecord:
        """Pause an active stream."""
        return self._moved(credential, stream_id, "pause", key)

    def stop(self, credential: Credential, stream_id: str, key: str = "") -> StreamRecord:
        """Stop a draft or active stream for good, unsettled."""
        return self._moved(credential, stream_id, "stop", key)

    def settle(self, credential: Credential, stream_id: str, key: str) -> Receipt:
        """Settle a stream under an idempotency key and return the receipt, first or repeated."""
        answer = self._promised(self._dialect.act(stream_id, "settle", key), credential)
        return self._dialect.read_receipt(answer)

    def act(self, credential: Credential, stream_id: str, action: str, key: str = "") -> Answer:
        """Act on a stream and return the answer, refused or not."""
        return self._raw(self._dialect.act(stream_id, action, key), credential)

    def error_code(self, answer: Answer) -> str:
        """Return the code in the service's own error envelope, "" when the body is not the service's."""
        return self._dialect.error_code(answer)

    def close(self) -> None:
        """Close kept connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _challenge(self, user: SyntheticUser) -> str:
        return self._dialect.read_challenge(self._promised(self._dialect.challenge(user.address), None))

    def _moved(self, credential: Credential, stream_id: str, action: str, key: str) -> StreamRecord:
        answer = self._promised(self._dialect.act(stream_id, action, key), credential)
        return self._about(answer, stream_id, self._dialect.read_stream(answer))

    def _about(self, answer: Answer, stream_id: str, record: StreamRecord) -> StreamRecord:
        if record.id != stream_id:
            raise PromiseBroken(
                f"{answer.asked} answered about stream {record.id!r} (request id {answer.request_id})",
                next_step="see whether streams or answers are mixed up between requests or callers",
            )
        return record

    def _fetch(self, path: str) -> Answer:
        return self._transport.send("GET", path)

    def _send(self, call: Call, credential: Credential | None) -> Answer:
        headers = {**call.headers, **(self._csrf_headers() if call.writes else {})}
        return self._transport.send(call.method, call.path, headers=headers, json=call.json, credential=credential)

    def _raw(self, call: Call, credential: Credential | None) -> Answer:
        answer = self._send(call, credential)
        self._refuse_gateway(answer)
        return answer

    def _promised(self, call: Call, credential: Credential | None) -> Answer:
        answer = self._raw(call, credential)
        if answer.status in call.statuses:
            return answer
        if answer.status == TOO_MANY_REQUESTS:
            self._refuse_haste(answer)
        if answer.status == _UNAUTHORIZED and credential is not None and credential.operator_variable:
            raise CredentialRefused(
                f"{answer.asked} refused {credential.shown_as} with 401{self._reason(answer)}",
                next_step=f"renew {credential.operator_variable}, then run again: it may simply be old",
            )
        expected = " or ".join(map(str, call.statuses))
        raise PromiseBroken(
            f"{answer.asked} answered {answer.status}, not {expected}{self._reason(answer)}",
            next_step=f"look for request id {answer.request_id} in the service's log",
        )

    def _reason(self, answer: Answer) -> str:
        """Return what an answer says for itself: its error code or kind of body, and its request id."""
        said = self._dialect.error_code(answer) or body_in_words(answer)
        target = answer.headers.get("location", "").split("?", 1)[0]
        return f": {said}{f', pointing at {target}' if target else ''} (request id {answer.request_id})"

    def _refuse_gateway(self, answer: Answer) -> None:
        if answer.status in _GATEWAY_STATUSES and not self._dialect.error_code(answer):
            raise NoServiceAnswer(
                f"{answer.asked} was answered by a gateway, not by the service: status {answer.status}, "
                f"{body_in_words(answer)} (request id {answer.request_id})",
                cause=f"http {answer.status}",
                next_step="see whether any instance of the release is up behind its gateway",
            )

    def _refuse_haste(self, answer: Answer) -> None:
        """Raise Throttled where waiting as told would outlast the run; one that outlives a wait is the product's."""
        pause = retry_after_seconds(answer.headers.get("retry-after", ""))
        if pause > self._transport.throttle_seconds:
            raise Throttled(
                f"{answer.asked} is throttled for {pause:.0f} s{self._reason(answer)}",
                next_step="wait, see who else uses this synthetic user, or raise its quota",
            )

    def _csrf_headers(self) -> dict[str, str]:
        """Return the double-submit pair, by hand: the cookie is Secure, so that no cookie jar returns it over http.

        Where the service hands out no cookie, the write goes without the pair and the service decides.
        """
        rule = self._dialect.csrf
        if rule is None:
            return {}
        if not self._csrf_token:
            self._csrf_token = _cookie(self._fetch(rule.issued_by), rule.cookie)
            self._learn_secret(self._csrf_token)
        if not self._csrf_token:
            return {}
        return {"cookie": f"{rule.cookie}={self._csrf_token}", rule.header: self._csrf_token}


def _cookie(answer: Answer, name: str) -> str:
    """Return the value of a cookie an answer sets, "" when it does not; raises PromiseBroken for an unusable one."""
    for line in answer.set_cookies:
        key, _, value = line.split(";", 1)[0].partition("=")
        if key.strip() == name:
            if not is_one_word(value.strip()):
                raise PromiseBroken(
                    f"{answer.asked} set a cookie {name} that cannot be sent back (request id {answer.request_id})",
                    next_step="see what the service hands out as this cookie",
                )
            return value.strip()
    return ""
