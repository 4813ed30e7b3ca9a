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
    deployment = context.scenario_context.deployment
    context.scenario_context.refusal = deployment.attempt(deployment.access.key_set())


@then("the published signing keys contain no secret")
def signing_keys_contain_no_secret(context: Context) -> None:
    scenario = context.scenario_context
    access.publishes_no_secret(scenario.refusal, scenario.settings.secrets(), scenario.expect)


@when("{caller} opens the administration pages")
@takes("journey")
def open_administration(context: Context, caller: str) -> None:
    context.scenario_context.attempts = unauthorized_attempts.open_administration(
        context.scenario_context.run_context, caller
    )


@then("every attempt is refused")
def every_attempt_is_refused(context: Context) -> None:
    access.refused(context.scenario_context.attempts, context.scenario_context.expect)


@then("the answers name no administrator")
def no_administrator_is_named(context: Context) -> None:
    access.names_no_administrator(context.scenario_context.attempts, context.scenario_context.expect)


@when("an unauthorized actor signs in as the user with {response}")
@takes("journey")
def sign_in_with(context: Context, response: str) -> None:
    context.scenario_context.caller = response
    context.scenario_context.refusal = unauthorized_attempts.sign_in_with(
        context.scenario_context.run_context, response
    )


@then("the sign-in is refused and no token is issued")
def sign_in_is_refused(context: Context) -> None:
    access.sign_in_refused(
        context.scenario_context.refusal, context.scenario_context.caller, context.scenario_context.expect
    )


@given("the user has a draft stream")
@takes("journey")
def have_a_draft(context: Context) -> None:
    scenario = context.scenario_context
    scenario.own_stream = scenario.run_context.look_at_draft()


@when("a caller with {credential} attempts these writes")
@takes("journey")
def write_with(context: Context, credential: str) -> None:
    scenario, expected = context.scenario_context, refusals_of(context.table)
    scenario.attempts = unauthorized_attempts.write_with(
        scenario.run_context, credential, scenario.own_stream.id, expected
    )


@when("a second user attempts these writes on the user's stream")
@takes("journey")
def write_as_second_user(context: Context) -> None:
    scenario, expected = context.scenario_context, refusals_of(context.table)
    scenario.attempts = unauthorized_attempts.write_as_second_user(
        scenario.run_context, scenario.own_stream.id, expected
    )


@then("the user's stream is unchanged")
def stream_is_unchanged(context: Context) -> None:
    scenario = context.scenario_context
    after = scenario.deployment.stream(scenario.credential, scenario.own_stream.id)
    access.unchanged(scenario.own_stream, after, scenario.expect)
    scenario.run_context.note_unchanged(after)


@when("the user claims a settlement in these writes")
@takes("journey")
def claim_settlement(context: Context) -> None:
    scenario, writes = context.scenario_context, [row["write"] for row in context.table]
    claim = unauthorized_attempts.claim_settlement
    scenario.created_with_claim = claim(scenario.run_context, scenario.credential, scenario.own_stream.id, writes)


@then("no created stream is settled")
def no_created_stream_is_settled(context: Context) -> None:
    access.none_settled(context.scenario_context.created_with_claim, context.scenario_context.expect)


@when("an anonymous caller reads a stream of the user by id")
@takes("journey")
def read_stream_anonymously(context: Context) -> None:
    scenario, run = context.scenario_context, context.scenario_context.run_context
    who, stream_ids = "an anonymous caller", [scenario.own_streams[0].id]
    scenario.attempts = unauthorized_attempts.read_streams(run, who, ANONYMOUS, stream_ids, refusals_of(context.table))


@then("the answers contain no stream")
def answers_contain_no_stream(context: Context) -> None:
    access.contains_no_stream(context.scenario_context.attempts, context.scenario_context.expect)


@when("the user reads their list of streams and one stream")
@takes("journey")
def read_own_streams(context: Context) -> None:
    scenario = context.scenario_context
    stream_id = streams.own_stream(scenario.run_context, scenario.own_streams).id
    scenario.headers = streams.headers_of_own_streams(scenario.deployment, scenario.credential, stream_id)


@then("the answers do not let shared caches store them")
def not_stored_by_shared_caches(context: Context) -> None:
    access.not_stored_by_shared_caches(context.scenario_context.headers, context.scenario_context.expect)


@when("invalid requests are sent with and without a valid credential")
@takes("journey")
def send_invalid_requests(context: Context) -> None:
    scenario = context.scenario_context
    scenario.answers, scenario.secrets = unauthorized_attempts.send_invalid_requests(
        scenario.run_context, scenario.credential
    )


@then("no answer contains a secret")
def no_answer_contains_a_secret(context: Context) -> None:
    access.contains_no_secret(
        context.scenario_context.answers, context.scenario_context.secrets, context.scenario_context.expect
    )


@then("no answer contains a stack trace or a file path")
def no_answer_contains_a_stack_trace(context: Context) -> None:
    access.contains_no_stack_trace(context.scenario_context.answers, context.scenario_context.expect)
