"""Bad answers that would get past the checks, or be blamed on the wrong one."""

from collections.abc import Iterator
from typing import Any

import pytest
from feature_steps import play
from step_parts import (
    CONTRACT,
    HASH,
    ORDER,
    OTHER_HASH,
    PAYER,
    RECIPIENT,
    Asked,
    Honest,
    Says,
    SmallStreamPay,
    Witness,
    answer,
    page,
    paper_ledger,
    receipt,
    record,
    run_context_of,
    settings_for,
    small_environ,
)

from streampay_smoke.acceptance.actions import contract_stream
from streampay_smoke.acceptance.checks import access, listing, settlement
from streampay_smoke.acceptance.observations.ledger import Ledger
from streampay_smoke.acceptance.observations.settlement import LedgerProof
from streampay_smoke.acceptance.scenario_context import ScenarioContext
from streampay_smoke.chain.contract import StreamContract
from streampay_smoke.core.contract_profiles import PROFILES
from streampay_smoke.core.errors import SettingsInvalid, SmokeError
from streampay_smoke.evidence.events import ResourceReleased

ROW = {"id": "stream-1", "status": "draft", "recipient": "G", "rate": "1", "schedule": "day"}


@pytest.fixture
def scenario(small: SmallStreamPay, witness: Witness) -> Iterator[ScenarioContext]:
    scenario = ScenarioContext(run_context_of(settings_for(small_environ(small)), witness))
    scenario.credential = scenario.run_context.credential
    scenario.proof = scenario.run_context.proof()
    yield scenario
    scenario.run_context.close()


def started(scenario: ScenarioContext) -> None:
    play(scenario, "create_stream", "start_stream")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 408, 415, 429, 499])
def test_a_refusal_of_something_else_does_not_show_that_a_stream_cannot_be_settled_again(
    status: int, witness: Witness
) -> None:
    with witness.breaks("a settled stream cannot be settled again", saw=f"status {status}"):
        settlement.cannot_settle_again(answer(status), witness.expect)
    with witness.breaks("a stream that was never started is not settled by a used key", saw=f"status {status}"):
        settlement.used_key_is_refused(answer(status), receipt(), record(id="stream-2"), witness.expect)


def test_a_name_that_begins_like_the_first_streams_is_no_echo_of_it(witness: Witness) -> None:
    refusal = answer(409, {"error": {"code": "USED", "message": "the key of stream-12 was used before"}})
    settlement.used_key_is_refused(refusal, receipt(), record(id="stream-12"), witness.expect)


@pytest.mark.parametrize("echo", [HASH.upper(), "STREAM-1"])
def test_an_echo_in_another_case_is_one(echo: str, witness: Witness) -> None:
    with witness.breaks("a settlement key answers for its own stream only"):
        settlement.used_key_is_refused(
            answer(409, {"error": echo, "message": ""}), receipt(), record(id="stream-2"), witness.expect
        )


def test_a_record_whose_two_hashes_differ_does_not_agree(witness: Witness) -> None:
    with witness.breaks("the record names the receipt's transaction", expected=HASH, saw=OTHER_HASH):
        settlement.records_agree(receipt(), record(receipt_tx_hash=OTHER_HASH), ORDER, witness.expect)


@pytest.mark.parametrize("status", ["active", "draft", "paused", "cancelled"])
def test_a_receipt_that_does_not_say_ended_does_not_agree(status: str, witness: Witness) -> None:
    with witness.breaks("the receipt says that the stream has ended", expected="ended", saw=status):
        settlement.records_agree(receipt(status=status), record(), ORDER, witness.expect)


@pytest.mark.parametrize("change", [{"receipt_tx_hash": OTHER_HASH}, {"settled_at": "2027-01-15T09:00:00Z"}])
def test_a_repeated_receipt_that_differs_in_its_settlement_is_another(change: dict[str, str], witness: Witness) -> None:
    with pytest.raises(SmokeError):
        settlement.same_receipt(receipt(), receipt(**change), witness.expect)
    assert not witness.checks[-1].held


