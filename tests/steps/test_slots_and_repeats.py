"""Two credential slots, marks, and what a run made on the contract itself: each ends well, or says that it did not."""

from collections.abc import Iterator

import pytest
from step_parts import ORDER, Asked, Honest, Says, SmallStreamPay, Witness, run_context_of, settings_for, small_environ

from streampay_sandbox.proxy import DisturbingProxy, Forward, ProxiedRequest, ProxyDecision, hang_up
from streampay_sandbox.stack import start_sandbox
from streampay_smoke.acceptance.actions.contract_stream import parties, stream_and_settle
from streampay_smoke.acceptance.resources.contract_streams import CONTRACT_STREAM, cancel
from streampay_smoke.acceptance.run_context import RunContext
from streampay_smoke.chain.adapter import ChainUnavailable
from streampay_smoke.core.errors import CredentialRefused
from streampay_smoke.evidence.events import ResourceCreated, ResourceMarked, ResourceReleased, Warned
from streampay_smoke.run.bake import Reads
from streampay_smoke.service.lease import Lease
from streampay_smoke.service.orders import order_to

OLD, NEW = "credential-of-slot-a", "credential-of-slot-b"
MODES = [
    pytest.param("bearer", "SMOKE_AUTH_TOKEN", id="bearer"),
    pytest.param("api-key", "SMOKE_API_KEY", id="api-key"),
]


def in_rotation(small: SmallStreamPay, witness: Witness, mode: str, variable: str) -> RunContext:
    environ = {"SMOKE_AUTH_MODE": mode, variable: OLD, f"{variable}_B": NEW}
    return run_context_of(settings_for(small_environ(small, **environ)), witness)


def refuse(small: SmallStreamPay, *refused: str) -> None:
    def list_streams(asked: Asked, honest: Honest) -> Says:
        return Says(status=401, json={"error": {"code": "UNAUTHORIZED"}}) if asked.user in refused else honest(asked)

    small.lie("GET /api/streams", list_streams)


@pytest.mark.parametrize(("mode", "variable"), MODES)
def test_slot_a_is_used_while_the_deployment_takes_it(
    small: SmallStreamPay, witness: Witness, mode: str, variable: str
) -> None:
    shared = in_rotation(small, witness, mode, variable)
    assert OLD in str(shared.credential.headers)
    assert len(small.asked) == 1
    assert not witness.of(Warned)


@pytest.mark.parametrize(("mode", "variable"), MODES)
def test_slot_b_is_used_where_slot_a_is_refused_and_the_verdict_is_warned(
    small: SmallStreamPay, witness: Witness, mode: str, variable: str
) -> None:
    refuse(small, OLD)
    shared = in_rotation(small, witness, mode, variable)
    assert NEW in str(shared.credential.headers)
    assert shared.credential.operator_variable == f"{variable}_B"
    (warning,) = witness.of(Warned)
    assert warning.text == (
        f"credential slot A ({variable}) was refused, slot B ({variable}_B) was used: finish the rotation"
    )
    assert OLD not in warning.text


@pytest.mark.parametrize(("mode", "variable"), MODES)
def test_a_release_that_is_watched_or_compared_takes_its_slot_too(
    small: SmallStreamPay, witness: Witness, mode: str, variable: str
) -> None:
    refuse(small, OLD)
    shared = in_rotation(small, witness, mode, variable)
    reads = Reads(shared, shared.settings.facts.bake)
    assert [reads.look().good for _ in range(2)] == [1, 1]
    reads.close()
    with shared.deployment_at(small.url, record=shared.record, timeout_seconds=5, stable=True) as stable:
        assert NEW in str(shared.signed_in_at(stable).headers)
    assert not witness.of(Warned), "of the rotation the run warns, once"


@pytest.mark.parametrize(("mode", "variable"), MODES)
def test_two_refused_slots_are_both_named(small: SmallStreamPay, witness: Witness, mode: str, variable: str) -> None:
    refuse(small, OLD, NEW)
    shared = in_rotation(small, witness, mode, variable)
    for _ in range(2):
        with pytest.raises(CredentialRefused, match=f"{variable} and {variable}_B"):
            _ = shared.credential
    assert len(small.asked) == 2


def test_another_trouble_than_a_refusal_is_left_to_the_scenarios(small: SmallStreamPay, witness: Witness) -> None:
    small.lie("GET /api/streams", Says(status=500))
    assert OLD in str(in_rotation(small, witness, "api-key", "SMOKE_API_KEY").credential.headers)


