"""Steps about callers whom API v2 must refuse."""

from behave import when
from behave.runner import Context

from streampay_smoke.acceptance.actions import unauthorized_attempts
from streampay_smoke.runner.budget import takes


@when("a caller with {credential} lists streams in API v2")
def list_in_v2(context: Context, credential: str) -> None:
    context.world.attempts = unauthorized_attempts.list_streams_in_v2(context.world.run_context, credential)


@when("a caller with {credential} opens, creates, changes and deletes streams in API v2")
@takes("journey")
def use_in_v2(context: Context, credential: str) -> None:
    world = context.world
    world.attempts = unauthorized_attempts.use_stream_in_v2(world.run_context, credential, world.own_stream.id)
