"""The picture of a settlement: which stages were seen, and at which one it stopped."""

from pathlib import Path

import pytest

from streampay_smoke.acceptance import checks
from streampay_smoke.evidence import events
from streampay_smoke.publish.report_status import ReportStatus
from streampay_smoke.publish.stages import KINDS, stages
from streampay_smoke.publish.step_events import StepEvent, step_event

HASH = "ab" * 32


def shown(*happened: events.AnyEvent) -> list[StepEvent]:
    told = (step_event(event, 1_000 * at) for at, event in enumerate(happened, start=1))
    return [each for each in told if each is not None]


def settle(status: int = 200) -> events.Exchanged:
    return events.Exchanged(
        peer="service", method="POST", target="/settle", status=status, duration_ms=40, purpose="settle"
    )


def checked(promise: str, observed: str, *, held: bool = True) -> events.Checked:
    return events.Checked(promise=promise, held=held, expected="", observed=observed)


PAID = (
    settle(),
    checked("the receipt names a transaction", HASH),
    events.TransactionSeen(tx_hash=HASH, ledger=22, closed_at=1_795_000_000),
    checked("the ledger knows the receipt's transaction", "found"),
    checked("the settlement was made during this run", "ledger 22"),
    checked("the expected contract paid the recipient", "payments by C"),
    checked("the amount is exact", "129629 stroops"),
    checked("the recipient's balance grew by the payment", "129629"),
    checked("what was not earned goes back to the payer, to the last stroop", "5 stroops to G"),
)


def test_a_settlement_that_was_proved_is_seen_at_every_stage() -> None:
    found = stages(shown(*PAID))
    assert [(stage.name, stage.seen) for stage in found] == [
        ("Request", "answered 200"),
        ("Transaction", HASH),
        ("Ledger", "number 22"),
        ("Event of the contract", "129629 stroops"),
        ("Balances", "the recipient's grew by 129629 stroops"),
    ]
    assert {stage.outcome for stage in found} == {ReportStatus.PASSED}
    after = [stage.after_ms for stage in found]
    assert None not in after
    assert after[0] == 40


def test_a_settlement_that_was_invented_stops_at_its_transaction() -> None:
    unknown = checked("the ledger knows the receipt's transaction", "the network never saw it", held=False)
    found = stages(shown(*PAID[:2], unknown))
    assert [(stage.outcome, stage.seen) for stage in found[1:]] == [
        (ReportStatus.FAILED, "the network never saw it"),
        *[(ReportStatus.SKIPPED, "not seen")] * 3,
    ]


def test_only_the_first_settlement_is_shown() -> None:
    again = checked("the amount is exact", "0 stroops", held=False)
    assert stages(shown(*PAID, settle(409), again)) == stages(shown(*PAID))


def test_without_a_request_there_is_no_picture() -> None:
    assert stages(shown(*PAID[1:])) == ()


@pytest.mark.parametrize("promise", [promise for kind in KINDS for promise in kind.promises])
def test_the_suite_makes_each_assertion_that_a_stage_is_known_by(promise: str) -> None:
    assert f'"{promise}"' in (Path(checks.__file__).parent / "settlement.py").read_text()
