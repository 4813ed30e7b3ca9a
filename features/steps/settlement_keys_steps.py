"""Steps about the keys and receipts of settlements, also of those that failed."""

from behave import given, then, when
from behave.runner import Context

from streampay_smoke.acceptance.actions import settlement as actions
from streampay_smoke.acceptance.checks import failed_settlements, settlement
from streampay_smoke.runner.budget import takes


@given("the user has asked for a settlement in this run")
@takes("ledger")
def have_asked_for_a_settlement(context: Context) -> None:
    actions.settle_at_least_once(context.world.run_context, context.world.credential)


@when("each settlement that failed is repeated with its key")
@takes("journey")
def repeat_failed_settlements(context: Context) -> None:
    world = context.world
    world.failed_settlements = actions.repeat_failed(world.run_context, world.credential)


@then("each settlement that failed has left its stream unsettled")
def failed_settlements_left_unsettled(context: Context) -> None:
    world, made = context.world, len(context.world.run_context.streams.settlements)
    failed_settlements.left_unsettled(world.failed_settlements, made, world.deployment.error_code, world.expect)


@then("each settlement that failed is made with its key")
def failed_settlements_made(context: Context) -> None:
    world, made = context.world, len(context.world.run_context.streams.settlements)
    failed_settlements.made_with_their_keys(world.failed_settlements, made, world.deployment.error_code, world.expect)


@when("the user opens the settled stream")
@takes("journey")
def open_settled_stream(context: Context) -> None:
    world = context.world
    world.record = world.deployment.stream(world.credential, world.settlement.stream_id)


@then("the receipt names one transaction")
def receipt_names_one_transaction(context: Context) -> None:
    settlement.names_one_transaction(context.world.settlement.receipt, context.world.expect)


@then("the stream names the transaction of the receipt")
def stream_names_the_receipts_transaction(context: Context) -> None:
    world = context.world
    settlement.record_names(world.settlement.receipt, world.record, world.expect)


@when("the key is used to settle another stream")
@takes("journey")
def settle_another_stream(context: Context) -> None:
    world, key = context.world, context.world.settlement.key
    world.other_stream, world.other_settlement = actions.settle_another_stream(world.run_context, world.credential, key)


@then("the key does not answer for the other stream")
def key_does_not_answer_for_other(context: Context) -> None:
    world, receipt = context.world, context.world.settlement.receipt
    settlement.key_does_not_answer_for(world.other_settlement, receipt, world.other_stream, world.expect)
