"""What the synthetic user does, against a small StreamPay that is honest but for what a test says."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from feature_steps import play
from msgspec.structs import replace
from step_parts import (
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

from streampay_sandbox.proxy import DisturbingProxy
from streampay_smoke.acceptance.actions import settlement as settling
from streampay_smoke.acceptance.actions import streams
from streampay_smoke.acceptance.checks import listing
from streampay_smoke.acceptance.run_context import RunContext
from streampay_smoke.acceptance.scenario_context import ScenarioContext
from streampay_smoke.core.amounts import stroops
from streampay_smoke.core.errors import FixtureMissing, GuardRefused, PromiseBroken
from streampay_smoke.evidence.events import ResourceCreated, ResourceReleased, Warned
from streampay_smoke.http import client
from streampay_smoke.service.orders import order_to
from streampay_smoke.service.records import StreamRecord


@pytest.fixture
def scenario(small: SmallStreamPay, witness: Witness) -> Iterator[ScenarioContext]:
    scenario = ScenarioContext(run_context_of(settings_for(small_environ(small)), witness))
    scenario.credential = scenario.run_context.credential
    scenario.proof = scenario.run_context.proof()
    yield scenario
    scenario.run_context.close()


@pytest.fixture
def user(scenario: ScenarioContext) -> str:
    return scenario.run_context.user.address


def started(scenario: ScenarioContext, *, requests: int = 1) -> ScenarioContext:
    scenario.stream = settling.create_stream(scenario.run_context, scenario.proof.recipient, requests=requests)
    play(scenario, "start_stream")
    return scenario


def own_streams(run: RunContext, at_least: int) -> tuple[StreamRecord, ...]:
    return streams.streams_of_the_user(run, run.credential, at_least=at_least)


def test_the_order_is_only_right_when_it_is_computed_exactly() -> None:
    order = order_to("GRECIPIENT")

    assert order.recipient == "GRECIPIENT"
    assert stroops(order.rate) % 60 != 0
    assert stroops(order.rate) < 10_000_000


@pytest.mark.parametrize(("have", "at_least", "made"), [(0, 2, 2), (1, 2, 1), (2, 2, 0), (3, 2, 0), (0, 1, 1)])
def test_the_user_gets_as_many_streams_as_a_scenario_needs(
    have: int, at_least: int, made: int, scenario: ScenarioContext, user: str, small: SmallStreamPay, witness: Witness
) -> None:
    for _ in range(have):
        small.add(user)
    small.add("somebody else")

    own = own_streams(scenario.run_context, at_least=at_least)

    assert len(own) == have + made
    assert len(witness.of(ResourceCreated)) == made
    assert {small.owners[stream.id] for stream in own} <= {user}


def test_streams_that_are_missing_are_not_created_in_a_read_only_environment(
    small: SmallStreamPay, witness: Witness
) -> None:
    settings = settings_for(small_environ(small), settles=False, settles_not_because="read-only")

    with pytest.raises(FixtureMissing, match="read-only"):
        own_streams(run_context_of(settings, witness), at_least=1)

    assert not small.writes


def test_streams_that_are_there_are_enough_in_a_read_only_environment(small: SmallStreamPay, witness: Witness) -> None:
    settings = settings_for(small_environ(small), settles=False, settles_not_because="read-only")
    shared = run_context_of(settings, witness)
    own = [small.add(shared.user.address) for _ in range(2)]

    assert [stream.id for stream in own_streams(shared, at_least=2)] == own
    assert not small.writes


@pytest.mark.parametrize("mode", ["bearer", "api-key"])
def test_a_user_who_is_the_only_one_gets_streams_too(mode: str, small: SmallStreamPay, witness: Witness) -> None:
    environ = small_environ(
        small, SMOKE_AUTH_MODE=mode, SMOKE_AUTH_TOKEN="an-operators-token", SMOKE_API_KEY="an-operators-key"
    )
    shared = run_context_of(settings_for(environ), witness)

    assert len(own_streams(shared, at_least=2)) == 2


def test_drafts_pay_to_nobody_who_is_watched(scenario: ScenarioContext, small: SmallStreamPay) -> None:
    drafts = [streams.new_draft(scenario.run_context) for _ in range(2)]

    recipients = {small.streams[draft.id]["recipient"] for draft in drafts}
    assert scenario.proof.recipient not in recipients
    assert scenario.run_context.user.address not in recipients


@pytest.mark.parametrize(("have", "page_size", "pages"), [(2, 1, 2), (3, 1, 3), (4, 2, 2), (5, 2, 3), (250, 100, 3)])
def test_own_streams_are_listed_over_several_pages_however_many_there_are(
    have: int, page_size: int, pages: int, scenario: ScenarioContext, user: str, small: SmallStreamPay, witness: Witness
) -> None:
    for _ in range(have):
        small.add(user)
    scenario.own_streams = own_streams(scenario.run_context, at_least=2)

    play(scenario, "list_page_by_page")

    assert scenario.page_size == page_size
    assert len(scenario.pages) == pages
    own = [stream.id for stream in scenario.own_streams]
    listing.each_listed_once(scenario.pages, own, page_size=scenario.page_size, expect=witness.expect)


def test_a_list_that_loses_a_stream_between_its_pages_is_found_out(
    scenario: ScenarioContext, user: str, small: SmallStreamPay, witness: Witness
) -> None:
    for _ in range(5):
        small.add(user)
    scenario.own_streams = own_streams(scenario.run_context, at_least=2)

    def skips_one(asked: Asked, honest: Honest) -> Says:
        if "cursor" in asked.query:
            asked.query["cursor"] = str(int(asked.query["cursor"]) + 1)
        return honest(asked)

    small.lie("GET /api/streams", skips_one)
    play(scenario, "list_page_by_page")

    with witness.breaks("all streams of the user are listed", saw="missing: stream-003"):
        listing.each_listed_once(
            scenario.pages,
            [stream.id for stream in scenario.own_streams],
            page_size=scenario.page_size,
            expect=witness.expect,
        )


@pytest.mark.parametrize("requests", [1, 2, 3])
def test_a_started_stream_was_asked_for_under_one_key(
    requests: int, scenario: ScenarioContext, small: SmallStreamPay, witness: Witness
) -> None:
    started(scenario, requests=requests)

    creations = [asked for asked in small.asked if f"{asked.method} {asked.path}" == "POST /api/streams"]
    assert len(creations) == requests
    assert len({asked.key for asked in creations}) == 1
    assert creations[0].key
    assert scenario.stream.order.recipient == scenario.proof.recipient
    assert small.streams[scenario.stream.id]["status"] == "active"
    play(scenario, "stream_is_active")
    witness.saw_held("a started stream is active")
    play(scenario, "created_once")


def test_a_creation_that_repeats_itself_is_found_out(
    scenario: ScenarioContext, small: SmallStreamPay, witness: Witness
) -> None:
    def without_key(asked: Asked, honest: Honest) -> Says:
        return Says(status=201, json={"data": small.streams[small.add(asked.user, **asked.json)]})

    small.lie("POST /api/streams", without_key)
    started(scenario, requests=2)

    with witness.breaks("a repeated creation makes one stream"):
        play(scenario, "created_once")
    assert len(witness.of(ResourceCreated)) == 2


@pytest.mark.parametrize("status", ["draft", "paused", "ended"])
def test_a_stream_that_does_not_start_is_found_out(
    status: str, scenario: ScenarioContext, small: SmallStreamPay, witness: Witness
) -> None:
    def stays(asked: Asked, honest: Honest) -> Says:
        return Says(json={"data": {**small.streams[asked.stream_id], "status": status}})

    small.lie("POST start", stays)

    started(scenario)
    with witness.breaks("a started stream is active", expected="active", saw=status):
        play(scenario, "stream_is_active")


def test_no_stream_is_ordered_from_a_service_on_the_public_network(
    scenario: ScenarioContext, small: SmallStreamPay
) -> None:
    small.lie("GET /api/readyz", readyz_says(message="reachable: https://horizon.stellar.org"))

    with pytest.raises(GuardRefused):
        started(scenario, requests=2)

    assert not small.writes


def test_a_settled_stream_is_brought_to_its_end(
    scenario: ScenarioContext, small: SmallStreamPay, witness: Witness
) -> None:
    started(scenario)
    play(scenario, "settle")
    stream_id = scenario.stream.id

    assert scenario.settlement.receipt.stream_id == stream_id
    assert small.streams[stream_id]["status"] == "ended"
    settled = [asked for asked in small.asked if asked.path.endswith("/settle")]
    assert [asked.key for asked in settled] == [scenario.settlement.key]
    scenario.run_context.clean_up()
    assert [event.id for event in witness.of(ResourceReleased)] == [stream_id]


def test_a_receipt_for_another_stream_is_found_out(
    scenario: ScenarioContext, small: SmallStreamPay, witness: Witness
) -> None:
    other = small.add("somebody else", settlementTxHash="ab" * 32, status="ended")
    receipt = {**small.streams[other], "settlement": {"txHash": "ab" * 32, "settledAt": "2027-01-15T08:00:10Z"}}
    small.lie("POST settle", Says(json={"data": receipt}))
    started(scenario)

    play(scenario, "settle")
    with witness.breaks("the receipt is for the stream that was settled", expected=scenario.stream.id, saw=other):
        play(scenario, "paid_exact_amount")

    assert not witness.of(ResourceReleased)


@pytest.mark.parametrize(
    "says",
    [
        pytest.param(Says(status=502, json={"error": {"code": "SETTLEMENT_FAILED", "message": "no"}}), id="failed"),
        pytest.param(Says(status=500), id="a crash"),
        pytest.param(Says(status=202, json={"data": {}}), id="accepted, but not done"),
        pytest.param(Says(status=204), id="no content"),
        pytest.param(Says(status=409, json={"error": {"code": "X", "message": "no"}}), id="refused"),
        pytest.param(Says(json={"data": {"id": "stream-001"}}), id="half a receipt"),
    ],
)
def test_a_settlement_without_a_receipt_is_a_broken_promise_and_still_cleaned_up(
    says: Says, scenario: ScenarioContext, small: SmallStreamPay, witness: Witness
) -> None:
    started(scenario)
    small.lie("POST settle", says)

    with pytest.raises(PromiseBroken, match="/settle"):
        play(scenario, "settle")

    scenario.run_context.clean_up()
    assert [event.id for event in witness.of(ResourceReleased)] == [scenario.stream.id]


def settled(scenario: ScenarioContext) -> ScenarioContext:
    play(started(scenario), "settle")
    return scenario


def repeat(scenario: ScenarioContext) -> None:
    play(scenario, "repeat_settlement", "settle_with_new_key", "settle_another_stream")


def check_repetition(scenario: ScenarioContext) -> None:
    play(
        scenario,
        "repeated_settlement_returns_first_receipt",
        "settlement_with_new_key_is_refused",
        "settlement_of_another_stream_is_refused",
    )


def test_a_settlement_that_is_repeated_is_the_same_one(
    scenario: ScenarioContext, small: SmallStreamPay, witness: Witness
) -> None:
    repeat(settled(scenario))

    check_repetition(scenario)
    settles = [asked for asked in small.asked if asked.path.endswith("/settle")]
    first, *again, with_new_key, on_other = settles
    assert len(again) == 3
    assert {first.key, *(asked.key for asked in again)} == {on_other.key} != {with_new_key.key}
    assert {asked.stream_id for asked in (first, *again, with_new_key)} == {scenario.stream.id}
    assert on_other.stream_id == scenario.other_stream.id != scenario.stream.id
    assert small.streams[scenario.other_stream.id]["status"] == "draft"


def test_the_other_stream_is_a_draft_that_was_never_started(
    scenario: ScenarioContext, user: str, small: SmallStreamPay
) -> None:
    for status in ("active", "paused", "ended", "cancelled"):
        small.add(user, status=status)
    small.add("somebody else")

    repeat(settled(scenario))

    assert scenario.other_stream.id == scenario.run_context.draft.id
    assert small.streams[scenario.other_stream.id]["status"] == "draft"
    assert small.owners[scenario.other_stream.id] == user


def _settles_again(small: SmallStreamPay) -> None:
    def again(asked: Asked, honest: Honest) -> Says:
        stream = {**small.streams[asked.stream_id], "status": "ended", "settlementTxHash": "cd" * 32}
        stream["settlement"] = {"txHash": "cd" * 32, "settledAt": "2027-01-15T08:00:10Z"}
        return Says(json={"data": stream})

    small.lie("POST settle", again)


def _key_is_global(small: SmallStreamPay) -> None:
    kept: dict[str, Says] = {}

    def by_key_only(asked: Asked, honest: Honest) -> Says:
        first = next((stream for stream in small.streams.values() if stream["status"] == "ended"), None)
        if first is not None:
            kept.setdefault("first", Says(json={"data": dict(first)}))
        return kept.get("first") or honest(asked)

    small.lie("POST settle", by_key_only)


def _refuses_new_keys_but_answers_for_others(small: SmallStreamPay) -> None:
    def lie(asked: Asked, honest: Honest) -> Says:
        ended = next(stream for stream in small.streams.values() if stream["status"] == "ended")
        if asked.stream_id != ended["id"]:
            return Says(status=409, json={"error": {"code": "USED", "message": f"used for {ended['id']}"}})
        return honest(asked)

    small.lie("POST settle", lie)


def _crashes(small: SmallStreamPay) -> None:
    def lie(asked: Asked, honest: Honest) -> Says:
        says = honest(asked)
        return says if says.status == 200 else Says(status=500)

    small.lie("POST settle", lie)


@pytest.mark.parametrize(
    ("lie", "promise"),
    [
        pytest.param(_settles_again, "the repeated settlement names the same transaction", id="settles again"),
        pytest.param(_key_is_global, "a settled stream cannot be settled again", id="always the first receipt"),
        pytest.param(
            _refuses_new_keys_but_answers_for_others,
            "a settlement key answers for its own stream only",
            id="names the first stream to another",
        ),
        pytest.param(_crashes, "a settled stream cannot be settled again", id="crashes instead of refusing"),
    ],
)
def test_a_service_that_mishandles_a_repetition_is_found_out(
    lie: object, promise: str, scenario: ScenarioContext, small: SmallStreamPay, witness: Witness
) -> None:
    settled(scenario)
    assert callable(lie)
    lie(small)
    repeat(scenario)

    with witness.breaks(promise):
        check_repetition(scenario)


def settles_after_refusal(scenario: ScenarioContext) -> None:
    play(scenario, "create_stream", "settle_before_start", "refused_before_start")
    play(
        scenario, "start_stream", "settle_with_refused_key", "refusal_is_not_repeated", "settle_with_new_key_if_used_up"
    )


def test_a_settlement_that_came_too_early_is_made_later_with_its_key(
    scenario: ScenarioContext, small: SmallStreamPay
) -> None:
    settles_after_refusal(scenario)

    early, late = [asked for asked in small.asked if asked.path.endswith("/settle")]
    assert early.key == late.key == scenario.settlement.key
    assert scenario.settlement.receipt.stream_id == scenario.stream.id
    assert small.streams[scenario.stream.id]["status"] == "ended"


def test_a_key_that_is_used_up_by_a_refusal_is_replaced(scenario: ScenarioContext, small: SmallStreamPay) -> None:
    seen: set[str] = set()

    def used_up(asked: Asked, honest: Honest) -> Says:
        if asked.key in seen:
            return Says(status=409, json={"error": "IdempotencyKeyReused", "message": "used"})
        seen.add(asked.key)
        return honest(asked)

    small.lie("POST settle", used_up)
    settles_after_refusal(scenario)

    assert len(seen) == 2
    assert scenario.settlement.key in seen
    assert small.streams[scenario.stream.id]["status"] == "ended"


def test_a_refusal_that_is_frozen_is_found_out(
    scenario: ScenarioContext, small: SmallStreamPay, witness: Witness
) -> None:
    frozen: dict[str, Says] = {}
    small.lie("POST settle", lambda asked, honest: frozen.setdefault(asked.key, honest(asked)))

    with witness.breaks("the early refusal is not repeated", saw="INVALID_STREAM_STATE"):
        settles_after_refusal(scenario)


@pytest.mark.parametrize("says", [Says(json={"data": {}}), Says(status=500)], ids=["settled", "crashed"])
def test_a_draft_that_is_settled_is_found_out(
    says: Says, scenario: ScenarioContext, small: SmallStreamPay, witness: Witness
) -> None:
    small.lie("POST settle", says)

    with witness.breaks("a stream that was never started is not settled"):
        play(scenario, "create_stream", "settle_before_start", "refused_before_start")


def test_a_draft_that_is_ended_by_a_refusal_is_found_out(
    scenario: ScenarioContext, small: SmallStreamPay, witness: Witness
) -> None:
    def ends_it(asked: Asked, honest: Honest) -> Says:
        says = honest(asked)
        small.streams[asked.stream_id]["status"] = "ended"
        return says

    small.lie("POST settle", ends_it)

    with witness.breaks("a refused settlement changes nothing", saw="ended"):
        play(scenario, "create_stream", "settle_before_start", "refused_before_start")


def test_a_receipt_that_is_late_and_for_another_stream_is_found_out(
    scenario: ScenarioContext, small: SmallStreamPay, witness: Witness
) -> None:
    def another(asked: Asked, honest: Honest) -> Says:
        says = honest(asked)
        return says if says.status == 409 else Says(json={"data": {**says.json["data"], "id": "stream-999"}})

    small.lie("POST settle", another)

    settles_after_refusal(scenario)
    with witness.breaks("the receipt is for the stream that was settled", saw="stream-999"):
        play(scenario, "paid_exact_amount")


def test_a_settlement_is_repeated_over_connections_of_its_own(scenario: ScenarioContext, small: SmallStreamPay) -> None:
    with DisturbingProxy(small.url) as proxy:
        settings = settings_for(small_environ(small, SMOKE_BASE_URL=proxy.url))
        scenario = ScenarioContext(run_context_of(settings, Witness()))
        scenario.credential = scenario.run_context.credential
        scenario.proof = scenario.run_context.proof()
        repeat(settled(scenario))
        connections = [passing.connection for passing in proxy.passed if passing.path.endswith("/settle")]
        scenario.run_context.close()
    first, again, one, another, *rest = connections
    assert first == again == rest[0] == rest[1]
    assert len({first, one, another}) == 3
    assert len(scenario.repeated_receipts) == 3


def test_a_replica_that_does_not_know_the_key_is_found_out(scenario: ScenarioContext, small: SmallStreamPay) -> None:
    settled(scenario)
    seen: list[str] = []

    def forgets(asked: Asked, honest: Honest) -> Says:
        seen.append(asked.key)
        if asked.key == scenario.settlement.key and seen.count(asked.key) > 1:
            return Says(status=409, json={"error": {"code": "INVALID_STREAM_STATE", "message": "no"}})
        return honest(asked)

    small.lie("POST settle", forgets)
    with pytest.raises(PromiseBroken, match="answered 409, not 200"):
        repeat(scenario)


def test_an_order_in_the_newer_way_is_repeated_and_refused_for_another(
    scenario: ScenarioContext, small: SmallStreamPay, witness: Witness
) -> None:
    play(scenario, "create_through_v2", "repeat_create_request", "send_other_create_request")

    play(scenario, "repeated_create_returns_first_stream", "other_create_is_refused")
    orders = [asked for asked in small.asked if f"{asked.method} {asked.path}" == "POST /api/v2/streams"]
    assert {asked.key for asked in orders} == {scenario.created.key}
    assert orders[0].json == orders[1].json != orders[2].json
    assert [event.id for event in witness.of(ResourceCreated)] == [scenario.created.stream.id]


def test_a_stream_that_comes_of_another_order_is_removed_again(
    scenario: ScenarioContext, small: SmallStreamPay, witness: Witness
) -> None:
    def ignores_keys(asked: Asked, honest: Honest) -> Says:
        return Says(status=201, json=small.streams[small.add(asked.user, **asked.json)])

    play(scenario, "create_through_v2")
    small.lie("POST /api/v2/streams", ignores_keys)
    play(scenario, "repeat_create_request", "send_other_create_request")

    scenario.run_context.clean_up()
    made = [event.id for event in witness.of(ResourceCreated)]
    assert len(made) == 3
    assert sorted(event.id for event in witness.of(ResourceReleased)) == sorted(made)


@pytest.mark.parametrize(("replicas", "looks"), [(1, 5), (2, 10), (3, 18)])
def test_a_stream_is_looked_at_over_as_many_connections_as_an_environment_needs(
    replicas: int, looks: int, small: SmallStreamPay
) -> None:
    with DisturbingProxy(small.url) as proxy:
        settings = settings_for(small_environ(small, SMOKE_BASE_URL=proxy.url))
        service = replace(settings.facts.service, replicas=replicas)
        scenario = ScenarioContext(
            run_context_of(replace(settings, facts=replace(settings.facts, service=service)), Witness())
        )
        scenario.credential = scenario.run_context.credential
        stream_id = small.add(scenario.run_context.user.address)
        found = streams.looks_over_new_connections(scenario.run_context, scenario.credential, stream_id)
        asked = [passing.connection for passing in proxy.passed if stream_id in passing.path]
        scenario.run_context.close()
    assert len(found) == len(set(asked)) == looks
    assert {look.status for look in found} == {200}


def test_each_address_of_a_host_is_looked_at_and_a_silent_one_is_told(
    small: SmallStreamPay, monkeypatch: pytest.MonkeyPatch
) -> None:
    witness = Witness()
    monkeypatch.setattr(client, "_resolve", lambda host, port: ["127.0.0.1", "127.0.0.9"])
    base_url = f"http://fleet.example:{urlsplit(small.url).port}"
    settings = settings_for(small_environ(small, SMOKE_BASE_URL=base_url, SMOKE_REPLICAS="2"))
    run = run_context_of(settings, witness)
    met = run.fleet
    run.close()
    assert {each.replica for each in met} == {"127.0.0.1", ""}, "who answers for a silent address is not told by it"
    assert {warned.text for warned in witness.of(Warned)} == {
        "nothing answered at 127.0.0.9, one of the addresses of the deployment's host (refused)"
    }


def test_a_settled_stream_is_made_once_and_then_taken(scenario: ScenarioContext, small: SmallStreamPay) -> None:
    play(scenario, "have_settled_stream")
    again = ScenarioContext(scenario.run_context)
    play(again, "sign_in", "have_settled_stream")

    assert again.settlement is scenario.settlement
    assert len([asked for asked in small.asked if asked.path.endswith("/settle")]) == 1


def test_what_was_settled_is_withdrawn(scenario: ScenarioContext, small: SmallStreamPay, witness: Witness) -> None:
    play(scenario, "have_settled_stream", "withdraw", "withdrawal_is_of_settlement")

    (asked,) = [asked for asked in small.asked if asked.path.endswith("/withdraw")]
    assert asked.key


def test_a_withdrawal_that_is_refused_is_a_broken_promise(scenario: ScenarioContext, small: SmallStreamPay) -> None:
    play(scenario, "have_settled_stream")
    small.lie("POST withdraw", Says(status=500))
    with pytest.raises(PromiseBroken, match="/withdraw answered 500"):
        play(scenario, "withdraw")
