"""Steps about running the service."""

from behave import then, when
from behave.runner import Context

from streampay_smoke.acceptance.actions import operations as operators
from streampay_smoke.acceptance.checks import operations
from streampay_smoke.runner.budget import takes


@when("the service is asked {times:d} times whether it is alive")
@takes("journey")
def request_liveness(context: Context, times: int) -> None:
    context.world.answers = operators.request_liveness(context.world.deployment, times=times)


@then("every request is answered without an error")
def answers_every_request(context: Context) -> None:
    operations.answers_every_request(context.world.answers, context.world.deployment.error_code, context.world.expect)


@when("the metrics of the service are requested")
def read_metrics(context: Context) -> None:
    context.world.metrics = operators.read_metrics(context.world.deployment, context.world.settings.metrics_token)


@then("the metrics are available to authorized callers")
def metrics_are_available(context: Context) -> None:
    world = context.world
    variable = "SMOKE_METRICS_TOKEN" if world.settings.metrics_token else ""
    operations.metrics_are_available(world.metrics, variable=variable, expect=world.expect)


@when("the position of the index is read twice")
@takes("journey")
def read_index(context: Context) -> None:
    context.world.cursors = operators.index_cursors(context.world.deployment)


@then("the index is up to date and never goes back")
@takes("ledger")
def index_is_up_to_date(context: Context) -> None:
    newest = context.world.run_context.ledger.chain.health().latest_ledger
    operations.index_is_up_to_date(context.world.cursors, newest, context.world.expect)
