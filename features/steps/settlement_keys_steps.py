"""Steps about the keys and receipts of settlements, also of failed ones."""

from behave import given, then, when
from behave.runner import Context

from streampay_smoke.acceptance.actions import settlement as actions
from streampay_smoke.acceptance.checks import failed_settlements, settlement
from streampay_smoke.runner.budget import takes


@given("the user has requested a settlement in this run")
@takes("ledger")
def have_requested_a_settlement(context: Context) -> None:
    actions.settle_at_least_once(context.world.run_context, context.world.credential)


@when("the user repeats every failed settlement with the same key")
@takes("journey")
def repeat_failed_settlements(context: Context) -> None:
    world = context.world
    world.failed_settlements = actions.repeat_failed(world.run_context, world.credential)


@then("every failed settlement has left its stream active or paused")
def failed_settlements_left_unsettled(context: Context) -> None:
    world, made = context.world, len(context.world.run_context.streams.settlements)
    failed_settlements.left_unsettled(world.failed_settlements, made, world.deployment.error_code, world.expect)


@then("every failed settlement succeeds with the same key")
def failed_settlements_succeed(context: Context) -> None:
    world, made = context.world, len(context.world.run_context.streams.settlements)
    failed_settlements.succeed_with_same_key(world.failed_settlements, made, world.deployment.error_code, world.expect)


@when("the user reads the settled stream")
@takes("journey")
def read_settled_stream(context: Context) -> None:
    world = context.world
    world.record = world.deployment.stream(world.credential, world.settlement.stream_id)


@then("the receipt names one transaction")
def receipt_names_one_transaction(context: Context) -> None:
    settlement.names_one_transaction(context.world.settlement.receipt, context.world.expect)


@then("the record names the transaction of the receipt")
def record_names_receipts_transaction(context: Context) -> None:
    world = context.world
    settlement.record_names(world.settlement.receipt, world.record, world.expect)


@when("the user settles another stream with the used key")
@takes("journey")
def settle_another_stream(context: Context) -> None:
    world, key = context.world, context.world.settlement.key
    world.other_stream, world.other_settlement = actions.settle_another_stream(world.run_context, world.credential, key)


@then("the settlement of another stream with the used key is refused")
def settlement_of_another_stream_is_refused(context: Context) -> None:
    world, receipt = context.world, context.world.settlement.receipt
    settlement.used_key_is_refused(world.other_settlement, receipt, world.other_stream, world.expect)
