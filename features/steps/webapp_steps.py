"""Steps about the web app in a browser."""

from behave import then, when
from behave.runner import Context

from streampay_smoke.acceptance.actions import browser
from streampay_smoke.acceptance.checks import access, webapp
from streampay_smoke.runner.budget import takes


@when("a browser asks leave for the app's page")
def ask_for_the_app(context: Context) -> None:
    world = context.world
    world.answers = browser.read_and_preflight(world.deployment, world.settings.facts.service.app_origin)


@then("it gets leave for all that a write needs")
def app_may_write(context: Context) -> None:
    world, origin = context.world, context.world.settings.facts.service.app_origin
    asked = browser.preflight_headers(world.deployment, origin)
    webapp.app_may_write(world.answers[-1], origin, asked, world.expect)


@when("a browser asks leave for another site's page")
def ask_for_another_site(context: Context) -> None:
    context.world.answers = browser.read_and_preflight(context.world.deployment, browser.OTHER_SITE)


@then("it gets no leave")
def stranger_may_not(context: Context) -> None:
    webapp.stranger_may_not(context.world.answers, browser.OTHER_SITE, context.world.expect)


@when("a write comes with less than the whole proof of the app's own page")
@takes("journey")
def forge_writes(context: Context) -> None:
    context.world.forged = browser.forge_writes(context.world.deployment, context.world.credential)


@then("the app's own page is given a proof in two halves")
def page_has_a_token(context: Context) -> None:
    webapp.page_has_a_token(context.world.forged.csrf_token, context.world.expect)


@then("every such write is refused")
def every_forged_write_is_refused(context: Context) -> None:
    access.refused(context.world.forged.attempts, context.world.expect)


@then("the same write with the whole proof is let through")
@takes("journey")
def own_page_gets_through(context: Context) -> None:
    world, write = context.world, context.world.forged.write
    answer = browser.write_from_own_page(world.deployment, world.credential, write)
    webapp.own_page_gets_through(answer, write.statuses, world.expect)
