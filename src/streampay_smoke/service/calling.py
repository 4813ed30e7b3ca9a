"""How calls are sent to a deployment, and what takes an answer's place: silence, a rate limit, an old credential."""

import copy
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

from msgspec.structs import replace

from streampay_smoke.core.errors import CredentialRefused, GuardRefused, PromiseBroken, UnfitAnswer
from streampay_smoke.core.networks import PUBLIC
from streampay_smoke.service.credentials import Credential
from streampay_smoke.service.cutover import Cutover
from streampay_smoke.service.dialects import SIGN_IN, Call, Dialect
from streampay_smoke.service.exchange import TOO_MANY_REQUESTS, Answer
from streampay_smoke.service.replay import AnswerSummary, Look, ObservedRequest
from streampay_smoke.service.shape import body_description, is_one_word, unfit_answer
from streampay_smoke.service.transport import (
    NoServiceAnswer,
    ServiceTransport,
    Throttled,
    WritePutOff,
    pause_seconds,
)

GATEWAY_STATUSES = frozenset({502, 503, 504})
UNAUTHORIZED = 401
_UNAVAILABLE = 503

Read = Callable[[Answer], object]
"""Reads what an answer says; raises PromiseBroken for a body of another shape."""


def _as_it_is(answer: Answer) -> None:
    """Read nothing."""


