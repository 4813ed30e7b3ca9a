"""Steps about callers whom API v2 must refuse."""

from behave import when
from behave.runner import Context

from streampay_smoke.acceptance.actions import unauthorized_attempts
from streampay_smoke.acceptance.checks.refusals import refusals_of
from streampay_smoke.runner.budget import takes


@when("a caller with {credential} sends a list request to API v2")
def list_in_v2(context: Context, credential: str) -> None:
    context.scenario_context.attempts = unauthorized_attempts.list_streams_in_v2(
        context.scenario_context.run_context, credential
    )


@when("a caller with {credential} attempts these requests to API v2")
@takes("journey")
def use_api_v2(context: Context, credential: str) -> None:
    scenario, expected = context.scenario_context, refusals_of(context.table)
    scenario.attempts = unauthorized_attempts.use_api_v2(
        scenario.run_context, credential, scenario.own_stream.id, expected
    )
