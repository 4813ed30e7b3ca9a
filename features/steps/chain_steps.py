"""Steps about the ledger itself."""

from behave import given, then, when
from behave.runner import Context

from streampay_smoke.acceptance.actions import contract_stream
from streampay_smoke.acceptance.checks import ledger
from streampay_smoke.acceptance.observations import ledger as observed
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
    ledger.network_moves(observed.network(context.world.ledger), context.world.expect)


@then("it offers everything StreamPay builds on")
@takes("ledger")
def interface_is_there(context: Context) -> None:
    contract = context.world.ledger.contract
    ledger.interface_is_there(contract.interface_drifts(), contract.profile.name, context.world.expect)


@given("a payer with a funded test account")
@takes("ledger")
def payer_with_account(context: Context) -> None:
    context.world.payer = context.world.run_context.payer


@then("it would take a new stream")
@takes("ledger")
def takes_streams(context: Context) -> None:
    world = context.world
    refusal = observed.refusal_of_new_stream(world.ledger, world.payer.address, unowned_address())
    ledger.contract_takes_streams(refusal, world.expect)


@then("nobody can make themselves its administrator")
@takes("ledger")
def nobody_can_claim(context: Context) -> None:
    claimable = context.world.ledger.contract.may_be_claimed(context.world.payer.address)
    ledger.nobody_can_claim(claimable, context.world.expect)


@then("it would obey the administrator this environment names, and nobody else")
@takes("ledger")
def obeys_its_administrator(context: Context) -> None:
    contract, expect = context.world.ledger.contract, context.world.expect
    admin = context.world.settings.facts.chain.contract_admin
    ledger.obeys(contract.obeys(admin), admin, expect)
    ledger.obeys_nobody_else(contract.obeys(unowned_address()), expect)


@given("a payer and a recipient with funded test accounts")
@takes("ledger")
def payer_and_recipient(context: Context) -> None:
    run = context.world.run_context
    context.world.parties = contract_stream.parties(run.ledger, run.payer, run.recipient.address)


@when("the payer streams to the recipient and settles at the end")
@takes("ledger")
def stream_and_settle(context: Context) -> None:
    world, run = context.world, context.world.run_context
    settled = contract_stream.stream_and_settle(run.ledger, world.parties, run.housekeeping)
    world.contract_stream = contract_stream.look_at(run.ledger, settled, world.parties)


@then("the contract pays the recipient the whole amount exactly once")
def paid_whole_once(context: Context) -> None:
    ledger.paid_whole_once(context.world.contract_stream, context.world.expect)


@then("nothing is lost or made on the way")
def money_is_conserved(context: Context) -> None:
    ledger.money_is_conserved(context.world.contract_stream, context.world.expect)
