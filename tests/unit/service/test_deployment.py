"""The deployment as a user meets it: each call shown to succeed on a kept promise and to name a broken one."""

import base64
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from msgspec.structs import replace
from stellar_sdk import Keypair

from streampay_smoke.core.errors import (
    Blame,
    CredentialRefused,
    GuardRefused,
    PromiseBroken,
    ServiceUnavailable,
    SettingsInvalid,
    UnfitAnswer,
)
from streampay_smoke.core.secret import Secret
from streampay_smoke.evidence.events import AnyEvent, Exchanged, ServiceSeen
from streampay_smoke.service.credentials import ANONYMOUS, Credential
from streampay_smoke.service.deployment import Deployment
from streampay_smoke.service.dialects import DIALECTS, Call
from streampay_smoke.service.identity import SyntheticUser, synthetic_user
from streampay_smoke.service.lease import Lease
from streampay_smoke.service.records import StreamOrder
from streampay_smoke.service.shape import unfit_answer
from streampay_smoke.service.transport import NoServiceAnswer, ServiceTransport, Throttled
from tests.unit.service.conftest import Asked, Says, ScriptedService

CSRF = "c" * 64
CSRF_COOKIE = Says(
    json={"status": "ok"},
    headers=(("Set-Cookie", "theme=dark"), ("Set-Cookie", f"csrf-token={CSRF}; Path=/; SameSite=lax; Secure")),
)
TX = "ab" * 32
ORDER = StreamOrder(recipient="G" + "B" * 55, rate="0.5", schedule="hour")
GATEWAY = Says(status=502, text="<html><title>502 Bad Gateway</title></html>")
USER = Credential(kind="wallet", headers={"authorization": "Bearer hunter2"}, shown_as="the synthetic user")
OPERATORS = {
    "jwt": "SMOKE_AUTH_JWT_SECRET",
    "bearer": "SMOKE_AUTH_TOKEN",
    "api-key": "SMOKE_API_KEY",
}


@pytest.fixture
def learned() -> list[str]:
    return []


@pytest.fixture
def deployment(service: ScriptedService, events: list[AnyEvent], learned: list[str]) -> Iterator[Deployment]:
    service.on("GET /api/healthz", CSRF_COOKIE)
    with Deployment.at(
        service.url, dialect="app-v1", record=events.append, timeout_seconds=5, learn_secret=learned.append
    ) as deployment:
        yield deployment


@pytest.fixture
def user(learned: list[str]) -> SyntheticUser:
    return synthetic_user("sandbox", "wallet", learn_secret=learned.append)


def stream(**changes: Any) -> dict[str, Any]:
    return {
        "id": "stream-1",
        "status": "draft",
        "recipient": ORDER.recipient,
        "rate": ORDER.rate,
        "schedule": ORDER.schedule,
        "nextAction": "start",
        **changes,
    }


def ready(message: str = "") -> dict[str, Any]:
    return {
        "status": "ok",
        "checks": {
            "config": {"status": "ok"},
            "stellar": {"status": "ok", "message": message},
            "kms": {"status": "ok"},
        },
    }


def envelope(status: int, code: str) -> Says:
    return Says(status=status, json={"error": {"code": code, "message": "no"}}, headers=(("x-request-id", "r-9"),))


def seen(events: list[AnyEvent]) -> list[ServiceSeen]:
    return [event for event in events if isinstance(event, ServiceSeen)]


def test_readiness_tells_network_and_release_and_is_recorded(
    service: ScriptedService, deployment: Deployment, events: list[AnyEvent]
) -> None:
    service.on(
        "GET /api/readyz",
        Says(
            json=ready("reachable: https://horizon-testnet.stellar.org"),
            headers=(("x-release", "r7"), ("x-streampay-simulated", "sandbox")),
        ),
    )
    readiness = deployment.readiness()
    assert readiness.ready
    assert (readiness.network, readiness.release, readiness.simulated) == ("testnet", "r7", True)
    assert seen(events) == [ServiceSeen(release="r7", network="testnet", simulated=True)]


