"""Steps about who is refused, and what a refusal or an error may show."""

from behave import given, then, when
from behave.runner import Context

from streampay_smoke.acceptance.actions import streams, unauthorized_attempts
from streampay_smoke.acceptance.checks import access
from streampay_smoke.runner.budget import takes
from streampay_smoke.service.credentials import ANONYMOUS


@when("the published keys are looked up")
def look_up_keys(context: Context) -> None:
    deployment = context.world.deployment
    context.world.refusal = deployment.attempt(deployment.access.key_set())


@then("nothing secret is among them")
def keys_hold_no_secret(context: Context) -> None:
    world = context.world
    access.publishes_no_secret(world.refusal, world.settings.secrets(), world.expect)


@when("{caller} asks for the administrators' pages")
@takes("journey")
def administer(context: Context, caller: str) -> None:
    context.world.attempts = unauthorized_attempts.administer(context.world.run_context, caller)


@then("none of them opens")
@then("every attempt is refused")
def every_attempt_is_refused(context: Context) -> None:
    access.refused(context.world.attempts, context.world.expect)


@then("no administrator is named to them")
def no_administrator_is_named(context: Context) -> None:
    access.names_no_administrator(context.world.attempts, context.world.expect)


@when("somebody signs in as them with {proof}")
@takes("journey")
def sign_in_with(context: Context, proof: str) -> None:
    context.world.caller = proof
    context.world.refusal = unauthorized_attempts.sign_in_with(context.world.run_context, proof)


@then("they are not let in")
def not_let_in(context: Context) -> None:
    access.not_let_in(context.world.refusal, context.world.caller, context.world.expect)


@given("they have a stream that was never started")
@takes("journey")
def have_a_draft(context: Context) -> None:
    world = context.world
    world.own_stream = world.deployment.stream(world.credential, world.run_context.draft.id)


@when("a caller with {credential} orders a stream, and settles and stops theirs")
@takes("journey")
def write_with(context: Context, credential: str) -> None:
    world = context.world
    world.attempts = unauthorized_attempts.write_with(world.run_context, credential, world.own_stream.id)


@when("a second synthetic user starts, changes, settles, stops and deletes it")
@takes("journey")
def take_over(context: Context) -> None:
    world = context.world
    world.attempts = unauthorized_attempts.take_over(world.run_context, world.own_stream.id)


@then("their stream is as it was")
def stream_is_as_it_was(context: Context) -> None:
    world = context.world
    after = world.deployment.stream(world.credential, world.own_stream.id)
    access.unchanged(world.own_stream, after, world.expect)


@when("they order a stream and change theirs as if both were settled")
@takes("journey")
def claim_a_settlement(context: Context) -> None:
    world = context.world
    claim = unauthorized_attempts.claim_a_settlement
    world.claimed = claim(world.run_context, world.credential, world.own_stream.id)


@then("neither is settled or somebody else's")
def neither_is_settled(context: Context) -> None:
    own, *ordered = context.world.claimed
    access.unchanged(context.world.own_stream, own, context.world.expect)
    access.never_settled(ordered, context.world.expect)


@when("strangers open it by its name")
@takes("journey")
def strangers_open_it(context: Context) -> None:
    world = context.world
    stream_ids = [world.own_streams[0].id]
    world.attempts = unauthorized_attempts.open_streams(world.run_context, "a stranger", ANONYMOUS, stream_ids)


@then("they are shown no stream")
def shown_no_stream(context: Context) -> None:
    access.shown_nothing(context.world.attempts, context.world.expect)


@when("they look at their list and at one of their streams")
@takes("journey")
def look_at_own(context: Context) -> None:
    world = context.world
    stream_id = world.own_streams[0].id
    world.cached_by = streams.headers_of_own_streams(world.deployment, world.credential, stream_id)


@then("nobody on the way may keep a copy")
def kept_by_nobody(context: Context) -> None:
    access.kept_by_nobody(context.world.cached_by, context.world.expect)


@when("they and a stranger make mistakes")
@takes("journey")
def provoke_errors(context: Context) -> None:
    world = context.world
    world.answers, world.secrets = unauthorized_attempts.provoke_errors(world.run_context, world.credential)


@then("no answer tells a secret")
def no_answer_tells_a_secret(context: Context) -> None:
    access.tells_no_secret(context.world.answers, context.world.secrets, context.world.expect)


@then("no answer shows the service's workings")
def no_answer_shows_workings(context: Context) -> None:
    access.shows_no_workings(context.world.answers, context.world.expect)
