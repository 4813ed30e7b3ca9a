"""One sentence on money, for every way a run can end; and the journey of the settlement behind it."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from streampay_smoke.evidence import events
from streampay_smoke.evidence.journal import JournalRead
from streampay_smoke.gate.judge import judge
from streampay_smoke.publish.journey import journey
from streampay_smoke.publish.payment import payment_summary
from streampay_smoke.publish.report_model import RunReport, report_of
from streampay_smoke.publish.report_status import ReportStatus

HASH = "ab" * 32
MONEY = events.ExpectedScenario(
    id="settlement/the-recipient-is-paid",
    feature="Synthetic stream is created and settled",
    scenario="The recipient is paid",
    location="features/settlement.feature:1",
    tags=("smoke",),
    steps=("When the user settles the stream", "Then the recipient is paid"),
    concern="money",
)
ASKED = events.Exchanged(
    peer="service", method="POST", target="/api/streams/st_1/settle", status=200, duration_ms=40, purpose="settle"
)
SEEN = events.TransactionSeen(tx_hash=HASH, ledger=14, closed_at=1_795_000_000)
SETTLED = events.Settled(stream_id="st_1", tx_hash=HASH, ledger=14, proof="ledger", amount_stroops=129_629)
HELD = events.Checked(promise="the balance grew", held=True, expected="129629", observed="129629")
UNSEEN = events.Checked(promise="the ledger knows it", held=False, expected="a transaction", observed="none")
REAL = {"network": "testnet", "service_simulated": False, "settings": {"token_contract_id": ""}}


def run_report(
    script: Any, *inside: events.AnyEvent, ending: str = "passed", blame: str = "", **started: object
) -> RunReport:
    """Return a run of one scenario about money, whose last step has these events."""
    begun = msgspec.structs.replace(BEGUN, **{**REAL, **started})
    run = script().begin(started=begun, expected=(MONEY,)).open(MONEY).step(MONEY.steps[0], ASKED)
    failure = events.Failure(kind="any", blame=blame, message="it broke.") if blame else None
    run.step(MONEY.steps[1], *inside, status=ending, failure=failure).close(MONEY, ending, failure)
    entries = tuple(run.finish(failed=bool(blame)).entries)
    return report_of(entries, judge(JournalRead(entries=entries, sha256="5" * 64)))


BEGUN = events.RunStarted(
    run_id="run",
    suite_version="0",
    environment="staging",
    region="",
    base_url="https://pay.example",
    release_expected="",
    network="testnet",
    contract_id="CABCDEF",
    proof="ledger",
    on_inconclusive="hold",
    service_simulated=False,
    settings={},
)


def test_a_payment_is_told_with_its_amount_and_its_ledger(script: Any) -> None:
    found = payment_summary(run_report(script, SEEN, HELD, SETTLED))
    assert (found.outcome, found.sentence) == (
        ReportStatus.PASSED,
        "The recipient was paid 0.0129629 XLM, proved in ledger 14.",
    )


def test_a_simulation_is_called_one(script: Any) -> None:
    assert "of a simulation" in payment_summary(run_report(script, SEEN, SETTLED, network="sandbox")).sentence


def test_another_token_is_not_called_lumens(script: Any) -> None:
    run = run_report(script, SEEN, HELD, SETTLED, settings={"token_contract_id": "CTOKEN"})
    assert (
        payment_summary(run).sentence == "The recipient was paid 0.0129629 of the stream's token, proved in ledger 14."
    )


def test_a_payment_beside_a_broken_promise_is_no_good_news(script: Any) -> None:
    found = payment_summary(run_report(script, SEEN, SETTLED, UNSEEN, ending="failed", blame="product"))
    assert found.outcome is ReportStatus.FAILED
    assert found.sentence.endswith("But 1 check about money did not pass.")


def test_the_services_word_alone_is_no_proof(script: Any) -> None:
    claimed = msgspec.structs.replace(SETTLED, proof="service", ledger=None)
    found = payment_summary(run_report(script, claimed, proof="service"))
    assert found.outcome is ReportStatus.SKIPPED
    assert "the ledger was not asked" in found.sentence


def test_a_payment_that_the_ledger_does_not_show_was_not_proved(script: Any) -> None:
    found = payment_summary(run_report(script, UNSEEN, ending="failed", blame="product"))
    assert found.outcome is ReportStatus.FAILED
    assert found.sentence == (
        'No payment to the recipient was proved: "the ledger knows it" did not hold (seen: none).'
    )


@pytest.mark.parametrize(
    ("paid", "sentence"),
    [
        ("259258 stroops", "The recipient was paid 0.0259258 XLM, and 0.0129629 XLM were due."),
        ("0 stroops", 'No payment to the recipient was proved: "the amount is exact" did not hold (seen: 0 stroops).'),
    ],
)
def test_a_wrong_amount_is_told_beside_the_right_one(script: Any, paid: str, sentence: str) -> None:
    wrong = events.Checked(
        promise="the amount is exact", held=False, expected="129629 stroops: 3.36 a month", observed=paid
    )
    found = payment_summary(run_report(script, wrong, ending="failed", blame="product"))
    assert (found.outcome, found.sentence) == (ReportStatus.FAILED, sentence)


def test_an_amount_that_a_later_check_compared_is_told_before_any_other_failure(script: Any) -> None:
    wrong = events.Checked(
        promise="the amount is exact", held=False, expected="129629 stroops: 3.36 a month", observed="259258 stroops"
    )
    later = msgspec.structs.replace(MONEY, id="settlement/again")
    run = script().begin(started=msgspec.structs.replace(BEGUN, **REAL), expected=(MONEY, later))
    failure = events.Failure(kind="any", blame="product", message="it broke.")
    for scenario, seen in ((MONEY, UNSEEN), (later, wrong)):
        run.open(scenario).step(MONEY.steps[0], ASKED)
        run.step(MONEY.steps[1], seen, status="failed", failure=failure).close(scenario, "failed", failure)
    entries = tuple(run.finish(failed=True).entries)
    found = payment_summary(report_of(entries, judge(JournalRead(entries=entries, sha256="5" * 64))))
    assert found.sentence == "The recipient was paid 0.0259258 XLM, and 0.0129629 XLM were due."


@pytest.mark.parametrize("blame", ["dependency", "harness"])
def test_nobody_is_said_to_be_unpaid_for_what_others_did(script: Any, blame: str) -> None:
    found = payment_summary(run_report(script, ending="error", blame=blame))
    assert found.outcome is ReportStatus.BROKEN
    assert found.sentence.startswith("Whether the recipient was paid is not known: ")


@pytest.mark.parametrize("name", ["refused", "empty", "killed", "excluded"])
def test_money_that_nobody_looked_at_is_not_told_as_paid(sample: Callable[[str], Any], name: str) -> None:
    found = payment_summary(sample(name).report)
    assert found.outcome is ReportStatus.SKIPPED
    assert found.sentence.startswith("Money was not looked at, because ")


def test_an_exclusion_says_why_money_is_not_looked_at(script: Any) -> None:
    left_out = events.Exclusion(id=MONEY.id, reason="this place is read-only")
    entries = tuple(script().begin(expected=(MONEY,), excluded=(left_out,)).finish().entries)
    run = report_of(entries, judge(JournalRead(entries=entries, sha256="5" * 64)))
    assert (
        payment_summary(run).sentence
        == "Money was not looked at, because it is excluded here: this place is read-only."
    )


# -- the journey


def test_the_journey_goes_from_the_request_to_the_checks_in_order(script: Any) -> None:
    found = journey(run_report(script, SEEN, HELD, SETTLED))
    assert found is not None
    titles = [moment.title for moment in found.moments]
    assert titles[0] == "The user asks for the settlement: 200 (40 ms)"
    assert titles[1].startswith("The transaction is in ledger 14, which closed at 2026-")
    assert titles[2:] == [f"Checked: {MONEY.steps[1]}", "Settlement proved on the ledger"]
    times = [moment.after_ms for moment in found.moments]
    assert times[0] == 0
    assert times == sorted(times)
    assert ("amount", "0.0129629 (129629 stroops)") in found.moments[3].facts
    assert found.moments[2].details[0].words == "the balance grew"


def test_a_broken_check_is_red_on_the_journey(script: Any) -> None:
    found = journey(run_report(script, UNSEEN, ending="failed", blame="product"))
    assert found is not None
    assert found.moments[-1].outcome is ReportStatus.FAILED


def test_without_a_settlement_there_is_no_journey(sample: Callable[[str], Any]) -> None:
    assert journey(sample("refused").report) is None
