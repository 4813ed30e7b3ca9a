"""Steps about the ledger itself."""

from behave import given, then, when
from behave.runner import Context

from streampay_smoke.acceptance.checks import ledger
from streampay_smoke.runner.budget import takes
from streampay_smoke.service.identity import unowned_address


@when("the ledger is watched")
@when("the contract is looked up on the ledger")
@when("the contract is asked what it would do")
@takes("ledger")
def reach_ledger(context: Context) -> None:
    context.world.ledger = context.world.run_context.ledger


@then("the network closes ledgers in time with our clock")
@takes("ledger")
def network_moves(context: Context) -> None:
    ledger.network_moves(context.world.ledger, context.world.expect)


@then("it offers everything StreamPay builds on")
@takes("ledger")
def interface_is_there(context: Context) -> None:
    ledger.interface_is_there(context.world.ledger, context.world.expect)


@given("a payer with a funded test account")
@takes("ledger")
def payer_with_account(context: Context) -> None:
    context.world.payer = context.world.run_context.payer


@then("it would take a new stream")
@takes("ledger")
def takes_streams(context: Context) -> None:
    world = context.world
    ledger.contract_takes_streams(world.ledger, world.payer.address, unowned_address(), world.expect)


@then("nobody can make themselves its administrator")
@takes("ledger")
def nobody_can_claim(context: Context) -> None:
    ledger.nobody_can_claim(context.world.ledger, context.world.payer.address, context.world.expect)


@then("it would obey the administrator this environment names, and nobody else")
@takes("ledger")
def obeys_its_administrator(context: Context) -> None:
    world = context.world
    ledger.obeys(world.ledger, world.settings.place.chain.contract_admin, world.expect)
    ledger.obeys_nobody_else(world.ledger, unowned_address(), world.expect)


@given("a payer and a recipient with funded test accounts")
@takes("ledger")
def payer_and_recipient(context: Context) -> None:
    shared = context.world.run_context
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
