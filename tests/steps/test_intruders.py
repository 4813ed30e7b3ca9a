"""What intruders try, against a small StreamPay that answers in ways a sandbox does not."""

from collections.abc import Iterator

import pytest
from step_parts import Asked, Honest, Says, SmallStreamPay, Witness, run_context_of, settings_for, small_environ

from streampay_smoke.acceptance.actions import intruders
from streampay_smoke.acceptance.checks import doors, throttling, webapp
from streampay_smoke.acceptance.scenario_context import ScenarioContext
from streampay_smoke.core.errors import FixtureMissing, PromiseBroken
from streampay_smoke.evidence.events import Exchanged, ResourceCreated
from streampay_smoke.service.credentials import ANONYMOUS
from streampay_smoke.service.transport import NoServiceAnswer, Throttled

NOT_FOUND = Says(status=404, json={"error": {"code": "STREAM_NOT_FOUND", "message": "no"}})
NOT_VALID = Says(status=422, json={"error": {"code": "VALIDATION_ERROR", "message": "no"}})


def world_of(small: SmallStreamPay, witness: Witness, **money: object) -> ScenarioContext:
    world = ScenarioContext(run_context_of(settings_for(small_environ(small), **money), witness))
    world.credential = world.run_context.credential
    return world


@pytest.fixture
def world(small: SmallStreamPay, witness: Witness) -> Iterator[ScenarioContext]:
    world = world_of(small, witness)
    world.own_stream = world.deployment.stream(world.credential, world.run_context.draft.id)
    yield world
    world.run_context.close()


def test_the_draft_of_a_run_is_made_once(world: ScenarioContext, small: SmallStreamPay) -> None:
    assert world.run_context.draft is world.run_context.draft
    assert small.writes.count("POST /api/streams") == 1


def test_an_order_that_claims_too_much_may_be_refused_whole(
    world: ScenarioContext, small: SmallStreamPay, witness: Witness
) -> None:
    small.lie("POST /api/streams", NOT_VALID)
    intruders.claim_a_settlement(world)
    assert [stream.id for stream in world.own_streams] == [world.own_stream.id]
    assert len(witness.of(ResourceCreated)) == 1


def test_an_order_that_is_given_away_is_one_its_owner_cannot_see(world: ScenarioContext, small: SmallStreamPay) -> None:
    def believes(asked: Asked, honest: Honest) -> Says:
        says = honest(asked)
        small.owners[says.json["data"]["id"]] = asked.json["tenant"]
        return says

    small.lie("POST /api/streams", believes)
    with pytest.raises(PromiseBroken, match="answered 404"):
        intruders.claim_a_settlement(world)


def test_a_sign_in_that_a_deployment_does_not_have_lets_nobody_in(
    world: ScenarioContext, small: SmallStreamPay, witness: Witness
) -> None:
    small.lie("GET /api/auth/wallet", Says(status=404, text="<html><title>404</title></html>"))
    intruders.sign_in_with(world, "somebody else's signature")
    doors.not_let_in(world.refusal, world.caller, witness.expect)
    assert [asked.method for asked in small.asked if asked.path == "/api/auth/wallet"].count("POST") == 1


def test_pages_that_a_deployment_does_not_have_are_shut(world: ScenarioContext, witness: Witness) -> None:
    intruders.ask_for_administration(world, "a stranger who claims to be administrator")
    assert [knock.answer.status for knock in world.knocks] == [404] * 3
    doors.refused(world.knocks, world.caller, witness.expect)


def test_a_service_that_goes_silent_at_a_door_is_told_as_that(world: ScenarioContext, small: SmallStreamPay) -> None:
    small.close()
    with pytest.raises(NoServiceAnswer):
        intruders.look_in(world, ANONYMOUS, ["stream-001"])


def test_a_page_that_is_given_no_proof_breaks_a_promise_and_no_write_is_tried(
    small: SmallStreamPay, witness: Witness
) -> None:
    small.lie("GET /api/healthz", Says(json={}))
    world = world_of(small, witness)
    before = len(small.writes)
    with witness.breaks("the app's page is given a proof of its own", saw="none"):
        intruders.slip_a_write_in(world)
    assert len(small.writes) == before


@pytest.mark.parametrize("attempt", [intruders.meddle, lambda world: intruders.try_to_write(world, "no credential")])
def test_nothing_is_tried_by_writing_where_a_place_is_read_only(
    attempt: object, small: SmallStreamPay, witness: Witness
) -> None:
    world = world_of(small, witness, settles=False, settles_not_because="it is read-only")
    world.own_stream = world.deployment.stream(world.credential, small.add(world.run_context.user.address))
    with pytest.raises(FixtureMissing, match="read-only"):
        attempt(world)  # type: ignore[operator]
    assert small.writes == []


def test_a_rush_that_meets_silence_still_leaves_its_last_exchange(
    world: ScenarioContext, small: SmallStreamPay, witness: Witness
) -> None:
    world.run_context.second_credential  # noqa: B018 - signed in before the service goes silent
    small.close()
    with pytest.raises(NoServiceAnswer):
        intruders.rush(world)
    assert witness.of(Exchanged)[-1].error


def test_in_a_rush_nobody_waits(world: ScenarioContext, small: SmallStreamPay, witness: Witness) -> None:
    small.lie("GET /api/streams", Says(status=429, headers={"retry-after": "1"}))
    intruders.rush(world)
    assert (world.rush.requests, world.refusal.status) == (1, 429)
    throttling.slowed_down(world.rush, witness.expect)
    with witness.breaks("another caller is served meanwhile", saw="status 429"):
        throttling.others_are_served(world.refusal, witness.expect)


def test_a_quota_that_was_used_up_before_says_nothing_of_a_rush(world: ScenarioContext, small: SmallStreamPay) -> None:
    small.lie("GET /api/streams", Says(status=429, headers={"retry-after": "3600"}))
    with pytest.raises(Throttled, match="throttled for 3600 s"):
        intruders.rush(world)


def test_the_keys_a_rush_counts_under_are_new_each_time(world: ScenarioContext, small: SmallStreamPay) -> None:
    small.lie("GET /api/streams", Says(status=429, headers={"retry-after": "1"}))
    for _ in range(2):
        intruders.rush(world)
    keys = [asked.headers["x-api-key"] for asked in small.asked if "x-api-key" in asked.headers]
    assert len(set(keys)) == len(keys) == 4


def test_halves_are_made_of_what_the_page_was_given(world: ScenarioContext, small: SmallStreamPay) -> None:
    small.lie("POST stop", NOT_FOUND)
    intruders.slip_a_write_in(world)
    (knock,) = world.knocks
    assert knock.opened
    assert knock.deed == "write with nothing to show"
    assert knock.shut == webapp.SLIPPED_IN
