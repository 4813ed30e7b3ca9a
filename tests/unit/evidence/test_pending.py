"""What a step is waiting for, from its events."""

import pytest

from streampay_smoke.evidence import events
from streampay_smoke.evidence.pending import Pending


def pending(*story: events.AnyEvent, clock: list[float] | None = None) -> Pending:
    times = iter(clock or [])
    now = Pending(clock=lambda: next(times)) if clock else Pending()
    for event in story:
        now.observe(event)
    return now


STEP = events.StepStarted(text="When asked", budget_seconds=30.0)
ASKS = events.Awaiting(peer="service", what="GET /api/streams")
ASKS_LEDGER = events.Awaiting(peer="ledger", what="POST getHealth")


def answer(peer: str = "service", status: int | None = 200, error: str = "") -> events.Exchanged:
    return events.Exchanged(peer=peer, method="GET", target="/x", status=status, duration_ms=12, error=error)


def test_a_request_without_an_answer_is_owed_by_its_peer() -> None:
    now = pending(STEP, answer(), ASKS)
    assert now.peer == "service"
    assert now.described() == (
        "in step 'When asked' (budget 30 s), waiting for the service to answer GET /api/streams; "
        "the last answer was the service, GET /x: status 200 after 12 ms"
    )


def test_an_answer_pays_what_was_owed() -> None:
    now = pending(STEP, ASKS, answer())
    assert (now.peer, now.waiting_for) == ("", "")


def test_the_ledgers_answer_does_not_pay_for_the_services() -> None:
    assert pending(STEP, ASKS, answer(peer="ledger")).peer == "service"
    assert pending(STEP, ASKS_LEDGER, answer(peer="ledger", status=None, error="refused")).peer == ""


def test_a_wait_between_requests_is_named() -> None:
    now = pending(STEP, events.Awaiting(what="the service to be ready"), ASKS, answer(status=None, error="refused"))
    assert now.waiting_for == "the service to be ready"
    assert now.last_response == "the service, GET /x: refused"
    over = events.Waited(
        what="the service to be ready", met=True, within_seconds=1, waited_seconds=1, attempts=1, last=""
    )
    now.observe(over)
    assert now.described_wait().startswith("waiting for nothing it announced")


def test_a_new_step_begins_with_nothing_and_an_ended_one_is_none() -> None:
    now = pending(STEP, ASKS, answer(), events.StepStarted(text="Then seen"))
    assert now.described() == "in step 'Then seen', waiting for nothing it announced; nothing had answered in it"
    now.observe(events.StepFinished(text="Then seen", status="passed", duration_ms=1))
    assert now.described() == ""


def test_the_time_a_peer_took_is_what_it_answered_in_and_what_it_still_owes() -> None:
    now = pending(STEP, answer(), ASKS, clock=[100.0, 107.0])
    assert now.spent_on_peer_seconds == pytest.approx(7.012)
    assert pending(STEP).spent_on_peer_seconds == 0.0
