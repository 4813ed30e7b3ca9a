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


@given("the user has ordered a stream to the recipient")
@takes("journey")
def order_stream(context: Context) -> None:
    world = context.world
    world.stream = actions.order_stream(world.run_context, world.proof.recipient)


@given("the user has ordered a stream to the recipient, asking for it twice")
@takes("journey")
def order_stream_twice(context: Context) -> None:
    world = context.world
    world.stream = actions.order_stream(world.run_context, world.proof.recipient, requests=2)


@when("the user settles the draft")
@takes("journey")
def settle_too_early(context: Context) -> None:
    world = context.world
    world.early_settlement = actions.settle_too_early(world.run_context, world.credential, world.stream.id)


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


@when("the user settles the stream with the key that was refused")
@takes("journey")
def settle_with_refused_key(context: Context) -> None:
    world, key = context.world, context.world.early_settlement.key
    settle_again = actions.settle_with_refused_key
    world.answer_to_refused_key = settle_again(world.run_context, world.credential, world.stream.id, key)


@when("the stream is settled, with a new key where that one is used up")
@takes("journey")
def settled_after_all(context: Context) -> None:
    world, key = context.world, context.world.early_settlement.key
    asked = (world.run_context, world.credential, world.stream.id, key)
    world.settlement = actions.settled_after_all(*asked, world.answer_to_refused_key)


@then("the settlement is refused and changes nothing")
def refused_too_early(context: Context) -> None:
    early = context.world.early_settlement
    settlement.refused_too_early(early.answer, early.record, context.world.expect)


@then("the refusal was of the draft only")
def refusal_is_not_kept(context: Context) -> None:
    world = context.world
    early, again, code_of = world.early_settlement.answer, world.answer_to_refused_key, world.deployment.error_code
    settlement.refusal_is_not_kept(early, again, code_of, world.expect)


@then("one stream came of it")
@takes("ledger")
def created_once(context: Context) -> None:
    world, stream = context.world, context.world.stream
    settlement.created_once(stream.created, world.proof.creations(), stream.order, world.expect)


@then("the stream runs")
def stream_runs(context: Context) -> None:
    settlement.runs(context.world.started, context.world.expect)


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


@then("a ledger later the recipient is still paid exactly once")
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


@when("the settlement is repeated with its own key")
@takes("journey")
def repeat_settlement(context: Context) -> None:
    world = context.world
    world.repeated_receipts = actions.repeat_settlement(world.deployment, world.credential, world.settlement)


@when("the stream is settled again with a new key")
@takes("journey")
def settle_with_new_key(context: Context) -> None:
    world = context.world
    world.second_settlement = actions.settle_with_new_key(world.run_context, world.credential, world.stream.id)


@then("the repeated answer is the first receipt")
def repeated_answer_is_the_first(context: Context) -> None:
    for again in context.world.repeated_receipts:
        settlement.same_receipt(context.world.settlement.receipt, again, context.world.expect)


@then("a new key cannot settle the stream again")
def new_key_cannot_settle(context: Context) -> None:
    settlement.cannot_settle_again(context.world.second_settlement, context.world.expect)
