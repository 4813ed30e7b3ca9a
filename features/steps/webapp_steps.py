"""Steps about what browsers send for the web app and for other sites."""

from behave import then, when
from behave.runner import Context

from streampay_smoke.acceptance.actions import browser
from streampay_smoke.acceptance.checks import access, webapp
from streampay_smoke.runner.budget import takes


@when("a browser sends a CORS preflight for the web app")
def preflight_for_web_app(context: Context) -> None:
    world = context.world
    world.answers = browser.read_and_preflight(world.deployment, world.settings.facts.service.app_origin)


@then("the web app is allowed to send its writes")
def preflight_allows_web_app(context: Context) -> None:
    world, origin = context.world, context.world.settings.facts.service.app_origin
    asked = browser.preflight_headers(world.deployment, origin)
    webapp.preflight_allows_writes(world.answers[-1], origin, asked, world.expect)


@when("a browser sends a read and a CORS preflight for another site")
def requests_for_another_site(context: Context) -> None:
    context.world.answers = browser.read_and_preflight(context.world.deployment, browser.OTHER_SITE)


@then("the other site is not allowed to send requests")
def other_site_is_not_allowed(context: Context) -> None:
    webapp.origin_is_not_allowed(context.world.answers, browser.OTHER_SITE, context.world.expect)


@when("another site sends writes with these CSRF tokens")
@takes("journey")
def forge_writes(context: Context) -> None:
    world, shown = context.world, [row["CSRF token"] for row in context.table]
    world.forged = browser.forge_writes(world.deployment, world.credential, shown)


@then("the web app receives a CSRF token with two parts")
def web_app_receives_token(context: Context) -> None:
    webapp.page_has_csrf_token(context.world.forged.csrf_token, context.world.expect)


@then("every write without a valid CSRF token is refused")
def every_forged_write_is_refused(context: Context) -> None:
    access.refused(context.world.forged.attempts, context.world.expect)


@then("the same write with a valid CSRF token is accepted")
@takes("journey")
def valid_write_is_accepted(context: Context) -> None:
    world, write = context.world, context.world.forged.write
    answer = browser.write_from_own_page(world.deployment, world.credential, write)
    webapp.valid_write_is_accepted(answer, write.statuses, world.expect)
