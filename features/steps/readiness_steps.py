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


@then("it answers for itself within the time this environment allows")
def answers_for_itself(context: Context) -> None:
    readiness.answers_for_itself(context.world.readiness, context.world.expect)


@then("every dependency it names is ok")
def dependencies_are_ok(context: Context) -> None:
    readiness.dependencies_are_ok(context.world.readiness, context.world.expect)


@then("it names the network this environment is for")
def names_network(context: Context) -> None:
    expected = context.world.settings.facts.service.network
    readiness.names_network(context.world.readiness, expected, context.world.expect)


@then("its clock agrees with ours")
@takes("ledger")
def clock_agrees(context: Context) -> None:
    world = context.world
    operations.clock_is_right(clocks(world.readiness, lambda: world.run_context.ledger), world.expect)


@then("the expected release answers")
def expected_release_answers(context: Context) -> None:
    expected = context.world.settings.expect_release
    readiness.release_answers(context.world.readiness, expected, context.world.expect)


@then("every replica that answers is the same release")
@takes("readiness")
def one_release_answers(context: Context) -> None:
    world = context.world
    met = (world.readiness.release, *world.run_context.fleet)
    fleet.one_release_answers(met, world.settings.expect_release, world.expect)


@then("every replica that answers is the expected release")
@takes("readiness")
def every_replica_is_the_expected_release(context: Context) -> None:
    world = context.world
    met = (world.readiness.release, *world.run_context.fleet)
    fleet.every_replica_is(world.settings.expect_release, met, world.expect)


@given("it works on a test network")
def works_on_a_test_network(context: Context) -> None:
    context.world.run_context.refuse_real_money()
