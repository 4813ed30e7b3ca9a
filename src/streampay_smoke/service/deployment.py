"""The deployment under test, as a user meets it: every call either keeps its promise or raises what went wrong."""

import copy
import secrets
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from msgspec.structs import replace

from streampay_smoke.core.errors import PromiseBroken
from streampay_smoke.core.trace import Trace
from streampay_smoke.evidence.events import Recorder, ReplicaSeen, ServiceSeen
from streampay_smoke.http.bodies import Enough
from streampay_smoke.service.calling import GATEWAY_STATUSES, UNAUTHORIZED, Caller
from streampay_smoke.service.credentials import Credential
from streampay_smoke.service.cutover import WAITED_OUT, Cutover
from streampay_smoke.service.declared_network import host_of
from streampay_smoke.service.dialects import AccessRequests, Call, Dialect, dialect_named
from streampay_smoke.service.exchange import TOO_MANY_REQUESTS, Answer
from streampay_smoke.service.identity import SyntheticUser
from streampay_smoke.service.lease import Lease
from streampay_smoke.service.records import (
    LiveEvent,
    Readiness,
    Receipt,
    StreamOrder,
    StreamPage,
    StreamRecord,
    Withdrawal,
)
from streampay_smoke.service.release import ReleaseSources, header_of, release_reader
from streampay_smoke.service.replay import SILENCE, AnswerSummary, ObservedRequest
from streampay_smoke.service.replicas import published_keys, replica_of
from streampay_smoke.service.shape import body_description
from streampay_smoke.service.transport import RELEASE_HEADER, NoServiceAnswer, ServiceTransport, WriteSlot

_REFUSALS = (401, 403, 404)

_RELEASE_TOLD_BY = f"header:{RELEASE_HEADER}"


