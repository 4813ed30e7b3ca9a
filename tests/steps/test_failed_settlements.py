"""A settlement that fails: noted, repeated, and judged by what it left, without hiding what comes after it."""

from collections.abc import Callable, Iterator

import pytest
from feature_steps import play
from step_parts import (
    HASH,
    Asked,
    Honest,
    Says,
    SmallStreamPay,
    Witness,
    answer,
    record,
    run_context_of,
    settings_for,
    small_environ,
)

from streampay_smoke.acceptance.actions import settlement as settling
from streampay_smoke.acceptance.checks import failed_settlements
from streampay_smoke.acceptance.checks.failed_settlements import FailedSettlement
from streampay_smoke.acceptance.run_context import RunContext
from streampay_smoke.acceptance.scenario_context import ScenarioContext
from streampay_smoke.core.errors import PromiseBroken
from streampay_smoke.service.records import StreamRecord
from streampay_smoke.service.transport import WritePutOff

FAILED = Says(status=502, json={"error": {"code": "SETTLEMENT_FAILED", "message": "no"}})
UNSETTLED = "a failed settlement leaves its stream unsettled"
MADE = "a failed settlement succeeds when it is repeated with the same key"


@pytest.fixture
def scenario(small: SmallStreamPay, witness: Witness) -> Iterator[ScenarioContext]:
    scenario = ScenarioContext(run_context_of(settings_for(small_environ(small)), witness))
    scenario.credential = scenario.run_context.credential
    yield scenario
    scenario.run_context.close()


@pytest.fixture
def run(scenario: ScenarioContext) -> RunContext:
    return scenario.run_context


def fails_at_first(small: SmallStreamPay) -> None:
    """Let the first settlement of each stream fail."""
    failed: set[str] = set()

    def fail(asked: Asked, honest: Honest) -> Says:
        if asked.stream_id in failed or small.streams[asked.stream_id]["status"] == "draft":
            return honest(asked)
        failed.add(asked.stream_id)
        return FAILED

    small.lie("POST settle", fail)


def ends_the_stream(small: SmallStreamPay) -> None:
    def fail(asked: Asked, honest: Honest) -> Says:
        first = small.streams[asked.stream_id]["status"] == "active"
        small.streams[asked.stream_id]["status"] = "ended"
        return FAILED if first else honest(asked)

    small.lie("POST settle", fail)


def freezes_the_key(small: SmallStreamPay) -> None:
    frozen: dict[str, str] = {}

    def fail(asked: Asked, honest: Honest) -> Says:
        draft = small.streams[asked.stream_id]["status"] == "draft"
        fails = not draft and frozen.setdefault(asked.stream_id, asked.key) == asked.key
        return FAILED if fails else honest(asked)

    small.lie("POST settle", fail)


def always_fails(small: SmallStreamPay) -> None:
    small.lie("POST settle", FAILED)


def play_scenario(scenario: ScenarioContext) -> None:
    play(scenario, "have_requested_a_settlement", "repeat_failed_settlements")
    play(scenario, "failed_settlements_left_unsettled", "failed_settlements_succeed")


def test_a_run_whose_settlements_are_made_has_none_that_failed(scenario: ScenarioContext, witness: Witness) -> None:
    play_scenario(scenario)

    witness.saw_held(UNSETTLED, MADE)
    assert witness.checks[0].observed == "1 settlements, and none failed"


def test_a_settlement_is_asked_for_only_where_the_run_has_asked_for_none(
    scenario: ScenarioContext, run: RunContext, small: SmallStreamPay
) -> None:
    settling.settled_stream(run, scenario.credential)
    play_scenario(scenario)

    assert len([asked for asked in small.asked if asked.path.endswith("/settle")]) == 1


def test_a_settlement_that_failed_once_and_is_made_with_its_key_keeps_both_promises(
    scenario: ScenarioContext, run: RunContext, small: SmallStreamPay, witness: Witness
) -> None:
    fails_at_first(small)

    play_scenario(scenario)

    witness.saw_held(UNSETTLED, MADE)
    first, again = (asked for asked in small.asked if asked.path.endswith("/settle"))
    assert (first.stream_id, first.key) == (again.stream_id, again.key)
    assert [settlement.key for settlement in run.streams.settlements] == [first.key]
    assert "the settlement answered 502 SETTLEMENT_FAILED, then it was active" in witness.checks[0].observed


def test_a_step_that_settles_still_fails_by_a_settlement_that_failed(
    scenario: ScenarioContext, run: RunContext, small: SmallStreamPay
) -> None:
    fails_at_first(small)
    scenario.proof = run.proof()
    scenario.stream = settling.create_stream(run, scenario.proof.recipient)
    play(scenario, "start_stream")

    with pytest.raises(PromiseBroken, match="answered 502, not 200: SETTLEMENT_FAILED"):
        play(scenario, "settle")

    (failed,) = run.streams.failed_settlements
    assert (failed.stream_id, failed.is_made) == (scenario.stream.id, False)