def test_a_service_that_named_the_public_network_once_is_written_to_no_more(
    service: ScriptedService, deployment: Deployment, user: SyntheticUser
) -> None:
    service.on(
        "GET /api/readyz",
        Says(json=ready("reachable: https://horizon-testnet.stellar.org")),
        Says(json=ready("reachable: https://horizon.stellar.org")),
        Says(json=ready("reachable: https://horizon-testnet.stellar.org")),
    )
    service.on("POST /api/streams/stream-1/start", Says(json={"data": stream(status="active")}))
    service.on("GET /api/v2/streams/stream-1", Says(json=stream()))
    service.on("GET /api/auth/wallet", Says(json={"challenge": "streampay_auth_1"}))
    service.on("POST /api/auth/wallet", Says(json={"token": "tok_of_the_synthetic_user"}))
    assert deployment.readiness().network == "testnet"
    deployment.start(USER, "stream-1")
    with deployment.fresh() as replica:
        assert replica.readiness().network == "public"
    assert deployment.readiness().network == "testnet"
    before = len(service.asked)
    for write in (
        lambda: deployment.create(USER, ORDER, "k"),
        lambda: deployment.start(USER, "stream-1"),
        lambda: deployment.settle(USER, "stream-1", "k"),
        lambda: deployment.act(USER, "stream-1", "stop"),
        lambda: deployment.write_lease(USER, "stream-1", Lease(run_id="r", lease_until_seconds=1)),
    ):
        with pytest.raises(GuardRefused, match="named the public network"):
            write()
    assert len(service.asked) == before
    assert deployment.stream(USER, "stream-1").id == "stream-1"
    assert deployment.sign_in(user).kind == "wallet"


def test_the_configured_ledger_is_private(service: ScriptedService, events: list[AnyEvent]) -> None:
    service.on("GET /api/readyz", Says(json=ready("reachable: https://rpc.office.example/x")))
    with Deployment.at(
        service.url,
        dialect="app-v1",
        record=events.append,
        timeout_seconds=5,
        learn_secret=lambda secret: None,
        ledger_url="https://rpc.office.example",
    ) as deployment:
        assert deployment.readiness().network == "private"


def test_the_build_manifest_tells_the_release(service: ScriptedService, events: list[AnyEvent]) -> None:
    service.on("GET /api/readyz", Says(json=ready()))
    service.on("GET /", Says(text="<!DOCTYPE html><!--b_7--><html>"))
    service.on(
        "GET /_next/static/b-7/_buildManifest.js",
        Says(text="self.x=1", headers=(("content-type", "application/javascript"),)),
    )
    with Deployment.at(
        service.url,
        dialect="app-v1",
        record=events.append,
        timeout_seconds=5,
        learn_secret=lambda secret: None,
        release_told_by="build-manifest",
        release_expected="b-7",
    ) as deployment:
        assert deployment.readiness().release == "b-7"


@pytest.mark.parametrize("says", [GATEWAY, Says(text="<html>welcome</html>"), Says(json={})])
def test_a_strangers_readiness_is_told_apart_and_not_recorded_as_the_services(
    service: ScriptedService, deployment: Deployment, events: list[AnyEvent], says: Says
) -> None:
    service.on("GET /api/readyz", says)
    readiness = deployment.readiness()
    assert not readiness.genuine
    assert readiness.release == ""
    assert seen(events) == []


@pytest.mark.parametrize(("dialect", "told_by"), [("app-v9", "build-manifest"), ("app-v1", "guess")])
def test_bad_settings_are_refused_before_anything_is_sent(service: ScriptedService, dialect: str, told_by: str) -> None:
    with pytest.raises(SettingsInvalid):
        Deployment.at(
            service.url,
            dialect=dialect,
            record=lambda event: None,
            timeout_seconds=5,
            learn_secret=lambda secret: None,
            release_told_by=told_by,
        )
    assert service.asked == []


def wallet(service: ScriptedService, challenge: str = "streampay_auth_1700000000000_ab") -> None:
    def sign_in(asked: Asked) -> Says:
        body = asked.json
        Keypair.from_public_key(body["address"]).verify(body["challenge"].encode(), base64.b64decode(body["signature"]))
        return Says(json={"token": f"tok_for_{body['address']}", "expires_at": "t"})

    service.on("GET /api/auth/wallet", Says(json={"challenge": challenge, "expires_at": "t"}))
    service.on("POST /api/auth/wallet", sign_in)


