"""Steps about running the service."""

from behave import then, when
from behave.runner import Context

from streampay_smoke.acceptance.actions import operations as operators
from streampay_smoke.acceptance.checks import operations
from streampay_smoke.runner.budget import takes


@when("the service is asked {times:d} times whether it is alive")
@takes("journey")
def request_liveness(context: Context, times: int) -> None:
    context.scenario_context.answers = operators.request_liveness(context.scenario_context.deployment, times=times)


@then("every request is answered without an error")
def answers_every_request(context: Context) -> None:
    operations.answers_every_request(
        context.scenario_context.answers,
        context.scenario_context.deployment.error_code,
        context.scenario_context.expect,
    )


@when("the metrics of the service are requested")
def read_metrics(context: Context) -> None:
    context.scenario_context.metrics = operators.read_metrics(
        context.scenario_context.deployment, context.scenario_context.settings.metrics_token
    )


@then("the metrics are available to authorized callers")
def metrics_are_available(context: Context) -> None:
    scenario = context.scenario_context
    variable = "SMOKE_METRICS_TOKEN" if scenario.settings.metrics_token else ""
    operations.metrics_are_available(scenario.metrics, variable=variable, expect=scenario.expect)


@when("the position of the index is read twice")
@takes("journey")
def read_index(context: Context) -> None:
    context.scenario_context.cursors = operators.index_cursors(context.scenario_context.deployment)


@then("the index is up to date and never goes back")
@takes("ledger")
def index_is_up_to_date(context: Context) -> None:
    newest = context.scenario_context.run_context.ledger.chain.health().latest_ledger
    operations.index_is_up_to_date(context.scenario_context.cursors, newest, context.scenario_context.expect)
