"""API v2, webhooks and evaded limits: refused by a sandbox without faults, found in faulty ones."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from feature_steps import play
from step_parts import Witness, answer, run_context_of, settings_for

from streampay_sandbox.stack import Sandbox, start_sandbox
from streampay_smoke.acceptance.actions.throttling import SPARE
from streampay_smoke.acceptance.actions.unauthorized_attempts import BAD_CREDENTIALS
from streampay_smoke.acceptance.checks.throttling import RequestBurst, limit_holds
from streampay_smoke.acceptance.checks.throttling_evasion import ForgedReads, forged_reads_are_counted_apart
from streampay_smoke.acceptance.scenario_context import ScenarioContext
from streampay_smoke.core.errors import GuardRefused, PromiseBroken
from streampay_smoke.evidence.events import Awaiting, Exchanged
from streampay_smoke.service.transport import Throttled

Story = Callable[[ScenarioContext], None]


def lists(scenario: ScenarioContext, credential: str) -> None:
    play(scenario, "list_in_v2", credential=credential)
    play(scenario, "every_attempt_is_refused", "answers_contain_no_stream")


def writes(scenario: ScenarioContext, credential: str) -> None:
    play(scenario, "sign_in", "have_a_draft")
    play(scenario, "use_api_v2", credential=credential)
    play(scenario, "every_attempt_is_refused", "stream_is_unchanged")


def sends_webhook_event(scenario: ScenarioContext, signature: str) -> None:
    play(scenario, "send_webhook_event", signature=signature)
    play(scenario, "every_attempt_is_refused")


def evades(scenario: ScenarioContext, claim: str) -> None:
    play(scenario, "sign_in")
    play(scenario, "read_claiming", claim=claim)
    play(scenario, "second_user_is_throttled")


def forges(scenario: ScenarioContext) -> None:
    play(scenario, "sign_in", "forge_reads", "second_user_is_throttled", "forged_tokens_count_apart")


def guesses(scenario: ScenarioContext) -> None:
    play(scenario, "guess_signatures", "caller_is_throttled")


SIGNATURES = ("no signature", "a signature made with another secret", "a signature and no time")
WITHOUT_A_SECOND_USER: dict[str, Story] = {
    **{f"lists, {name}": partial(lists, credential=name) for name in BAD_CREDENTIALS},
    **{f"writes, {name}": partial(writes, credential=name) for name in BAD_CREDENTIALS},
    **{f"webhook, {name}": partial(sends_webhook_event, signature=name) for name in SIGNATURES},
    "guesses": guesses,
}
STORIES: dict[str, Story] = {
    "key": partial(evades, claim="a new API key"),
    "address": partial(evades, claim="a new network address"),
    "forges": forges,
    **WITHOUT_A_SECOND_USER,
}


@contextmanager
def opened(sandbox: Sandbox, witness: Witness, **environ: str) -> Iterator[ScenarioContext]:
    settings = settings_for({**sandbox.ready_document()["env"], **environ})
    scenario = ScenarioContext(run_context_of(settings, witness))
    try:
        yield scenario
    finally:
        scenario.run_context.clean_up()
        scenario.run_context.close()


@pytest.mark.parametrize("mode", ["wallet", "jwt", "api-key"])
def test_a_sandbox_without_faults_refuses_and_throttles_in_every_mode(mode: str, witness: Witness) -> None:
    with start_sandbox() as sandbox, opened(sandbox, witness, SMOKE_AUTH_MODE=mode) as scenario:
        for story in (WITHOUT_A_SECOND_USER if mode == "api-key" else STORIES).values():
            checks = len(witness.checks)
            story(ScenarioContext(scenario.run_context))
            assert len(witness.checks) > checks

    assert all(check.held for check in witness.checks)


@pytest.mark.parametrize(
    ("fault", "story", "promise"),
    [
        ("v2-lists-for-any-text", "lists, any text", "a caller with any text cannot list streams in API v2"),
        ("v2-creates-for-any-text", "writes, any text", "a caller with any text cannot create a stream"),
        ("v2-changes-open", "writes, no credential", "a caller with no credential cannot change the user's stream"),
        (
            "v2-batch-for-any-bearer",
            "writes, a malformed token",
            "a caller with a malformed token cannot change streams in bulk",
        ),
        ("item-open", "writes, no credential", "a caller with no credential cannot read the user's stream"),
        ("webhooks-unsigned", "webhook, no signature", "a caller with no signature cannot send a webhook event"),
        (
            "webhooks-any-signature",
            "webhook, a signature made with another secret",
            "a caller with a signature made with another secret cannot send a webhook event",
        ),
        ("webhooks-fail", "webhook, no signature", "a caller with no signature cannot send a webhook event"),
        ("limits-evaded-by-key", "key", "a caller who exceeds the limit is throttled"),
        ("limits-evaded-by-address", "address", "a caller who exceeds the limit is throttled"),
        ("limits-believe-tokens", "forges", "a forged token does not count against the user it names"),
        ("logins-evaded-by-address", "guesses", "a caller who exceeds the limit is throttled"),
        ("limits-off", "forges", "a caller who exceeds the limit is throttled"),
    ],
)
def test_each_fault_breaks_its_promise(fault: str, story: str, promise: str, witness: Witness) -> None:
    with (
        start_sandbox(faults=(fault,)) as sandbox,
        opened(sandbox, witness, SMOKE_AUTH_MODE="jwt") as scenario,
        witness.breaks(promise),
    ):
        STORIES[story](scenario)


def test_a_refusal_after_the_write_is_found(witness: Witness) -> None:
    with (
        start_sandbox(faults=("writes-refused-too-late",)) as sandbox,
        opened(sandbox, witness, SMOKE_AUTH_MODE="jwt") as scenario,
        pytest.raises(PromiseBroken, match="answered 404"),
    ):
        writes(scenario, "no credential")


def test_a_webhook_event_would_be_accepted_without_the_check_of_its_signature(witness: Witness) -> None:
    with (
        start_sandbox(faults=("webhooks-unsigned",)) as sandbox,
        opened(sandbox, witness, SMOKE_AUTH_MODE="jwt") as scenario,
    ):
        for signature in SIGNATURES:
            play(scenario, "send_webhook_event", signature=signature)
            assert [attempt.answer.status for attempt in scenario.attempts.made] == [200]


@pytest.mark.parametrize("story", ["writes, any text", "webhook, no signature"])
def test_no_write_is_attempted_where_money_is_real(story: str, witness: Witness) -> None:
    with (
        start_sandbox(faults=("ready-names-mainnet",)) as sandbox,
        opened(sandbox, witness, SMOKE_AUTH_MODE="jwt") as scenario,
        pytest.raises(GuardRefused),
    ):
        STORIES[story](scenario)

    assert not [event for event in witness.of(Exchanged) if event.peer == "service" and event.method != "GET"]


def test_an_address_at_its_limit_does_not_judge_forged_tokens(witness: Witness) -> None:
    with (
        start_sandbox(faults=("limits-shared",)) as sandbox,
        opened(sandbox, witness, SMOKE_AUTH_MODE="jwt") as scenario,
        pytest.raises(Throttled),
    ):
        forges(scenario)

    assert not [check for check in witness.checks if not check.held]


def test_reads_at_once_leave_the_evidence_of_reads_in_turn(witness: Witness) -> None:
    with start_sandbox() as sandbox, opened(sandbox, witness) as scenario:
        forges(scenario)

    reads = [event for event in witness.events if isinstance(event, Awaiting | Exchanged)]
    reads = reads[-SPARE * 2 - 1 :]  # between the first and the others it says what it waits for
    assert [event.status for event in reads if isinstance(event, Exchanged)] == [401] * SPARE
    assert [isinstance(event, Awaiting) for event in reads] == [True, False, True, *[True, False] * (SPARE - 1)]


WAIT = answer(429, headers={"retry-after": "1"})


@pytest.mark.parametrize(("statuses", "held"), [((401, 401), True), ((401, 429), False), ((429,), False)])
def test_a_forged_token_that_is_throttled_counts_as_its_user(
    statuses: tuple[int, ...], held: bool, witness: Witness
) -> None:
    reads = ForgedReads(
        forged=tuple(answer(each) for each in statuses), anonymous=() if held else (answer(401), answer(401))
    )

    if held:
        forged_reads_are_counted_apart(reads, witness.expect)
    else:
        with witness.breaks("a forged token does not count against the user it names", saw="status 429"):
            forged_reads_are_counted_apart(reads, witness.expect)


def test_a_caller_who_is_never_throttled_breaks_the_limit(witness: Witness) -> None:
    limit_holds(RequestBurst(requests=3, seconds=0.1, last=WAIT), witness.expect)
    with witness.breaks(
        "a caller who exceeds the limit is throttled", saw="status 401 to the last of 10 requests in 0.1 s"
    ):
        limit_holds(RequestBurst(requests=10, seconds=0.1, last=answer(401)), witness.expect)
