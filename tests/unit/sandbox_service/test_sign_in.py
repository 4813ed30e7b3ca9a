"""Who gets in: wallets that sign, tokens the service issued, the API key; and nobody else."""

import base64
import json
import time
from typing import Any

import pytest
from stellar_sdk import Keypair

from streampay_sandbox.service.auth import API_KEY_CALLER, Tokens
from streampay_sandbox.service.errors import Refusal
from streampay_sandbox.service.wallet import CHALLENGE_SECONDS, Challenges, WalletSignIn, signature_verified
from streampay_sandbox.service.wire import HttpCall
from streampay_smoke.core.secret import Secret


def error_code(reply: Any) -> str:
    return str(json.loads(reply.content)["error"]["code"])


def test_a_wallet_that_signs_its_challenge_gets_a_token_that_lists_its_streams(deployment: Any) -> None:
    stream_id = deployment.create()
    reply = deployment.sign_in()
    assert reply.status == 200
    assert reply.header("cache-control") == "no-store"
    signed_in = json.loads(reply.content)
    assert signed_in["expires_at"].endswith("Z")
    listed = deployment.user("GET", "/api/streams", token=signed_in["token"])
    assert [row["id"] for row in json.loads(listed.content)["data"]] == [stream_id]


@pytest.mark.parametrize(
    "sign",
    [
        lambda challenge: Keypair.random().sign(challenge.encode()),
        lambda challenge: b"\0" * 64,
        lambda challenge: b"short",
    ],
    ids=["another key", "zeros", "too short"],
)
def test_a_signature_of_somebody_else_is_refused(deployment: Any, sign: Any) -> None:
    reply = deployment.sign_in(sign=sign)
    assert (reply.status, error_code(reply)) == (401, "INVALID_SIGNATURE")


def test_a_signature_that_is_no_base64_is_refused(deployment: Any) -> None:
    assert not signature_verified(deployment.wallet.public_key, "text", "not base64!")


def test_a_challenge_is_good_for_one_sign_in(deployment: Any) -> None:
    challenge = json.loads(deployment.send("GET", f"/api/auth/wallet?address={deployment.wallet.public_key}").content)[
        "challenge"
    ]
    assert challenge.startswith("streampay_auth_")
    signature = base64.b64encode(deployment.wallet.sign(challenge.encode())).decode()
    assert deployment.log_in(challenge, signature).status == 200
    again = deployment.log_in(challenge, signature)
    assert (again.status, error_code(again)) == (401, "CHALLENGE_INVALID")


def test_a_challenge_nobody_gave_out_is_refused(deployment: Any) -> None:
    challenge = f"streampay_auth_{int(time.time() * 1000)}_{'0' * 32}"
    reply = deployment.log_in(challenge, base64.b64encode(deployment.wallet.sign(challenge.encode())).decode())
    assert (reply.status, error_code(reply)) == (401, "CHALLENGE_INVALID")


def test_a_challenge_is_over_after_five_minutes() -> None:
    now = [1000.0]
    sign_in = WalletSignIn(Tokens(Secret("x" * 32)), signature_verified, Challenges(lambda: now[0]))
    wallet = Keypair.random()

    def call(**changes: Any) -> HttpCall:
        given: dict[str, Any] = {"query": {}, "body": b"", **changes}
        return HttpCall(method="POST", path="/", route="/", params={}, headers={}, client="", **given)

    answer = sign_in.challenge(call(query={"address": wallet.public_key}))
    challenge = answer.document["challenge"].replace("_1000000_", "_1000000000000_")
    signature = base64.b64encode(wallet.sign(challenge.encode())).decode()
    body = json.dumps({"address": wallet.public_key, "challenge": challenge, "signature": signature}).encode()
    now[0] += CHALLENGE_SECONDS
    with pytest.raises(Refusal) as refused:
        sign_in.sign_in(call(body=body))
    assert refused.value.code == "CHALLENGE_INVALID"