@pytest.mark.parametrize(
    "body",
    [
        {"data": [], "streams": [ROW]},
        {"items": [ROW]},
        {"results": {"rows": [ROW]}},
        {"error": {"code": "UNAUTHORIZED", "details": {"would": [ROW]}}},
        [[ROW]],
    ],
)
def test_streams_anywhere_in_a_refusal_are_seen(body: Any, witness: Witness) -> None:
    with witness.breaks("a caller with junk receives no stream", saw="1 streams"):
        listing.contains_no_stream(answer(401, body), "junk", witness.expect)


def test_streams_in_a_page_that_is_no_json_are_seen(witness: Witness) -> None:
    text = '<html><script id="__NEXT_DATA__">{"streams":[{"id":"stream-1","recipient":"G"}]}</script></html>'
    with witness.breaks("a caller with junk receives no stream", saw="1 streams"):
        listing.contains_no_stream(answer(401, text=text), "junk", witness.expect)


def test_an_error_under_data_is_no_stream(witness: Witness) -> None:
    listing.contains_no_stream(answer(401, {"data": {"message": "log in"}}), "junk", witness.expect)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_that_shows_the_stream_opens_it(status: int, witness: Witness) -> None:
    attempt = access.UnauthorizedAttempt(what="open the stream", answer=answer(status, {"error": {}, "data": ROW}))
    attempts = access.Attempts(who="another user", made=(attempt,))
    access.refused(attempts, witness.expect)
    with witness.breaks("another user receives no stream", saw="1 streams"):
        access.contains_no_stream(attempts, witness.expect)


@pytest.mark.parametrize(
    "item", [{"id": "a", "owner": {"email": "x"}}, {"id": "a", "parties": [{"contact": {"phone": "1"}}]}]
)
def test_personal_fields_one_level_deeper_are_private_too(item: dict[str, Any], witness: Witness) -> None:
    with witness.breaks("no personal data is listed"):
        listing.contains_no_personal_data([page(items=[item])], witness.expect)


def test_a_contract_that_pays_nobody_is_a_matter_of_settings(witness: Witness) -> None:
    paper, _ = paper_ledger()
    early = StreamContract(paper, CONTRACT, PROFILES["streampay-contracts"])
    ledger = Ledger(paper, early, contract_id=CONTRACT, token_contract_id="CNATIVE")
    with pytest.raises(SettingsInvalid, match="pay nobody"):
        LedgerProof(ledger, RECIPIENT, witness.events.append)
    with pytest.raises(SettingsInvalid, match="pay nobody"):
        contract_stream.parties(ledger, PAYER, PAYER)


def test_a_stream_whose_record_never_ended_is_ended_by_clean_up_although_its_receipt_said_so(
    scenario: ScenarioContext, small: SmallStreamPay, witness: Witness
) -> None:
    def forgets(asked: Asked, honest: Honest) -> Says:
        says = honest(asked)
        small.streams[asked.stream_id]["status"] = "active"
        return says

    small.lie("POST settle", forgets)
    started(scenario)
    play(scenario, "settle")
    assert not witness.of(ResourceReleased)
    scenario.run_context.clean_up()
    assert small.streams[scenario.stream.id]["status"] == "ended"


def test_clean_up_believes_the_record_and_not_the_answer(
    scenario: ScenarioContext, small: SmallStreamPay, witness: Witness
) -> None:
    started(scenario)
    small.lie("POST stop", Says(json={"data": {}}))
    scenario.run_context.clean_up()
    assert not witness.of(ResourceReleased)


def test_the_key_is_tried_on_a_draft_of_this_run_not_on_whatever_is_listed(
    scenario: ScenarioContext, small: SmallStreamPay
) -> None:
    found = small.add(scenario.run_context.user.address)
    started(scenario)
    play(scenario, "settle")
    play(scenario, "settle_another_stream")
    assert scenario.other_stream.id != found
