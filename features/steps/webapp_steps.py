"""Steps about what browsers send for the web app and for other sites."""

from behave import then, when
from behave.runner import Context

from streampay_smoke.acceptance.actions import browser
from streampay_smoke.acceptance.checks import access, webapp
from streampay_smoke.runner.budget import takes


@when("a browser sends a CORS preflight for the web app")
def preflight_for_web_app(context: Context) -> None:
    scenario = context.scenario_context
    scenario.answers = browser.read_and_preflight(scenario.deployment, scenario.settings.facts.service.app_origin)


@then("the web app is allowed to send its writes")
def preflight_allows_web_app(context: Context) -> None:
    scenario, origin = context.scenario_context, context.scenario_context.settings.facts.service.app_origin
    asked = browser.preflight_headers(scenario.deployment, origin)
    webapp.preflight_allows_writes(scenario.answers[-1], origin, asked, scenario.expect)


@when("a browser sends a read and a CORS preflight for another site")
def requests_for_another_site(context: Context) -> None:
    context.scenario_context.answers = browser.read_and_preflight(
        context.scenario_context.deployment, browser.OTHER_SITE
    )


@then("the other site is not allowed to send requests")
def other_site_is_not_allowed(context: Context) -> None:
    webapp.origin_is_not_allowed(context.scenario_context.answers, browser.OTHER_SITE, context.scenario_context.expect)


@when("another site sends writes with these CSRF tokens")
@takes("journey")
def forge_writes(context: Context) -> None:
    scenario, shown = context.scenario_context, [row["CSRF token"] for row in context.table]
    scenario.forged = browser.forge_writes(scenario.deployment, scenario.credential, shown)


@then("the web app receives a CSRF token with two parts")
def web_app_receives_token(context: Context) -> None:
    webapp.page_has_csrf_token(context.scenario_context.forged.csrf_token, context.scenario_context.expect)


@then("every write without a valid CSRF token is refused")
def every_forged_write_is_refused(context: Context) -> None:
    access.refused(context.scenario_context.forged.attempts, context.scenario_context.expect)


@then("the same write with a valid CSRF token is accepted")
@takes("journey")
def valid_write_is_accepted(context: Context) -> None:
    scenario, write = context.scenario_context, context.scenario_context.forged.write
    answer = browser.write_from_own_page(scenario.deployment, scenario.credential, write)
    webapp.valid_write_is_accepted(answer, write.statuses, scenario.expect)
