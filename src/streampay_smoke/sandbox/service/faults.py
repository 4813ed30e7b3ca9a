"""Ways in which a StreamPay has been, or could be, wrong: each is one entry that replaces parts of an honest one.

`story` says where the fault was seen: "measured" is StreamPay itself as probed, "release" a build of it that was
really broken, "operations" what goes wrong around any deployment.
"""

import base64
import secrets
from collections.abc import Callable, Mapping
from typing import Any

import jwt
import msgspec
from msgspec.structs import replace

from streampay_smoke.sandbox.service.auth import ALGORITHM, CHECKS, door, unauthorized
from streampay_smoke.sandbox.service.clock import iso_now
from streampay_smoke.sandbox.service.csrf import csrf_refusal
from streampay_smoke.sandbox.service.errors import Refusal
from streampay_smoke.sandbox.service.idempotency import HEADER, REPLAY_HEADER
from streampay_smoke.sandbox.service.limits import TokenBuckets
from streampay_smoke.sandbox.service.pages import HTML
from streampay_smoke.sandbox.service.parts import Parts
from streampay_smoke.sandbox.service.seeds import SEEDS
from streampay_smoke.sandbox.service.streams import Settlement, Stream, StreamStore
from streampay_smoke.sandbox.service.wire import Answer, Call, Handler

SLOW_SECONDS = 3.0

Mutation = Callable[[Parts], Parts]

_LISTS = frozenset({"/api/streams", "/api/v2/streams"})
_SETTLE = "/api/streams/{stream_id}/settle"
_LIMITED_SECONDS = 60


class ServiceFault(msgspec.Struct, frozen=True, kw_only=True):
    """A way to be wrong: where it was seen, and what it does to the parts."""

    name: str
    story: str
    mutation: Mutation


def _around(layer: Callable[[Handler, Call], Answer]) -> Mutation:
    """Return the mutation that puts `layer` around every route."""
    return _around_with(lambda _, inner, call: layer(inner, call))


def _around_with(layer: Callable[[Parts, Handler, Call], Answer]) -> Mutation:
    """Return the mutation that puts `layer`, which needs parts itself, around every route."""

    def mutate(parts: Parts) -> Parts:
        def wrap(inner: Handler) -> Handler:
            return lambda call: layer(parts, inner, call)

        return replace(parts, layers=(*parts.layers, wrap))

    return mutate


def _both(first: Mutation, second: Mutation) -> Mutation:
    return lambda parts: second(first(parts))


def _is_list(call: Call) -> bool:
    return call.route in _LISTS and call.method in {"GET", "HEAD"}


def _is_create(call: Call) -> bool:
    return call.route in _LISTS and call.method == "POST"


def _invented_hash() -> str:
    return secrets.token_hex(32)


def _pay(parts: Parts, recipient: str, amount_stroops: int) -> None:
    treasury = parts.treasury
    treasury.invoke(
        treasury.token,
        "transfer",
        treasury.operator.address,
        recipient,
        amount_stroops,
    )


def _somebody_else(parts: Parts) -> str:
    stranger = parts.treasury.adapter.account("somebody-else").address
    parts.treasury.adapter.fund(stranger)
    return stranger


def _settle_lies(parts: Parts) -> Parts:
    def settle(_stream: Stream) -> Settlement:
        return Settlement(settled_at=iso_now(), tx_hash=_invented_hash())

    return replace(parts, settle=settle)


def _settle_pays_twice(parts: Parts) -> Parts:
    def settle(stream: Stream) -> Settlement:
        settled = parts.settle(stream)
        _pay(parts, stream.recipient, parts.treasury.released(stream.chain_id))
        return settled

    return replace(parts, settle=settle)


def _settle_pays_other_recipient(parts: Parts) -> Parts:
    def escrow(order_id: str, _recipient: str, total_stroops: int, duration_seconds: int) -> int:
        return parts.escrow(order_id, _somebody_else(parts), total_stroops, duration_seconds)

    return replace(parts, escrow=escrow)