def test_a_stream_that_a_failed_settlement_ended_is_found_out_with_what_came_of_it(
    scenario: ScenarioContext, small: SmallStreamPay, witness: Witness
) -> None:
    ends_the_stream(small)

    play(scenario, "have_requested_a_settlement", "repeat_failed_settlements")
    with witness.breaks(UNSETTLED, expected="active or paused", saw="then it was ended, its key answered 409"):
        play(scenario, "failed_settlements_left_unsettled")


def test_a_key_that_failed_for_good_is_found_out_though_another_one_works(
    scenario: ScenarioContext, run: RunContext, small: SmallStreamPay, witness: Witness
) -> None:
    freezes_the_key(small)

    play(scenario, "have_requested_a_settlement", "repeat_failed_settlements", "failed_settlements_left_unsettled")
    with witness.breaks(
        MADE, expected="a receipt", saw="its key answered 502 SETTLEMENT_FAILED, a new key answered 200"
    ):
        play(scenario, "failed_settlements_succeed")

    assert len(run.streams.settlements) == 1


@pytest.mark.parametrize("fault", [fails_at_first, freezes_the_key])
def test_a_settlement_that_fails_at_first_hides_nothing_that_needs_a_settled_stream(
    fault: Callable[[SmallStreamPay], None], scenario: ScenarioContext, run: RunContext, small: SmallStreamPay
) -> None:
    fault(small)

    play(scenario, "have_settled_stream", "read_settled_stream", "receipt_names_one_transaction")
    play(
        scenario,
        "record_names_receipts_transaction",
        "settle_another_stream",
        "settlement_of_another_stream_is_refused",
    )

    assert scenario.settlement == run.streams.settlements[0]
    assert run.streams.failed_settlements[0].is_made


@pytest.mark.parametrize("fault", [ends_the_stream, always_fails])
def test_where_no_settlement_is_made_at_all_there_is_no_settled_stream(
    fault: Callable[[SmallStreamPay], None], scenario: ScenarioContext, small: SmallStreamPay
) -> None:
    fault(small)

    with pytest.raises(PromiseBroken, match="answered 502"):
        play(scenario, "have_settled_stream")


def test_a_service_that_puts_a_settlement_off_has_not_failed_it(
    scenario: ScenarioContext, run: RunContext, small: SmallStreamPay
) -> None:
    small.lie("POST settle", Says(status=503, json={"error": {"code": "LEDGER_UNAVAILABLE", "message": "later"}}))

    with pytest.raises(WritePutOff):
        play(scenario, "have_requested_a_settlement")

    assert not run.streams.failed_settlements


def test_a_repetition_that_is_put_off_says_so_and_nothing_of_the_promise(
    scenario: ScenarioContext, small: SmallStreamPay
) -> None:
    always_fails(small)
    play(scenario, "have_requested_a_settlement")
    small.lie("POST settle", Says(status=503, json={"error": {"code": "LEDGER_UNAVAILABLE", "message": "later"}}))

    with pytest.raises(WritePutOff):
        play(scenario, "repeat_failed_settlements")


def test_a_stream_that_could_not_be_looked_at_is_looked_at_again(
    scenario: ScenarioContext, run: RunContext, small: SmallStreamPay, witness: Witness
) -> None:
    fails_at_first(small)
    small.lie("GET item", Says(status=500))
    play(scenario, "have_requested_a_settlement")
    assert run.streams.failed_settlements[0].record is None
    small.be_honest("GET item")

    play(scenario, "repeat_failed_settlements", "failed_settlements_left_unsettled", "failed_settlements_succeed")

    witness.saw_held(UNSETTLED, MADE)


def failed(shown: StreamRecord | None) -> FailedSettlement:
    return FailedSettlement(stream_id="stream-1", key="key-1", answer=answer(502), record=shown, repeated=answer(200))


ACTIVE = record(status="active", settlement_tx_hash="", receipt_tx_hash="")


@pytest.mark.parametrize("status", ["active", "paused"])
def test_a_stream_that_can_still_be_settled_is_as_it_was(status: str, witness: Witness) -> None:
    still = record(status=status, settlement_tx_hash="", receipt_tx_hash="")
    failed_settlements.left_unsettled([failed(still)], 0, lambda answer: "", witness.expect)

    witness.saw_held(UNSETTLED)


@pytest.mark.parametrize(
    ("shown", "saw"),
    [
        (record(status="active"), f"active with transaction {HASH}"),
        (record(status="active", settlement_tx_hash=""), f"active with transaction {HASH}"),
        (record(status="ended", settlement_tx_hash="", receipt_tx_hash=""), "ended"),
        (record(status="withdrawn"), "withdrawn"),
        (record(status="draft", settlement_tx_hash="", receipt_tx_hash=""), "draft"),
        (None, "not shown"),
    ],
    ids=["with a hash", "with a receipt's hash", "ended", "withdrawn", "back to a draft", "unknown"],
)
def test_any_other_state_is_no_state_in_which_it_was(shown: StreamRecord | None, saw: str, witness: Witness) -> None:
    with witness.breaks(UNSETTLED, saw=saw):
        failed_settlements.left_unsettled([failed(ACTIVE), failed(shown)], 0, lambda answer: "", witness.expect)
