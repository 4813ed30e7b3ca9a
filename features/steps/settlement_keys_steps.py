"""Steps about the keys and receipts of settlements, also of failed ones."""

from behave import given, then, when
from behave.runner import Context

from streampay_smoke.acceptance.actions import settlement as actions
from streampay_smoke.acceptance.checks import failed_settlements, settlement
from streampay_smoke.runner.budget import takes


@given("the user has requested a settlement in this run")
@takes("ledger")
def have_requested_a_settlement(context: Context) -> None:
    actions.settle_at_least_once(context.scenario_context.run_context, context.scenario_context.credential)


@when("the user repeats every failed settlement with the same key")
@takes("journey")
def repeat_failed_settlements(context: Context) -> None:
    scenario = context.scenario_context
    scenario.failed_settlements = actions.repeat_failed(scenario.run_context, scenario.credential)


@then("every failed settlement has left its stream active or paused")
def failed_settlements_left_unsettled(context: Context) -> None:
    scenario, made = context.scenario_context, len(context.scenario_context.run_context.streams.settlements)
    failed_settlements.left_unsettled(
        scenario.failed_settlements, made, scenario.deployment.error_code, scenario.expect
    )


@then("every failed settlement succeeds with the same key")
def failed_settlements_succeed(context: Context) -> None:
    scenario, made = context.scenario_context, len(context.scenario_context.run_context.streams.settlements)
    failed_settlements.succeed_with_same_key(
        scenario.failed_settlements, made, scenario.deployment.error_code, scenario.expect
    )


@when("the user reads the settled stream")
@takes("journey")
def read_settled_stream(context: Context) -> None:
    scenario = context.scenario_context
    scenario.record = scenario.deployment.stream(scenario.credential, scenario.settlement.stream_id)


@then("the receipt names one transaction")
def receipt_names_one_transaction(context: Context) -> None:
    settlement.names_one_transaction(context.scenario_context.settlement.receipt, context.scenario_context.expect)


@then("the record names the transaction of the receipt")
def record_names_receipts_transaction(context: Context) -> None:
    scenario = context.scenario_context
    settlement.record_names(scenario.settlement.receipt, scenario.record, scenario.expect)


@when("the user settles another stream with the used key")
@takes("journey")
def settle_another_stream(context: Context) -> None:
    scenario, key = context.scenario_context, context.scenario_context.settlement.key
    scenario.other_stream, scenario.other_settlement = actions.settle_another_stream(
        scenario.run_context, scenario.credential, key
    )


@then("the settlement of another stream with the used key is refused")
def settlement_of_another_stream_is_refused(context: Context) -> None:
    scenario, receipt = context.scenario_context, context.scenario_context.settlement.receipt
    settlement.used_key_is_refused(scenario.other_settlement, receipt, scenario.other_stream, scenario.expect)
