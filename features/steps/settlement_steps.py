"""Steps about creating and settling a synthetic stream."""

from behave import given, then, when
from behave.runner import Context

from streampay_smoke.acceptance.actions import journeys
from streampay_smoke.acceptance.checks import settlement
from streampay_smoke.runner.budget import takes


@given("a recipient with a funded test account")
@takes("ledger")
def recipient_with_account(context: Context) -> None:
    context.world.proof = context.world.run_context.proof()


@given("the user has ordered a stream to the recipient")
@takes("journey")
def order_stream(context: Context) -> None:
    journeys.order_stream(context.world, requests=1)


@given("the user has started a stream to the recipient, asking for it twice")
@takes("journey")
def start_stream_asked_for_twice(context: Context) -> None:
    journeys.order_stream(context.world, requests=2)
    journeys.start_stream(context.world)


@given("a settlement of the draft is refused and changes nothing")
@takes("journey")
def settle_too_early(context: Context) -> None:
    journeys.settle_too_early(context.world)


@given("the user has started the stream")
@takes("journey")
def start_stream(context: Context) -> None:
    journeys.start_stream(context.world)


@given("the user has settled the stream with the key that was refused")
@takes("journey")
def settle_after_all(context: Context) -> None:
    journeys.settle_after_all(context.world)


@when("the user settles the stream")
@takes("journey")
def settle(context: Context) -> None:
    journeys.settle(context.world)


@then("one stream came of it")
@takes("ledger")
def one_stream_was_created(context: Context) -> None:
    world = context.world
    settlement.one_stream_was_created(world.created, world.order, world.expect)
    world.proof.created_once(world.order, world.expect)


@then("the recipient is paid the exact amount by the expected contract during this run")
@takes("ledger")
def paid_exact_amount(context: Context) -> None:
    context.world.proof.paid(context.world.receipt, context.world.order, context.world.expect)


@then("the recipient is paid exactly once")
@takes("ledger")
def paid_exactly_once(context: Context) -> None:
    context.world.proof.paid_exactly_once(context.world.receipt, context.world.expect)


@then("a ledger later the recipient is still paid exactly once")
@takes("ledger")
def still_paid_once(context: Context) -> None:
    context.world.proof.still_paid_once(context.world.receipt, context.world.expect)


@then("receipt, record and ledger agree")
@takes("ledger")
def papers_agree(context: Context) -> None:
    world = context.world
    record = world.deployment.stream(world.credential, world.receipt.stream_id)
    world.proof.agrees(world.receipt, record, world.order, world.expect)


@when("the settlement is repeated with its own key, with a new key, and on another stream")
@takes("journey")
def repeat_settlement(context: Context) -> None:
    journeys.repeat_settlement(context.world)


@then("the repeated answer is the first receipt")
def repeated_answer_is_the_first(context: Context) -> None:
    for again in context.world.repeated_receipts:
        settlement.same_receipt(context.world.receipt, again, context.world.expect)


@then("a new key cannot settle the stream again")
def new_key_cannot_settle(context: Context) -> None:
    settlement.cannot_settle_again(context.world.second_settlement, context.world.expect)


@then("the key does not answer for the other stream")
def key_does_not_answer_for_other(context: Context) -> None:
    world = context.world
    settlement.key_does_not_answer_for(world.other_settlement, world.receipt, world.other_stream, world.expect)