class Caller(AbstractContextManager["Caller"]):
    """Sends a dialect's calls to one deployment.

    What is sent to a service that named the public network even once raises GuardRefused where it writes, sign-ins
    apart. `last_asked` is the request sent last, and how it was answered; `last_answer` is the last one.
    """

    def __init__(
        self,
        transport: ServiceTransport,
        dialect: Dialect,
        *,
        cutover: Cutover,
        learn_secret: Callable[[str], None],
    ) -> None:
        self.last_asked: ObservedRequest | None = None
        self.last_answer: Answer | None = None
        self._transport = transport
        self._dialect = dialect
        self._cutover = cutover
        self._learn_secret = learn_secret
        self._csrf_token = ""
        self._page_without_token: Answer | None = None
        self._kinds_let_through: set[str] = set()
        self._networks_named: set[str] = set()  # one for all connections: what a replica says counts for all

    def fresh(self, address: str = "") -> "Caller":
        """Return a caller of the same deployment, over connections of its own; see `ServiceTransport.fresh`."""
        fresh = copy.copy(self)
        fresh._transport = self._transport.fresh(address)
        return fresh

    def close(self) -> None:
        """Close kept connections."""
        self._transport.close()

    def __exit__(self, *error: object) -> None:
        self.close()

    def note_network(self, network: str) -> None:
        """Take note of a network that the service named."""
        self._networks_named.add(network)

    def fetch(self, path: str) -> Answer:
        """Return whatever answers for a path."""
        return self._transport.send("GET", path)

    def send(
        self, call: Call, credential: Credential | None, look: Look, csrf_headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send a call once and return whatever answers, having looked at it.

        `csrf_headers` replaces the headers by which a write shows that it comes from the app's own page.
        """
        if PUBLIC in self._networks_named and call.writes and call.purpose != SIGN_IN:
            raise GuardRefused(
                f"the service named the public network: {call.method} {call.path} is not sent to it",
                next_step="point the gate at a deployment on a test network, and see why its replicas disagree",
            )
        if csrf_headers is None:
            csrf_headers = self.csrf_headers() if call.writes else {}
        headers = {**call.headers, **csrf_headers}
        asked = self.last_asked = ObservedRequest(call=call, credential=credential, look=look)
        answer = self._transport.send(
            call.method,
            call.path,
            headers=headers,
            json=call.json,
            credential=credential,
            purpose=call.purpose if call.must_succeed else "",
            enough=call.enough,
        )
        self.last_asked, self.last_answer = replace(asked, answer_summary=look(answer)), answer
        if answer.status != TOO_MANY_REQUESTS:
            self._kinds_let_through.add(_kind(call))
        return answer

    def was_let_through(self, call: Call) -> bool:
        """Return whether a call of this kind was ever answered with anything but 429."""
        return _kind(call) in self._kinds_let_through

    def once(self, call: Call, credential: Credential | None) -> Answer:
        """Send a call once and return whatever answers."""
        return self.send(call, credential, self._looking(call, _as_it_is))

    def ask(
        self,
        call: Call,
        credential: Credential | None,
        read: Read = _as_it_is,
        *,
        csrf_headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Return the service's own answer; silence is waited out where the call may be repeated, else raised."""
        look = self._looking(call, read)

        def send() -> Answer:
            return self._of_the_service(self.send(call, credential, look, csrf_headers))

        return self._cutover.through(f"{call.method} {call.path}", send) if call.repeatable else send()

    def access_answer(
        self, call: Call, credential: Credential | None, *, csrf_headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Return the service's answer about who may; raises Throttled for one that is about a rate limit."""
        answer = self.ask(call, credential, csrf_headers=csrf_headers)
        self.raise_if_throttled(answer)
        return answer

    def promised(self, call: Call, credential: Credential | None, read: Read = _as_it_is) -> Answer:
        """Return the service's answer with a status it promised; raises what went wrong for any other."""
        return self.kept(self.wanted(call, credential, read), call, credential)

    def wanted(self, call: Call, credential: Credential | None, read: Read = _as_it_is) -> Answer:
        """Return the service's answer to what a user wants done, whatever its status."""
        return self.ask(replace(call, must_succeed=True), credential, read)

    def kept(self, answer: Answer, call: Call, credential: Credential | None) -> Answer:
        """Return an answer with a status the call promises; raises what went wrong for any other."""
        if answer.status in call.statuses:
            return answer
        self.raise_if_throttled(answer)
        self.raise_if_credential_refused(answer, credential)
        expected = " or ".join(map(str, call.statuses))
        said = f"{answer.asked} answered {answer.status}, not {expected}{self._reason(answer)}"
        page = self._page_without_token
        if page is not None and call.writes and "csrf" in self._dialect.error_code(answer).lower():
            raise PromiseBroken(
                f"{page.asked} answered {page.status} and handed out no CSRF token, without which {said}",
                next_step=f"see why {page.asked} sets no cookie for the CSRF token",
            ).about(unfit_answer(page))
        put_off = call.writes and answer.status == _UNAVAILABLE
        raise (WritePutOff if put_off else PromiseBroken)(
            said,
            next_step=f"look for request id {answer.request_id} in the service's log",
        ).about(unfit_answer(answer))

    def raise_if_throttled(self, answer: Answer) -> None:
        """Raise Throttled for a 429: whatever was waited, the limit may be used up by runs beside this one.

        That a limit lets nobody through at all is found where a caller asks whom nobody has seen before.
        """
        if answer.status != TOO_MANY_REQUESTS:
            return
        pause = pause_seconds(answer)
        raise Throttled(
            f"{answer.asked} is throttled for {pause:.0f} s more than this run can wait{self._reason(answer)}",
            next_step="run again later or fewer at once, or raise SMOKE_DEADLINE_SECONDS or the limits of this address",
        )

    def raise_if_credential_refused(self, answer: Answer, credential: Credential | None) -> None:
        """Raise CredentialRefused for an answer that is about a credential of the operator's, not about who may."""
        if answer.status == UNAUTHORIZED and credential is not None and credential.operator_variable:
            raise CredentialRefused(
                f"{answer.asked} refused {credential.shown_as} with 401{self._reason(answer)}",
                next_step=f"renew {credential.operator_variable}, then run again: it may simply be old",
            )

    def csrf_headers(self) -> dict[str, str]:
        """Return the double-submit pair, by hand: the cookie is Secure, so that no cookie jar returns it over http.

        Where the service hands out no cookie, the write goes without the pair and the service decides.
        """
        rule = self._dialect.csrf
        if rule is None:
            return {}
        if not self._csrf_token:
            page = self._cutover.through(
                f"GET {rule.issued_by}", lambda: self._of_the_service(self.fetch(rule.issued_by))
            )
            self._csrf_token = _cookie(page, rule.cookie)
            self._page_without_token = None if self._csrf_token else page
            self._learn_secret(self._csrf_token)
        return rule.pair(self._csrf_token) if self._csrf_token else {}

    def _looking(self, call: Call, read: Read) -> Look:
        """Return how to look at a call's answer: it keeps its promise with a promised status and a readable body."""

        def look(answer: Answer) -> AnswerSummary:
            code = self._dialect.error_code(answer)
            well_formed = answer.status >= 400 and bool(code)
            if answer.status < 400:
                try:
                    read(answer)
                    well_formed = True
                except PromiseBroken:
                    well_formed = False
            return AnswerSummary(
                status_class=answer.status // 100,
                genuine=well_formed,
                kept=answer.status in call.statuses and (well_formed or answer.status >= 400),
            )

        return look

    def _of_the_service(self, answer: Answer) -> Answer:
        """Return an answer as it is; raises NoServiceAnswer for one that a gateway gave in the service's place."""
        if answer.status in GATEWAY_STATUSES and not self._dialect.error_code(answer):
            raise NoServiceAnswer(
                f"{answer.asked} was answered by a gateway, not by the service: status {answer.status}, "
                f"{body_description(answer)} (request id {answer.request_id})",
                cause=f"http {answer.status}",
                next_step="see whether any instance of the release is up behind its gateway",
            ).about(UnfitAnswer(asked=answer.asked))
        return answer

    def _reason(self, answer: Answer) -> str:
        """Return what an answer says for itself: its error code or kind of body, and its request id."""
        reason = self._dialect.error_code(answer) or body_description(answer)
        target = answer.headers.get("location", "").split("?", 1)[0]
        return f": {reason}{f', pointing at {target}' if target else ''} (request id {answer.request_id})"


def _kind(call: Call) -> str:
    """Return the method and the path of a call, without its query."""
    return f"{call.method} {call.path.partition('?')[0]}"


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
