"""Steps about the ledger itself."""

from behave import given, then, when
from behave.runner import Context

from streampay_smoke.promises import ledger
from streampay_smoke.suite.budget import takes


@when("the ledger is watched")
@when("the contract is looked up on the ledger")
@takes("ledger")
def reach_ledger(context: Context) -> None:
    context.world.ledger = context.world.surroundings.ledger


@then("the network closes ledgers in time with our clock")
@takes("ledger")
def network_moves(context: Context) -> None:
    ledger.network_moves(context.world.ledger, context.world.expect)


@then("it offers everything StreamPay builds on")
@takes("ledger")
def interface_is_there(context: Context) -> None:
    ledger.interface_is_there(context.world.ledger, context.world.expect)


@given("a payer and a recipient with funded test accounts")
@takes("ledger")
def payer_and_recipient(context: Context) -> None:
    shared = context.world.surroundings
    recipient = shared.recipient.address
    context.world.direct_stream = ledger.DirectStream(shared.ledger, shared.payer, recipient, shared.housekeeping)


@when("the payer streams to the recipient and settles at the end")
@takes("ledger")
def stream_and_settle(context: Context) -> None:
    context.world.direct_stream.play(total_stroops=1_234_567, duration_seconds=1)


@then("the contract pays the recipient the whole amount exactly once")
@takes("ledger")
def paid_whole_once(context: Context) -> None:
    context.world.direct_stream.paid_whole_once(context.world.expect)


@then("nothing is lost or made on the way")
@takes("ledger")
def money_is_conserved(context: Context) -> None:
    context.world.direct_stream.money_is_conserved(context.world.expect)