def test_the_signing_secret_is_that_of_the_slot_the_deployment_takes(small: SmallStreamPay, witness: Witness) -> None:
    environ = {"SMOKE_AUTH_MODE": "jwt", "SMOKE_AUTH_JWT_SECRET": "a" * 40, "SMOKE_AUTH_JWT_SECRET_B": "b" * 40}
    shared = run_context_of(settings_for(small_environ(small, **environ)), witness)
    calls = iter([401, 200, 200])

    def once_refused(asked: Asked, honest: Honest) -> Says:
        return honest(asked) if next(calls) == 200 else Says(status=401, json={"error": {"code": "UNAUTHORIZED"}})

    small.lie("GET /api/streams", once_refused)
    secret = shared.jwt_secret
    assert secret is not None
    assert secret.reveal() == "b" * 40
    assert shared.second_credential != shared.credential


def test_one_slot_asks_nothing(small: SmallStreamPay, witness: Witness) -> None:
    environ = {"SMOKE_AUTH_MODE": "jwt", "SMOKE_AUTH_JWT_SECRET": "a" * 40}
    shared = run_context_of(settings_for(small_environ(small, **environ)), witness)
    assert shared.credential.operator_variable == "SMOKE_AUTH_JWT_SECRET"
    assert shared.jwt_secret is shared.settings.auth_jwt_secret
    assert not small.asked


def test_a_service_that_takes_no_marks_is_asked_once_and_fails_nothing(small: SmallStreamPay, witness: Witness) -> None:
    shared = run_context_of(settings_for(small_environ(small)), witness)
    for _ in range(2):
        shared.streams.create(ORDER, shared.new_key("create"))
    assert len(witness.of(ResourceCreated)) == 2
    assert not witness.of(ResourceMarked)
    shared.clean_up()
    assert len(witness.of(ResourceReleased)) == 2


@pytest.fixture
def real(witness: Witness) -> Iterator[RunContext]:
    with start_sandbox() as sandbox:
        shared = run_context_of(settings_for(sandbox.ready_document()["env"]), witness)
        yield shared
        shared.close()


def test_a_stream_carries_the_run_and_a_lease(real: RunContext, witness: Witness) -> None:
    stream = real.streams.create(order_to(real.user.address), real.new_key("create"))
    (marked,) = witness.of(ResourceMarked)
    assert real.deployment.lease_of(real.credential, stream.id) == Lease(
        run_id="run-1", lease_until_seconds=marked.lease_until_seconds
    )
    assert real.deployment.lease_of(real.credential, "stream-nobody") is None


def test_a_mark_that_meets_silence_fails_nothing_and_is_not_tried_again(witness: Witness) -> None:
    marks = iter(["silence", "never asked"])

    def behaviour(passing: ProxiedRequest) -> ProxyDecision:
        return hang_up() if passing.method == "PATCH" and next(marks) == "silence" else Forward()

    with start_sandbox() as sandbox, DisturbingProxy(sandbox.base_url, behaviour=behaviour) as proxy:
        environ = {**sandbox.ready_document()["env"], "SMOKE_BASE_URL": proxy.url}
        shared = run_context_of(settings_for(environ), witness)
        for _ in range(2):
            shared.streams.create(order_to(shared.user.address), shared.new_key("create"))
        assert not witness.of(ResourceMarked)
        assert len(shared.streams.unfinished) == 2
        shared.clean_up()
        assert not shared.streams.unfinished
        shared.close()
    assert next(marks) == "never asked"


def test_a_direct_stream_whose_settlement_failed_is_cancelled_at_the_end(
    real: RunContext, witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*args: object) -> None:
        raise ChainUnavailable("the ledger is silent")

    between = parties(real.ledger, real.payer, real.recipient)
    with monkeypatch.context() as patch:
        patch.setattr(real.ledger.contract, "settle", down)
        with pytest.raises(ChainUnavailable):
            stream_and_settle(real.ledger, between, real.housekeeping)
    (made,) = witness.of(ResourceCreated)
    assert made.kind == CONTRACT_STREAM
    assert not witness.of(ResourceReleased)

    real.clean_up()

    assert [gone.id for gone in witness.of(ResourceReleased)] == [made.id]
    assert real.ledger.contract.stream(int(made.id)).status == "cancelled"
    assert cancel(real.ledger, int(made.id), real.payer), "a stream that is over needs no second end"


def test_a_direct_stream_that_cannot_be_cancelled_is_counted(
    real: RunContext, witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*args: object) -> None:
        raise ChainUnavailable("the ledger is silent")

    between = parties(real.ledger, real.payer, real.recipient)
    for name in ("start", "cancel"):
        monkeypatch.setattr(real.ledger.contract, name, down)
    with pytest.raises(ChainUnavailable):
        stream_and_settle(real.ledger, between, real.housekeeping)
    real.clean_up()
    assert len(witness.of(ResourceCreated)) == 1
    assert not witness.of(ResourceReleased)