def test_a_wallet_signs_in(
    service: ScriptedService, deployment: Deployment, user: SyntheticUser, learned: list[str], events: list[AnyEvent]
) -> None:
    wallet(service)
    credential = deployment.sign_in(user)
    assert credential.headers == {"authorization": f"Bearer tok_for_{user.address}"}
    assert service.requests("GET /api/auth/wallet")[0].path == f"/api/auth/wallet?address={user.address}"
    assert {CSRF, f"tok_for_{user.address}", user.seed.reveal()} <= set(learned)
    assert "tok_for" not in str([event for event in events if isinstance(event, Exchanged)])


def test_signing_in_again_is_a_new_sign_in_and_being_signed_in_is_not(
    service: ScriptedService, deployment: Deployment, user: SyntheticUser
) -> None:
    wallet(service)
    assert deployment.signed_in(user) is deployment.signed_in(user)
    assert len(service.requests("POST /api/auth/wallet")) == 1
    assert deployment.signed_in(user.second_user()) != deployment.signed_in(user)
    deployment.sign_in(user)
    assert len(service.requests("POST /api/auth/wallet")) == 3


def test_a_supplied_credential_needs_no_request(
    service: ScriptedService, deployment: Deployment, learned: list[str]
) -> None:
    operator = synthetic_user(
        "sandbox", "bearer", learn_secret=learned.append, supplied={"SMOKE_AUTH_TOKEN": Secret("operator-token")}
    )
    assert deployment.sign_in(operator).headers == {"authorization": "Bearer operator-token"}
    assert service.asked == []


def test_a_challenge_that_could_be_something_else_is_not_signed(
    service: ScriptedService, deployment: Deployment, user: SyntheticUser
) -> None:
    wallet(service, challenge="AAAAAgAAAAA=")
    with pytest.raises(PromiseBroken, match="not a challenge to sign"):
        deployment.sign_in(user)
    assert service.requests("POST /api/auth/wallet") == []


@pytest.mark.parametrize("refused_by", ["GET", "POST"])
def test_a_wallet_that_is_refused_breaks_the_promise(
    service: ScriptedService, deployment: Deployment, user: SyntheticUser, refused_by: str
) -> None:
    wallet(service)
    service.on(f"{refused_by} /api/auth/wallet", envelope(401, "INVALID_SIGNATURE"))
    with pytest.raises(PromiseBroken, match=r"answered 401, not 200: INVALID_SIGNATURE \(request id r-9\)") as caught:
        deployment.sign_in(user)
    assert caught.value.next_step == "look for request id r-9 in the service's log"


def test_a_sign_in_with_another_signature_is_only_answered(
    service: ScriptedService, deployment: Deployment, user: SyntheticUser
) -> None:
    wallet(service)
    service.on("POST /api/auth/wallet", envelope(401, "INVALID_SIGNATURE"))
    answer = deployment.sign_in_signing(user, lambda challenge: f"junk for {challenge}")
    assert answer.status == 401
    assert deployment.error_code(answer) == "INVALID_SIGNATURE"
    (asked,) = service.requests("POST /api/auth/wallet")
    assert asked.json["signature"] == f"junk for {asked.json['challenge']}"


def test_a_sign_in_may_answer_another_challenge_than_the_one_that_was_given(
    service: ScriptedService, deployment: Deployment, user: SyntheticUser
) -> None:
    wallet(service)
    service.on("POST /api/auth/wallet", envelope(401, "CHALLENGE_INVALID"))
    answer = deployment.sign_in_signing(user, user.sign, answering=lambda challenge: f"{challenge}-else")
    (asked,) = service.requests("POST /api/auth/wallet")
    assert answer.status == 401
    assert asked.json["challenge"].endswith("-else")
    assert asked.json["signature"] == user.sign(asked.json["challenge"])


def test_where_no_challenge_is_given_that_is_the_answer(
    service: ScriptedService, deployment: Deployment, user: SyntheticUser
) -> None:
    assert deployment.sign_in_signing(user, user.sign).status == 404
    assert service.requests("POST /api/auth/wallet") == []


