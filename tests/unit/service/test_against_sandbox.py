"""The client against the whole sandbox: both were written from the same facts, neither from the other."""

from collections.abc import Iterator
from typing import get_args

import pytest

from streampay_sandbox.stack import Sandbox, start_sandbox
from streampay_smoke.core.errors import PromiseBroken
from streampay_smoke.core.secret import Secret
from streampay_smoke.evidence.events import AnyEvent, Exchanged
from streampay_smoke.http.client import Client
from streampay_smoke.service.bad_credentials import BadName, bad_credential
from streampay_smoke.service.credentials import Credential
from streampay_smoke.service.deployment import Deployment
from streampay_smoke.service.identity import SyntheticUser, synthetic_user
from streampay_smoke.service.records import StreamOrder
from streampay_smoke.service.strkey import address_of

RECIPIENT = address_of(b"\x05" * 32)
ORDER = StreamOrder(recipient=RECIPIENT, rate="0.0001", schedule="second")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with start_sandbox(release="r-7") as sandbox:
        with Client(timeout_seconds=10) as client:
            assert client.request("GET", sandbox.friendbot_url, params={"addr": RECIPIENT}).status == 200
        yield sandbox


@pytest.fixture(scope="module")
def journal() -> list[AnyEvent]:
    return []


@pytest.fixture(scope="module")
def secrets() -> list[str]:
    return []


@pytest.fixture(scope="module")
def deployment(sandbox: Sandbox, journal: list[AnyEvent], secrets: list[str]) -> Iterator[Deployment]:
    with Deployment.at(
        sandbox.base_url,
        dialect="app-v1",
        record=journal.append,
        timeout_seconds=10,
        learn_secret=secrets.append,
        release_told_by="build-manifest",
        release_expected="r-7",
        ledger_url=sandbox.rpc_url,
    ) as deployment:
        yield deployment


@pytest.fixture(scope="module")
def user(secrets: list[str]) -> SyntheticUser:
    return synthetic_user("sandbox", "wallet", learn_secret=secrets.append)


@pytest.fixture
def credential(deployment: Deployment, user: SyntheticUser) -> Credential:
    return deployment.signed_in(user)


def variable(sandbox: Sandbox, name: str) -> Secret:
    return Secret(sandbox.ready_document()["env"][name])


def test_it_is_ready_simulated_private_and_of_the_expected_release(deployment: Deployment) -> None:
    readiness = deployment.readiness()
    assert readiness.genuine, readiness.not_genuine_because
    assert readiness.ready, readiness.description
    assert (readiness.network, readiness.release, readiness.simulated) == ("private", "r-7", True)


@pytest.mark.parametrize(("mode", "name"), [("jwt", "SMOKE_AUTH_JWT_SECRET"), ("api-key", "SMOKE_API_KEY")])
def test_supplied_credentials_are_let_in(
    sandbox: Sandbox, deployment: Deployment, secrets: list[str], mode: str, name: str
) -> None:
    user = synthetic_user("sandbox", mode, learn_secret=secrets.append, supplied={name: variable(sandbox, name)})
    assert deployment.streams(deployment.sign_in(user)).streams == ()


@pytest.mark.parametrize("knows_secret", [True, False])
def test_everybody_else_is_refused(
    sandbox: Sandbox, deployment: Deployment, user: SyntheticUser, knows_secret: bool
) -> None:
    secret = variable(sandbox, "SMOKE_AUTH_JWT_SECRET") if knows_secret else None
    answers = {
        name: deployment.refusal(bad_credential(name, user, jwt_secret=secret).credential) for name in get_args(BadName)
    }
    assert {name: answer.status for name, answer in answers.items()} == dict.fromkeys(answers, 401)
    assert all(deployment.error_code(answer) for answer in answers.values())


def test_a_signature_by_somebody_else_is_refused(deployment: Deployment, user: SyntheticUser) -> None:
    answer = deployment.sign_in_signing(user, user.somebody_else().sign)
    assert answer.status == 401


def test_a_stream_is_created_started_and_settled_once(
    deployment: Deployment, user: SyntheticUser, credential: Credential
) -> None:
    created = deployment.create(credential, ORDER, "create-1")
    assert deployment.create(credential, ORDER, "create-1").id == created.id
    assert created.status == "draft"
    assert deployment.start(credential, created.id).status == "active"
    receipt = deployment.settle(credential, created.id, "settle-1")
    again = deployment.settle(credential, created.id, "settle-1")
    record = deployment.stream(credential, created.id)
    assert (receipt.replayed, again.replayed) == (False, True)
    assert receipt.stream_id == again.stream_id == record.id
    assert receipt.status == record.status == "ended"
    assert len(receipt.settlement_tx_hash) == 64
    assert {receipt.settlement_tx_hash, receipt.receipt_tx_hash, again.settlement_tx_hash, again.receipt_tx_hash} == {
        record.settlement_tx_hash
    }
    with pytest.raises(PromiseBroken, match="answered 409"):
        deployment.settle(credential, created.id, "settle-2")


def test_a_key_that_is_missing_is_refused_in_the_flat_form(deployment: Deployment, credential: Credential) -> None:
    created = deployment.create(credential, ORDER)
    answer = deployment.act(credential, created.id, "settle")
    assert (answer.status, deployment.error_code(answer)) == (400, "IdempotencyKeyRequired")
    assert deployment.stop(credential, created.id).status == "ended"


def test_streams_come_page_by_page_and_only_ones_own(
    deployment: Deployment, user: SyntheticUser, credential: Credential
) -> None:
    made = {deployment.create(credential, ORDER).id for _ in range(3)}
    seen: list[str] = []
    page = deployment.streams(credential, limit=2)
    seen += [record.id for record in page.streams]
    while page.has_next:
        page = deployment.streams(credential, limit=2, cursor=page.next_cursor)
        seen += [record.id for record in page.streams]
    assert made <= set(seen)
    assert len(seen) == len(set(seen))
    other = deployment.signed_in(user.second_user())
    assert deployment.streams(other).streams == ()
    assert deployment.stream_answer(other, made.pop()).status == 404


def test_no_secret_is_in_the_journal(
    deployment: Deployment, credential: Credential, journal: list[AnyEvent], secrets: list[str]
) -> None:
    deployment.streams(credential)
    shown = str([event for event in journal if isinstance(event, Exchanged)])
    assert secrets
    assert not [secret for secret in secrets if secret in shown]
