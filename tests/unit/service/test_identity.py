"""The synthetic user: always the same one, never shown, and told apart from everybody it is not."""

import base64
import json
import time
from typing import Any, get_args

import jwt
import msgspec
import pytest
from stellar_sdk import Keypair

from streampay_smoke.core.errors import FixtureMissing, GuardRefused, SettingsInvalid
from streampay_smoke.core.secret import Secret
from streampay_smoke.service.bad_credentials import BadName, bad_credential
from streampay_smoke.service.credentials import ANONYMOUS, VARIABLE_OF_MODE, Credential
from streampay_smoke.service.identity import MODES, SyntheticUser, synthetic_user

JWT_SECRET = Secret("a-signing-secret-of-at-least-64-bytes, as the longest method asks for it")
SUPPLIED: dict[str, Secret | None] = {
    "SMOKE_AUTH_JWT_SECRET": JWT_SECRET,
    "SMOKE_AUTH_TOKEN": Secret("operator-token"),
    "SMOKE_API_KEY": Secret("operator-key"),
}


@pytest.fixture
def learned() -> list[str]:
    return []


def user_of(learned: list[str], mode: str = "wallet", **options: Any) -> SyntheticUser:
    return synthetic_user("staging", mode, learn_secret=learned.append, **{"supplied": SUPPLIED, **options})


def token_of(credential: Credential) -> str:
    return credential.headers["authorization"].removeprefix("Bearer ")


def claims_of(credential: Credential, *, key: str, **options: Any) -> Any:
    return jwt.decode(
        token_of(credential), key, algorithms=["HS256"], issuer="streampay", audience="streampay-api", **options
    )


@pytest.mark.parametrize("mode", MODES)
def test_the_user_of_an_environment_is_the_same_in_every_run(learned: list[str], mode: str) -> None:
    first, again = user_of(learned, mode), user_of(learned, mode)
    assert first.address == again.address
    elsewhere = synthetic_user("production", mode, learn_secret=learned.append, supplied=SUPPLIED)
    assert elsewhere.address != first.address
    assert Keypair.from_secret(first.seed.reveal()).public_key == first.address


def test_a_given_seed_is_used(learned: list[str]) -> None:
    pair = Keypair.random()
    user = user_of(learned, signer_seed=Secret(pair.secret))
    assert user.address == pair.public_key
    assert pair.secret in learned


def test_a_given_seed_that_is_none_is_refused(learned: list[str]) -> None:
    with pytest.raises(SettingsInvalid, match="SMOKE_SIGNER_SEED is not a Stellar seed"):
        user_of(learned, signer_seed=Secret("SABC"))


def test_an_unknown_mode_is_refused(learned: list[str]) -> None:
    with pytest.raises(SettingsInvalid, match="'basic' is not known"):
        user_of(learned, "basic")


@pytest.mark.parametrize("mode", VARIABLE_OF_MODE)
def test_a_mode_without_its_variable_is_refused(learned: list[str], mode: str) -> None:
    for supplied in ({}, {VARIABLE_OF_MODE[mode]: None}):
        with pytest.raises(SettingsInvalid, match=f"auth mode {mode} needs {VARIABLE_OF_MODE[mode]}"):
            user_of(learned, mode, supplied=supplied)


def test_a_signature_is_the_wallets_own_over_the_text(learned: list[str]) -> None:
    user = user_of(learned)
    signature = base64.b64decode(user.sign("streampay_auth_1_ä"), validate=True)
    Keypair.from_public_key(user.address).verify("streampay_auth_1_ä".encode(), signature)


@pytest.mark.parametrize("text", ["x" * 32, "streampay_auth_" + "x" * 17, "\N{LATIN SMALL LETTER E WITH ACUTE}" * 16])
def test_what_could_be_a_transaction_is_never_signed(learned: list[str], text: str) -> None:
    with pytest.raises(GuardRefused, match="could be a transaction"):
        user_of(learned).sign(text)
    assert user_of(learned).sign(f"{text}.")


