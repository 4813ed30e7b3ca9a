"""Steps about creating and settling a synthetic stream."""

from behave import given, then, when
from behave.runner import Context

from streampay_smoke.acceptance.actions import settlement as actions
from streampay_smoke.acceptance.checks import settlement
from streampay_smoke.runner.budget import takes


@given("a recipient with a funded test account")
@takes("ledger")
def recipient_with_account(context: Context) -> None:
    context.world.proof = context.world.run_context.proof()


@given("the user has created a stream to the recipient")
@takes("journey")
def create_stream(context: Context) -> None:
    world = context.world
    world.stream = actions.create_stream(world.run_context, world.proof.recipient)


@given("the user has sent the request to create a stream to the recipient twice")
@takes("journey")
def create_stream_twice(context: Context) -> None:
    world = context.world
    world.stream = actions.create_stream(world.run_context, world.proof.recipient, requests=2)


@when("the user settles the stream before its start")
@takes("journey")
def settle_before_start(context: Context) -> None:
    world = context.world
    world.early_settlement = actions.settle_before_start(world.run_context, world.credential, world.stream.id)


@given("the user has started the stream")
@when("the user starts the stream")
@takes("journey")
def start_stream(context: Context) -> None:
    world = context.world
    world.started = actions.start_stream(world.run_context, world.credential, world.stream.id, world.proof)


@given("the user has settled the stream")
@when("the user settles the stream")
@takes("journey")
def settle(context: Context) -> None:
    world = context.world
    world.settlement = actions.settle(world.run_context, world.credential, world.started.record.id)


@when("the user settles the stream with the refused key")
@takes("journey")
def settle_with_refused_key(context: Context) -> None:
    world, key = context.world, context.world.early_settlement.key
    settle_again = actions.settle_with_refused_key
    world.answer_to_refused_key = settle_again(world.run_context, world.credential, world.stream.id, key)


@when("the user settles the stream with a new key if the refused key is used up")
@takes("journey")
def settle_with_new_key_if_used_up(context: Context) -> None:
    world, key = context.world, context.world.early_settlement.key
    asked = (world.run_context, world.credential, world.stream.id, key)
    world.settlement = actions.settle_with_new_key_if_used_up(*asked, world.answer_to_refused_key)


@then("the settlement is refused and the stream is unchanged")
def refused_before_start(context: Context) -> None:
    early = context.world.early_settlement
    settlement.refused_before_start(early.answer, early.record, context.world.expect)


@then("the early refusal is not repeated")
def refusal_is_not_repeated(context: Context) -> None:
    world = context.world
    early, again, code_of = world.early_settlement.answer, world.answer_to_refused_key, world.deployment.error_code
    settlement.refusal_is_not_repeated(early, again, code_of, world.expect)


@then("only one stream was created")
@takes("ledger")
def created_once(context: Context) -> None:
    world, stream = context.world, context.world.stream
    settlement.created_once(stream.created, world.proof.creations(), stream.order, world.expect)


@then("the stream is active")
def stream_is_active(context: Context) -> None:
    settlement.is_active(context.world.started, context.world.expect)


@then("the recipient is paid the exact amount by the expected contract during this run")
@takes("ledger")
def paid_exact_amount(context: Context) -> None:
    world, receipt = context.world, context.world.settlement.receipt
    settlement.receipt_is_of(receipt, world.stream.id, world.expect)
    settlement.paid(world.proof.settlement(receipt), receipt, world.stream.order, world.expect)


@then("the recipient is paid exactly once")
@takes("ledger")
def paid_exactly_once(context: Context) -> None:
    settlement.paid_exactly_once(context.world.proof.payments(context.world.stream.id), context.world.expect)


@then("one ledger later the recipient is still paid exactly once")
@takes("ledger")
def still_paid_once(context: Context) -> None:
    payments = context.world.proof.payments_a_ledger_later(context.world.stream.id)
    settlement.paid_exactly_once(payments, context.world.expect)


@then("receipt, record and ledger agree")
@takes("ledger")
def records_agree(context: Context) -> None:
    world, receipt = context.world, context.world.settlement.receipt
    record = world.deployment.stream(world.credential, world.stream.id)
    settlement.records_agree(receipt, record, world.stream.order, world.expect)
    settlement.payments_are_the_receipts(world.proof.payments(world.stream.id), receipt, world.expect)


@when("the user repeats the settlement with the same key")
@takes("journey")
def repeat_settlement(context: Context) -> None:
    world = context.world
    world.repeated_receipts = actions.repeat_settlement(world.deployment, world.credential, world.settlement)


@when("the user settles the stream again with a new key")
@takes("journey")
def settle_with_new_key(context: Context) -> None:
    world = context.world
    world.second_settlement = actions.settle_with_new_key(world.run_context, world.credential, world.stream.id)


@then("the repeated settlement returns the first receipt")
def repeated_settlement_returns_first_receipt(context: Context) -> None:
    for again in context.world.repeated_receipts:
        settlement.same_receipt(context.world.settlement.receipt, again, context.world.expect)


@then("the settlement with a new key is refused")
def settlement_with_new_key_is_refused(context: Context) -> None:
    settlement.cannot_settle_again(context.world.second_settlement, context.world.expect)
