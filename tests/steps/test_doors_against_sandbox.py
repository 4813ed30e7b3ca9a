"""Doors, the web app and limits against a whole sandbox: shut in an honest one, and found open in each faulty one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from step_parts import Witness, run_context_of, settings_for

from streampay_sandbox.stack import Sandbox, start_sandbox
from streampay_smoke.acceptance.actions import intruders, journeys
from streampay_smoke.acceptance.checks import doors, throttling, webapp
from streampay_smoke.acceptance.checks.doors import SyntheticUserAdministers
from streampay_smoke.acceptance.scenario_context import ScenarioContext
from streampay_smoke.core.errors import GuardRefused, PromiseBroken
from streampay_smoke.evidence.events import Exchanged, ResourceCreated, ResourceReleased
from streampay_smoke.service.credentials import ANONYMOUS
from streampay_smoke.service.transport import Throttled

Story = Callable[[ScenarioContext], None]
"""What a scenario of the features does, step after step."""


def keys(world: ScenarioContext) -> None:
    answer = world.deployment.knock(world.deployment.doors.key_set())
    doors.publishes_no_secret(answer, world.settings.secrets(), world.expect)


def administration(world: ScenarioContext, caller: str) -> None:
    signed_in(world)
    intruders.ask_for_administration(world, caller)
    doors.refused(world.knocks, world.caller, intruders.expect_of_administration(world))
    doors.names_no_administrator(world.knocks, world.caller, world.expect)


def sign_in(world: ScenarioContext, proof: str) -> None:
    signed_in(world)
    intruders.sign_in_with(world, proof)
    doors.not_let_in(world.refusal, world.caller, world.expect)


def writes(world: ScenarioContext, caller: str) -> None:
    draft(world)
    intruders.try_to_write(world, caller)
    refused_and_unchanged(world)


def meddles(world: ScenarioContext) -> None:
    draft(world)
    intruders.meddle(world)
    refused_and_unchanged(world)


def claims(world: ScenarioContext) -> None:
    draft(world)
    intruders.claim_a_settlement(world)
    own, *ordered = world.own_streams
    doors.unchanged(world.own_stream, own, world.expect)
    doors.never_settled(ordered, world.expect)


def strangers_look(world: ScenarioContext) -> None:
    draft(world)
    world.caller = "a stranger"
    intruders.look_in(world, ANONYMOUS, [world.own_stream.id])
    doors.refused(world.knocks, world.caller, world.expect)
    doors.shown_nothing(world.knocks, world.caller, world.expect)


def keeps(world: ScenarioContext) -> None:
    signed_in(world)
    world.own_streams = journeys.streams_of_the_user(world.run_context, at_least=1)
    intruders.look_at_own(world)
    doors.kept_by_nobody(world.cached_by, world.expect)


def mistakes(world: ScenarioContext) -> None:
    signed_in(world)
    intruders.make_mistakes(world)
    doors.tells_no_secret(world.answers, world.secrets, world.expect)
    doors.shows_no_workings(world.answers, world.expect)


def app_writes(world: ScenarioContext) -> None:
    intruders.ask_leave_for(world, world.settings.place.service.app_origin)
    asked = world.deployment.doors.preflight(world.caller).headers
    webapp.app_may_write(world.answers[-1], world.caller, asked, world.expect)


def other_site_asks(world: ScenarioContext) -> None:
    intruders.ask_leave_for(world, intruders.OTHER_SITE)
    webapp.stranger_may_not(world.answers, world.caller, world.expect)


def slips_in(world: ScenarioContext) -> None:
    signed_in(world)
    intruders.slip_a_write_in(world)
    doors.refused(world.knocks, world.caller, world.expect)
    answer = world.deployment.knock(world.write, world.credential)
    webapp.own_page_gets_through(answer, world.write.statuses, world.expect)


def newcomer(world: ScenarioContext) -> None:
    intruders.come_as_somebody_new(world)
    throttling.served_at_once(world.refusal, world.expect)


def rush(world: ScenarioContext) -> None:
    signed_in(world)
    intruders.rush(world)
    throttling.slowed_down(world.rush, world.expect)
    throttling.others_are_served(world.refusal, world.expect)


def signed_in(world: ScenarioContext) -> None:
    world.credential = world.run_context.credential


def draft(world: ScenarioContext) -> None:
    signed_in(world)
    world.own_stream = world.deployment.stream(world.credential, world.run_context.draft.id)


def refused_and_unchanged(world: ScenarioContext) -> None:
    doors.refused(world.knocks, world.caller, world.expect)
    after = world.deployment.stream(world.credential, world.own_stream.id)
    doors.unchanged(world.own_stream, after, world.expect)


STRANGER, CLAIMANT = "a stranger", "a stranger who claims to be administrator"
STORIES: dict[str, Story] = {
    "keys": keys,
    "administration, stranger": partial(administration, caller=STRANGER),
    "administration, claimant": partial(administration, caller=CLAIMANT),
    "administration, user": partial(administration, caller="the synthetic user"),
    "signature": partial(sign_in, proof="somebody else's signature"),
    "challenge": partial(sign_in, proof="a challenge nobody was given"),
    "used challenge": partial(sign_in, proof="a challenge that was used before"),
    "writes, nobody": partial(writes, caller="no credential"),
    "writes, junk": partial(writes, caller="junk for a token"),
    "writes, expired": partial(writes, caller="an expired token"),
    "meddles": meddles,
    "claims": claims,
    "strangers look": strangers_look,
    "keeps": keeps,
    "mistakes": mistakes,
    "app writes": app_writes,
    "other site asks": other_site_asks,
    "slips in": slips_in,
    "newcomer": newcomer,
    "rush": rush,
}


@contextmanager
def opened(sandbox: Sandbox, witness: Witness, **environ: str) -> Iterator[ScenarioContext]:
    settings = settings_for({**sandbox.ready_document()["env"], **environ})
    world = ScenarioContext(run_context_of(settings, witness))
    try:
        yield world
    finally:
        world.run_context.clean_up()
        world.run_context.close()


def left_behind(witness: Witness) -> set[str]:
    return {event.id for event in witness.of(ResourceCreated)} - {event.id for event in witness.of(ResourceReleased)}


def test_in_an_honest_sandbox_every_door_is_shut_and_few_streams_are_made(witness: Witness) -> None:
    with start_sandbox() as sandbox, opened(sandbox, witness) as world:
        for story in STORIES.values():
            checks = len(witness.checks)
            story(ScenarioContext(world.run_context))
            assert len(witness.checks) > checks

    assert all(check.held for check in witness.checks)
    assert len(witness.of(ResourceCreated)) == 2
    assert not left_behind(witness)


@pytest.mark.parametrize("mode", ["jwt", "api-key"])
def test_doors_are_shut_in_every_mode_that_has_a_secret(mode: str, witness: Witness) -> None:
    one_user = {"meddles", "rush"} if mode == "api-key" else set()
    with start_sandbox() as sandbox, opened(sandbox, witness, SMOKE_AUTH_MODE=mode) as world:
        for name in STORIES.keys() - {"used challenge", *one_user}:
            STORIES[name](ScenarioContext(world.run_context))

    assert all(check.held for check in witness.checks)


BROKEN = [
    ("jwks-leaks", "keys", "the published keys hold no secret"),
    ("jwks-leaks-previous", "keys", "the published keys hold no secret"),
    ("jwks-leaks-private-half", "keys", "the published keys hold no secret"),
    ("admin-open", "administration, stranger", "a stranger cannot see /api/admin/pause"),
    ("admin-by-header", "administration, claimant", f"{CLAIMANT} cannot see /api/admin/pause"),
    ("admin-any-user", "administration, user", "the synthetic user cannot see /api/admin/pause"),
    ("audit-open", "administration, stranger", "a stranger cannot see /api/audit"),
    ("wallet-any-signature", "signature", "nobody is let in with somebody else's signature"),
    ("wallet-any-challenge", "challenge", "nobody is let in with a challenge nobody was given"),
    ("wallet-challenge-lasts", "used challenge", "nobody is let in with a challenge that was used before"),
    ("writes-open", "writes, nobody", "a caller with no credential cannot order a stream"),
    ("writes-accept-junk", "writes, junk", "a caller with junk for a token cannot order a stream"),
    ("writes-accept-expired", "writes, expired", "a caller with an expired token cannot order a stream"),
    ("writes-refused-too-late", "writes, nobody", "the stream is as it was"),
    ("others-act", "meddles", "another user cannot start it"),
    ("item-open", "strangers look", "a stranger cannot open the stream"),
    ("tenant-by-header", "strangers look", "a stranger cannot open the stream as its owner's tenant"),
    ("change-takes-anything", "claims", "the stream is as it was"),
    ("batch-takes-anything", "claims", "the stream is as it was"),
    ("caches-share", "keeps", "nobody on the way keeps a copy of their list"),
    ("csrf-open", "slips in", "another site's page cannot write with nothing to show"),
    ("csrf-by-cookie-alone", "slips in", "another site's page cannot write with what the browser keeps"),
    ("csrf-any-pair", "slips in", "another site's page cannot write with two halves that differ"),
    ("cors-lacks-headers", "app writes", "the app may send what a write needs"),
    ("cors-forgets-app", "app writes", "the browser's question is answered"),
    ("cors-any-origin", "other site asks", "another site is not allowed to ask by OPTIONS"),
    ("cors-wildcard", "other site asks", "another site is not allowed to ask by GET"),
    ("limits-block-everybody", "newcomer", "a caller nobody has seen is not told to wait"),
    ("limits-off", "rush", "a caller in a rush is told to wait"),
    ("limits-shared", "rush", "another caller is served meanwhile"),
]


@pytest.mark.parametrize(("fault", "story", "promise"), BROKEN)
def test_a_door_that_is_open_breaks_the_promise_it_is_about(
    fault: str, story: str, promise: str, witness: Witness
) -> None:
    with start_sandbox(faults=(fault,)) as sandbox, opened(sandbox, witness) as world, witness.breaks(promise):
        STORIES[story](world)


@pytest.mark.parametrize(
    ("fault", "saw"),
    [
        ("stack-trace-in-answer", "shows no workings"),
        ("error-echoes-token", "tells no secret"),
        ("error-shows-password", "tells no secret"),
    ],
)
def test_an_error_that_tells_too_much_is_found(fault: str, saw: str, witness: Witness) -> None:
    with (
        start_sandbox(faults=(fault,)) as sandbox,
        opened(sandbox, witness) as world,
        pytest.raises(PromiseBroken, match=saw) as caught,
    ):
        mistakes(world)

    assert "hunter2" not in str(caught.value)


def test_an_order_that_is_believed_is_found_and_cleared_away(witness: Witness) -> None:
    with (
        start_sandbox(faults=("create-takes-anything",)) as sandbox,
        opened(sandbox, witness) as world,
        pytest.raises(PromiseBroken, match="was never settled: expected draft, no settlement, saw ended, a settlement"),
    ):
        claims(world)

    assert not left_behind(witness)


def test_where_writes_do_not_pass_the_own_page_is_the_one_that_misses_them(witness: Witness) -> None:
    with (
        start_sandbox(faults=("csrf-shut",)) as sandbox,
        opened(sandbox, witness, SMOKE_AUTH_MODE="jwt") as world,
        witness.breaks("the same write is let through with the whole proof", saw="status 403"),
    ):
        slips_in(world)


def test_an_open_door_ends_the_round_and_nothing_more_is_tried(witness: Witness) -> None:
    with start_sandbox(faults=("others-act",)) as sandbox, opened(sandbox, witness) as world:
        draft(world)
        intruders.meddle(world)
        assert [knock.deed for knock in world.knocks] == ["start it"]


def test_a_stream_that_a_stranger_could_order_is_remembered_and_ended_by_them(witness: Witness) -> None:
    with start_sandbox(faults=("writes-open",)) as sandbox, opened(sandbox, witness) as world:
        draft(world)
        intruders.try_to_write(world, "no credential")
        (made,) = {event.id for event in witness.of(ResourceCreated)} - {world.own_stream.id}
        assert world.knocks[0].opened

    assert left_behind(witness) == {made}, "nobody can see what belongs to nobody: it is told as leaked"


def test_an_operators_administrator_is_no_synthetic_user(witness: Witness) -> None:
    with (
        start_sandbox(faults=("admin-any-user",)) as sandbox,
        opened(sandbox, witness, SMOKE_AUTH_MODE="api-key") as world,
        pytest.raises(SyntheticUserAdministers),
    ):
        administration(world, "the synthetic user")


def test_haste_is_no_evidence_about_a_door(witness: Witness) -> None:
    with (
        start_sandbox(faults=("limits-block-everybody",)) as sandbox,
        opened(sandbox, witness, SMOKE_AUTH_MODE="jwt") as world,
        pytest.raises(Throttled),
    ):
        world.deployment.refusal(ANONYMOUS)

    assert not witness.checks


@pytest.mark.parametrize("story", ["writes, nobody", "meddles", "claims"])
def test_no_door_is_tried_by_writing_where_money_is_real(story: str, witness: Witness) -> None:
    with (
        start_sandbox(faults=("ready-names-mainnet",)) as sandbox,
        opened(sandbox, witness, SMOKE_AUTH_MODE="jwt") as world,
        pytest.raises(GuardRefused),
    ):
        STORIES[story](world)

    assert not [event for event in witness.of(Exchanged) if event.peer == "service" and event.method != "GET"]


CHALLENGES = [
    "streampay_auth_1790000000000_" + "0f" * 16,
    "streampay_auth_1790000000000_zzzzzzzzzz",
    "streampay_auth_1790000000000_ZyXwVu-_G9",
]


@pytest.mark.parametrize("given", CHALLENGES)
def test_a_challenge_nobody_was_given_is_another_one_of_the_same_make(given: str) -> None:
    other = intruders.never_given(given)

    assert other != given
    assert len(other) == len(given)
    assert [letter.isdigit() for letter in other] == [letter.isdigit() for letter in given]
    assert other.startswith("streampay_auth_1790000000000_")


@pytest.mark.parametrize(("mode", "claims"), [("wallet", True), ("jwt", True), ("bearer", True), ("api-key", False)])
def test_an_owner_is_only_claimed_to_be_where_it_is_known_who_that_is(
    mode: str, claims: bool, witness: Witness
) -> None:
    with start_sandbox() as sandbox:
        with opened(sandbox, witness, SMOKE_AUTH_MODE="jwt") as world:
            token = world.run_context.credential.headers["authorization"].removeprefix("Bearer ")
        with opened(sandbox, witness, SMOKE_AUTH_MODE=mode, SMOKE_AUTH_TOKEN=token) as world:
            strangers_look(world)
            assert [knock.deed for knock in world.knocks][1:] == ["open the stream as its owner's tenant"] * claims


def test_a_rush_leaves_one_exchange_and_not_all(witness: Witness) -> None:
    with start_sandbox() as sandbox, opened(sandbox, witness, SMOKE_AUTH_MODE="jwt") as world:
        rush(world)

    listed = [event.status for event in witness.of(Exchanged) if event.target.startswith("/api/streams")]
    assert listed == [429, 200]
    assert world.rush.requests > 60