def test_a_minted_token_says_who_for_whom_and_ten_minutes(learned: list[str]) -> None:
    user = user_of(learned, "jwt")
    began = int(time.time())
    credential = user.supplied_credential()
    claims = claims_of(credential, key=JWT_SECRET.reveal())
    assert claims["sub"] == user.address
    assert claims["exp"] - claims["iat"] == 600
    assert began <= claims["iat"] <= time.time()
    assert token_of(credential) in learned
    assert credential.operator_variable == "SMOKE_AUTH_JWT_SECRET"
    assert token_of(user.supplied_credential()) != token_of(credential)


def test_supplied_credentials_go_in_their_own_headers(learned: list[str]) -> None:
    bearer = user_of(learned, "bearer").supplied_credential()
    assert bearer.headers == {"authorization": "Bearer operator-token"}
    assert bearer.operator_variable == "SMOKE_AUTH_TOKEN"
    key = user_of(learned, "api-key").supplied_credential()
    assert key.headers == {"x-api-key": "operator-key"}
    assert key.operator_variable == "SMOKE_API_KEY"


@pytest.mark.parametrize("value", ["Bearer abc", "abc\n", "äbc", ""])
@pytest.mark.parametrize("mode", ["bearer", "api-key"])
def test_a_supplied_value_that_fits_no_header_is_refused_without_being_quoted(
    learned: list[str], mode: str, value: str
) -> None:
    user = user_of(learned, mode, supplied={VARIABLE_OF_MODE[mode]: Secret(value)})
    with pytest.raises(SettingsInvalid) as caught:
        user.supplied_credential()
    assert VARIABLE_OF_MODE[mode] in str(caught.value) + caught.value.next_step
    assert not value or value.strip() not in str(caught.value)


def test_a_wallet_has_no_supplied_credential(learned: list[str]) -> None:
    with pytest.raises(SettingsInvalid, match="auth mode wallet has no supplied credential") as caught:
        user_of(learned).supplied_credential()
    assert caught.value.next_step == "sign in instead"


def test_a_token_from_signing_in_is_learned_and_belongs_to_no_operator(learned: list[str]) -> None:
    credential = user_of(learned).token_credential("tok_from_the_service")
    assert credential.headers == {"authorization": "Bearer tok_from_the_service"}
    assert "tok_from_the_service" in learned
    assert credential.operator_variable == ""


@pytest.mark.parametrize("mode", ["wallet", "jwt"])
def test_the_second_user_is_somebody_else_and_always_the_same(learned: list[str], mode: str) -> None:
    user = user_of(learned, mode)
    second = user.second_user()
    assert second.address != user.address
    assert second.address == user.second_user().address
    assert second.mode == mode
    assert Keypair.from_secret(second.seed.reveal()).public_key == second.address
    assert second.seed.reveal() in learned


def test_the_second_user_can_be_minted_a_token(learned: list[str]) -> None:
    second = user_of(learned, "jwt").second_user()
    assert claims_of(second.supplied_credential(), key=JWT_SECRET.reveal())["sub"] == second.address


@pytest.mark.parametrize("mode", MODES)
def test_somebody_else_is_somebody_else_each_time(learned: list[str], mode: str) -> None:
    user = user_of(learned, mode)
    others = {user.somebody_else().address for _ in range(3)}
    assert len(others - {user.address}) == 3
    assert user.somebody_else().seed.reveal() == learned[-1]


@pytest.mark.parametrize("mode", ["bearer", "api-key"])
def test_a_supplied_credential_has_no_second_user(learned: list[str], mode: str) -> None:
    with pytest.raises(FixtureMissing, match="knows one user only"):
        user_of(learned, mode).second_user()


def test_nothing_secret_shows_in_reprs(learned: list[str]) -> None:
    user = user_of(learned, "jwt")
    bad = [bad_credential(name, user, jwt_secret=JWT_SECRET) for name in get_args(BadName)]
    shown = repr((user, user.supplied_credential(), bad, ANONYMOUS))
    assert "eyJ" not in shown
    assert user.seed.reveal() not in shown
    assert JWT_SECRET.reveal() not in shown
    assert user.address in shown


