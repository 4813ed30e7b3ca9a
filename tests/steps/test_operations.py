"""What StreamPay promises to those who run it: answers every time, the right time, and metrics."""

from collections.abc import Sequence
from typing import Any

import pytest
from step_parts import START, Witness, answer, paper_ledger

from streampay_smoke.acceptance.checks import operations
from streampay_smoke.acceptance.checks.operations import ClocksDisagree
from streampay_smoke.acceptance.observations.clocks import clocks
from streampay_smoke.acceptance.observations.ledger import SIMULATED_AHEAD_SECONDS, Ledger
from streampay_smoke.chain.adapter import ChainUnavailable
from streampay_smoke.chain.ledger_time import CLOCK_SKEW_SECONDS
from streampay_smoke.core.errors import Blame, CredentialRefused
from streampay_smoke.service.exchange import Answer
from streampay_smoke.service.records import Readiness

EVERY_TIME = "the service answers every request"
ALIVE = answer(200, {"status": "ok"})


def code_of(told: Answer) -> str:
    return str((told.json or {}).get("error", ""))


def test_answers_every_time_passes_when_it_does(witness: Witness) -> None:
    operations.answers_every_request([ALIVE] * 20, code_of, witness.expect)

    witness.saw_held(EVERY_TIME)


@pytest.mark.parametrize(
    ("answers", "saw"),
    [
        ([ALIVE] * 19 + [answer(503, {"error": "CHAOS_INJECTED"})], "1 times status 503 CHAOS_INJECTED"),
        ([answer(500), ALIVE, answer(500)], "2 times status 500"),
        ([answer(204)], "1 times status 204"),
        ([answer(302)], "1 times status 302"),
        ([], "0 answers"),
    ],
    ids=["chaos", "crashes", "no content", "a redirect", "never asked"],
)
def test_answers_every_time_fails_for_one_that_is_none(answers: Sequence[Answer], saw: str, witness: Witness) -> None:
    with pytest.raises(AssertionError):
        operations.answers_every_request(answers, code_of, witness.expect)

    assert not witness.checks[-1].held
    assert saw in witness.checks[-1].observed


METRICS = "the metrics are available"


@pytest.mark.parametrize(
    "text",
    [
        "streampay_metrics_up 1\n",
        "# TYPE streampay_metrics_up gauge\nstreampay_metrics_up 1\nother 2\n",
        'streampay_metrics_up{app="web"} 1.0\n',
        "streampay_metrics_up 1",
    ],
)
def test_metrics_are_there(text: str, witness: Witness) -> None:
    operations.metrics_are_available(answer(200, text=text), variable="", expect=witness.expect)

    witness.saw_held(METRICS)


def test_a_question_for_the_token_shows_that_metrics_are_on(witness: Witness) -> None:
    operations.metrics_are_available(answer(401), variable="", expect=witness.expect)

    witness.saw_held(METRICS)


@pytest.mark.parametrize(
    ("told", "saw"),
    [
        (answer(503, {"error": "METRICS_DISABLED"}), "status 503 without them"),
        (answer(404), "status 404"),
        (answer(200, text="streampay_metrics_up 0\n"), "status 200 without them"),
        (answer(200, text="streampay_metrics_up 10\n"), "status 200"),
        (answer(200, text="no_streampay_metrics_up 1\n"), "status 200"),
        (answer(200, text="# streampay_metrics_up 1\n"), "status 200"),
        (answer(200, text="<html>streampay_metrics_up</html>"), "status 200"),
        (answer(200, text=""), "status 200"),
    ],
    ids=["off", "no route", "down", "ten", "another name", "a comment", "a page", "nothing"],
)
@pytest.mark.parametrize("variable", ["", "SMOKE_METRICS_TOKEN"])
def test_metrics_that_are_not_there_are_found_out(told: Answer, saw: str, variable: str, witness: Witness) -> None:
    with witness.breaks(METRICS, expected="metrics", saw=saw):
        operations.metrics_are_available(told, variable=variable, expect=witness.expect)


def test_nobody_who_shows_no_token_is_refused_for_it(witness: Witness) -> None:
    with witness.breaks(METRICS, expected="metrics", saw="status 403"):
        operations.metrics_are_available(answer(403), variable="", expect=witness.expect)


@pytest.mark.parametrize("status", [401, 403])
def test_an_old_token_is_the_operators(status: int, witness: Witness) -> None:
    with pytest.raises(CredentialRefused, match=f"SMOKE_METRICS_TOKEN with {status}") as caught:
        operations.metrics_are_available(answer(status), variable="SMOKE_METRICS_TOKEN", expect=witness.expect)

    assert caught.value.next_step
    assert not witness.checks


@pytest.mark.parametrize("cursors", [(100, 100), (99, 100), (88, 88), (100, 103), (100,)])
def test_an_index_at_the_end_of_the_ledger(cursors: tuple[int, ...], witness: Witness) -> None:
    operations.index_is_up_to_date(cursors, 100, witness.expect)

    witness.saw_held("the index never goes back", "the index is up to date")


