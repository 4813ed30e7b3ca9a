"""Steps about creating and settling a synthetic stream."""

from behave import given, then, when
from behave.runner import Context

from streampay_smoke.acceptance.actions import settlement as actions
from streampay_smoke.acceptance.checks import settlement
from streampay_smoke.runner.budget import takes


@given("a recipient with a funded test account")
@takes("ledger")
def recipient_with_account(context: Context) -> None:
    context.scenario_context.proof = context.scenario_context.run_context.proof()


@given("the user has created a stream to the recipient")
@takes("journey")
def create_stream(context: Context) -> None:
    scenario = context.scenario_context
    scenario.stream = actions.create_stream(scenario.run_context, scenario.proof.recipient)


@given("the user has sent the request to create a stream to the recipient twice")
@takes("journey")
def create_stream_twice(context: Context) -> None:
    scenario = context.scenario_context
    scenario.stream = actions.create_stream(scenario.run_context, scenario.proof.recipient, requests=2)


@when("the user settles the stream before its start")
@takes("journey")
def settle_before_start(context: Context) -> None:
    scenario = context.scenario_context
    scenario.early_settlement = actions.settle_before_start(
        scenario.run_context, scenario.credential, scenario.stream.id
    )


@given("the user has started the stream")
@when("the user starts the stream")
@takes("journey")
def start_stream(context: Context) -> None:
    scenario = context.scenario_context
    scenario.started = actions.start_stream(
        scenario.run_context, scenario.credential, scenario.stream.id, scenario.proof
    )


@given("the user has settled the stream")
@when("the user settles the stream")
@takes("journey")
def settle(context: Context) -> None:
    scenario = context.scenario_context
    scenario.settlement = actions.settle(scenario.run_context, scenario.credential, scenario.started.record.id)


@when("the user settles the stream with the refused key")
@takes("journey")
def settle_with_refused_key(context: Context) -> None:
    scenario, key = context.scenario_context, context.scenario_context.early_settlement.key
    settle_again = actions.settle_with_refused_key
    scenario.answer_to_refused_key = settle_again(scenario.run_context, scenario.credential, scenario.stream.id, key)


@when("the user settles the stream with a new key if the refused key is used up")
@takes("journey")
def settle_with_new_key_if_used_up(context: Context) -> None:
    scenario, key = context.scenario_context, context.scenario_context.early_settlement.key
    asked = (scenario.run_context, scenario.credential, scenario.stream.id, key)
    scenario.settlement = actions.settle_with_new_key_if_used_up(*asked, scenario.answer_to_refused_key)


@then("the settlement is refused and the stream is unchanged")
def refused_before_start(context: Context) -> None:
    early = context.scenario_context.early_settlement
    settlement.refused_before_start(early.answer, early.record, context.scenario_context.expect)


@then("the early refusal is not repeated")
def refusal_is_not_repeated(context: Context) -> None:
    scenario = context.scenario_context
    early, again = scenario.early_settlement.answer, scenario.answer_to_refused_key
    settlement.refusal_is_not_repeated(early, again, scenario.deployment.error_code, scenario.expect)


@then("only one stream was created")
@takes("ledger")
def created_once(context: Context) -> None:
    scenario, stream = context.scenario_context, context.scenario_context.stream
    settlement.created_once(stream.created, scenario.proof.creations(), stream.order, scenario.expect)


@then("the stream is active")
def stream_is_active(context: Context) -> None:
    settlement.is_active(context.scenario_context.started, context.scenario_context.expect)


@then("the recipient is paid the exact amount by the expected contract during this run")
@takes("ledger")
def paid_exact_amount(context: Context) -> None:
    scenario, receipt = context.scenario_context, context.scenario_context.settlement.receipt
    settlement.receipt_is_of(receipt, scenario.stream.id, scenario.expect)
    settlement.paid(scenario.proof.settlement(receipt), receipt, scenario.stream.order, scenario.expect)


@then("the recipient is paid exactly once")
@takes("ledger")
def paid_exactly_once(context: Context) -> None:
    settlement.paid_exactly_once(
        context.scenario_context.proof.payments(context.scenario_context.stream.id), context.scenario_context.expect
    )


@then("one ledger later the recipient is still paid exactly once")
@takes("ledger")
def still_paid_once(context: Context) -> None:
    payments = context.scenario_context.proof.payments_a_ledger_later(context.scenario_context.stream.id)
    settlement.paid_exactly_once(payments, context.scenario_context.expect)


@then("receipt, record and ledger agree")
@takes("ledger")
def records_agree(context: Context) -> None:
    scenario, receipt = context.scenario_context, context.scenario_context.settlement.receipt
    record = scenario.deployment.stream(scenario.credential, scenario.stream.id)
    settlement.records_agree(receipt, record, scenario.stream.order, scenario.expect)
    settlement.payments_are_the_receipts(scenario.proof.payments(scenario.stream.id), receipt, scenario.expect)


@when("the user repeats the settlement with the same key")
@takes("journey")
def repeat_settlement(context: Context) -> None:
    scenario = context.scenario_context
    scenario.repeated_receipts = actions.repeat_settlement(
        scenario.deployment, scenario.credential, scenario.settlement
    )


@when("the user settles the stream again with a new key")
@takes("journey")
def settle_with_new_key(context: Context) -> None:
    scenario = context.scenario_context
    scenario.second_settlement = actions.settle_with_new_key(
        scenario.run_context, scenario.credential, scenario.stream.id
    )


@then("the repeated settlement returns the first receipt")
def repeated_settlement_returns_first_receipt(context: Context) -> None:
    for again in context.scenario_context.repeated_receipts:
        settlement.same_receipt(context.scenario_context.settlement.receipt, again, context.scenario_context.expect)


@then("the settlement with a new key is refused")
def settlement_with_new_key_is_refused(context: Context) -> None:
    settlement.cannot_settle_again(context.scenario_context.second_settlement, context.scenario_context.expect)
