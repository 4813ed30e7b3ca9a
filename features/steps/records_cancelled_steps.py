"""Steps about streams that are cancelled."""

from behave import then, when
from behave.runner import Context

from streampay_smoke.acceptance.actions import settlement as actions
from streampay_smoke.acceptance.checks import records
from streampay_smoke.acceptance.observations import listing
from streampay_smoke.runner.budget import takes


@when("the user cancels the stream")
@takes("ledger")
def cancel_stream(context: Context) -> None:
    scenario = context.scenario_context
    cancelled = actions.cancel(scenario.run_context, scenario.credential, scenario.started.record.id)
    scenario.shown = {
        "answer to the cancellation": cancelled.status,
        **listing.status_in_each_form(scenario.deployment, scenario.credential, cancelled.id),
    }


@then("API v1 and API v2 show the stream as cancelled")
def shown_as_cancelled(context: Context) -> None:
    records.shown_as_cancelled(context.scenario_context.shown, context.scenario_context.expect)
