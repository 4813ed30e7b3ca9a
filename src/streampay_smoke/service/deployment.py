"""The deployment under test, as a user meets it: every call either keeps its promise or raises what went wrong."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from streampay_smoke.errors import CredentialRefused, GuardRefused, PromiseBroken
from streampay_smoke.evidence.events import Recorder, ServiceSeen
from streampay_smoke.lifetimes import Closes
from streampay_smoke.service.cutover import WAITED_OUT, Cutover
from streampay_smoke.service.declared_network import PUBLIC, host_of
from streampay_smoke.service.dialects import SIGN_IN, Call, Dialect, Doors, dialect_named
from streampay_smoke.service.exchange import Answer
from streampay_smoke.service.identity import Credential, SyntheticUser
from streampay_smoke.service.marks import Mark
from streampay_smoke.service.records import Readiness, Receipt, StreamOrder, StreamPage, StreamRecord, Withdrawal
from streampay_smoke.service.release import ReleaseTeller, Sight, header_of, release_teller
from streampay_smoke.service.replay import SILENCE, Asked, Impression, Look
from streampay_smoke.service.shape import body_in_words, is_one_word
from streampay_smoke.service.trace import Trace
from streampay_smoke.service.transport import (
    TOO_MANY_REQUESTS,
    NoServiceAnswer,
    ServiceTransport,
    Throttled,
    WritePutOff,
    retry_after_seconds,
)

_GATEWAY_STATUSES = frozenset({502, 503, 504})
_UNAUTHORIZED = 401
_UNAVAILABLE = 503
_REFUSALS = (401, 403, 404)


class Deployment(Closes):
    """Typed calls to one deployment. Safe to use from several threads when the transport's recorder is.

    Any call raises ServiceUnavailable when there is no answer, or a gateway answered in the service's place;
    PromiseBroken when an answer has a wrong status or shape; CredentialRefused when a credential that the operator
    supplied gets a 401; Throttled when the rate limit asks for more patience than a run has, or turns away somebody
    who was to be refused: haste says nothing of doors. Silence in answer to a
    request that may be sent again is waited out as `cutover` allows. `last_asked` is the request sent last, and how
    it was answered; `last_headers` are those of the last answer.

    A service that named the public network even once, over whatever connection, is written to no more, sign-ins
    apart: any such call raises GuardRefused.
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
        cutover: Cutover | None = None,
    ) -> None:
        self.last_asked: Asked | None = None
        self.last_headers: dict[str, str] = {}
        self._cutover = cutover or Cutover(0.0, transport.record)
        self._transport = transport
        self._dialect = dialect
        self._tell_release = tell_release or release_teller("header:x-release")
        self._release_expected = release_expected
        self._own_hosts = frozenset(host for url in ledger_urls if (host := host_of(url)))
        self._learn_secret = learn_secret
        self._csrf_token = ""
        self._networks_named: set[str] = set()  # one for all connections: what a replica says counts for all
        self._credentials: dict[str, Credential] = {}
        self._logins: dict[str, Call] = {}

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
        trace: Trace | None = None,
        throttle_seconds: float = 30.0,
        cutover: Cutover | None = None,
    ) -> "Deployment":
        """Return the deployment at a root URL; nothing is sent yet.

        `ledger_urls` are where this run's ledger answers: a service that names one of those hosts is on it. Requests
        are spans of `trace`, by default of one of their own. Raises
        SettingsInvalid for an unknown dialect or a bad `release_told_by`.
        """
        return cls(
            ServiceTransport(
                base_url,
                record=record,
                timeout_seconds=timeout_seconds,
                throttle_seconds=throttle_seconds,
                trace=trace,
                release_header=header_of(release_told_by),
            ),
            dialect_named(dialect),
            tell_release=release_teller(release_told_by),
            release_expected=release_expected,
            ledger_urls=ledger_urls,
            learn_secret=learn_secret,
            cutover=cutover,
        )

    @property
    def doors(self) -> Doors:
        """What callers ask of this deployment who have no right to it."""
        return self._dialect.doors

    def readiness(self) -> Readiness:
        """Ask once whether the service is ready, on which network and in which release; records a ServiceSeen.

        Never raises for what was answered: an answer that is not the service's own is `genuine=False`.
        """
        answer = self._send(self._dialect.readiness(), None, self._look_at_readiness)
        readiness = self._dialect.read_readiness(answer, own_hosts=self._own_hosts)
        self._networks_named.add(readiness.network)
        if readiness.genuine:
            sight = Sight(readiness=answer, fetch=self._fetch, expected=self._release_expected)
            readiness = replace(
                readiness, release=self._tell_release(sight), clock_ahead_seconds=answer.clock_ahead_seconds
            )
            self._transport.record(
                ServiceSeen(release=readiness.release, network=readiness.network, simulated=readiness.simulated)
            )
        return readiness

    def look_again(self) -> Readiness:
        """Ask as `readiness` does, with a cutover waited out; raises NoServiceAnswer when only silence is left."""

        def ask() -> Readiness:
            readiness = self.readiness()
            if not readiness.genuine and readiness.status_code in _GATEWAY_STATUSES:
                raise NoServiceAnswer(
                    f"{self._dialect.readiness().path}: {readiness.in_words}", cause=f"http {readiness.status_code}"
                )
            return readiness

        return self._cutover.through(f"GET {self._dialect.readiness().path}", ask)

    def replayed(self, asked: Asked, credential: Credential | None) -> Impression:
        """Send a request that reads once more, here and once, and return how its answer looks.

        Raises NoServiceAnswer for a silence that tells nothing of the deployment: a name that does not resolve, a
        time-out.
        """
        try:
            return asked.look(self._send(asked.call, credential, asked.look))
        except NoServiceAnswer as problem:
            if problem.cause in WAITED_OUT:
                return SILENCE
            raise

    def readiness_impression(self) -> Impression:
        """Ask for readiness once and return how the answer looks."""
        return self.replayed(Asked(call=self._dialect.readiness(), credential=None, look=self._look_at_readiness), None)

    def sign_in(self, user: SyntheticUser) -> Credential:
        """Return a credential for `user`: by signing a challenge in mode wallet, else the supplied one.

        A sign-in moves nothing: one that met with silence is begun anew, as far as the cutover allows.
        """
        if user.mode != "wallet":
            return user.supplied_credential()
        return self._cutover.through("the sign-in", lambda: self._signed_in_by_wallet(user))

    def _signed_in_by_wallet(self, user: SyntheticUser) -> Credential:
        challenge = self._challenge(user)
        login = self._dialect.login(user.address, challenge, user.sign(challenge))
        answer = self._promised(login, None)
        self._logins[user.address] = login
        return user.token_credential(self._dialect.read_token(answer))

    def signed_in(self, user: SyntheticUser) -> Credential:
        """Return the credential `user` got from this object before, signing in only the first time.

        Sign-ins are limited to a few per minute and caller: scenarios that are about something else share one.
        """
        if user.address not in self._credentials:
            self._credentials[user.address] = self.sign_in(user)
        return self._credentials[user.address]

    def sign_in_signing(
        self, user: SyntheticUser, sign: Callable[[str], str], *, answering: Callable[[str], str] = str
    ) -> Answer:
        """Try to sign in with `sign` in place of the wallet's own signature; for checks of the refusal.

        What is signed and sent is the challenge that `answering` makes of the one that was given. Where none is
        given, that is the answer.
        """
        asked = self._dialect.challenge(user.address)
        given = self._told(asked, None)
        if given.status not in asked.statuses:
            return given
        challenge = answering(self._dialect.read_challenge(given))
        return self._told(self._dialect.login(user.address, challenge, sign(challenge)), None)

    def sign_in_again(self, user: SyntheticUser) -> Answer:
        """Send the sign-in that let `user` in once more, word for word; for checks of the refusal."""
        return self._told(self._logins[user.address], None)

    def streams(self, credential: Credential, *, limit: int = 20, cursor: str = "") -> StreamPage:
        """Return one page of the streams the credential's holder sees."""
        call = self._dialect.streams(limit=limit, cursor=cursor)

        def read(answer: Answer) -> StreamPage:
            return self._dialect.read_page(answer, limit=limit)

        return read(self._promised(call, credential, read))

    def newer_streams(self, credential: Credential, *, limit: int = 20, cursor: str = "") -> StreamPage:
        """Return one page of the streams the credential's holder sees, in the newer form of the API."""
        call = self._dialect.newer_streams(limit=limit, cursor=cursor)

        def read(answer: Answer) -> StreamPage:
            return self._dialect.read_newer_page(answer, limit=limit)

        return read(self._promised(call, credential, read))

    def refusal(self, credential: Credential) -> Answer:
        """Ask for the streams and return the answer, refused or not."""
        return self._told(replace(self._dialect.streams(limit=1, cursor=""), statuses=_REFUSALS), credential)

    def streams_answer(self, credential: Credential) -> Answer:
        """Ask for the first stream, once, and return the answer. Raises only for silence and an old credential."""
        call = self._dialect.streams(limit=1, cursor="")
        answer = self._send(call, credential, lambda answer: self._look(call, answer, lambda answer: None))
        self._refuse_old(answer, credential)
        return answer

    def refuse_haste(self, answer: Answer) -> None:
        """Raise Throttled for a 429 whose wait would outlast the run; one that outlives a wait is the product's."""
        if answer.status != TOO_MANY_REQUESTS:
            return
        pause = retry_after_seconds(answer.headers.get("retry-after", ""))
        if pause > self._transport.throttle_seconds:
            raise Throttled(
                f"{answer.asked} is throttled for {pause:.0f} s{self._reason(answer)}",
                next_step="wait, see who else uses this synthetic user, or raise its quota",
            )

    def stream(self, credential: Credential, stream_id: str) -> StreamRecord:
        """Return one stream."""
        answer = self._promised(self._dialect.stream(stream_id), credential, self._dialect.read_stream)
        return self._about(answer, stream_id, self._dialect.read_stream(answer))

    def stream_answer(self, credential: Credential, stream_id: str) -> Answer:
        """Ask for one stream and return the answer, refused or not; raises CredentialRefused for an old credential."""
        answer = self._told(replace(self._dialect.stream(stream_id), statuses=_REFUSALS), credential)
        self._refuse_old(answer, credential)
        return answer

    def create(self, credential: Credential, order: StreamOrder, key: str = "") -> StreamRecord:
        """Create a stream; the same key and order again must bring the same stream. Raises for another order."""
        return self._created(self._dialect.create(order, key), credential, order)

    def newer_create(self, credential: Credential, order: StreamOrder, key: str = "") -> StreamRecord:
        """Create a stream in the newer form of the API; raises as `create`."""
        return self._created(self._dialect.newer_create(order, key), credential, order)

    def newer_create_answer(self, credential: Credential, order: StreamOrder, key: str = "") -> Answer:
        """Ask for a stream in the newer form and return the answer, refused or not."""
        return self._told(self._dialect.newer_create(order, key), credential)

    def _created(self, call: Call, credential: Credential, order: StreamOrder) -> StreamRecord:
        answer = self._promised(call, credential)
        record = self._dialect.read_stream(answer)
        for field in ("recipient", "rate", "schedule"):
            if getattr(record, field) != getattr(order, field):
                raise PromiseBroken(
                    f"{answer.asked} created a stream whose {field} is {getattr(record, field)!r} where "
                    f"{getattr(order, field)!r} was ordered (request id {answer.request_id})",
                    next_step="see what the service stored for this request id",
                )
        return record

    def create_answer(
        self, credential: Credential, order: StreamOrder, key: str = "", claims: Mapping[str, Any] | None = None
    ) -> Answer:
        """Ask for a stream and return the answer, refused or not; `claims` are further fields of the order."""
        call = self._dialect.create(order, key)
        return self._told(replace(call, json={**call.json, **(claims or {})}), credential)

    def created_by(self, answer: Answer) -> StreamRecord | None:
        """Return the stream that an answer to a creation made, None where it made none."""
        return self._dialect.read_stream(answer) if 200 <= answer.status < 300 else None

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

    def receipt(self, answer: Answer) -> Receipt:
        """Read the receipt in an answer to "settle"; raises PromiseBroken for one that holds none."""
        return self._dialect.read_receipt(answer)

    def withdraw(self, credential: Credential, stream_id: str, key: str) -> Withdrawal:
        """Withdraw what was settled, under an idempotency key, and return how far that is."""
        answer = self._promised(self._dialect.act(stream_id, "withdraw", key), credential)
        return self._dialect.read_withdrawal(answer)

    def alive_answer(self) -> Answer:
        """Ask whether the service is alive and return the answer; a gateway's silence is waited out."""
        return self._told(self._dialect.alive(), None)

    def index_cursor(self) -> int:
        """Return the ledger that the service's index of the ledger has reached."""
        return self._dialect.read_index_cursor(self._promised(self._dialect.index_status(), None))

    def metrics_answer(self, credential: Credential | None) -> Answer:
        """Ask for the service's figures and return the answer, refused or not."""
        return self._raw(self._dialect.metrics(), credential)

    def act(self, credential: Credential, stream_id: str, action: str, key: str = "") -> Answer:
        """Act on a stream and return the answer, refused or not."""
        return self._told(self._dialect.act(stream_id, action, key), credential)

    def knock(
        self, call: Call, credential: Credential | None = None, *, proof: Mapping[str, str] | None = None
    ) -> Answer:
        """Send one of the `doors` and return the answer, refused or not.

        `proof` replaces the headers by which a write shows that it comes from the app's own page.
        """
        answer = self._told(call, credential, proof=proof)
        if _UNAUTHORIZED not in call.statuses:
            self._refuse_old(answer, credential)
        return answer

    def page_proof(self) -> dict[str, str]:
        """Return the headers by which a write shows that it comes from the app's own page; none where none is given."""
        return self._csrf_headers()

    def mark(self, credential: Credential, stream_id: str, mark: Mark) -> bool:
        """Write a mark on a stream; False where the service has no place for it. Raises only for silence."""
        call = self._dialect.mark(stream_id, mark)
        return call is not None and self._raw(call, credential).status in call.statuses

    def mark_of(self, credential: Credential, stream_id: str) -> Mark | None:
        """Return the mark on a stream, None where it carries none. Raises only for silence."""
        return self._dialect.read_mark(self._raw(self._dialect.stream(stream_id), credential))

    def error_code(self, answer: Answer) -> str:
        """Return the code in the service's own error envelope, "" when the body is not the service's."""
        return self._dialect.error_code(answer)

    def close(self) -> None:
        """Close kept connections."""
        self._transport.close()

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

    def _fetch_patiently(self, path: str) -> Answer:
        def fetch() -> Answer:
            answer = self._fetch(path)
            self._refuse_gateway(answer)
            return answer

        return self._cutover.through(f"GET {path}", fetch)

    def fresh(self) -> "Deployment":
        """Return the same deployment over connections of its own: kept ones stick to one replica."""
        fresh = copy.copy(self)
        fresh._transport = self._transport.fresh()
        return fresh

    def _send(
        self, call: Call, credential: Credential | None, look: Look, proof: Mapping[str, str] | None = None
    ) -> Answer:
        if PUBLIC in self._networks_named and call.writes and call.purpose != SIGN_IN:
            raise GuardRefused(
                f"the service named the public network: {call.method} {call.path} is not sent to it",
                next_step="point the gate at a deployment on a test network, and see why its replicas disagree",
            )
        if proof is None:
            proof = self._csrf_headers() if call.writes else {}
        headers = {**call.headers, **proof}
        asked = self.last_asked = Asked(call=call, credential=credential, look=look)
        answer = self._transport.send(
            call.method,
            call.path,
            headers=headers,
            json=call.json,
            credential=credential,
            purpose=call.purpose if call.must_succeed else "",
            enough=call.enough,
        )
        self.last_asked, self.last_headers = replace(asked, impression=look(answer)), answer.headers
        return answer

    def _told(self, call: Call, credential: Credential | None, proof: Mapping[str, str] | None = None) -> Answer:
        """Return an answer that is not about haste; raises Throttled when the rate limit outlasts a wait."""
        answer = self._raw(call, credential, proof=proof)
        if answer.status == TOO_MANY_REQUESTS:
            raise Throttled(
                f"{answer.asked} is throttled, and so tells nothing of who may{self._reason(answer)}",
                next_step="wait, and see who else sends requests from this address or as this synthetic user",
            )
        return answer

    def _raw(
        self,
        call: Call,
        credential: Credential | None,
        read: Callable[[Answer], object] = lambda answer: None,
        *,
        proof: Mapping[str, str] | None = None,
    ) -> Answer:
        def look(answer: Answer) -> Impression:
            return self._look(call, answer, read)

        def send() -> Answer:
            answer = self._send(call, credential, look, proof)
            self._refuse_gateway(answer)
            return answer

        return self._cutover.through(f"{call.method} {call.path}", send) if call.repeatable else send()

    def _look(self, call: Call, answer: Answer, read: Callable[[Answer], object]) -> Impression:
        """Return how an answer looks: it keeps its promise with a promised status and a body that `read` can read."""
        said = self._dialect.error_code(answer)
        well_formed = answer.status >= 400 and bool(said)
        if answer.status < 400:
            try:
                read(answer)
                well_formed = True
            except PromiseBroken:
                well_formed = False
        return Impression(
            status_class=answer.status // 100,
            genuine=well_formed,
            kept=answer.status in call.statuses and (well_formed or answer.status >= 400),
        )

    def _look_at_readiness(self, answer: Answer) -> Impression:
        readiness = self._dialect.read_readiness(answer, own_hosts=self._own_hosts)
        degraded = sorted(name for name, report in readiness.dependencies.items() if not report.ok)
        return Impression(
            status_class=answer.status // 100,
            genuine=readiness.genuine,
            kept=readiness.ready,
            said=", ".join(degraded),
        )

    def _promised(
        self, call: Call, credential: Credential | None, read: Callable[[Answer], object] = lambda answer: None
    ) -> Answer:
        answer = self._raw(replace(call, must_succeed=True), credential, read)
        if answer.status in call.statuses:
            return answer
        self.refuse_haste(answer)
        self._refuse_old(answer, credential)
        expected = " or ".join(map(str, call.statuses))
        put_off = call.writes and answer.status == _UNAVAILABLE
        raise (WritePutOff if put_off else PromiseBroken)(
            f"{answer.asked} answered {answer.status}, not {expected}{self._reason(answer)}",
            next_step=f"look for request id {answer.request_id} in the service's log",
        )

    def _refuse_old(self, answer: Answer, credential: Credential | None) -> None:
        """Raise CredentialRefused for an answer that is about a credential of the operator's, not about who may."""
        if answer.status == _UNAUTHORIZED and credential is not None and credential.operator_variable:
            raise CredentialRefused(
                f"{answer.asked} refused {credential.shown_as} with 401{self._reason(answer)}",
                next_step=f"renew {credential.operator_variable}, then run again: it may simply be old",
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

    def _csrf_headers(self) -> dict[str, str]:
        """Return the double-submit pair, by hand: the cookie is Secure, so that no cookie jar returns it over http.

        Where the service hands out no cookie, the write goes without the pair and the service decides.
        """
        rule = self._dialect.csrf
        if rule is None:
            return {}
        if not self._csrf_token:
            self._csrf_token = _cookie(self._fetch_patiently(rule.issued_by), rule.cookie)
            self._learn_secret(self._csrf_token)
        return rule.pair(self._csrf_token) if self._csrf_token else {}


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
