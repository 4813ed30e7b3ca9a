"""Steps about running the service."""

from behave import then, when
from behave.runner import Context

from streampay_smoke.acceptance.actions import operations as operators
from streampay_smoke.acceptance.checks import operations
from streampay_smoke.runner.budget import takes


@when("the service is asked twenty times over whether it is alive")
@takes("journey")
def ask_whether_alive(context: Context) -> None:
    context.world.answers = operators.ask_whether_alive(context.world.deployment, times=20)


@then("it answers every time, and fails nobody on purpose")
def answers_every_time(context: Context) -> None:
    operations.answers_every_time(context.world.answers, context.world.deployment.error_code, context.world.expect)


@when("the figures of the service are asked for")
def ask_for_metrics(context: Context) -> None:
    context.world.metrics = operators.read_metrics(context.world.deployment, context.world.settings.metrics_token)


@then("they are there for those who watch over it")
def metrics_are_there(context: Context) -> None:
    world = context.world
    variable = "SMOKE_METRICS_TOKEN" if world.settings.metrics_token else ""
    operations.metrics_are_there(world.metrics, variable=variable, expect=world.expect)


@when("the index is asked twice how far it is")
@takes("journey")
def ask_index(context: Context) -> None:
    context.world.cursors = operators.index_cursors(context.world.deployment)


@then("it is at the end of the ledger, and never goes back")
@takes("ledger")
def index_follows(context: Context) -> None:
    newest = context.world.run_context.ledger.chain.health().latest_ledger
    operations.index_follows(context.world.cursors, newest, context.world.expect)