def _settle_pays_less(parts: Parts) -> Parts:
    def escrow(order_id: str, recipient: str, total_stroops: int, duration_seconds: int) -> int:
        return parts.escrow(order_id, recipient, total_stroops - max(1, total_stroops // 10), duration_seconds)

    return replace(parts, escrow=escrow)


def _settle_old_transaction(parts: Parts) -> Parts:
    chain_id = parts.escrow(f"old-{_invented_hash()}", _somebody_else(parts), 10_000_000, 1)
    parts.treasury.start(chain_id)
    old = parts.treasury.cancel(chain_id).settlement

    def settle(_stream: Stream) -> Settlement:
        return Settlement(settled_at=iso_now(), tx_hash=old.tx_hash)

    return replace(parts, settle=settle)


def _answers_settlement_failed(inner: Handler, call: Call) -> Answer:
    answer = inner(call)
    if call.route != _SETTLE or answer.status != 200:
        return answer
    return Refusal(502, "SETTLEMENT_FAILED", "The settlement failed.").answer()


def _receipt_differs(inner: Handler, call: Call) -> Answer:
    answer = inner(call)
    match answer.document:
        case {"data": {"settlementTxHash": _} as data} if call.route == _SETTLE:
            return answer.with_document({**answer.document, "data": {**data, "settlementTxHash": _invented_hash()}})
    return answer


class _ForgetfulStore(StreamStore):
    def save(self, stream: Stream) -> None:
        if stream.settlement is None:
            super().save(stream)


def _replay_pays(parts: Parts, inner: Handler, call: Call) -> Answer:
    answer = inner(call)
    if call.route == _SETTLE and answer.headers.get(REPLAY_HEADER) == "true":
        stream = next(stream for stream in parts.store.everything() if stream.id == call.params["stream_id"])
        _pay(parts, stream.recipient, parts.treasury.released(stream.chain_id))
    return answer


def _without_key(inner: Handler, call: Call) -> Answer:
    if _is_create(call):
        call = replace(call, headers={name: value for name, value in call.headers.items() if name != HEADER})
    return inner(call)


def _body_only(call: Call) -> str:
    return call.body.decode("utf-8", errors="replace")


def _anybody_lists(enough: Callable[[Call], bool]) -> Mutation:
    """Return the mutation that shows every stream to a caller nobody knows when `enough` says so."""

    def mutate(parts: Parts) -> Parts:
        def who(call: Call) -> str:
            try:
                return parts.list_door(call)
            except Refusal:
                if enough(call):
                    return ""
                raise

        def visible(caller: str, stream: Stream) -> bool:
            return not caller or parts.visible(caller, stream)

        return replace(parts, list_door=who, visible=visible)

    return mutate


def _lists_read_tokens(subject: Callable[[Parts, str], str]) -> Mutation:
    def mutate(parts: Parts) -> Parts:
        return replace(parts, list_door=door(lambda token: subject(parts, token), parts.settings.api_key))

    return mutate


def _expired_too(parts: Parts, token: str) -> str:
    return parts.tokens.subject(token, {**CHECKS, "verify_exp": False})


def _unsigned_if(algorithm: str) -> Callable[[Parts, str], str]:
    def subject(parts: Parts, token: str) -> str:
        try:
            unsigned = jwt.get_unverified_header(token)["alg"] == algorithm
        except (jwt.InvalidTokenError, KeyError):
            raise unauthorized("The bearer token is not valid.") from None
        return parts.tokens.subject(token, {**CHECKS, "verify_signature": not unsigned})

    return subject


def _rows(document: Any) -> tuple[str, list[Any]] | None:
    """Return the name and rows of a list answer's document, None for other documents."""
    for name in ("data", "streams"):
        if isinstance(document, dict) and isinstance(document.get(name), list):
            return name, document[name]
    return None


def _private_rows(inner: Handler, call: Call) -> Answer:
    answer = inner(call)
    found = _rows(answer.document) if _is_list(call) else None
    if found is None:
        return answer
    name, rows = found
    return answer.with_document({**answer.document, name: [{**row, **SEEDS[0].private} for row in rows]})


def _other_shape(inner: Handler, call: Call) -> Answer:
    answer = inner(call)
    found = _rows(answer.document) if _is_list(call) else None
    return answer if found is None else answer.with_document({"items": found[1], "count": len(found[1])})


def _cursor_restarts(inner: Handler, call: Call) -> Answer:
    if _is_list(call):
        call = replace(call, query={name: value for name, value in call.query.items() if name != "cursor"})
    return inner(call)


def _readyz(answer: Callable[[Answer], Answer]) -> Mutation:
    """Return the mutation that turns the readiness answer into another."""

    def mutate(parts: Parts) -> Parts:
        return replace(parts, readyz=lambda call: answer(parts.readyz(call)))

    return mutate


def _page_instead(text: str) -> Mutation:
    return _readyz(lambda honest: Answer(text=text, media_type=HTML))


def _stellar(answer: Answer, **fields: str) -> Answer:
    checks = answer.document["checks"]
    return answer.with_document({**answer.document, "checks": {**checks, "stellar": {**checks["stellar"], **fields}}})


def _degraded(answer: Answer) -> Answer:
    answer = _stellar(answer, status="degraded", message="fetch failed")
    return answer.with_document({**answer.document, "status": "degraded"})


def _fails_after_storing(inner: Handler, call: Call) -> Answer:
    answer = inner(call)
    return Answer(status=500) if call.route == "/api/streams" and call.method in {"GET", "POST"} else answer


def _secret_key_set(parts: Parts) -> Parts:
    secret = base64.urlsafe_b64encode(parts.settings.jwt_secret.reveal().encode()).decode().rstrip("=")
    key = {"kty": "oct", "alg": ALGORITHM, "use": "sig", "kid": "streampay-current", "k": secret}
    return replace(parts, jwks=lambda call: Answer(document={"keys": [key]}))


def _with_stack_trace(inner: Handler, call: Call) -> Answer:
    answer = inner(call)
    match answer.document:
        case {"error": {"code": code} as error}:
            stack = f"Error: {code}\n    at POST (/app/.next/server/app/api/streams/route.js:1:4242)"
            return answer.with_document({**answer.document, "error": {**error, "stack": stack}})
    return answer


def _no_write_passes(inner: Handler, call: Call) -> Answer:
    if call.is_write:
        raise csrf_refusal()
    return inner(call)


class _EmptyBuckets(TokenBuckets):
    def take(self, tier: str, identity: str) -> int:
        return _LIMITED_SECONDS


def _late(parts: Parts, inner: Handler, call: Call) -> Answer:
    parts.stopping.wait(SLOW_SECONDS)
    return inner(call)


_SPA = '<!doctype html><html><head><title>StreamPay</title></head><body><div id="root"></div></body></html>'
_LOGIN = '<!doctype html><html><body><form action="/login"><input name="password"></form></body></html>'
_WELCOME = "<!DOCTYPE html><html><head><title>Welcome to nginx!</title></head><body>Welcome to nginx!</body></html>"

FAULTS: Mapping[str, ServiceFault] = {
    name: ServiceFault(name=name, story=story, mutation=mutation)
    for name, story, mutation in (
        ("settle-lies", "measured: settle says success with an invented hash, nothing is on chain", _settle_lies),
        ("settle-pays-twice", "operations: a retry inside the service pays a second time", _settle_pays_twice),
        ("settle-pays-other-recipient", "operations: a mixed-up address book", _settle_pays_other_recipient),
        ("settle-pays-less", "operations: a fee nobody announced is taken from the escrow", _settle_pays_less),
        ("settle-old-transaction", "operations: a cache answers with an earlier hash", _settle_old_transaction),
        (
            "settle-failed-but-ended",
            "release: 502 SETTLEMENT_FAILED, yet the stream is ended with a hash",
            _both(_settle_lies, _around(_answers_settlement_failed)),
        ),
        (
            "settle-receipt-differs",
            "measured: data.settlementTxHash and settlement.txHash are two different values",
            _around(_receipt_differs),
        ),
        (
            "record-not-settled",
            "operations: the write of the record is lost after the payment",
            lambda parts: replace(parts, store=_ForgetfulStore(SEEDS)),
        ),
        ("replay-pays-again", "operations: a replica without the key store pays again", _around_with(_replay_pays)),
        (
            "key-answers-for-other-stream",
            "measured: a settle key is global and swallows another stream's settlement",
            lambda parts: replace(parts, fingerprint=_body_only),
        ),
        ("create-repeats", "operations: the proxy drops Idempotency-Key", _around(_without_key)),
        ("list-open", "measured: v1 lists need no credentials", _anybody_lists(lambda call: True)),
        (
            "list-accepts-junk",
            "measured: v2 takes any Authorization text",
            _anybody_lists(lambda call: bool(call.header("authorization"))),
        ),
        ("list-accepts-expired", "measured: nothing checks exp", _lists_read_tokens(_expired_too)),
        ("list-accepts-foreign", "measured: nothing checks the signature", _lists_read_tokens(_unsigned_if(ALGORITHM))),
        ("list-accepts-alg-none", "measured: alg none is as good as HS256", _lists_read_tokens(_unsigned_if("none"))),
        (
            "list-leaks-others",
            "measured: every caller sees every tenant's streams",
            lambda parts: replace(parts, visible=lambda caller, stream: True),
        ),
        ("list-leaks-private", "measured: rows show email, label, memo and partnerId", _around(_private_rows)),
        (
            "list-pages-wrong",
            "measured: a cursor the service does not know restarts at page one",
            _around(_cursor_restarts),
        ),
        ("list-wrong-shape", "operations: another API version answers", _around(_other_shape)),
        ("ready-lies-html", "operations: the SPA's index answers 200 everywhere", _page_instead(_SPA)),
        ("ready-login-page", "operations: an access proxy asks for a login with 200", _page_instead(_LOGIN)),
        ("ready-proxy-welcome", "operations: the proxy's welcome page, no backend", _page_instead(_WELCOME)),
        ("ready-empty-json", "operations: a gateway's mock answers {}", _readyz(lambda honest: Answer(document={}))),
        (
            "ready-degraded-but-200",
            "operations: the status code is no longer derived from the checks",
            _readyz(lambda honest: _degraded(honest).with_status(200)),
        ),
        (
            "ready-names-mainnet",
            "measured: STELLAR_NETWORK=mainnet shows only in this message",
            _readyz(lambda honest: _stellar(honest, message="reachable: https://horizon.stellar.org")),
        ),
        (
            "ready-never",
            "measured: 503 while Horizon cannot be reached",
            _readyz(lambda honest: _degraded(honest).with_status(503)),
        ),
        (
            "release-stale",
            "operations: the rollout left the old build live",
            lambda parts: replace(parts, release=f"before-{parts.release}"),
        ),
        (
            "half-broken",
            "release: GET and POST /api/streams answer 500 with an empty body, after storing",
            _around(_fails_after_storing),
        ),
        (
            "wallet-any-signature",
            "measured: any non-empty signature signs in",
            lambda parts: replace(parts, signature_check=lambda address, challenge, signature: True),
        ),
        ("jwks-leaks", "measured: the key set publishes the HS256 secret", _secret_key_set),
        (
            "every-url-500",
            "measured: a configuration error in middleware turns every URL into a plain-text 500",
            _around(lambda inner, call: Answer(status=500, text="Internal Server Error", media_type="text/plain")),
        ),
        ("stack-trace-in-answer", "operations: NODE_ENV is not production", _around(_with_stack_trace)),
        ("csrf-shut", "operations: the proxy strips cookies, so no write passes", _around(_no_write_passes)),
        (
            "limits-block-everybody",
            "operations: behind a proxy all callers share one bucket, which is empty",
            lambda parts: replace(parts, buckets=_EmptyBuckets()),
        ),
        ("slow", f"operations: every answer takes {SLOW_SECONDS:g} s longer", _around_with(_late)),
    )
}
"""Every fault of the service by name."""


def faulty(parts: Parts, names: tuple[str, ...]) -> Parts:
    """Return the parts with these faults, applied in order; raises KeyError for an unknown name."""
    for name in names:
        parts = FAULTS[name].mutation(parts)
    return parts