def test_a_sign_in_is_repeated_word_for_word(
    service: ScriptedService, deployment: Deployment, user: SyntheticUser
) -> None:
    wallet(service)
    deployment.sign_in(user)
    deployment.sign_in(user.second_user())
    service.on("POST /api/auth/wallet", envelope(401, "CHALLENGE_INVALID"))
    assert deployment.sign_in_again(user).status == 401
    first, _, again = service.requests("POST /api/auth/wallet")
    assert again.body == first.body


def test_streams_are_listed_page_by_page(service: ScriptedService, deployment: Deployment) -> None:
    def listed(asked: Asked) -> Says:
        last = "cursor=next" in asked.path
        meta = {"hasNext": not last, "nextCursor": None if last else "next", "total": 1 if last else 2}
        return Says(json={"data": [stream(id="stream-2" if last else "stream-1")], "meta": meta})

    service.on("GET /api/streams", listed)
    first = deployment.streams(USER, limit=1)
    second = deployment.streams(USER, limit=1, cursor=first.next_cursor)
    assert [first.streams[0].id, second.streams[0].id] == ["stream-1", "stream-2"]
    assert (first.has_next, second.has_next) == (True, False)
    assert all(asked.headers["authorization"] == "Bearer hunter2" for asked in service.asked)


def test_a_broken_page_is_named(service: ScriptedService, deployment: Deployment) -> None:
    service.on("GET /api/streams", Says(json={"data": [{}]}))
    with pytest.raises(PromiseBroken, match=r"body\.meta is missing"):
        deployment.streams(USER)


def test_a_refusal_is_an_answer(service: ScriptedService, deployment: Deployment) -> None:
    service.on("GET /api/streams", envelope(401, "UNAUTHORIZED"))
    assert deployment.refusal(ANONYMOUS).status == 401
    assert "authorization" not in service.asked[0].headers
    service.on("GET /api/streams", Says(json={"data": []}))
    assert deployment.refusal(USER).status == 200


def test_a_stream_is_created_with_the_double_submitted_pair(
    service: ScriptedService, deployment: Deployment, learned: list[str]
) -> None:
    service.on("POST /api/streams", Says(status=201, json={"data": stream()}))
    assert deployment.create(USER, ORDER, "key-1").id == "stream-1"
    deployment.create(USER, ORDER)
    first, second = service.requests("POST /api/streams")
    assert first.json == {"recipient": ORDER.recipient, "rate": "0.5", "schedule": "hour"}
    assert first.headers["idempotency-key"] == "key-1"
    assert first.headers["cookie"] == f"csrf-token={CSRF}"
    assert first.headers["x-csrf-token"] == CSRF
    assert "idempotency-key" not in second.headers
    assert len(service.requests("GET /api/healthz")) == 1
    assert CSRF in learned


def test_an_order_may_claim_more_than_an_order_holds(service: ScriptedService, deployment: Deployment) -> None:
    service.on("POST /api/streams", Says(status=201, json={"data": stream()}))
    answer = deployment.create_answer(USER, ORDER, "key-1", claims={"status": "ended"})
    made = deployment.created_by(answer)
    assert made is not None
    assert made.id == "stream-1"
    (asked,) = service.requests("POST /api/streams")
    assert asked.json == {"recipient": ORDER.recipient, "rate": "0.5", "schedule": "hour", "status": "ended"}


def test_a_refused_order_made_no_stream(service: ScriptedService, deployment: Deployment) -> None:
    service.on("POST /api/streams", envelope(422, "VALIDATION_ERROR"))
    assert deployment.created_by(deployment.create_answer(USER, ORDER)) is None


def test_a_request_is_answered_whatever_comes_of_it(service: ScriptedService, deployment: Deployment) -> None:
    service.on("GET /api/audit", envelope(403, "FORBIDDEN"))
    *_, audit = deployment.access.administration()
    assert deployment.attempt(audit).status == 403
    assert "authorization" not in service.requests("GET /api/audit")[0].headers
    assert deployment.attempt(deployment.access.key_set(), USER).status == 404