def test_a_challenge_needs_an_account(deployment: Any) -> None:
    for query in ("", "?address=GABC", "?limit=10"):
        reply = deployment.send("GET", f"/api/auth/wallet{query}")
        assert (reply.status, error_code(reply)) == (422, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"address": "GABC"}, 422),
        ({"challenge": "sign over your house"}, 422),
        ({"challenge": 1}, 422),
        ({"signature": ""}, 422),
        ({"signature": None}, 422),
    ],
)
def test_a_malformed_sign_in_is_refused(deployment: Any, changes: dict[str, Any], status: int) -> None:
    document = {
        "address": deployment.wallet.public_key,
        "challenge": f"streampay_auth_1700000000000_{'0' * 32}",
        "signature": "AA==",
    }
    reply = deployment.send("POST", "/api/auth/wallet", json={**document, **changes})
    assert (reply.status, error_code(reply)) == (status, "VALIDATION_ERROR")


HOUR = 3600
BAD_CLAIMS: dict[str, dict[str, Any]] = {
    "expired": {"exp": int(time.time()) - HOUR},
    "not yet valid": {"nbf": int(time.time()) + HOUR},
    "another issuer": {"iss": "somebody"},
    "no issuer": {"iss": None},
    "another audience": {"aud": "somebody"},
    "no audience": {"aud": None},
    "no subject": {"sub": None},
    "empty subject": {"sub": ""},
    "no expiry": {"exp": None},
    "signed by somebody else": {"secret": "s" * 64},
    "another algorithm": {"algorithm": "HS384"},
    "unsigned": {"algorithm": "none"},
}

DOORS = [
    ("GET", "/api/streams"),
    ("GET", "/api/v2/streams"),
    ("POST", "/api/streams"),
    ("POST", "/api/v2/streams"),
    ("GET", "/api/v2/streams/{id}"),
    ("PATCH", "/api/v2/streams/{id}"),
    ("DELETE", "/api/v2/streams/{id}"),
    ("GET", "/api/streams/{id}"),
    *(
        ("POST", f"/api/streams/{{id}}/{action}")
        for action in ("start", "pause", "stop", "settle", "withdraw", "cancel")
    ),
]


@pytest.mark.parametrize("wrong", BAD_CLAIMS)
def test_a_bad_token_is_refused_at_both_lists(deployment: Any, wrong: str) -> None:
    token = deployment.forged(**BAD_CLAIMS[wrong])
    for path in ("/api/streams", "/api/v2/streams"):
        reply = deployment.user("GET", path, token=token)
        assert (reply.status, error_code(reply)) == (401, "UNAUTHORIZED")
        assert reply.header("www-authenticate") == "Bearer"


@pytest.mark.parametrize(("method", "path"), DOORS)
def test_no_stream_is_read_or_moved_without_credentials(deployment: Any, method: str, path: str) -> None:
    stream_id = deployment.create()
    before = deployment.record(stream_id)
    path = path.format(id=stream_id)
    tenant = {"x-tenant-id": deployment.wallet.public_key, "idempotency-key": "k"}
    for credential in (
        {},
        {"authorization": "x"},
        {"authorization": "Bearer junk"},
        {"authorization": "Bearer"},
        {"authorization": f"Bearer {deployment.forged(secret='s' * 64)}"},
        {"x-api-key": "not-the-key"},
        {"authorization": "x", "x-api-key": "an-api-key-for-tests"},
    ):
        reply = deployment.send(method, path, json=deployment.order(), headers={**tenant, **credential})
        assert (reply.status, error_code(reply)) == (401, "UNAUTHORIZED"), credential
    assert deployment.record(stream_id) == before
    assert len(deployment.ledger.streams) == 1


def test_a_token_issued_in_the_future_is_accepted_as_measured(deployment: Any) -> None:
    token = deployment.forged(iat=int(time.time()) + HOUR)
    assert deployment.user("GET", "/api/streams", token=token).status == 200


def test_the_api_key_is_a_user_of_its_own(deployment: Any) -> None:
    deployment.create()
    headers = {"x-api-key": "an-api-key-for-tests"}
    created = deployment.send("POST", "/api/streams", json=deployment.order(), headers=headers)
    listed = json.loads(deployment.send("GET", "/api/streams", headers=headers).content)
    assert [row["id"] for row in listed["data"]] == [json.loads(created.content)["data"]["id"]]
    assert {stream.tenant for stream in deployment.parts.store.everything()} >= {API_KEY_CALLER}
