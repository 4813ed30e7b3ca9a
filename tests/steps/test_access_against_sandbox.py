"""Doors, the web app and limits against a whole sandbox: shut in an honest one, and found open in each faulty one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from feature_steps import play
from step_parts import Witness, run_context_of, settings_for

from streampay_sandbox.stack import Sandbox, start_sandbox
from streampay_smoke.acceptance.actions.unauthorized_attempts import never_given
from streampay_smoke.acceptance.checks.access import SyntheticUserAdministers
from streampay_smoke.acceptance.scenario_context import ScenarioContext
from streampay_smoke.core.errors import GuardRefused, PromiseBroken
from streampay_smoke.evidence.events import Exchanged, ResourceCreated, ResourceReleased
from streampay_smoke.service.credentials import ANONYMOUS
from streampay_smoke.service.transport import Throttled

Story = Callable[[ScenarioContext], None]
"""What a scenario of the features does, step after step."""


def keys(world: ScenarioContext) -> None:
    play(world, "look_up_keys", "keys_hold_no_secret")


def administration(world: ScenarioContext, caller: str) -> None:
    play(world, "sign_in")
    play(world, "administer", caller=caller)
    play(world, "every_attempt_is_refused", "no_administrator_is_named")


def sign_in(world: ScenarioContext, proof: str) -> None:
    play(world, "sign_in")
    play(world, "sign_in_with", proof=proof)
    play(world, "not_let_in")


def writes(world: ScenarioContext, credential: str) -> None:
    play(world, "sign_in", "have_a_draft")
    play(world, "write_with", credential=credential)
    play(world, "every_attempt_is_refused", "stream_is_as_it_was")


def takes_over(world: ScenarioContext) -> None:
    play(world, "sign_in", "have_a_draft", "take_over", "every_attempt_is_refused", "stream_is_as_it_was")


def claims(world: ScenarioContext) -> None:
    play(world, "sign_in", "have_a_draft", "claim_a_settlement", "neither_is_settled")


def strangers_look(world: ScenarioContext) -> None:
    play(world, "sign_in", "have_a_draft")
    world.own_streams = (world.own_stream,)
    play(world, "strangers_open_it", "every_attempt_is_refused", "shown_no_stream")


def keeps(world: ScenarioContext) -> None:
    play(world, "sign_in")
    play(world, "have_streams", count=1)
    play(world, "look_at_own", "kept_by_nobody")


def mistakes(world: ScenarioContext) -> None:
    play(world, "sign_in", "provoke_errors", "no_answer_tells_a_secret", "no_answer_shows_workings")


def app_writes(world: ScenarioContext) -> None:
    play(world, "ask_for_the_app", "app_may_write")


def other_site_asks(world: ScenarioContext) -> None:
    play(world, "ask_for_another_site", "stranger_may_not")


def forges(world: ScenarioContext) -> None:
    play(world, "sign_in", "forge_writes", "page_has_a_token", "every_forged_write_is_refused", "own_page_gets_through")


def newcomer(world: ScenarioContext) -> None:
    play(world, "list_as_somebody_new", "not_told_to_wait")


def rush(world: ScenarioContext) -> None:
    play(world, "sign_in", "rush", "told_to_wait", "first_user_is_served")


STRANGER, CLAIMANT = "a stranger", "a stranger who claims to be administrator"
STORIES: dict[str, Story] = {
    "keys": keys,
    "administration, stranger": partial(administration, caller=STRANGER),
    "administration, claimant": partial(administration, caller=CLAIMANT),
    "administration, user": partial(administration, caller="the synthetic user"),
    "signature": partial(sign_in, proof="somebody else's signature"),
    "challenge": partial(sign_in, proof="a challenge nobody was given"),
    "used challenge": partial(sign_in, proof="a challenge that was used before"),
    "writes, nobody": partial(writes, credential="no credential"),
    "writes, junk": partial(writes, credential="junk for a token"),
    "writes, expired": partial(writes, credential="an expired token"),
    "takes over": takes_over,
    "claims": claims,
    "strangers look": strangers_look,
    "keeps": keeps,
    "mistakes": mistakes,
    "app writes": app_writes,
    "other site asks": other_site_asks,
    "forges": forges,
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
    one_user = {"takes over", "rush"} if mode == "api-key" else set()
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
    ("others-act", "takes over", "another user cannot start it"),
    ("item-open", "strangers look", "a stranger cannot open the stream"),
    ("tenant-by-header", "strangers look", "a stranger cannot open the stream as its owner's tenant"),
    ("change-takes-anything", "claims", "the stream is as it was"),
    ("batch-takes-anything", "claims", "the stream is as it was"),
    ("caches-share", "keeps", "nobody on the way keeps a copy of their list"),
    ("csrf-open", "forges", "another site's page cannot write with nothing to show"),
    ("csrf-by-cookie-alone", "forges", "another site's page cannot write with what the browser keeps"),
    ("csrf-any-pair", "forges", "another site's page cannot write with two halves that differ"),
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
        pytest.raises(PromiseBroken, match=r"no stream that was ordered as settled .* is ended, with a"),
    ):
        claims(world)

    assert not left_behind(witness)


def test_where_writes_do_not_pass_the_own_page_is_the_one_that_misses_them(witness: Witness) -> None:
    with (
        start_sandbox(faults=("csrf-shut",)) as sandbox,
        opened(sandbox, witness, SMOKE_AUTH_MODE="jwt") as world,
        witness.breaks("the same write is let through with the whole proof", saw="status 403"),
    ):
        forges(world)


def test_an_open_door_ends_the_round_and_nothing_more_is_tried(witness: Witness) -> None:
    with start_sandbox(faults=("others-act",)) as sandbox, opened(sandbox, witness) as world:
        play(world, "sign_in", "have_a_draft", "take_over")
        assert [attempt.what for attempt in world.attempts.made] == ["start it"]


def test_a_stream_that_a_stranger_could_order_is_remembered_and_ended_by_them(witness: Witness) -> None:
    with start_sandbox(faults=("writes-open",)) as sandbox, opened(sandbox, witness) as world:
        play(world, "sign_in", "have_a_draft")
        play(world, "write_with", credential="no credential")
        (made,) = {event.id for event in witness.of(ResourceCreated)} - {world.own_stream.id}
        assert world.attempts.made[0].succeeded

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


@pytest.mark.parametrize("story", ["writes, nobody", "takes over", "claims"])
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
    other = never_given(given)

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
            assert [attempt.what for attempt in world.attempts.made][1:] == [
                "open the stream as its owner's tenant"
            ] * claims


def test_a_rush_leaves_one_exchange_and_not_all(witness: Witness) -> None:
    with start_sandbox() as sandbox, opened(sandbox, witness, SMOKE_AUTH_MODE="jwt") as world:
        rush(world)

    listed = [event.status for event in witness.of(Exchanged) if event.target.startswith("/api/streams")]
    assert listed == [200, 429, 200], "the first caller is served before and after the rush, of which one is kept"
    assert world.rush.requests > 60
