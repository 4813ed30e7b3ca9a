"""Steps about the ledger and the contract themselves."""

from behave import given, then, when
from behave.runner import Context

from streampay_smoke.acceptance.actions import contract_stream
from streampay_smoke.acceptance.checks import ledger
from streampay_smoke.acceptance.observations import ledger as observed
from streampay_smoke.runner.budget import takes
from streampay_smoke.service.identity import unowned_address


@when("the ledger network is observed")
@when("the contract is read from the ledger")
@when("calls to the contract are simulated")
@takes("ledger")
def reach_ledger(context: Context) -> None:
    context.scenario_context.ledger = context.scenario_context.run_context.ledger_without_service


@then("the ledger network is healthy and closes ledgers on time")
@takes("ledger")
def network_is_healthy(context: Context) -> None:
    ledger.network_is_healthy(observed.network(context.scenario_context.ledger), context.scenario_context.expect)


@then("the contract has the expected interface")
@takes("ledger")
def has_expected_interface(context: Context) -> None:
    contract = context.scenario_context.ledger.contract
    ledger.has_expected_interface(contract.interface_drifts(), contract.profile.name, context.scenario_context.expect)


@given("a payer with a funded test account")
@takes("ledger")
def payer_with_account(context: Context) -> None:
    scenario, run = context.scenario_context, context.scenario_context.run_context
    scenario.ledger, scenario.payer = run.ledger_without_service, run.payer


@then("the contract accepts a new stream")
@takes("ledger")
def accepts_new_stream(context: Context) -> None:
    scenario = context.scenario_context
    refusal = observed.refusal_of_new_stream(scenario.ledger, scenario.payer.address, unowned_address())
    ledger.accepts_new_stream(refusal, scenario.expect)


@then("nobody can claim the administrator role")
@takes("ledger")
def administrator_role_cannot_be_claimed(context: Context) -> None:
    claimable = context.scenario_context.ledger.contract.may_be_claimed(context.scenario_context.payer.address)
    ledger.administrator_role_cannot_be_claimed(claimable, context.scenario_context.expect)


@then("only the administrator of this environment controls the contract")
@takes("ledger")
def only_administrator_controls_contract(context: Context) -> None:
    contract, expect = context.scenario_context.ledger.contract, context.scenario_context.expect
    admin = context.scenario_context.settings.facts.chain.contract_admin
    ledger.administrator_controls_contract(contract.obeys(admin), admin, expect)
    ledger.nobody_else_controls_contract(contract.obeys(unowned_address()), expect)


@given("a payer and a recipient with funded test accounts")
@takes("ledger")
def payer_and_recipient(context: Context) -> None:
    run = context.scenario_context.run_context
    context.scenario_context.parties = contract_stream.parties(run.ledger_without_service, run.payer, run.recipient)


@when("the payer pays the recipient with a stream on the contract")
@takes("ledger")
def pay_with_stream_on_contract(context: Context) -> None:
    scenario, run = context.scenario_context, context.scenario_context.run_context
    settled = contract_stream.stream_and_settle(run.ledger, scenario.parties, run.housekeeping)
    scenario.contract_stream = contract_stream.look_at(run.ledger, settled, scenario.parties)


@then("the contract pays the recipient the whole amount exactly once")
@takes("ledger")
def paid_whole_once(context: Context) -> None:
    ledger.paid_whole_once(context.scenario_context.contract_stream, context.scenario_context.expect)


@then("the balances change by the amount and the fees only")
@takes("ledger")
def balances_agree(context: Context) -> None:
    ledger.balances_agree(context.scenario_context.contract_stream, context.scenario_context.expect)