@pytest.mark.parametrize("half", [{}, {"cookie": "csrf-token=x"}, {"x-csrf-token": "x"}])
def test_a_write_may_show_less_than_the_whole_proof(
    service: ScriptedService, deployment: Deployment, half: dict[str, str]
) -> None:
    write = deployment.access.harmless_write()
    assert deployment.attempt(write, USER, csrf_headers=half).status == 404
    assert deployment.attempt(write, USER).status == 404
    less, whole = service.requests(f"POST {write.path}")
    assert {name: less.headers[name] for name in ("cookie", "x-csrf-token") if name in less.headers} == half
    assert whole.headers["x-csrf-token"] == CSRF
    assert deployment.csrf_token() == {"cookie": f"csrf-token={CSRF}", "x-csrf-token": CSRF}


def test_where_no_cookie_is_given_the_write_goes_without_and_the_service_decides(
    service: ScriptedService, deployment: Deployment
) -> None:
    service.on("GET /api/healthz", Says(json={}))
    service.on("POST /api/streams", envelope(403, "CSRF_TOKEN_INVALID"))
    with pytest.raises(PromiseBroken, match="answered 403, not 201: CSRF_TOKEN_INVALID"):
        deployment.create(USER, ORDER)
    assert "cookie" not in service.requests("POST /api/streams")[0].headers


def test_a_write_without_a_token_is_the_fault_of_the_page_that_hands_none_out(
    service: ScriptedService, deployment: Deployment
) -> None:
    service.on("GET /api/healthz", Says(status=500, json={"error": {"code": "INTERNAL_ERROR"}}))
    service.on("POST /api/streams", Says(status=403, json={"error": {"code": "CSRF_TOKEN_INVALID"}}))
    said = "^GET /api/healthz answered 500 and handed out no CSRF token, without which POST /api/streams answered 403"
    with pytest.raises(PromiseBroken, match=said) as caught:
        deployment.create(USER, ORDER)
    assert caught.value.unfit == UnfitAnswer(asked="GET /api/healthz", status=500, is_data=True)
    service.on("POST /api/streams", Says(status=403, json={"error": {"code": "FORBIDDEN"}}))
    with pytest.raises(PromiseBroken, match=r"^POST /api/streams answered 403, not 201: FORBIDDEN"):
        deployment.create(USER, ORDER)


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        (Says(status=401, json={"error": {"code": "UNAUTHORIZED"}}), "answered 401, not 200: UNAUTHORIZED"),
        (Says(text="<html></html>"), "answered 200, but not a page of streams"),
        (Says(status=429, headers=(("Retry-After", "60"),)), ""),
    ],
    ids=["refused", "a page", "throttled"],
)
def test_an_answer_that_shows_no_streams_is_told_unless_it_is_of_a_limit(
    service: ScriptedService, deployment: Deployment, said: Says, problem: str
) -> None:
    service.on("GET /api/streams", said)
    answer = deployment.streams_answer(USER)
    if not problem:
        deployment.raise_if_not_shown(answer, USER)
        return
    with pytest.raises(PromiseBroken, match=problem) as caught:
        deployment.raise_if_not_shown(answer, USER)
    assert caught.value.unfit is not None
    assert caught.value.unfit.entitled


@pytest.mark.parametrize(
    ("method", "said", "alike"),
    [
        ("POST", Says(status=401), True),
        ("POST", Says(status=302, headers=(("Location", "/login?next=1"),)), True),
        ("POST", Says(text="<html></html>"), True),
        ("GET", Says(json={}), True),
        ("POST", Says(json={}), False),
        ("POST", Says(text="ok"), False),
    ],
    ids=["refused", "redirected", "a page", "a read", "a write", "a write, in words"],
)
def test_answers_are_alike_unless_they_may_have_done_what_was_asked(
    service: ScriptedService, deployment: Deployment, method: str, said: Says, alike: bool
) -> None:
    service.on(f"{method} /api/anything", said)
    call = Call(method=method, path="/api/anything")
    mine, others = (unfit_answer(deployment.attempt(call, USER)) for _ in range(2))
    assert (mine == others) is alike


def test_a_cookie_that_cannot_be_sent_back_breaks_the_promise(service: ScriptedService, deployment: Deployment) -> None:
    service.on("GET /api/healthz", Says(json={}, headers=(("Set-Cookie", "csrf-token=a b; Path=/"),)))
    with pytest.raises(PromiseBroken, match="a cookie csrf-token that cannot be sent back"):
        deployment.create(USER, ORDER)


