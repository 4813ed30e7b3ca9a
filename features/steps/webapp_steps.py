"""Steps about the web app in a browser."""

from behave import then, when
from behave.runner import Context

from streampay_smoke.acceptance.actions import intruders
from streampay_smoke.acceptance.checks import webapp
from streampay_smoke.runner.budget import takes


@when("a browser asks leave for the app's page")
def ask_leave_for_the_app(context: Context) -> None:
    intruders.ask_leave_for(context.world, context.world.settings.place.service.app_origin)


@then("it gets leave for all that a write needs")
def app_may_write(context: Context) -> None:
    world = context.world
    asked = world.deployment.doors.preflight(world.caller).headers
    webapp.app_may_write(world.answers[-1], world.caller, asked, world.expect)


@when("a browser asks leave for another site's page")
def ask_leave_for_another_site(context: Context) -> None:
    intruders.ask_leave_for(context.world, intruders.OTHER_SITE)


@then("it gets no leave")
def stranger_may_not(context: Context) -> None:
    webapp.stranger_may_not(context.world.answers, context.world.caller, context.world.expect)


@when("a write comes with less than the whole proof of the app's own page")
@takes("journey")
def slip_a_write_in(context: Context) -> None:
    intruders.slip_a_write_in(context.world)


@then("the same write with the whole proof is let through")
@takes("journey")
def own_page_gets_through(context: Context) -> None:
    world = context.world
    answer = world.deployment.knock(world.write, world.credential)
    webapp.own_page_gets_through(answer, world.write.statuses, world.expect)
