"""Doors, the web app and limits against a whole sandbox: shut in an honest one, and found open in each faulty one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from feature_steps import play
from step_parts import Witness, run_context_of, settings_for

from streampay_sandbox.stack import Sandbox, start_sandbox
from streampay_smoke.acceptance.actions.unauthorized_attempts import never_issued
from streampay_smoke.acceptance.checks.access import SyntheticUserAdministers
from streampay_smoke.acceptance.scenario_context import ScenarioContext
from streampay_smoke.core.errors import GuardRefused, PromiseBroken
from streampay_smoke.evidence.events import Exchanged, ResourceCreated, ResourceReleased
from streampay_smoke.service.credentials import ANONYMOUS
from streampay_smoke.service.transport import Throttled

Story = Callable[[ScenarioContext], None]
"""What a scenario of the features does, step after step."""


def keys(scenario: ScenarioContext) -> None:
    play(scenario, "read_signing_keys", "signing_keys_contain_no_secret")


def administration(scenario: ScenarioContext, caller: str) -> None:
    play(scenario, "sign_in")
    play(scenario, "open_administration", caller=caller)
    play(scenario, "every_attempt_is_refused", "no_administrator_is_named")


def sign_in(scenario: ScenarioContext, response: str) -> None:
    play(scenario, "sign_in")
    play(scenario, "sign_in_with", response=response)
    play(scenario, "sign_in_is_refused")


def writes(scenario: ScenarioContext, credential: str) -> None:
    play(scenario, "sign_in", "have_a_draft")
    play(scenario, "write_with", credential=credential)
    play(scenario, "every_attempt_is_refused", "stream_is_unchanged")


def takes_over(scenario: ScenarioContext) -> None:
    play(scenario, "sign_in", "have_a_draft", "write_as_second_user", "every_attempt_is_refused", "stream_is_unchanged")


def claims(scenario: ScenarioContext) -> None:
    play(scenario, "sign_in", "have_a_draft", "claim_settlement", "stream_is_unchanged", "no_created_stream_is_settled")


def strangers_look(scenario: ScenarioContext) -> None:
    play(scenario, "sign_in", "have_a_draft")
    scenario.own_streams = (scenario.own_stream,)
    play(scenario, "read_stream_anonymously", "every_attempt_is_refused", "answers_contain_no_stream")


def keeps(scenario: ScenarioContext) -> None:
    play(scenario, "sign_in")
    play(scenario, "have_streams", count=1)
    play(scenario, "read_own_streams", "not_stored_by_shared_caches")


def mistakes(scenario: ScenarioContext) -> None:
    play(
        scenario, "sign_in", "send_invalid_requests", "no_answer_contains_a_secret", "no_answer_contains_a_stack_trace"
    )


def app_writes(scenario: ScenarioContext) -> None:
    play(scenario, "preflight_for_web_app", "preflight_allows_web_app")


def other_site_asks(scenario: ScenarioContext) -> None:
    play(scenario, "requests_for_another_site", "other_site_is_not_allowed")


def forges(scenario: ScenarioContext) -> None:
    play(
        scenario,
        "sign_in",
        "forge_writes",
        "web_app_receives_token",
        "every_forged_write_is_refused",
        "valid_write_is_accepted",
    )


def newcomer(scenario: ScenarioContext) -> None:
    play(scenario, "list_as_new_caller", "new_caller_is_not_throttled")


def rush(scenario: ScenarioContext) -> None:
    play(scenario, "sign_in", "exceed_limit", "second_user_is_throttled", "first_user_is_served")


STRANGER, CLAIMANT = "an anonymous caller", "an anonymous caller who claims to be administrator"
STORIES: dict[str, Story] = {
    "keys": keys,
    "administration, stranger": partial(administration, caller=STRANGER),
    "administration, claimant": partial(administration, caller=CLAIMANT),
    "administration, user": partial(administration, caller="the synthetic user"),
    "signature": partial(sign_in, response="another user's signature"),
    "challenge": partial(sign_in, response="a challenge that was never issued"),
    "used challenge": partial(sign_in, response="a challenge that was already used"),
    "writes, nobody": partial(writes, credential="no credential"),
    "writes, junk": partial(writes, credential="a malformed token"),
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
    "exceed_limit": rush,
}


@contextmanager
def opened(sandbox: Sandbox, witness: Witness, **environ: str) -> Iterator[ScenarioContext]:
    settings = settings_for({**sandbox.ready_document()["env"], **environ})
    scenario = ScenarioContext(run_context_of(settings, witness))
    try:
        yield scenario
    finally:
        scenario.run_context.clean_up()
        scenario.run_context.close()


def left_behind(witness: Witness) -> set[str]:
    return {event.id for event in witness.of(ResourceCreated)} - {event.id for event in witness.of(ResourceReleased)}


def test_in_an_honest_sandbox_every_attempt_is_refused_and_few_streams_are_made(witness: Witness) -> None:
    with start_sandbox() as sandbox, opened(sandbox, witness) as scenario:
        for story in STORIES.values():
            checks = len(witness.checks)
            story(ScenarioContext(scenario.run_context))
            assert len(witness.checks) > checks

    assert all(check.held for check in witness.checks)
    assert len(witness.of(ResourceCreated)) == 2
    assert not left_behind(witness)


def test_a_draft_is_looked_at_once_between_attempts_that_leave_it_unchanged(witness: Witness) -> None:
    with start_sandbox() as sandbox, opened(sandbox, witness) as scenario:
        run = scenario.run_context
        for _ in range(3):
            writes(ScenarioContext(run), credential="no credential")
        path = f"/api/v2/streams/{run.draft.id}"
        assert [(each.method, each.target) for each in witness.of(Exchanged)].count(("GET", path)) == 4

        run.deployment.act(run.credential, run.draft.id, "stop", run.new_key("stop"))
        with witness.breaks("the stream is unchanged"):
            writes(ScenarioContext(run), credential="no credential")
        writes(ScenarioContext(run), credential="no credential")  # what is changed is looked at anew


@pytest.mark.parametrize("mode", ["jwt", "api-key"])
def test_attempts_are_refused_in_every_mode_that_has_a_secret(mode: str, witness: Witness) -> None:
    one_user = {"takes over", "exceed_limit"} if mode == "api-key" else set()
    with start_sandbox() as sandbox, opened(sandbox, witness, SMOKE_AUTH_MODE=mode) as scenario:
        for name in STORIES.keys() - {"used challenge", *one_user}:
            STORIES[name](ScenarioContext(scenario.run_context))

    assert all(check.held for check in witness.checks)


BROKEN = [
    ("jwks-leaks", "keys", "the published signing keys contain no secret"),
    ("jwks-leaks-previous", "keys", "the published signing keys contain no secret"),
    ("jwks-leaks-private-half", "keys", "the published signing keys contain no secret"),
    ("admin-open", "administration, stranger", "an anonymous caller cannot open /api/admin/pause"),
    ("admin-by-header", "administration, claimant", f"{CLAIMANT} cannot open /api/admin/pause"),
    ("admin-any-user", "administration, user", "the synthetic user cannot open /api/admin/pause"),
    ("audit-open", "administration, stranger", "an anonymous caller cannot open /api/audit"),
    ("wallet-any-signature", "signature", "a sign-in with another user's signature is refused"),
    ("wallet-any-challenge", "challenge", "a sign-in with a challenge that was never issued is refused"),
    ("wallet-challenge-lasts", "used challenge", "a sign-in with a challenge that was already used is refused"),
    ("writes-open", "writes, nobody", "a caller with no credential cannot create a stream"),
    ("writes-accept-junk", "writes, junk", "a caller with a malformed token cannot create a stream"),
    ("writes-accept-expired", "writes, expired", "a caller with an expired token cannot create a stream"),
    ("writes-refused-too-late", "writes, nobody", "the stream is unchanged"),
    ("others-act", "takes over", "another user cannot start the stream"),
    ("item-open", "strangers look", "an anonymous caller cannot read the stream"),
    (
        "tenant-by-header",
        "strangers look",
        "an anonymous caller cannot read the stream while claiming the owner's tenant",
    ),
    ("change-takes-anything", "claims", "the stream is unchanged"),
    ("batch-takes-anything", "claims", "the stream is unchanged"),
    ("caches-share", "keeps", "shared caches do not store the list of streams"),
    ("csrf-open", "forges", "another site's page cannot write with no token"),
    ("csrf-by-cookie-alone", "forges", "another site's page cannot write with the part that the browser keeps"),
    ("csrf-any-pair", "forges", "another site's page cannot write with two parts that do not match"),
    ("cors-lacks-headers", "app writes", "the web app may send the headers of a write"),
    ("cors-forgets-app", "app writes", "the CORS preflight is answered"),
    ("cors-any-origin", "other site asks", "another site is not allowed to send OPTIONS"),
    ("cors-wildcard", "other site asks", "another site is not allowed to send GET"),
    ("limits-block-everybody", "newcomer", "a new caller is not throttled"),
    ("limits-off", "exceed_limit", "a caller who exceeds the limit is throttled"),
    ("limits-shared", "exceed_limit", "another caller is served meanwhile"),
]


@pytest.mark.parametrize(("fault", "story", "promise"), BROKEN)
def test_an_attempt_that_succeeds_breaks_the_promise_it_is_about(
    fault: str, story: str, promise: str, witness: Witness
) -> None:
    with start_sandbox(faults=(fault,)) as sandbox, opened(sandbox, witness) as scenario, witness.breaks(promise):
        STORIES[story](scenario)


@pytest.mark.parametrize(
    ("fault", "saw"),
    [
        ("stack-trace-in-answer", "contains no stack trace or file path"),
        ("error-echoes-token", "contains no secret"),
        ("error-shows-password", "contains no secret"),
    ],
)
def test_an_error_that_tells_too_much_is_found(fault: str, saw: str, witness: Witness) -> None:
    with (
        start_sandbox(faults=(fault,)) as sandbox,
        opened(sandbox, witness) as scenario,
        pytest.raises(PromiseBroken, match=saw) as caught,
    ):
        mistakes(scenario)

    assert "hunter2" not in str(caught.value)


def test_an_order_that_is_believed_is_found_and_cleared_away(witness: Witness) -> None:
    with (
        start_sandbox(faults=("create-takes-anything",)) as sandbox,
        opened(sandbox, witness) as scenario,
        pytest.raises(PromiseBroken, match=r"no stream that was created as settled .* is ended, with a"),
    ):
        claims(scenario)

    assert not left_behind(witness)


def test_where_writes_do_not_pass_the_own_page_is_the_one_that_misses_them(witness: Witness) -> None:
    with (
        start_sandbox(faults=("csrf-shut",)) as sandbox,
        opened(sandbox, witness, SMOKE_AUTH_MODE="jwt") as scenario,
        witness.breaks("the same write with a valid CSRF token is accepted", saw="status 403"),
    ):
        forges(scenario)


def test_an_attempt_that_succeeds_ends_the_round_and_nothing_more_is_tried(witness: Witness) -> None:
    with start_sandbox(faults=("others-act",)) as sandbox, opened(sandbox, witness) as scenario:
        play(scenario, "sign_in", "have_a_draft", "write_as_second_user")
        assert [attempt.what for attempt in scenario.attempts.made] == ["start the stream"]


def test_a_stream_that_a_stranger_could_order_is_remembered_and_ended_by_them(witness: Witness) -> None:
    with start_sandbox(faults=("writes-open",)) as sandbox, opened(sandbox, witness) as scenario:
        play(scenario, "sign_in", "have_a_draft")
        play(scenario, "write_with", credential="no credential")
        (made,) = {event.id for event in witness.of(ResourceCreated)} - {scenario.own_stream.id}
        assert scenario.attempts.made[0].succeeded

    assert left_behind(witness) == {made}, "nobody can see what belongs to nobody: it is told as leaked"


def test_an_operators_administrator_is_no_synthetic_user(witness: Witness) -> None:
    with (
        start_sandbox(faults=("admin-any-user",)) as sandbox,
        opened(sandbox, witness, SMOKE_AUTH_MODE="api-key") as scenario,
        pytest.raises(SyntheticUserAdministers),
    ):
        administration(scenario, "the synthetic user")


def test_throttling_is_no_evidence_about_access(witness: Witness) -> None:
    with (
        start_sandbox(faults=("limits-block-everybody",)) as sandbox,
        opened(sandbox, witness, SMOKE_AUTH_MODE="jwt") as scenario,
        pytest.raises(Throttled),
    ):
        scenario.deployment.refusal(ANONYMOUS)

    assert not witness.checks


@pytest.mark.parametrize("story", ["writes, nobody", "takes over", "claims"])
def test_nobody_attempts_to_write_where_money_is_real(story: str, witness: Witness) -> None:
    with (
        start_sandbox(faults=("ready-names-mainnet",)) as sandbox,
        opened(sandbox, witness, SMOKE_AUTH_MODE="jwt") as scenario,
        pytest.raises(GuardRefused),
    ):
        STORIES[story](scenario)

    assert not [event for event in witness.of(Exchanged) if event.peer == "service" and event.method != "GET"]


CHALLENGES = [
    "streampay_auth_1790000000000_" + "0f" * 16,
    "streampay_auth_1790000000000_zzzzzzzzzz",
    "streampay_auth_1790000000000_ZyXwVu-_G9",
]


@pytest.mark.parametrize("given", CHALLENGES)
def test_a_challenge_nobody_was_given_is_another_one_of_the_same_make(given: str) -> None:
    other = never_issued(given)

    assert other != given
    assert len(other) == len(given)
    assert [letter.isdigit() for letter in other] == [letter.isdigit() for letter in given]
    assert other.startswith("streampay_auth_1790000000000_")


@pytest.mark.parametrize(("mode", "claims"), [("wallet", True), ("jwt", True), ("bearer", True), ("api-key", False)])
def test_an_owner_is_only_claimed_to_be_where_it_is_known_who_that_is(
    mode: str, claims: bool, witness: Witness
) -> None:
    with start_sandbox() as sandbox:
        with opened(sandbox, witness, SMOKE_AUTH_MODE="jwt") as scenario:
            token = scenario.run_context.credential.headers["authorization"].removeprefix("Bearer ")
        with opened(sandbox, witness, SMOKE_AUTH_MODE=mode, SMOKE_AUTH_TOKEN=token) as scenario:
            strangers_look(scenario)
            assert [attempt.what for attempt in scenario.attempts.made][1:] == [
                "read the stream while claiming the owner's tenant"
            ] * claims


def test_a_rush_leaves_one_exchange_and_not_all(witness: Witness) -> None:
    with start_sandbox() as sandbox, opened(sandbox, witness, SMOKE_AUTH_MODE="jwt") as scenario:
        rush(scenario)

    listed = [event.status for event in witness.of(Exchanged) if event.target.startswith("/api/streams")]
    assert listed == [200, 429, 200], "the first caller is served before and after the rush, of which one is kept"
    assert scenario.burst.requests > 60
