"""The contract whose recipients withdraw, as the ledger feature and the sweep meet it, on a ledger of the sandbox."""

from collections.abc import Callable, Iterator

import pytest
from step_parts import Witness, run_context_of, settings_for

from streampay_sandbox.stack import start_sandbox
from streampay_smoke.acceptance.actions.contract_stream import look_at, parties, stream_and_settle
from streampay_smoke.acceptance.checks import ledger as checks
from streampay_smoke.acceptance.observations.ledger import refusal_of_new_stream
from streampay_smoke.acceptance.observations.settlement import LedgerProof
from streampay_smoke.acceptance.resources.contract_streams import cancel
from streampay_smoke.acceptance.run_context import RunContext
from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.evidence.events import ResourceReleased
from streampay_smoke.service.identity import unowned_address

CONTRACT = "streampay-contracts-v0.2"
Opened = Callable[..., RunContext]


@pytest.fixture
def opened(witness: Witness) -> Iterator[Opened]:
    """Open runs on a sandbox whose runs are pointed at the contract, with a fault or none."""
    closing: list[Callable[[], object]] = []

    def run_on(*faults: str) -> RunContext:
        sandbox = start_sandbox(faults=faults, contract_profile=CONTRACT)
        closing.append(sandbox.stop)
        run = run_context_of(settings_for(sandbox.ready_document()["env"]), witness)
        closing.append(run.close)
        return run

    yield run_on
    for close in reversed(closing):
        close()


def played(run: RunContext, witness: Witness) -> None:
    between = parties(run.ledger, run.payer, run.recipient)
    stream = stream_and_settle(run.ledger, between, run.housekeeping)
    seen = look_at(run.ledger, stream, between)
    checks.paid_whole_once(seen, witness.expect)
    checks.balances_agree(seen, witness.expect)


def test_its_stream_pays_the_recipient_who_withdraws(opened: Opened, witness: Witness) -> None:
    run = opened()
    checks.accepts_new_stream(refusal_of_new_stream(run.ledger, run.payer.address, unowned_address()), witness.expect)
    played(run, witness)
    assert not run.unfinished
    with pytest.raises(SettingsInvalid, match="pay a recipient who withdraws"):
        LedgerProof(run.ledger, run.recipient.address, witness.events.append)


@pytest.mark.parametrize("fault", ["contract-pays-twice", "contract-pays-less", "contract-pays-other"])
def test_a_withdrawal_that_is_paid_wrongly_fails(fault: str, opened: Opened, witness: Witness) -> None:
    with witness.breaks("the contract paid the whole amount once"):
        played(opened(fault), witness)


def test_what_a_run_leaves_there_is_ended_by_its_payer(opened: Opened, witness: Witness) -> None:
    run = opened()
    between = parties(run.ledger, run.payer, run.recipient)
    contract = run.ledger.contract
    draft = contract.open_draft(run.payer, between.recipient.address, run.ledger.token_contract_id, 100, 1)
    assert cancel(run.ledger, draft.stream_id, run.payer)
    assert contract.stream(draft.stream_id).status == "cancelled"
    assert cancel(run.ledger, draft.stream_id, run.payer), "one that is over needs no second end"
    assert not witness.of(ResourceReleased)