@pytest.mark.parametrize(
    ("cursors", "promise", "saw"),
    [
        ((100, 99), "the index never goes back", "100 then 99"),
        ((51_234_567, 51_230_001), "the index never goes back", "51234567 then 51230001"),
        ((87, 87), "the index is up to date", "ledger 87"),
        ((0, 0), "the index is up to date", "ledger 0"),
        ((100, 105), "the index is up to date", "ledger 105"),
    ],
)
def test_an_index_that_is_somewhere_else_is_found_out(
    cursors: tuple[int, ...], promise: str, saw: str, witness: Witness
) -> None:
    with witness.breaks(promise, saw=saw):
        operations.index_is_up_to_date(cursors, 100, witness.expect)


AGREES = "the clock of the service is right"


def ready(ahead_seconds: float | None) -> Readiness:
    return Readiness(
        status_code=200,
        genuine=True,
        not_genuine_because="",
        ready=True,
        dependencies={},
        network="testnet",
        release="",
        simulated=False,
        clock_ahead_seconds=ahead_seconds,
    )


def check_clock(witness: Witness, ahead_seconds: float | None, *, ledger_ahead: int = 0, lead: int = 60) -> None:
    _, ledger = paper_ledger()
    ledger.most_ahead_seconds = lead
    seen = clocks(ready(ahead_seconds), lambda: ledger, now_seconds=lambda: START - ledger_ahead)
    operations.clock_is_right(seen, witness.expect)


def no_ledger() -> Ledger:
    raise ChainUnavailable("nobody answers", cause="refused")


@pytest.mark.parametrize("ahead_seconds", [0.0, -1.0, CLOCK_SKEW_SECONDS, -CLOCK_SKEW_SECONDS])
def test_clocks_that_agree_need_no_third_one(ahead_seconds: float, witness: Witness) -> None:
    operations.clock_is_right(clocks(ready(ahead_seconds), no_ledger), witness.expect)

    witness.saw_held(AGREES)


@pytest.mark.parametrize(
    ("ahead_seconds", "saw"), [(61, "61 s ahead"), (-61, "61 s behind"), (600, "600 s ahead"), (-86_400, "behind")]
)
@pytest.mark.parametrize("ledger_ahead", [0, 59, -59])
def test_a_service_that_is_the_odd_one_out_is_found_out(
    ahead_seconds: float, saw: str, ledger_ahead: int, witness: Witness
) -> None:
    with witness.breaks(AGREES, expected="at most 60 s apart", saw=saw):
        check_clock(witness, ahead_seconds, ledger_ahead=ledger_ahead)


@pytest.mark.parametrize(
    ("ahead_seconds", "ledger_ahead", "said"),
    [
        (600, 600, "this runner is the odd one out"),
        (-600, -570, "this runner is the odd one out"),
        (600, -600, "no two clocks agree"),
        (600, 86_400, "no two clocks agree"),
    ],
)
def test_a_service_that_is_not_the_odd_one_out_is_not_blamed(
    ahead_seconds: float, ledger_ahead: int, said: str, witness: Witness
) -> None:
    with pytest.raises(ClocksDisagree, match=said) as caught:
        check_clock(witness, ahead_seconds, ledger_ahead=ledger_ahead)

    assert caught.value.blame is Blame.HARNESS
    assert caught.value.next_step
    assert not witness.checks


def test_a_simulated_ledger_that_leads_still_tells_whose_clock_is_wrong(witness: Witness) -> None:
    with witness.breaks(AGREES, saw="600 s ahead"):
        check_clock(witness, 600, ledger_ahead=3_600, lead=SIMULATED_AHEAD_SECONDS)


def test_answers_without_a_time_decide_nothing(witness: Witness) -> None:
    with pytest.raises(ClocksDisagree, match="carry no time"):
        operations.clock_is_right(clocks(ready(None), no_ledger), witness.expect)


def test_a_ledger_that_cannot_be_asked_decides_nothing(witness: Witness) -> None:
    with pytest.raises(ChainUnavailable):
        operations.clock_is_right(clocks(ready(600), no_ledger), witness.expect)


def dated(date: str, received_at: float = 1_800_000_000.0) -> Answer:
    headers: dict[str, Any] = {"date": date} if date else {}
    return Answer(
        method="GET",
        path="/",
        status=200,
        headers=headers,
        body_text="",
        json=None,
        request_id="",
        release="",
        simulated=False,
        duration_ms=1,
        received_at=received_at,
    )


def test_an_answer_tells_how_far_its_clock_is_ahead() -> None:
    told = dated("Fri, 15 Jan 2027 08:10:00 GMT")
    assert (told.dated_at, told.clock_ahead_seconds) == (1_800_000_600.0, 600.0)


@pytest.mark.parametrize("date", ["", "yesterday", "2027-01-15T08:10:00Z"])
def test_an_answer_without_a_date_tells_nothing(date: str) -> None:
    assert (dated(date).dated_at, dated(date).clock_ahead_seconds) == (None, None)