@pytest.mark.parametrize("name", get_args(BadName))
def test_a_bad_credential_is_nobodys_and_learned(learned: list[str], name: BadName) -> None:
    bad = bad_credential(name, user_of(learned), jwt_secret=JWT_SECRET)
    assert (bad.name, bad.proof, bad.credential.operator_variable) == (name, "full", "")
    if name == "none":
        assert bad.credential.headers == {}
    else:
        assert token_of(bad.credential) in learned


def test_the_expired_token_is_genuine_but_for_its_age(learned: list[str]) -> None:
    user = user_of(learned)
    expired = bad_credential("expired", user, jwt_secret=JWT_SECRET).credential
    with pytest.raises(jwt.ExpiredSignatureError):
        claims_of(expired, key=JWT_SECRET.reveal())
    assert claims_of(expired, key=JWT_SECRET.reveal(), options={"verify_exp": False})["sub"] == user.address


@pytest.mark.parametrize(
    ("name", "error", "change"),
    [
        ("other-audience", jwt.InvalidAudienceError, {"audience": "not-streampay-api"}),
        ("other-issuer", jwt.InvalidIssuerError, {"issuer": "not-streampay"}),
        ("hs512", jwt.InvalidAlgorithmError, {"algorithms": ["HS512"]}),
    ],
)
def test_a_token_that_is_good_elsewhere_is_genuine_but_for_one_thing(
    learned: list[str], name: BadName, error: type[Exception], change: dict[str, Any]
) -> None:
    user = user_of(learned)
    credential = bad_credential(name, user, jwt_secret=JWT_SECRET).credential
    expected: dict[str, Any] = {"audience": "streampay-api", "issuer": "streampay", "algorithms": ["HS256"]}
    with pytest.raises(error):
        jwt.decode(token_of(credential), JWT_SECRET.reveal(), **expected)
    claims = jwt.decode(token_of(credential), JWT_SECRET.reveal(), **{**expected, **change})
    assert claims["sub"] == user.address


@pytest.mark.parametrize("name", ["expired", "other-audience", "other-issuer", "hs512"])
def test_without_the_secret_a_token_that_is_good_but_for_one_thing_is_marked_as_forged(
    learned: list[str], name: BadName
) -> None:
    bad = bad_credential(name, user_of(learned))
    assert bad.proof == "forged"
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(token_of(bad.credential), JWT_SECRET.reveal(), algorithms=["HS256", "HS512"])


def test_the_foreign_token_is_genuine_but_for_its_signature(learned: list[str]) -> None:
    user = user_of(learned)
    foreign = bad_credential("foreign", user, jwt_secret=JWT_SECRET).credential
    with pytest.raises(jwt.InvalidSignatureError):
        claims_of(foreign, key=JWT_SECRET.reveal())
    claims = jwt.decode(token_of(foreign), options={"verify_signature": False})
    assert claims["sub"] == user.address
    assert claims["exp"] > time.time()


def test_the_unsigned_token_names_the_user_and_carries_no_signature(learned: list[str]) -> None:
    user = user_of(learned)
    head, body, signature = token_of(bad_credential("alg-none", user).credential).split(".")
    assert json.loads(base64.urlsafe_b64decode(head + "=="))["alg"] == "none"
    assert json.loads(base64.urlsafe_b64decode(body + "=="))["sub"] == user.address
    assert signature == ""


def test_junk_is_no_token_at_all(learned: list[str]) -> None:
    junk = bad_credential("junk", user_of(learned)).credential
    with pytest.raises(jwt.DecodeError):
        jwt.decode(token_of(junk), options={"verify_signature": False})


def test_a_user_is_frozen(learned: list[str]) -> None:
    with pytest.raises(AttributeError):
        user_of(learned).mode = "jwt"  # type: ignore[misc]
    assert msgspec.structs.asdict(ANONYMOUS)["headers"] == {}