@pytest.mark.parametrize("field", ["recipient", "rate", "schedule"])
def test_a_stream_other_than_ordered_breaks_the_promise(
    service: ScriptedService, deployment: Deployment, field: str
) -> None:
    service.on("POST /api/streams", Says(status=201, json={"data": stream(**{field: "other"})}))
    with pytest.raises(PromiseBroken, match=f"a stream whose {field} is 'other'"):
        deployment.create(USER, ORDER)


def test_a_stream_is_read(service: ScriptedService, deployment: Deployment) -> None:
    service.on("GET /api/v2/streams/stream-1", Says(json={**stream(), "data": stream()}))
    assert deployment.stream(USER, "stream-1").status == "draft"
    assert deployment.stream_answer(USER, "stream-1").status == 200
    assert deployment.stream_answer(USER, "stream-2").status == 404


@pytest.mark.parametrize("action", ["start", "pause", "stop"])
def test_a_stream_is_moved(service: ScriptedService, deployment: Deployment, action: str) -> None:
    path = f"POST /api/streams/stream-1/{action}"
    service.on(path, Says(json={"data": stream(status="active")}))
    assert getattr(deployment, action)(USER, "stream-1", "k").status == "active"
    assert service.requests(path)[0].headers["idempotency-key"] == "k"
    service.on(path, envelope(409, "INVALID_STREAM_STATE"))
    with pytest.raises(PromiseBroken, match="answered 409, not 200: INVALID_STREAM_STATE"):
        getattr(deployment, action)(USER, "stream-1")


@pytest.mark.parametrize("ask", [Deployment.stream, Deployment.start], ids=["read", "start"])
def test_an_answer_about_another_stream_breaks_the_promise(
    service: ScriptedService, deployment: Deployment, ask: Callable[..., Any]
) -> None:
    other = Says(json={"data": stream(id="stream-9")})
    service.on("GET /api/v2/streams/stream-1", other).on("POST /api/streams/stream-1/start", other)
    with pytest.raises(PromiseBroken, match="answered about stream 'stream-9'"):
        ask(deployment, USER, "stream-1")


def test_a_settlement_brings_a_receipt(service: ScriptedService, deployment: Deployment) -> None:
    settled = stream(status="ended", settlementTxHash=TX, settlement={"txHash": TX, "settledAt": "t"})
    service.on(
        "POST /api/streams/stream-1/settle",
        Says(json={"data": settled}, headers=(("Idempotency-Replay", "false"),)),
        Says(json={"data": settled}, headers=(("Idempotency-Replay", "true"),)),
    )
    first, again = (deployment.settle(USER, "stream-1", "key-1") for _ in range(2))
    assert (first.settlement_tx_hash, first.receipt_tx_hash, first.replayed) == (TX, TX, False)
    assert again.replayed


def test_a_receipt_for_another_stream_is_returned_as_it_is(service: ScriptedService, deployment: Deployment) -> None:
    settled = stream(id="stream-9", status="ended", settlementTxHash=TX, settlement={"txHash": TX, "settledAt": "t"})
    service.on("POST /api/streams/stream-1/settle", Says(json={"data": settled}))
    assert deployment.settle(USER, "stream-1", "used-key").stream_id == "stream-9"


def test_the_services_own_502_is_its_own_failure(service: ScriptedService, deployment: Deployment) -> None:
    service.on("POST /api/streams/stream-1/settle", envelope(502, "SETTLEMENT_FAILED"))
    with pytest.raises(PromiseBroken, match="answered 502, not 200: SETTLEMENT_FAILED"):
        deployment.settle(USER, "stream-1", "key-1")
    assert deployment.act(USER, "stream-1", "settle", "key-1").status == 502


def test_an_empty_500_is_named(service: ScriptedService, deployment: Deployment) -> None:
    service.on("GET /api/streams", Says(status=500))
    with pytest.raises(PromiseBroken, match=r"answered 500, not 200: an empty body \(request id smoke-[0-9a-f]{32}\)"):
        deployment.streams(USER)


def test_a_redirect_is_named_without_its_query(service: ScriptedService, deployment: Deployment) -> None:
    service.on("GET /api/streams", Says(status=302, headers=(("location", "https://login.example/in?token=hunter2"),)))
    with pytest.raises(PromiseBroken, match=r"pointing at https://login\.example/in ") as caught:
        deployment.streams(USER)
    assert "hunter2" not in str(caught.value)