class Deployment(AbstractContextManager["Deployment"]):
    """Typed calls to one deployment. Safe to use from several threads when the transport's recorder is.

    Any call raises ServiceUnavailable when there is no answer, or a gateway answered in the service's place;
    PromiseBroken when an answer has a wrong status or shape; CredentialRefused when a credential that the operator
    supplied gets a 401; Throttled when the rate limit asks for more patience than a run has, or turns away somebody
    who was to be refused: a rate limit says nothing of access. Silence in answer to a request that may be sent again
    is waited out as `cutover` allows.

    A service that named the public network even once, over whatever connection, is written to no more, sign-ins
    apart: any such call raises GuardRefused.
    """

    def __init__(
        self,
        transport: ServiceTransport,
        dialect: Dialect,
        *,
        release_told_by: str = _RELEASE_TOLD_BY,
        release_expected: str = "",
        replica_header: str = "",
        ledger_url: str = "",
        learn_secret: Callable[[str], None] = lambda secret: None,
        cutover: Cutover | None = None,
    ) -> None:
        self._base_url = transport.base_url
        self._cutover = cutover or Cutover(0.0, transport.record)
        self._caller = Caller(transport, dialect, cutover=self._cutover, learn_secret=learn_secret)
        self._record = transport.record
        self._dialect = dialect
        self._tell_release = release_reader(release_told_by)
        self._release_expected = release_expected
        self._replica_header = replica_header
        self._own_hosts = frozenset(filter(None, [host_of(ledger_url)]))
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
        release_told_by: str = _RELEASE_TOLD_BY,
        release_expected: str = "",
        replica_header: str = "",
        ledger_url: str = "",
        trace: Trace | None = None,
        throttle_seconds: float = 30.0,
        patience: Callable[[], float] | None = None,
        cutover: Cutover | None = None,
        write_slot: WriteSlot = nullcontext,
        headers: Mapping[str, str] | None = None,
    ) -> "Deployment":
        """Return the deployment at a root URL; nothing is sent yet. `headers` go with every request.

        `ledger_url` is where this run's ledger answers: a service that names its host is on it. Requests are spans of
        `trace`, by default of one of their own. Raises SettingsInvalid for an unknown dialect or a bad
        `release_told_by`.
        """
        return cls(
            ServiceTransport(
                base_url,
                record=record,
                timeout_seconds=timeout_seconds,
                throttle_seconds=throttle_seconds,
                patience=patience,
                trace=trace,
                release_header=header_of(release_told_by),
                write_slot=write_slot,
                headers=headers,
            ),
            dialect_named(dialect),
            release_told_by=release_told_by,
            release_expected=release_expected,
            replica_header=replica_header,
            ledger_url=ledger_url,
            learn_secret=learn_secret,
            cutover=cutover,
        )

    @property
    def last_asked(self) -> ObservedRequest | None:
        """The request sent last, and how it was answered."""
        return self._caller.last_asked

    @property
    def last_headers(self) -> dict[str, str]:
        """The headers of the last answer."""
        return self._caller.last_answer.headers if self._caller.last_answer else {}

    @property
    def access(self) -> AccessRequests:
        """What callers ask of this deployment who have no right to it."""
        return self._dialect.access

    def readiness(self) -> Readiness:
        """Ask once whether the service is ready, on which network and in which release; records a ServiceSeen.

        Never raises for what was answered: an answer that is not the service's own is `genuine=False`.
        """
        answer = self._caller.send(self._dialect.readiness(), None, self._look_at_readiness)
        readiness = self._dialect.read_readiness(answer, own_hosts=self._own_hosts)
        self._caller.note_network(readiness.network)
        if readiness.genuine:
            sight = ReleaseSources(readiness=answer, fetch=self._caller.fetch, expected=self._release_expected)
            readiness = replace(
                readiness, release=self._tell_release(sight), clock_ahead_seconds=answer.clock_ahead_seconds
            )
            self._record(
                ServiceSeen(release=readiness.release, network=readiness.network, simulated=readiness.simulated)
            )
        return readiness

    def look_again(self) -> Readiness:
        """Ask as `readiness` does, with a cutover waited out; raises NoServiceAnswer when only silence is left."""

        def ask() -> Readiness:
            readiness = self.readiness()
            if not readiness.genuine and readiness.status_code in GATEWAY_STATUSES:
                raise NoServiceAnswer(
                    f"{self._dialect.readiness().path}: {readiness.description}", cause=f"http {readiness.status_code}"
                )
            return readiness

        return self._cutover.through(f"GET {self._dialect.readiness().path}", ask)

    @property
    def base_url(self) -> str:
        """Where the deployment is."""
        return self._base_url

    def foreign_answers(self) -> tuple[str, ...]:
        """Ask for what StreamPay answers anybody, and for a path nobody has; return what came instead, in words.

        Nothing is returned where one answer is StreamPay's own, or tells nothing of who gives it: silence, 429, 5xx.
        """
        dialect = self._dialect
        asked = (dialect.readiness(), dialect.alive(), dialect.streams(limit=1, cursor=""))
        seen = []
        for path in (*(call.path for call in asked), f"/api/smoke-{secrets.token_hex(8)}"):
            try:
                answer = self._caller.fetch(path)
            except NoServiceAnswer:
                return ()
            if answer.status >= 500 or answer.status == TOO_MANY_REQUESTS or dialect.recognises(answer):
                return ()
            seen.append(f"{answer.asked} answered {answer.status}, {body_description(answer)}")
        return tuple(seen)

    def replayed(self, asked: ObservedRequest, credential: Credential | None) -> AnswerSummary:
        """Send a request that reads once more, here and once, and return how its answer looks.

        Raises NoServiceAnswer for a silence that tells nothing of the deployment: a name that does not resolve, a
        time-out.
        """
        try:
            return asked.look(self._caller.send(asked.call, credential, asked.look))
        except NoServiceAnswer as problem:
            if problem.cause in WAITED_OUT:
                return SILENCE
            raise

    def readiness_summary(self) -> AnswerSummary:
        """Ask for readiness once and return how the answer looks."""
        return self.replayed(
            ObservedRequest(call=self._dialect.readiness(), credential=None, look=self._look_at_readiness), None
        )

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
        answer = self._caller.promised(login, None)
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
        given = self._caller.access_answer(asked, None)
        if given.status not in asked.statuses:
            return given
        challenge = answering(self._dialect.read_challenge(given))
        return self._caller.access_answer(self._dialect.login(user.address, challenge, sign(challenge)), None)

    def sign_in_again(self, user: SyntheticUser) -> Answer:
        """Send the sign-in that let `user` in once more, word for word; for checks of the refusal."""
        if user.address not in self._logins:
            self.sign_in(user)
        return self._caller.access_answer(self._logins[user.address], None)

    def streams(self, credential: Credential, *, limit: int = 20, cursor: str = "") -> StreamPage:
        """Return one page of the streams the credential's holder sees."""
        call = self._dialect.streams(limit=limit, cursor=cursor)

        def read(answer: Answer) -> StreamPage:
            return self._dialect.read_page(answer, limit=limit)

        return read(self._caller.promised(call, credential, read))

    def streams_v2(self, credential: Credential, *, limit: int = 20, cursor: str = "") -> StreamPage:
        """Return one page of the streams the credential's holder sees, by API v2."""
        call = self._dialect.streams_v2(limit=limit, cursor=cursor)

        def read(answer: Answer) -> StreamPage:
            return self._dialect.read_page_v2(answer, limit=limit)

        return read(self._caller.promised(call, credential, read))

    def refusal(self, credential: Credential) -> Answer:
        """Ask for the streams and return the answer, refused or not."""
        return self._caller.access_answer(
            replace(self._dialect.streams(limit=1, cursor=""), statuses=_REFUSALS), credential
        )

    def v2_refusal(self, credential: Credential) -> Answer:
        """List the streams in API v2 and return the answer, refused or not."""
        call = self._dialect.streams_v2(limit=1, cursor="")
        return self._caller.access_answer(replace(call, statuses=_REFUSALS), credential)

    def live_events_answer(self, credential: Credential, stream_id: str, tenant: str, enough: Enough) -> Answer:
        """Ask for the live events of a stream and return the answer, as far as it is `enough`, refused or not."""
        return self._caller.access_answer(self._dialect.live_events(stream_id, tenant, enough), credential)

    def live_events(self, answer: Answer) -> tuple[LiveEvent, ...]:
        """Read the live events in an answer; raises PromiseBroken for something else."""
        return self._dialect.read_live_events(answer)

    def sign_in_once(self, address: str, challenge: str, signature: str, headers: Mapping[str, str]) -> Answer:
        """Ask once to be let in as the owner of an address, with further headers; raises only for silence."""
        login = self._dialect.login(address, challenge, signature)
        return self._caller.once(replace(login, headers={**login.headers, **headers}), None)

    def streams_answer(self, credential: Credential) -> Answer:
        """Ask for the first stream, once, and return the answer. Raises only for silence and an old credential."""
        call = self._dialect.streams(limit=1, cursor="")
        answer = self._caller.once(call, credential)
        self._caller.raise_if_credential_refused(answer, credential)
        return answer

    def raise_if_not_shown(self, answer: Answer, credential: Credential) -> None:
        """Raise what went wrong with an answer of `streams_answer` that shows no streams, one of a limit apart."""
        if answer.status != TOO_MANY_REQUESTS:
            call = self._dialect.streams(limit=1, cursor="")
            self._dialect.read_page(self._caller.kept(answer, call, credential), limit=1)

    @property
    def has_shown_streams(self) -> bool:
        """Whether any request for the streams was let through its limit, refused for another reason or not."""
        return self._caller.was_let_through(self._dialect.streams(limit=1, cursor=""))

    def raise_if_throttled(self, answer: Answer) -> None:
        """Raise Throttled for a 429."""
        self._caller.raise_if_throttled(answer)

    def stream(self, credential: Credential, stream_id: str) -> StreamRecord:
        """Return one stream."""
        answer = self._caller.promised(self._dialect.stream(stream_id), credential, self._dialect.read_stream)
        return self._about(answer, stream_id, self._dialect.read_stream(answer))

    def stream_answer(self, credential: Credential, stream_id: str) -> Answer:
        """Ask for one stream and return the answer, refused or not; raises CredentialRefused for an old credential."""
        answer = self._caller.access_answer(replace(self._dialect.stream(stream_id), statuses=_REFUSALS), credential)
        self._caller.raise_if_credential_refused(answer, credential)
        return answer

    def create(self, credential: Credential, order: StreamOrder, key: str = "") -> StreamRecord:
        """Create a stream; the same key and order again must bring the same stream. Raises for another order."""
        return self._created(self._dialect.create(order, key), credential, order)

    def create_v2(self, credential: Credential, order: StreamOrder, key: str = "") -> StreamRecord:
        """Create a stream by API v2; raises as `create`."""
        return self._created(self._dialect.create_v2(order, key), credential, order)

    def create_v2_answer(self, credential: Credential, order: StreamOrder, key: str = "") -> Answer:
        """Ask for a stream by API v2 and return the answer, refused or not."""
        return self._caller.access_answer(self._dialect.create_v2(order, key), credential)

    def _created(self, call: Call, credential: Credential, order: StreamOrder) -> StreamRecord:
        answer = self._caller.promised(call, credential)
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
        return self._caller.access_answer(replace(call, json={**call.json, **(claims or {})}), credential)

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

    def cancel(self, credential: Credential, stream_id: str, wallet: str, key: str) -> StreamRecord:
        """Cancel a started stream in the name of the owner's wallet, under an idempotency key."""
        answer = self._caller.promised(self._dialect.cancel(stream_id, wallet, key), credential)
        return self._about(answer, stream_id, self._dialect.read_stream(answer))

    def settle(self, credential: Credential, stream_id: str, key: str) -> Receipt:
        """Settle a stream under an idempotency key and return the receipt, first or repeated."""
        return self.settled(self.settle_answer(credential, stream_id, key), credential, stream_id)

    def settle_answer(self, credential: Credential, stream_id: str, key: str) -> Answer:
        """Settle a stream under an idempotency key and return the answer, whatever it is."""
        return self._caller.wanted(self._dialect.act(stream_id, "settle", key), credential)

    def settled(self, answer: Answer, credential: Credential, stream_id: str) -> Receipt:
        """Read the receipt in the answer to a settlement; raises what went wrong for any other answer."""
        return self._dialect.read_receipt(
            self._caller.kept(answer, self._dialect.act(stream_id, "settle", ""), credential)
        )

    def withdraw(self, credential: Credential, stream_id: str, key: str) -> Withdrawal:
        """Withdraw what was settled, under an idempotency key, and return how far that is."""
        answer = self._caller.promised(self._dialect.act(stream_id, "withdraw", key), credential)
        return self._dialect.read_withdrawal(answer)

    def alive_answer(self) -> Answer:
        """Ask whether the service is alive and return the answer; a gateway's silence is waited out."""
        return self._caller.access_answer(self._dialect.alive(), None)

    def index_cursor(self) -> int:
        """Return the ledger that the service's index of the ledger has reached."""
        return self._dialect.read_index_cursor(self._caller.promised(self._dialect.index_status(), None))

    def metrics_answer(self, credential: Credential | None) -> Answer:
        """Ask for the service's metrics and return the answer, refused or not."""
        return self._caller.access_answer(self._dialect.metrics(), credential)

    def act(self, credential: Credential, stream_id: str, action: str, key: str = "") -> Answer:
        """Act on a stream and return the answer, refused or not."""
        return self._caller.access_answer(self._dialect.act(stream_id, action, key), credential)

    def attempt(
        self, call: Call, credential: Credential | None = None, *, csrf_headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send one of the requests of `access` and return the answer, refused or not.

        `csrf_headers` replaces the headers by which a write shows that it comes from the app's own page.
        """
        answer = self._caller.access_answer(call, credential, csrf_headers=csrf_headers)
        if UNAUTHORIZED not in call.statuses:
            self._caller.raise_if_credential_refused(answer, credential)
        return answer

    def csrf_token(self) -> dict[str, str]:
        """Return the headers by which a write shows that it comes from the app's own page; none where none is given."""
        return self._caller.csrf_headers()

    def write_lease(self, credential: Credential, stream_id: str, lease: Lease) -> bool:
        """Write a lease into a stream's tags; False where the service cannot hold it. Raises only for silence."""
        call = self._dialect.write_lease(stream_id, lease)
        return call is not None and self._caller.ask(call, credential).status in call.statuses

    def lease_of(self, credential: Credential, stream_id: str) -> Lease | None:
        """Return the lease of a stream, None where it carries none. Raises only for silence."""
        return self.mark_shown(self._caller.ask(self._dialect.stream(stream_id), credential))

    def mark_shown(self, answer: Answer) -> Lease | None:
        """Read the mark of the stream an answer shows, None where it carries none."""
        return self._dialect.read_lease(answer)

    def error_code(self, answer: Answer) -> str:
        """Return the code in the service's own error envelope, "" when the body is not the service's."""
        return self._dialect.error_code(answer)

    def fresh(self, address: str = "") -> "Deployment":
        """Return the same deployment over connections of its own: kept ones stick to one replica.

        They lead to one IP address of its host where one is given; a proxy chooses for itself.
        """
        fresh = copy.copy(self)
        fresh._caller = self._caller.fresh(address)
        return fresh

    def look_at_replica(self) -> tuple[ReplicaSeen, ...]:
        """Ask over this connection for the readiness and for the keys, and return who answered what.

        Raises as `look_again`; for silence in answer to the second, who answered the first is returned alone.
        """
        release = self.look_again().release
        answer = self._caller.last_answer
        assert answer is not None  # a readiness was answered
        ready = replace(self.replica_of(answer), release=release)
        try:
            keys = self._caller.fetch(self._dialect.access.key_set().path)
        except NoServiceAnswer:
            return (ready,)
        return (ready, replace(self.replica_of(keys), keys=published_keys(keys), fresh=False))

    def replica_of(self, answer: Answer) -> ReplicaSeen:
        """Return what an answer tells of the replica that gave it."""
        return replica_of(answer, self._replica_header)

    def close(self) -> None:
        """Close kept connections."""
        self._caller.close()

    def __exit__(self, *error: object) -> None:
        self.close()

    def _challenge(self, user: SyntheticUser) -> str:
        return self._dialect.read_challenge(self._caller.promised(self._dialect.challenge(user.address), None))

    def _moved(self, credential: Credential, stream_id: str, action: str, key: str) -> StreamRecord:
        answer = self._caller.promised(self._dialect.act(stream_id, action, key), credential)
        return self._about(answer, stream_id, self._dialect.read_stream(answer))

    def _about(self, answer: Answer, stream_id: str, record: StreamRecord) -> StreamRecord:
        if record.id != stream_id:
            raise PromiseBroken(
                f"{answer.asked} answered about stream {record.id!r} (request id {answer.request_id})",
                next_step="see whether streams or answers are mixed up between requests or callers",
            )
        return record

    def _look_at_readiness(self, answer: Answer) -> AnswerSummary:
        readiness = self._dialect.read_readiness(answer, own_hosts=self._own_hosts)
        degraded = sorted(name for name, report in readiness.dependencies.items() if not report.ok)
        return AnswerSummary(
            status_class=answer.status // 100,
            genuine=readiness.genuine,
            kept=readiness.ready,
            trouble=", ".join(degraded),
        )
