"""What unauthorized callers try, against a small StreamPay that answers in ways a sandbox does not."""

import itertools
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
from feature_steps import play
from step_parts import Asked, Honest, Says, SmallStreamPay, Witness, run_context_of, settings_for, small_environ

from streampay_smoke.acceptance import run_context as run_contexts
from streampay_smoke.acceptance.actions import unauthorized_attempts
from streampay_smoke.acceptance.actions.throttling import FEWEST_READS_AT_ONCE, REFILL_SECONDS, SPARE
from streampay_smoke.acceptance.checks import throttling
from streampay_smoke.acceptance.checks.refusals import INVALID_CSRF_TOKEN, NOT_VISIBLE
from streampay_smoke.acceptance.scenario_context import ScenarioContext
from streampay_smoke.core.errors import FixtureMissing, PromiseBroken
from streampay_smoke.evidence.events import Exchanged, RateLimitWait, ResourceCreated
from streampay_smoke.service.credentials import ANONYMOUS
from streampay_smoke.service.transport import NoServiceAnswer, Throttled

NOT_FOUND = Says(status=404, json={"error": {"code": "STREAM_NOT_FOUND", "message": "no"}})
NOT_VALID = Says(status=422, json={"error": {"code": "VALIDATION_ERROR", "message": "no"}})


def scenario_of(small: SmallStreamPay, witness: Witness, **money: object) -> ScenarioContext:
    scenario = ScenarioContext(run_context_of(settings_for(small_environ(small), **money), witness))
    scenario.credential = scenario.run_context.credential
    return scenario


@pytest.fixture
def scenario(small: SmallStreamPay, witness: Witness) -> Iterator[ScenarioContext]:
    scenario = scenario_of(small, witness)
    scenario.own_stream = scenario.deployment.stream(scenario.credential, scenario.run_context.draft.id)
    yield scenario
    scenario.run_context.close()


def test_the_draft_of_a_run_is_made_once(scenario: ScenarioContext, small: SmallStreamPay) -> None:
    assert scenario.run_context.draft is scenario.run_context.draft
    assert small.writes.count("POST /api/streams") == 1


def test_an_order_that_claims_too_much_may_be_refused_whole(
    scenario: ScenarioContext, small: SmallStreamPay, witness: Witness
) -> None:
    small.lie("POST /api/streams", NOT_VALID)
    play(scenario, "claim_settlement")
    assert scenario.created_with_claim == ()
    play(scenario, "stream_is_unchanged", "no_created_stream_is_settled")
    assert len(witness.of(ResourceCreated)) == 1


def test_an_order_that_is_given_away_is_one_its_owner_cannot_see(
    scenario: ScenarioContext, small: SmallStreamPay
) -> None:
    def believes(asked: Asked, honest: Honest) -> Says:
        says = honest(asked)
        small.owners[says.json["data"]["id"]] = asked.json["tenant"]
        return says

    small.lie("POST /api/streams", believes)
    with pytest.raises(PromiseBroken, match="answered 404"):
        play(scenario, "claim_settlement")


def test_a_sign_in_that_a_deployment_does_not_have_lets_nobody_in(
    scenario: ScenarioContext, small: SmallStreamPay, witness: Witness
) -> None:
    small.lie("GET /api/auth/wallet", Says(status=404, text="<html><title>404</title></html>"))
    play(scenario, "sign_in_with", response="another user's signature")
    play(scenario, "sign_in_is_refused")
    assert [asked.method for asked in small.asked if asked.path == "/api/auth/wallet"].count("POST") == 1


def test_pages_that_a_deployment_does_not_have_are_shut(scenario: ScenarioContext, witness: Witness) -> None:
    play(scenario, "open_administration", caller="an anonymous caller who claims to be administrator")
    assert [attempt.answer.status for attempt in scenario.attempts.made] == [404] * 3
    play(scenario, "every_attempt_is_refused")


def test_a_service_that_goes_silent_at_an_attempt_is_no_refusal(
    scenario: ScenarioContext, small: SmallStreamPay
) -> None:
    small.close()
    with pytest.raises(NoServiceAnswer):
        unauthorized_attempts.read_streams(
            scenario.run_context, "an anonymous caller", ANONYMOUS, ["stream-001"], {"read the stream": NOT_VISIBLE}
        )


def test_a_page_that_is_given_no_proof_breaks_a_promise_and_no_write_is_tried(
    small: SmallStreamPay, witness: Witness
) -> None:
    small.lie("GET /api/healthz", Says(json={}))
    scenario = scenario_of(small, witness)
    before = len(small.writes)
    play(scenario, "forge_writes")
    with witness.breaks("the web app receives a CSRF token", saw="none"):
        play(scenario, "web_app_receives_token")
    assert len(small.writes) == before


@pytest.mark.parametrize("attempt", [("write_as_second_user", {}), ("write_with", {"credential": "no credential"})])
def test_nothing_is_tried_by_writing_where_an_environment_is_read_only(
    attempt: tuple[str, dict[str, str]], small: SmallStreamPay, witness: Witness
) -> None:
    scenario = scenario_of(small, witness, settles=False, settles_not_because="it is read-only")
    scenario.own_stream = scenario.deployment.stream(scenario.credential, small.add(scenario.run_context.user.address))
    with pytest.raises(FixtureMissing, match="read-only"):
        play(scenario, attempt[0], **attempt[1])
    assert small.writes == []


