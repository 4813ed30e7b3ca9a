"""Steps about stream records: repeated requests, API versions, replicas and releases."""

from behave import given, then, when
from behave.runner import Context

from streampay_smoke.acceptance.actions import create_requests, settlement, streams
from streampay_smoke.acceptance.checks import records
from streampay_smoke.acceptance.observations import listing
from streampay_smoke.runner.budget import takes


@given("the user has created a stream through API v2")
@takes("journey")
def create_through_v2(context: Context) -> None:
    context.scenario_context.created = create_requests.create_stream(context.scenario_context.run_context)


@when("the user repeats the create request with the same key")
@takes("journey")
def repeat_create_request(context: Context) -> None:
    context.scenario_context.created_again = create_requests.repeat(
        context.scenario_context.run_context, context.scenario_context.created
    )


@when("the user sends another create request with the used key")
@takes("journey")
def send_other_create_request(context: Context) -> None:
    scenario = context.scenario_context
    scenario.other_create = create_requests.send_another(
        scenario.run_context, scenario.credential, scenario.created.key
    )


@then("the repeated create request returns the first stream")
def repeated_create_returns_first_stream(context: Context) -> None:
    scenario = context.scenario_context
    records.repeated_create_returns_first_stream(scenario.created.stream, scenario.created_again, scenario.expect)


@then("the other create request with the used key is refused")
def other_create_is_refused(context: Context) -> None:
    scenario = context.scenario_context
    records.other_create_is_refused(scenario.other_create, scenario.created.stream, scenario.expect)


@then("every replica that answers shows the stream")
@takes("journey")
def every_replica_shows(context: Context) -> None:
    scenario, stream = context.scenario_context, context.scenario_context.created.stream
    looks = streams.looks_over_new_connections(scenario.run_context, scenario.credential, stream.id)
    records.every_replica_shows(looks, stream, scenario.expect)


@given("the user has a settled stream")
@takes("ledger")
def have_settled_stream(context: Context) -> None:
    scenario = context.scenario_context
    scenario.settlement = settlement.settled_stream(scenario.run_context, scenario.credential)


@when("the user withdraws the settled amount")
@takes("journey")
def withdraw(context: Context) -> None:
    scenario = context.scenario_context
    scenario.withdrawal = settlement.withdraw(scenario.run_context, scenario.credential, scenario.settlement.stream_id)


@then("the withdrawal names the settled stream and its transaction")
def withdrawal_is_of_settlement(context: Context) -> None:
    scenario, settled = context.scenario_context, context.scenario_context.settlement
    records.withdrawal_is_of(scenario.withdrawal, settled.stream_id, settled.receipt, scenario.expect)


@then("API v1 and API v2 return the same records of the streams of this run")
@takes("journey")
def same_in_both_versions(context: Context) -> None:
    scenario = context.scenario_context
    asked, size = (scenario.deployment, scenario.credential), listing.LARGEST_PAGE
    v1, v2 = listing.pages_of(*asked, page_size=size), listing.pages_of_v2(*asked, page_size=size)
    opened = scenario.deployment.stream(scenario.credential, scenario.settlement.stream_id)
    records.same_in_both_versions(v1, v2, opened, scenario.run_context.streams.unfinished, scenario.expect)


@when("the user reads the stream that is kept across releases")
@takes("journey")
def read_kept_stream(context: Context) -> None:
    scenario, kept = context.scenario_context, context.scenario_context.settings.facts.service.canary_stream
    scenario.kept = streams.looks_over_new_connections(scenario.run_context, scenario.credential, kept)


@then("the service shows the kept stream to its owner")
def kept_stream_exists(context: Context) -> None:
    scenario = context.scenario_context
    records.kept_stream_exists(scenario.kept, scenario.settings.facts.service.canary_stream, scenario.expect)