CALLS: dict[str, Callable[[Deployment], Any]] = {
    "streams": lambda deployment: deployment.streams(USER),
    "refusal": lambda deployment: deployment.refusal(USER),
    "stream": lambda deployment: deployment.stream(USER, "stream-1"),
    "stream_answer": lambda deployment: deployment.stream_answer(USER, "stream-1"),
    "create": lambda deployment: deployment.create(USER, ORDER),
    "create_answer": lambda deployment: deployment.create_answer(USER, ORDER),
    "settle": lambda deployment: deployment.settle(USER, "stream-1", "k"),
    "act": lambda deployment: deployment.act(USER, "stream-1", "settle"),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_gateways_answer_is_none_of_the_services(
    service: ScriptedService, deployment: Deployment, call: Callable[[Deployment], Any], status: int
) -> None:
    for request in (
        "GET /api/streams",
        "POST /api/streams",
        "GET /api/v2/streams/stream-1",
        "POST /api/streams/stream-1/settle",
    ):
        service.on(request, Says(status=status, text=GATEWAY.text))
    with pytest.raises(
        ServiceUnavailable, match=f"by a gateway, not by the service: status {status}, an HTML page"
    ) as caught:
        call(deployment)
    assert isinstance(caught.value, NoServiceAnswer)
    assert caught.value.cause == f"http {status}"


@pytest.mark.parametrize(("mode", "variable"), OPERATORS.items())
def test_a_401_on_what_the_operator_supplied_is_a_matter_of_configuration(
    service: ScriptedService, deployment: Deployment, mode: str, variable: str
) -> None:
    service.on("GET /api/streams", envelope(401, "UNAUTHORIZED"))
    supplied = Credential(kind=mode, headers={"authorization": "Bearer hunter2"}, shown_as="the operator's token")
    with pytest.raises(CredentialRefused, match="refused the operator's token with 401: UNAUTHORIZED") as caught:
        deployment.streams(supplied)
    assert variable in caught.value.next_step
    assert caught.value.blame is Blame.CONFIG
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("request_line", "ask"),
    [
        ("GET /api/streams", lambda deployment, sender: deployment.streams_answer(sender)),
        ("GET /api/v2/streams/stream-1", lambda deployment, sender: deployment.stream_answer(sender, "stream-1")),
        (
            "GET /.well-known/jwks.json",
            lambda deployment, sender: deployment.attempt(deployment.access.key_set(), sender),
        ),
    ],
    ids=["streams", "a stream", "a door that is open to the operator"],
)
def test_an_answer_that_only_says_that_the_operators_credential_is_old_tells_nothing_of_the_release(
    service: ScriptedService, deployment: Deployment, request_line: str, ask: Callable[[Deployment, Credential], Any]
) -> None:
    service.on(request_line, envelope(401, "UNAUTHORIZED"))
    with pytest.raises(CredentialRefused, match="refused the synthetic user with 401"):
        ask(deployment, replace(USER, kind="api-key"))
    assert ask(deployment, replace(USER, kind="wallet")).status == 401


def test_access_may_be_refused_to_the_operator_too(service: ScriptedService, deployment: Deployment) -> None:
    service.on("GET /api/audit", envelope(401, "UNAUTHORIZED"))
    *_, audit = deployment.access.administration()
    assert deployment.attempt(audit, replace(USER, kind="api-key")).status == 401


def test_a_401_on_a_fresh_sign_in_breaks_the_promise(service: ScriptedService, deployment: Deployment) -> None:
    service.on("GET /api/streams", envelope(401, "UNAUTHORIZED"))
    with pytest.raises(PromiseBroken, match="answered 401, not 200: UNAUTHORIZED"):
        deployment.streams(USER)