def test_a_rush_that_meets_silence_still_leaves_its_last_exchange(
    scenario: ScenarioContext, small: SmallStreamPay, witness: Witness
) -> None:
    scenario.run_context.second_credential  # noqa: B018 - signed in before the service goes silent
    small.close()
    with pytest.raises(NoServiceAnswer):
        play(scenario, "exceed_limit")
    assert witness.of(Exchanged)[-1].error


TO_WAIT = Says(status=429, headers={"retry-after": "1"})


def turned_away(*numbers: int) -> Callable[[Asked, Honest], Says]:
    """Tell these requests for the streams, counted from 0, to wait."""
    count = itertools.count()
    return lambda asked, honest: TO_WAIT if next(count) in numbers else honest(asked)


def answers_of_exceeding(
    *, first: bool, refill: bool = True, second: bool = True, refill_again: bool = True
) -> Callable[[Asked, Honest], Says]:
    """Answer `exceed_limit`, each of whose bursts is told to wait; False where the other caller is told to as well."""
    control, burst, looks = [False], [True, *[False] * (FEWEST_READS_AT_ONCE - 1)], SPARE - 1
    numbers = [*control, *burst, not first, not refill, *[False] * looks, *burst, not second, not refill_again]
    return turned_away(*(number for number, waits in enumerate(numbers) if waits))


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []
    monkeypatch.setattr(run_contexts, "time", SimpleNamespace(sleep=slept.append, monotonic=time.monotonic))
    return slept


def test_a_burst_that_throttles_another_caller_whom_nobody_else_uses_breaks_a_promise(
    scenario: ScenarioContext, small: SmallStreamPay, witness: Witness, silent: list[float]
) -> None:
    small.lie("GET /api/streams", answers_of_exceeding(first=False, second=False))
    play(scenario, "exceed_limit")
    assert scenario.refusal.status == 429
    assert silent == [REFILL_SECONDS] * 2
    assert [event.seconds for event in witness.of(RateLimitWait)] == silent, "it uses up no step's budget"
    throttling.burst_is_throttled(scenario.burst, witness.expect)
    with witness.breaks("another caller is served meanwhile", saw="status 429"):
        throttling.others_are_served(scenario.refusal, witness.expect)


@pytest.mark.parametrize("served_at_once", [True, False])
def test_a_caller_who_is_throttled_once_at_most_is_served(
    scenario: ScenarioContext, small: SmallStreamPay, witness: Witness, silent: list[float], served_at_once: bool
) -> None:
    small.lie("GET /api/streams", answers_of_exceeding(first=served_at_once))
    play(scenario, "exceed_limit")
    assert len(silent) == (not served_at_once)
    throttling.burst_is_throttled(scenario.burst, witness.expect)
    throttling.others_are_served(scenario.refusal, witness.expect)


@pytest.mark.parametrize("after", ["the first burst", "the second burst"])
def test_another_caller_whose_limit_other_runs_use_up_accuses_nobody(
    scenario: ScenarioContext, small: SmallStreamPay, silent: list[float], after: str
) -> None:
    early = after == "the first burst"
    answers = answers_of_exceeding(first=False, refill=not early, second=False, refill_again=early)
    small.lie("GET /api/streams", answers)
    with pytest.raises(Throttled):
        play(scenario, "exceed_limit")
    assert len(silent) == (1 if early else 2)


def test_a_quota_that_was_used_up_before_says_nothing_of_a_rush(
    scenario: ScenarioContext, small: SmallStreamPay
) -> None:
    small.lie("GET /api/streams", Says(status=429, headers={"retry-after": "3600"}))
    with pytest.raises(Throttled, match="throttled for 3600 s"):
        play(scenario, "exceed_limit")


def test_somebody_new_who_is_told_to_wait_where_nobody_was_ever_served_met_a_broken_limit(
    scenario: ScenarioContext, small: SmallStreamPay, witness: Witness
) -> None:
    small.lie("GET /api/streams", Says(status=429, headers={"retry-after": "3600"}))
    play(scenario, "list_as_new_caller")
    with witness.breaks("a new caller is not throttled", saw="status 429"):
        throttling.new_caller_is_not_throttled(scenario.refusal, witness.expect)


def test_somebody_new_who_is_served_after_a_wait_met_a_limit_that_another_run_used_up(
    scenario: ScenarioContext, small: SmallStreamPay
) -> None:
    small.lie("GET /api/streams", turned_away(0, 1))
    with pytest.raises(Throttled):
        play(scenario, "list_as_new_caller")


def test_somebody_new_who_is_told_to_wait_where_this_run_was_served_met_a_limit_that_was_used_up(
    scenario: ScenarioContext, small: SmallStreamPay
) -> None:
    small.lie("GET /api/streams", turned_away(1))
    scenario.deployment.streams(scenario.credential)
    with pytest.raises(Throttled):
        play(scenario, "list_as_new_caller")


def test_the_keys_a_rush_counts_under_are_new_each_time(scenario: ScenarioContext, small: SmallStreamPay) -> None:
    small.lie("GET /api/streams", turned_away(1, 4))
    for _ in range(2):
        play(scenario, "exceed_limit")
    keys = [asked.headers["x-api-key"] for asked in small.asked if "x-api-key" in asked.headers]
    assert len(set(keys)) == 4


def test_halves_are_made_of_what_the_page_was_given(scenario: ScenarioContext, small: SmallStreamPay) -> None:
    small.lie("POST stop", NOT_FOUND)
    play(scenario, "forge_writes")
    (attempt,) = scenario.forged.attempts.made
    assert attempt.succeeded
    assert attempt.what == "write with no token"
    assert attempt.refusals == INVALID_CSRF_TOKEN
