"""Steps about who is refused, and what a refusal or an error may show."""

from behave import given, then, when
from behave.runner import Context

from streampay_smoke.acceptance.actions import streams, unauthorized_attempts
from streampay_smoke.acceptance.checks import access
from streampay_smoke.acceptance.checks.refusals import refusals_of
from streampay_smoke.runner.budget import takes
from streampay_smoke.service.credentials import ANONYMOUS


@when("the published signing keys are read")
def read_signing_keys(context: Context) -> None:
    deployment = context.world.deployment
    context.world.refusal = deployment.attempt(deployment.access.key_set())


@then("the published signing keys contain no secret")
def signing_keys_contain_no_secret(context: Context) -> None:
    world = context.world
    access.publishes_no_secret(world.refusal, world.settings.secrets(), world.expect)


@when("{caller} opens the administration pages")
@takes("journey")
def open_administration(context: Context, caller: str) -> None:
    context.world.attempts = unauthorized_attempts.open_administration(context.world.run_context, caller)


@then("every attempt is refused")
def every_attempt_is_refused(context: Context) -> None:
    access.refused(context.world.attempts, context.world.expect)


@then("the answers name no administrator")
def no_administrator_is_named(context: Context) -> None:
    access.names_no_administrator(context.world.attempts, context.world.expect)


@when("an unauthorized actor signs in as the user with {response}")
@takes("journey")
def sign_in_with(context: Context, response: str) -> None:
    context.world.caller = response
    context.world.refusal = unauthorized_attempts.sign_in_with(context.world.run_context, response)


@then("the sign-in is refused and no token is issued")
def sign_in_is_refused(context: Context) -> None:
    access.sign_in_refused(context.world.refusal, context.world.caller, context.world.expect)


@given("the user has a draft stream")
@takes("journey")
def have_a_draft(context: Context) -> None:
    world = context.world
    world.own_stream = world.deployment.stream(world.credential, world.run_context.draft.id)


@when("a caller with {credential} attempts these writes")
@takes("journey")
def write_with(context: Context, credential: str) -> None:
    world, expected = context.world, refusals_of(context.table)
    world.attempts = unauthorized_attempts.write_with(world.run_context, credential, world.own_stream.id, expected)


@when("a second user attempts these writes on the user's stream")
@takes("journey")
def write_as_second_user(context: Context) -> None:
    world, expected = context.world, refusals_of(context.table)
    world.attempts = unauthorized_attempts.write_as_second_user(world.run_context, world.own_stream.id, expected)


@then("the user's stream is unchanged")
def stream_is_unchanged(context: Context) -> None:
    world = context.world
    after = world.deployment.stream(world.credential, world.own_stream.id)
    access.unchanged(world.own_stream, after, world.expect)


@when("the user claims a settlement in these writes")
@takes("journey")
def claim_settlement(context: Context) -> None:
    world, writes = context.world, [row["write"] for row in context.table]
    claim = unauthorized_attempts.claim_settlement
    world.created_with_claim = claim(world.run_context, world.credential, world.own_stream.id, writes)


@then("no created stream is settled")
def no_created_stream_is_settled(context: Context) -> None:
    access.none_settled(context.world.created_with_claim, context.world.expect)


@when("an anonymous caller reads a stream of the user by id")
@takes("journey")
def read_stream_anonymously(context: Context) -> None:
    world, run = context.world, context.world.run_context
    who, stream_ids = "an anonymous caller", [world.own_streams[0].id]
    world.attempts = unauthorized_attempts.read_streams(run, who, ANONYMOUS, stream_ids, refusals_of(context.table))


@then("the answers contain no stream")
def answers_contain_no_stream(context: Context) -> None:
    access.contains_no_stream(context.world.attempts, context.world.expect)


@when("the user reads their list of streams and one stream")
@takes("journey")
def read_own_streams(context: Context) -> None:
    world = context.world
    stream_id = streams.own_stream(world.run_context, world.own_streams).id
    world.headers = streams.headers_of_own_streams(world.deployment, world.credential, stream_id)


@then("the answers do not let shared caches store them")
def not_stored_by_shared_caches(context: Context) -> None:
    access.not_stored_by_shared_caches(context.world.headers, context.world.expect)


@when("invalid requests are sent with and without a valid credential")
@takes("journey")
def send_invalid_requests(context: Context) -> None:
    world = context.world
    world.answers, world.secrets = unauthorized_attempts.send_invalid_requests(world.run_context, world.credential)


@then("no answer contains a secret")
def no_answer_contains_a_secret(context: Context) -> None:
    access.contains_no_secret(context.world.answers, context.world.secrets, context.world.expect)


@then("no answer contains a stack trace or a file path")
def no_answer_contains_a_stack_trace(context: Context) -> None:
    access.contains_no_stack_trace(context.world.answers, context.world.expect)
