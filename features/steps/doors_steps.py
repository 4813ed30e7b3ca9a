"""Steps about doors that stay shut."""

from behave import given, then, when
from behave.runner import Context

from streampay_smoke.acceptance.actions import intruders
from streampay_smoke.acceptance.checks import doors
from streampay_smoke.runner.budget import takes
from streampay_smoke.service.credentials import ANONYMOUS


@when("the published keys are looked up")
def look_up_keys(context: Context) -> None:
    deployment = context.world.deployment
    context.world.refusal = deployment.knock(deployment.doors.key_set())


@then("nothing secret is among them")
def keys_hold_no_secret(context: Context) -> None:
    world = context.world
    doors.publishes_no_secret(world.refusal, world.settings.secrets(), world.expect)


@when("{caller} asks for the administrators' pages")
@takes("journey")
def ask_for_administration(context: Context, caller: str) -> None:
    intruders.ask_for_administration(context.world, caller)


@then("none of them opens")
def no_page_opens(context: Context) -> None:
    world = context.world
    doors.refused(world.knocks, world.caller, intruders.expect_of_administration(world))


@then("no administrator is named to them")
def no_administrator_is_named(context: Context) -> None:
    doors.names_no_administrator(context.world.knocks, context.world.caller, context.world.expect)


@when("somebody signs in as them with {proof}")
@takes("journey")
def sign_in_with(context: Context, proof: str) -> None:
    intruders.sign_in_with(context.world, proof)


@then("they are not let in")
def not_let_in(context: Context) -> None:
    doors.not_let_in(context.world.refusal, context.world.caller, context.world.expect)


@given("they have a stream that was never started")
@takes("journey")
def have_a_draft(context: Context) -> None:
    world = context.world
    world.own_stream = world.deployment.stream(world.credential, world.run_context.draft.id)


@when("a caller with {caller} orders a stream, and settles and stops theirs")
@takes("journey")
def try_to_write(context: Context, caller: str) -> None:
    intruders.try_to_write(context.world, caller)


@when("a second synthetic user starts, changes, settles, stops and deletes it")
@takes("journey")
def meddle(context: Context) -> None:
    intruders.meddle(context.world)


@then("every attempt is refused")
def every_attempt_is_refused(context: Context) -> None:
    doors.refused(context.world.knocks, context.world.caller, context.world.expect)


@then("their stream is as it was")
def stream_is_as_it_was(context: Context) -> None:
    world = context.world
    after = world.deployment.stream(world.credential, world.own_stream.id)
    doors.unchanged(world.own_stream, after, world.expect)


@when("they order a stream and change theirs as if both were settled")
@takes("journey")
def claim_a_settlement(context: Context) -> None:
    intruders.claim_a_settlement(context.world)


@then("neither is settled or somebody else's")
def neither_is_settled(context: Context) -> None:
    own, *ordered = context.world.own_streams
    doors.unchanged(context.world.own_stream, own, context.world.expect)
    doors.never_settled(ordered, context.world.expect)


@when("strangers open it by its name")
@takes("journey")
def strangers_open_it(context: Context) -> None:
    world = context.world
    world.caller = "a stranger"
    intruders.look_in(world, ANONYMOUS, [world.own_streams[0].id])


@then("they are shown no stream")
def shown_no_stream(context: Context) -> None:
    doors.shown_nothing(context.world.knocks, context.world.caller, context.world.expect)


@when("they look at their list and at one of their streams")
@takes("journey")
def look_at_own(context: Context) -> None:
    intruders.look_at_own(context.world)


@then("nobody on the way may keep a copy")
def kept_by_nobody(context: Context) -> None:
    doors.kept_by_nobody(context.world.cached_by, context.world.expect)


@when("they and a stranger make mistakes")
@takes("journey")
def make_mistakes(context: Context) -> None:
    intruders.make_mistakes(context.world)


@then("no answer tells a secret")
def no_answer_tells_a_secret(context: Context) -> None:
    doors.tells_no_secret(context.world.answers, context.world.secrets, context.world.expect)


@then("no answer shows the service's workings")
def no_answer_shows_workings(context: Context) -> None:
    doors.shows_no_workings(context.world.answers, context.world.expect)