@pytest.mark.parametrize("retry_after", ["3600", "1"])
def test_a_limit_that_outlives_the_wait_blames_nobody_for_it_may_be_used_up_by_another_run(
    service: ScriptedService, events: list[AnyEvent], retry_after: str
) -> None:
    busy = Says(
        status=429, json={"error": {"code": "LIMITED", "message": "no"}}, headers=(("Retry-After", retry_after),)
    )
    service.on("GET /api/streams", busy)
    transport = ServiceTransport(
        service.url, record=events.append, timeout_seconds=5, throttle_seconds=2, sleep=lambda seconds: None
    )
    with Deployment(transport, DIALECTS["app-v1"]) as deployment, pytest.raises(Throttled, match="LIMITED") as caught:
        deployment.streams(USER)
    assert caught.value.blame is Blame.HARNESS


TO_BE_REFUSED: dict[str, Callable[[Deployment], Any]] = {
    "refusal": lambda deployment: deployment.refusal(ANONYMOUS),
    "stream_answer": lambda deployment: deployment.stream_answer(ANONYMOUS, "stream-1"),
    "create_answer": lambda deployment: deployment.create_answer(ANONYMOUS, ORDER),
    "act": lambda deployment: deployment.act(ANONYMOUS, "stream-1", "settle", "k"),
    "attempt": lambda deployment: deployment.attempt(deployment.access.key_set()),
}


@pytest.mark.parametrize("retry_after", ["3600", "1"])
@pytest.mark.parametrize("call", TO_BE_REFUSED.values(), ids=TO_BE_REFUSED)
def test_somebody_who_is_throttled_was_not_refused_for_who_they_are(
    service: ScriptedService, events: list[AnyEvent], call: Callable[[Deployment], Any], retry_after: str
) -> None:
    busy = Says(
        status=429, json={"error": {"code": "LIMITED", "message": "no"}}, headers=(("Retry-After", retry_after),)
    )
    service.on("GET /api/healthz", CSRF_COOKIE)
    for request in (
        "GET /api/streams",
        "POST /api/streams",
        "GET /api/v2/streams/stream-1",
        "POST /api/streams/stream-1/settle",
        "GET /.well-known/jwks.json",
    ):
        service.on(request, busy)
    transport = ServiceTransport(
        service.url, record=events.append, timeout_seconds=5, throttle_seconds=2, sleep=lambda seconds: None
    )
    with Deployment(transport, DIALECTS["app-v1"]) as deployment, pytest.raises(Throttled, match="LIMITED") as caught:
        call(deployment)
    assert caught.value.blame is Blame.HARNESS


@pytest.mark.parametrize("call", TO_BE_REFUSED.values(), ids=TO_BE_REFUSED)
def test_a_limit_is_waited_out_before_anybody_is_refused(
    service: ScriptedService, events: list[AnyEvent], call: Callable[[Deployment], Any]
) -> None:
    busy = Says(status=429, headers=(("Retry-After", "1"),))
    service.on("GET /api/healthz", CSRF_COOKIE)
    for request in (
        "GET /api/streams",
        "POST /api/streams",
        "GET /api/v2/streams/stream-1",
        "POST /api/streams/stream-1/settle",
        "GET /.well-known/jwks.json",
    ):
        service.on(request, busy, envelope(401, "UNAUTHORIZED"))
    transport = ServiceTransport(
        service.url, record=events.append, timeout_seconds=5, throttle_seconds=2, sleep=lambda seconds: None
    )
    with Deployment(transport, DIALECTS["app-v1"]) as deployment:
        assert call(deployment).status == 401


def test_a_dialect_without_csrf_writes_without_the_pair(service: ScriptedService, events: list[AnyEvent]) -> None:
    class Plain(type(DIALECTS["app-v1"])):  # type: ignore[misc]
        csrf = None

    service.on("POST /api/streams", Says(status=201, json={"data": stream()}))
    transport = ServiceTransport(service.url, record=events.append, timeout_seconds=5)
    with Deployment(transport, Plain()) as deployment:
        deployment.create(USER, ORDER)
    assert [asked.method for asked in service.asked] == ["POST"]


def test_request_ids_of_failures_lead_to_the_exchange(
    service: ScriptedService, deployment: Deployment, events: list[AnyEvent]
) -> None:
    service.on("GET /api/streams", Says(status=500))
    with pytest.raises(PromiseBroken) as caught:
        deployment.streams(USER)
    found = re.search(r"request id (smoke-\w+)", str(caught.value))
    assert found
    assert found.group(1) in {event.request_id for event in events if isinstance(event, Exchanged)}
