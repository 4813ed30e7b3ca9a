"""What the scenarios of a run share, and what they may never do: move real money, or leave things behind unnoticed."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from msgspec.structs import replace
from step_parts import (
    CONTRACT,
    ORDER,
    Asked,
    Honest,
    Says,
    SmallStreamPay,
    Witness,
    readyz_says,
    run_context_of,
    settings_for,
    small_environ,
)
from waits import HANG_SECONDS

from streampay_sandbox.proxy import DisturbingProxy
from streampay_sandbox.stack import start_sandbox
from streampay_smoke.acceptance import run_context
from streampay_smoke.acceptance.actions import settlement
from streampay_smoke.acceptance.observations.readiness import NeverReady
from streampay_smoke.acceptance.observations.settlement import ServiceProof
from streampay_smoke.acceptance.run_context import RunContext
from streampay_smoke.acceptance.scenario_context import ScenarioContext
from streampay_smoke.chain.adapter import ChainUnavailable
from streampay_smoke.core.errors import FixtureMissing, GuardRefused, PromiseBroken, SettingsInvalid, SmokeError
from streampay_smoke.core.networks import ALLOWED
from streampay_smoke.core.secret import Secret
from streampay_smoke.evidence.events import ReleaseSeen, ReplicaSeen, ResourceCreated, ResourceReleased, Waited
from streampay_smoke.service.identity import address_of_seed
from streampay_smoke.service.strkey import seed_text
from streampay_smoke.service.transport import Throttled


@pytest.fixture
def shared(small: SmallStreamPay, witness: Witness) -> Iterator[RunContext]:
    made = run_context_of(settings_for(small_environ(small)), witness)
    yield made
    made.close()


def created(witness: Witness) -> list[str]:
    return [event.id for event in witness.of(ResourceCreated)]


def released(witness: Witness) -> list[str]:
    return [event.id for event in witness.of(ResourceReleased)]


def make(shared: RunContext, key: str = "") -> str:
    return shared.streams.create(ORDER, key or shared.new_key("create")).id


def test_real_money_is_looked_for_again_before_each_journey(shared: RunContext, small: SmallStreamPay) -> None:
    shared.refuse_real_money()
    small.lie("GET /api/readyz", readyz_says(503, status="degraded", message="fetch failed"))
    shared.refuse_real_money()
    small.lie("GET /api/readyz", readyz_says(message="reachable: https://horizon.stellar.org"))
    with pytest.raises(GuardRefused, match="public network"):
        shared.refuse_real_money()
    small.be_honest("GET /api/readyz")
    with pytest.raises(GuardRefused, match="named the public network"):
        make(shared)
    assert not small.writes


def test_nothing_is_sent_before_a_step_needs_it(shared: RunContext, small: SmallStreamPay) -> None:
    assert shared.deployment is shared.deployment
    assert shared.user is shared.user
    assert not small.asked


def test_what_was_opened_is_shared(shared: RunContext, small: SmallStreamPay) -> None:
    assert shared.readiness is shared.readiness
    assert shared.credential is shared.credential
    assert shared.second_credential is shared.second_credential
    assert shared.second_credential != shared.credential

    assert [asked.path for asked in small.asked if asked.path == "/api/readyz"] == ["/api/readyz"]
    assert [asked.method for asked in small.asked if asked.path == "/api/auth/wallet"] == ["GET", "POST"] * 2


def test_a_service_that_never_became_ready_is_not_waited_for_again(
    shared: RunContext, small: SmallStreamPay, witness: Witness
) -> None:
    small.lie("GET /api/readyz", readyz_says(503, status="degraded"))
    for _ in range(3):
        with pytest.raises(NeverReady, match="stellar degraded"):
            _ = shared.readiness

    assert len(witness.of(Waited)) == 1


def test_a_shared_thing_says_what_it_is() -> None:
    assert RunContext.readiness.__doc__ == "The service's word that it is ready, waited for once."


def test_a_scenarios_context_hands_on_what_the_run_holds(shared: RunContext, witness: Witness) -> None:
    scenario = ScenarioContext(shared)

    assert scenario.settings is shared.settings
    assert scenario.deployment is shared.deployment
    scenario.expect.equal("a scenario's checks reach the journal", 1, 1)
    witness.saw_held("a scenario's checks reach the journal")


def test_a_stream_is_created_and_remembered(shared: RunContext, small: SmallStreamPay, witness: Witness) -> None:
    stream_id = make(shared)

    assert small.streams[stream_id]["recipient"] == ORDER.recipient
    assert created(witness) == [stream_id]
    assert not released(witness)


def test_a_stream_that_came_of_a_repeated_request_is_one_resource(shared: RunContext, witness: Witness) -> None:
    assert make(shared, "the same key") == make(shared, "the same key")

    assert len(created(witness)) == 1


def test_every_stream_a_repeated_request_makes_is_remembered(
    shared: RunContext, small: SmallStreamPay, witness: Witness
) -> None:
    def without_key(asked: Asked, honest: Honest) -> Says:
        return Says(status=201, json={"data": small.streams[small.add(asked.user, **asked.json)]})

    small.lie("POST /api/streams", without_key)

    both = [make(shared, "the same key"), make(shared, "the same key")]

    assert created(witness) == both
    shared.clean_up()
    assert sorted(released(witness)) == both


@pytest.mark.parametrize(
    ("message", "error"),
    [
        pytest.param("reachable: https://horizon.stellar.org", GuardRefused, id="the public network"),
        pytest.param("https://horizon-testnet.stellar.org https://horizon.stellar.org", GuardRefused, id="both"),
        pytest.param("reachable: https://rpc.mainnet.example.org", GuardRefused, id="another door to the public one"),
        pytest.param("reachable", PromiseBroken, id="no network"),
        pytest.param("", PromiseBroken, id="nothing at all"),
        pytest.param("reachable: https://ledger.example.org", PromiseBroken, id="a network nobody knows"),
    ],
)
def test_nothing_is_created_where_real_money_could_be_moved(
    message: str, error: type[SmokeError], shared: RunContext, small: SmallStreamPay, witness: Witness
) -> None:
    small.lie("GET /api/readyz", readyz_says(message=message))

    with pytest.raises(error) as caught:
        make(shared)

    assert caught.type is error
    assert not small.writes
    assert not created(witness)
    shared.clean_up()
    assert not small.writes


def test_nothing_is_created_in_an_environment_that_is_read_only(small: SmallStreamPay, witness: Witness) -> None:
    settings = settings_for(small_environ(small), settles=False, settles_not_because="its streams carry real money")
    shared = run_context_of(settings, witness)

    with pytest.raises(FixtureMissing, match="its streams carry real money") as caught:
        make(shared)

    assert "by hand" in caught.value.next_step
    assert not small.asked
    assert not created(witness)


def test_nothing_is_created_by_a_service_that_never_became_ready(
    shared: RunContext, small: SmallStreamPay, witness: Witness
) -> None:
    small.lie("GET /api/readyz", readyz_says(503, status="degraded"))

    with pytest.raises(NeverReady):
        make(shared)

    assert not small.writes
    assert not created(witness)


@pytest.mark.parametrize(
    "says",
    [
        pytest.param(Says(status=500), id="a crash"),
        pytest.param(Says(status=422, json={"error": {"code": "INVALID", "message": "no"}}), id="a refusal"),
        pytest.param(Says(status=200, json={}), id="another status"),
        pytest.param(Says(status=201, json={"data": {"id": "stream-1"}}), id="half a stream"),
        pytest.param(Says(status=201, text="<html></html>"), id="a page"),
        pytest.param(Says(status=204), id="no content"),
    ],
)
def test_a_stream_that_was_not_created_is_a_broken_promise(
    says: Says, shared: RunContext, small: SmallStreamPay, witness: Witness
) -> None:
    small.lie("POST /api/streams", says)

    with pytest.raises(PromiseBroken, match="POST /api/streams") as caught:
        make(shared)

    assert caught.value.kind == "stream_not_created"
    assert caught.value.next_step
    assert not created(witness)


def test_a_stream_that_the_service_could_not_make_for_now_is_told_apart(
    shared: RunContext, small: SmallStreamPay
) -> None:
    small.lie("POST /api/streams", Says(status=503, json={"error": {"code": "LEDGER_UNAVAILABLE", "message": "no"}}))
    with pytest.raises(PromiseBroken, match="answered 503, not 201: LEDGER_UNAVAILABLE") as caught:
        make(shared)
    assert caught.value.kind == "write_put_off"


STORED_ALL_THE_SAME = [
    pytest.param(Says(status=500), id="a crash"),
    pytest.param(Says(status=503, json={"error": {"code": "LEDGER_UNAVAILABLE", "message": "no"}}), id="a refusal"),
    pytest.param(Says(status=201, text="<html></html>"), id="a page"),
    pytest.param(Says(status=502, text="<html>bad</html>"), id="a gateway"),
]


def stores_and_says(small: SmallStreamPay, says: Says) -> None:
    def lie(asked: Asked, honest: Honest) -> Says:
        honest(asked)
        return says

    small.lie("POST /api/streams", lie)


def not_created(shared: RunContext, recipient: str = ORDER.recipient) -> None:
    with pytest.raises(SmokeError):
        shared.streams.create(replace(ORDER, recipient=recipient), shared.new_key("create"))


@pytest.mark.parametrize("says", STORED_ALL_THE_SAME)
def test_a_stream_that_was_stored_and_answered_as_failed_is_found_and_ended(
    says: Says, shared: RunContext, small: SmallStreamPay, witness: Witness
) -> None:
    other = small.add(shared.user.address)
    stores_and_says(small, says)
    not_created(shared)

    shared.clean_up()

    (stream_id,) = created(witness)
    assert released(witness) == [stream_id]
    assert (small.streams[stream_id]["status"], small.streams[other]["status"]) == ("ended", "draft")


def test_what_was_stored_is_found_by_the_newer_list_where_the_first_one_is_broken(
    shared: RunContext, small: SmallStreamPay, witness: Witness
) -> None:
    stores_and_says(small, Says(status=500))
    small.lie("GET /api/streams", Says(status=500))
    not_created(shared)

    shared.clean_up()

    assert len(created(witness)) == len(released(witness)) == 1


def test_an_order_nobody_can_look_for_is_left_behind(
    shared: RunContext, small: SmallStreamPay, witness: Witness
) -> None:
    stores_and_says(small, Says(status=500))
    for route in ("GET /api/streams", "GET /api/v2/streams"):
        small.lie(route, Says(status=500))
    not_created(shared)
    not_created(shared, "GSOMEBODY")

    shared.clean_up()

    assert [ORDER.recipient in created(witness)[0], "GSOMEBODY" in created(witness)[1]] == [True, True]
    assert not released(witness)


def test_an_order_that_came_to_nothing_leaves_nothing(
    shared: RunContext, small: SmallStreamPay, witness: Witness
) -> None:
    small.lie("POST /api/streams", Says(status=500))
    not_created(shared)
    shared.clean_up()

    assert not created(witness)
    asked = len(small.asked)
    shared.clean_up()
    assert len(small.asked) == asked, "it is looked for once"


def test_a_stream_of_another_run_to_the_same_recipient_is_left_alone(
    shared: RunContext, small: SmallStreamPay, witness: Witness
) -> None:
    order = {"recipient": ORDER.recipient, "rate": ORDER.rate, "schedule": ORDER.schedule}
    marked = small.add(shared.user.address, **order, tags=["smoke:run-0", "lease:9999999999"])
    over = small.add(shared.user.address, **order, status="ended")
    known = make(shared)
    small.lie("POST /api/streams", Says(status=500))
    not_created(shared)

    shared.clean_up()

    assert (created(witness), released(witness)) == ([known], [known])
    assert (small.streams[marked]["status"], small.streams[over]["status"]) == ("draft", "ended")


@pytest.mark.parametrize("field", ["recipient", "rate", "schedule"])
def test_a_stream_other_than_the_one_ordered_is_a_broken_promise(
    field: str, shared: RunContext, small: SmallStreamPay
) -> None:
    def another(asked: Asked, honest: Honest) -> Says:
        data = honest(asked).json["data"]
        return Says(status=201, json={"data": {**data, field: "another"}})

    small.lie("POST /api/streams", another)

    with pytest.raises(PromiseBroken, match=f"whose {field} is 'another'"):
        make(shared)


def test_a_throttled_creation_says_nothing_of_the_release(shared: RunContext, small: SmallStreamPay) -> None:
    small.lie("POST /api/streams", Says(status=429, headers={"retry-after": "3600"}))

    with pytest.raises(Throttled):
        make(shared)


@pytest.mark.parametrize(
    ("status", "action", "left"),
    [
        ("draft", "stop", "ended"),
        ("active", "stop", "ended"),
        ("paused", "settle", "ended"),
        ("ended", "", "ended"),
        ("withdrawn", "", "withdrawn"),
        ("cancelled", "", "cancelled"),
    ],
)
def test_clean_up_brings_a_stream_of_any_status_to_an_end(
    status: str, action: str, left: str, shared: RunContext, small: SmallStreamPay, witness: Witness
) -> None:
    stream_id = make(shared)
    small.streams[stream_id]["status"] = status
    before = len(small.writes)

    shared.clean_up()

    assert small.streams[stream_id]["status"] == left
    assert small.writes[before:] == ([f"POST /api/streams/{stream_id}/{action}"] if action else [])
    assert released(witness) == [stream_id]


@pytest.mark.parametrize(
    ("route", "lie"),
    [
        pytest.param("POST stop", Says(status=500), id="the end crashes"),
        pytest.param("POST stop", Says(status=502, text="<html>bad</html>"), id="a gateway answers"),
        pytest.param("POST stop", Says(status=409, json={"error": {"code": "X", "message": "no"}}), id="refused"),
        pytest.param("POST stop", Says(status=404), id="the route is gone"),
        pytest.param("POST stop", Says(status=302), id="a redirect"),
        pytest.param("POST stop", Says(status=429, headers={"retry-after": "3600"}), id="throttled"),
        pytest.param("GET item", Says(status=404), id="the stream is gone"),
        pytest.param("GET item", Says(status=401), id="the credential is old"),
        pytest.param("GET item", Says(json={"data": {"id": "another"}}), id="half a stream"),
    ],
)
def test_clean_up_that_fails_raises_nothing_and_leaves_the_stream_counted(
    route: str, lie: Says, shared: RunContext, small: SmallStreamPay, witness: Witness
) -> None:
    stream_id = make(shared)
    small.lie(route, lie)

    shared.clean_up()

    assert created(witness) == [stream_id]
    assert not released(witness)


def test_clean_up_that_fails_for_one_stream_goes_on_with_the_others(
    shared: RunContext, small: SmallStreamPay, witness: Witness
) -> None:
    streams = [make(shared) for _ in range(3)]

    def broken(asked: Asked, honest: Honest) -> Says:
        return Says(status=500) if asked.stream_id == streams[0] else honest(asked)

    small.lie("POST stop", broken)
    shared.clean_up()

    assert released(witness) == streams[1:]
    small.be_honest("POST stop")
    shared.clean_up()
    assert released(witness) == [*streams[1:], streams[0]]


def test_clean_up_without_an_answer_raises_nothing(shared: RunContext, small: SmallStreamPay, witness: Witness) -> None:
    make(shared)
    small.close()

    shared.clean_up()

    assert not released(witness)


def test_clean_up_and_close_of_a_run_that_did_nothing_send_nothing(
    shared: RunContext, small: SmallStreamPay, witness: Witness
) -> None:
    shared.clean_up()
    shared.close()

    assert not small.asked
    assert not witness.events


def test_keys_are_never_the_same_and_name_their_run(shared: RunContext) -> None:
    keys = {shared.new_key("create") for _ in range(100)}

    assert len(keys) == 100
    assert all(key.startswith("smoke-run-1-create-") for key in keys)


def test_the_services_word_is_proof_only_where_settings_say_so(shared: RunContext) -> None:
    assert isinstance(shared.proof(), ServiceProof)


def test_where_nobody_looks_at_the_ledger_the_account_of_the_given_seed_is_paid(
    small: SmallStreamPay, witness: Witness
) -> None:
    seed, address = seed_text(bytes(32)), address_of_seed(Secret(seed_text(bytes(32))))
    shared = run_context_of(settings_for(small_environ(small, SMOKE_RECIPIENT_SEED=seed)), witness)

    assert [shared.proof().recipient for _ in range(2)] == [address, address]


def test_where_nobody_looks_at_the_ledger_and_no_friendbot_answers_a_new_address_is_paid(
    small: SmallStreamPay, witness: Witness
) -> None:
    runs = [run_context_of(settings_for(small_environ(small)), witness) for _ in range(2)]

    assert len({run.proof().recipient for run in runs}) == 2


def test_a_service_that_settles_on_a_ledger_pays_an_account_though_nobody_looks_there(witness: Witness) -> None:
    with start_sandbox() as sandbox:
        environ = {**sandbox.ready_document()["env"], "SMOKE_SETTLEMENT_PROOF": "service"}
        shared = run_context_of(settings_for(environ), witness)
        settled = settlement.settled_stream(shared, shared.credential)
        assert shared.ledger.chain.balance(shared.proof().recipient) > 0
        shared.close()

    assert settled.receipt.status == "ended"


def test_a_ledger_that_is_asked_for_and_down_is_not_replaced_by_the_services_word(
    small: SmallStreamPay, witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = ALLOWED["local"]
    monkeypatch.setitem(ALLOWED, "local", replace(local, pace=replace(local.pace, retry=0.05)))
    nowhere = "http://127.0.0.1:9"
    environ = small_environ(
        small,
        SMOKE_SETTLEMENT_PROOF="ledger",
        SMOKE_STELLAR_RPC_URL=nowhere,
        SMOKE_STELLAR_FRIENDBOT_URL=nowhere,
        SMOKE_CONTRACT_ID=CONTRACT,
    )
    shared = run_context_of(settings_for(environ), witness)

    for _ in range(2):
        with pytest.raises(ChainUnavailable):
            shared.proof()

    shared.clean_up()
    shared.close()
    assert not small.asked


@pytest.mark.parametrize(
    ("mode", "environ"),
    [
        ("jwt", {"SMOKE_AUTH_JWT_SECRET": "a-secret-of-some-length-for-a-test"}),
        ("bearer", {"SMOKE_AUTH_TOKEN": "an-operators-token"}),
        ("api-key", {"SMOKE_API_KEY": "an-operators-key"}),
    ],
)
def test_the_operators_credential_is_used_where_the_environment_wants_it(
    mode: str, environ: dict[str, str], small: SmallStreamPay, witness: Witness
) -> None:
    learned: list[str] = []
    shared = RunContext(
        settings_for(small_environ(small, SMOKE_AUTH_MODE=mode, **environ)),
        record=witness.events.append,
        learn_secret=learned.append,
        run_id="run-1",
    )

    assert shared.credential.kind == mode
    assert not small.asked
    assert learned


@pytest.mark.parametrize("mode", ["bearer", "api-key"])
def test_there_is_no_second_user_where_the_operator_supplies_the_only_one(
    mode: str, small: SmallStreamPay, witness: Witness
) -> None:
    environ = small_environ(
        small, SMOKE_AUTH_MODE=mode, SMOKE_AUTH_TOKEN="an-operators-token", SMOKE_API_KEY="an-operators-key"
    )

    with pytest.raises(FixtureMissing, match=f"auth mode {mode} knows one user only"):
        _ = run_context_of(settings_for(environ), witness).second_credential


def test_a_trouble_nobody_foresaw_is_not_kept_as_an_answer(shared: RunContext, monkeypatch: pytest.MonkeyPatch) -> None:
    def defect(*args: Any, **kwargs: Any) -> Callable[[], None]:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr("streampay_smoke.acceptance.run_context.become_ready", defect)
        with pytest.raises(ZeroDivisionError):
            _ = shared.readiness

    assert shared.readiness.ready


def test_an_environment_with_a_bad_contract_is_a_matter_of_settings(small: SmallStreamPay) -> None:
    with pytest.raises(SettingsInvalid, match="SMOKE_CONTRACT_ID"):
        settings_for(small_environ(small, SMOKE_CONTRACT_ID=""))


def test_the_release_is_looked_at_when_ready_and_again_at_the_end(
    shared: RunContext, small: SmallStreamPay, witness: Witness
) -> None:
    shared.look_at_release_again()
    assert not small.asked
    assert shared.readiness.ready
    shared.look_at_release_again()
    small.close()
    shared.look_at_release_again()
    looks = witness.of(ReleaseSeen)
    assert [look.moment for look in looks] == ["start", "end", "end"]
    assert "no answer" in looks[-1].detail


def test_each_look_at_the_fleet_has_a_connection_of_its_own(small: SmallStreamPay, witness: Witness) -> None:
    with DisturbingProxy(small.url) as proxy:
        settings = settings_for(small_environ(small, SMOKE_BASE_URL=proxy.url))
        service = replace(settings.facts.service, replicas=2, replica_miss_probability=0.1)
        settings = replace(settings, facts=replace(settings.facts, service=service))
        run_context = run_context_of(settings, witness)
        assert run_context.readiness.ready
        met = run_context.fleet
        run_context.close()
    asked = [each.asked for each in met]
    assert asked.count("GET /api/readyz") == len(met) / 2 == 5
    assert met == tuple(witness.of(ReplicaSeen))
    assert len({passing.connection for passing in proxy.passed}) == 6


@pytest.mark.parametrize("fails", ["readiness", "signed_in"])
@pytest.mark.parametrize(
    ("failure", "decides"),
    [(PromiseBroken("status 500"), True), (Throttled("status 429"), False), (SettingsInvalid("no key"), False)],
    ids=["the release", "a limit", "the settings"],
)
def test_the_ledger_is_not_waited_for_where_the_release_has_failed_before_any_check(
    fails: str, failure: SmokeError, decides: bool, shared: RunContext
) -> None:
    ledger = shared.opened["ledger"] = object()
    assert shared.ledger_without_service is ledger

    shared.failures[fails] = failure

    met: object = None
    try:
        met = shared.ledger_without_service
    except SmokeError as error:
        met = error  # the same failure again: one cause
    assert met is (failure if decides else ledger)
    shared.opened.clear()


def test_the_ledgers_library_is_loaded_beside_a_long_wait_only(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded, begun = [], threading.Event()

    def load(name: str) -> None:
        loaded.append(name)
        begun.set()

    monkeypatch.setattr("importlib.import_module", load)
    with run_context.ledger_library_loaded_beside():
        pass
    assert not loaded

    monkeypatch.setattr(run_context, "LONG_WAIT_SECONDS", 0.0)
    before = threading.active_count()
    with run_context.ledger_library_loaded_beside():
        assert begun.wait(HANG_SECONDS)
    assert loaded == ["streampay_smoke.chain.stellar"]
    assert threading.active_count() == before
