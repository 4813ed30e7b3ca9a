"""Steps about readiness."""

from behave import given, then, when
from behave.runner import Context

from streampay_smoke.acceptance.checks import fleet, operations, readiness
from streampay_smoke.acceptance.observations.clocks import clocks
from streampay_smoke.runner.budget import takes


@when("the service is asked whether it is ready")
@given("the service is ready")
@takes("readiness")
def ask_whether_ready(context: Context) -> None:
    context.scenario_context.readiness = context.scenario_context.run_context.readiness


@then("the service reports that it is ready in time")
def reports_ready(context: Context) -> None:
    readiness.reports_ready(context.scenario_context.readiness, context.scenario_context.expect)


@then("every named dependency is healthy")
def dependencies_are_healthy(context: Context) -> None:
    readiness.dependencies_are_healthy(context.scenario_context.readiness, context.scenario_context.expect)


@then("the service names the network of this environment")
def names_network(context: Context) -> None:
    expected = context.scenario_context.settings.facts.service.network
    readiness.names_network(context.scenario_context.readiness, expected, context.scenario_context.expect)


@then("the clock of the service is right")
@takes("ledger")
def clock_is_right(context: Context) -> None:
    scenario = context.scenario_context
    operations.clock_is_right(clocks(scenario.readiness, lambda: scenario.run_context.ledger), scenario.expect)


@then("the expected release answers")
def expected_release_answers(context: Context) -> None:
    expected = context.scenario_context.settings.expect_release
    readiness.release_answers(context.scenario_context.readiness, expected, context.scenario_context.expect)


@then("all replicas that answer run the same release")
@takes("readiness")
def one_release_answers(context: Context) -> None:
    scenario = context.scenario_context
    met = (scenario.readiness.release, *scenario.run_context.releases_of_fleet)
    fleet.one_release_answers(met, scenario.settings.expect_release, scenario.expect)


@then("all replicas that answer agree on time, keys and limits")
@takes("readiness")
def replicas_agree(context: Context) -> None:
    scenario = context.scenario_context
    fleet.replicas_agree(scenario.run_context.fleet, scenario.expect)


@then("all replicas that answer run the expected release")
@takes("readiness")
def every_replica_is_the_expected_release(context: Context) -> None:
    scenario = context.scenario_context
    met = (scenario.readiness.release, *scenario.run_context.releases_of_fleet)
    fleet.every_replica_is(scenario.settings.expect_release, met, scenario.expect)


@given("the service works on a test network")
def works_on_a_test_network(context: Context) -> None:
    context.scenario_context.run_context.refuse_real_money()
