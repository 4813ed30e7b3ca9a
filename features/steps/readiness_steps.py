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
    context.world.readiness = context.world.run_context.readiness


@then("the service reports that it is ready in time")
def reports_ready(context: Context) -> None:
    readiness.reports_ready(context.world.readiness, context.world.expect)


@then("every named dependency is healthy")
def dependencies_are_healthy(context: Context) -> None:
    readiness.dependencies_are_healthy(context.world.readiness, context.world.expect)


@then("the service names the network of this environment")
def names_network(context: Context) -> None:
    expected = context.world.settings.facts.service.network
    readiness.names_network(context.world.readiness, expected, context.world.expect)


@then("the clock of the service is right")
@takes("ledger")
def clock_is_right(context: Context) -> None:
    world = context.world
    operations.clock_is_right(clocks(world.readiness, lambda: world.run_context.ledger), world.expect)


@then("the expected release answers")
def expected_release_answers(context: Context) -> None:
    expected = context.world.settings.expect_release
    readiness.release_answers(context.world.readiness, expected, context.world.expect)


@then("all replicas that answer run the same release")
@takes("readiness")
def one_release_answers(context: Context) -> None:
    world = context.world
    met = (world.readiness.release, *world.run_context.fleet)
    fleet.one_release_answers(met, world.settings.expect_release, world.expect)


@then("all replicas that answer run the expected release")
@takes("readiness")
def every_replica_is_the_expected_release(context: Context) -> None:
    world = context.world
    met = (world.readiness.release, *world.run_context.fleet)
    fleet.every_replica_is(world.settings.expect_release, met, world.expect)


@given("the service works on a test network")
def works_on_a_test_network(context: Context) -> None:
    context.world.run_context.refuse_real_money()
