"""The checks against a whole sandbox: honest, and with each fault that one of them is there to find."""

import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from feature_steps import STEPS, play
from step_parts import Witness, run_context_of, settings_for

from streampay_sandbox.stack import Sandbox, start_sandbox
from streampay_smoke.acceptance.checks import listing, readiness
from streampay_smoke.acceptance.checks.fleet import ReplicasDisagree
from streampay_smoke.acceptance.observations.readiness import NeverReady
from streampay_smoke.acceptance.observations.settings_mismatch import ContractUnexpected
from streampay_smoke.acceptance.scenario_context import ScenarioContext
from streampay_smoke.chain.adapter import ChainUnavailable, ContractFailure, ContractMissing, InterfaceDrift
from streampay_smoke.core.errors import GuardRefused, PromiseBroken, SmokeError
from streampay_smoke.evidence.events import ChainSeen, Exchanged, ResourceCreated, ResourceReleased, Settled
from streampay_smoke.service.bad_credentials import BadName, bad_credential
from streampay_smoke.service.transport import Throttled

Story = Callable[[ScenarioContext], None]
"""What a scenario of the features does, step after step."""


def new_scenario(sandbox: Sandbox, witness: Witness) -> ScenarioContext:
    settings = settings_for(sandbox.ready_document()["env"])
    return ScenarioContext(run_context_of(settings, witness))


def story(*names: str, signed_in: bool = True, **arguments: object) -> Story:
    """A scenario of these steps; `arguments` are those of the steps that take any."""

    def played(scenario: ScenarioContext) -> None:
        for name in (*(["sign_in"] if signed_in else []), *names):
            taken = inspect.signature(STEPS[name]).parameters.keys() & arguments.keys()
            play(scenario, name, **{each: arguments[each] for each in taken})

    return played


def refuses(name: BadName) -> Story:
    def story(scenario: ScenarioContext) -> None:
        bad = bad_credential(name, scenario.run_context.user, jwt_secret=scenario.settings.auth_jwt_secret)
        refusal = scenario.deployment.refusal(bad.credential)
        listing.refused(refusal, name, scenario.expect)
        listing.contains_no_stream(refusal, name, scenario.expect)

    return story


def is_ready(scenario: ScenarioContext) -> None:
    play(scenario, "ask_whether_ready", "reports_ready", "dependencies_are_healthy", "names_network")
    readiness.release_answers(scenario.readiness, "sandbox", scenario.expect)
    play(scenario, "one_release_answers")


settles = story(
    "ask_whether_ready",
    "works_on_a_test_network",
    "recipient_with_account",
    "create_stream_twice",
    "start_stream",
    "stream_is_active",
    "settle",
    "created_once",
    "paid_exact_amount",
    "paid_exactly_once",
    "records_agree",
)
settles_later = story(
    "recipient_with_account",
    "create_stream",
    "settle_before_start",
    "refused_before_start",
    "start_stream",
    "stream_is_active",
    "settle_with_refused_key",
    "refusal_is_not_repeated",
    "settle_with_new_key_if_used_up",
    "paid_exact_amount",
)
repeats = story(
    "recipient_with_account",
    "create_stream",
    "start_stream",
    "settle",
    "repeat_settlement",
    "settle_with_new_key",
    "repeated_settlement_returns_first_receipt",
    "settlement_with_new_key_is_refused",
    "paid_exact_amount",
    "still_paid_once",
)
cancels = story("recipient_with_account", "create_stream", "start_stream", "cancel_stream", "shown_as_cancelled")
repeats_failed = story(
    "have_requested_a_settlement",
    "repeat_failed_settlements",
    "failed_settlements_left_unsettled",
    "failed_settlements_succeed",
)
tells_alike = story("have_settled_stream", "withdraw", "withdrawal_is_of_settlement", "same_in_both_versions")


STORIES: dict[str, Story] = {
    "is ready": is_ready,
    "lists streams": story("have_streams", "list_page_by_page", "each_listed_once", "no_personal_data", count=2),
    "refuses nobody": refuses("none"),
    "refuses junk": refuses("junk"),
    "refuses expired": refuses("expired"),
    "refuses foreign": refuses("foreign"),
    "refuses unsigned": refuses("alg-none"),
    "refuses other audience": refuses("other-audience"),
    "refuses other issuer": refuses("other-issuer"),
    "refuses another method": refuses("hs512"),
    "hides from others": story(
        "have_streams",
        "list_as_second_user",
        "no_stream_of_first_user",
        "read_as_second_user",
        "every_attempt_is_refused",
        "answers_contain_no_stream",
        count=1,
    ),
    "settles": settles,
    "settles later": settles_later,
    "repeats": repeats,
    "keeps orders": story(
        "create_through_v2",
        "repeat_create_request",
        "send_other_create_request",
        "repeated_create_returns_first_stream",
        "other_create_is_refused",
        "every_replica_shows",
    ),
    "tells alike": tells_alike,
    "cancels": cancels,
    "repeats failed": repeats_failed,
    "receipt": story(
        "have_settled_stream",
        "read_settled_stream",
        "receipt_names_one_transaction",
        "record_names_receipts_transaction",
    ),
    "key": story("have_settled_stream", "settle_another_stream", "settlement_of_another_stream_is_refused"),
    "keeps the canary": story("read_kept_stream", "kept_stream_exists"),
    "answers every time": story("request_liveness", "answers_every_request", signed_in=False, times=20),
    "shows metrics": story("read_metrics", "metrics_are_available", signed_in=False),
    "keeps an index": story("read_index", "index_is_up_to_date", signed_in=False),
    "tells the time": story("ask_whether_ready", "clock_is_right", signed_in=False),
    "ledger moves": story("reach_ledger", "network_is_healthy", signed_in=False),
    "contract is there": story("reach_ledger", "has_expected_interface", signed_in=False),
    "contract is open": story(
        "reach_ledger",
        "payer_with_account",
        "accepts_new_stream",
        "administrator_role_cannot_be_claimed",
        signed_in=False,
    ),
    "contract obeys": story("reach_ledger", "only_administrator_controls_contract", signed_in=False),
    "streams directly": story(
        "payer_and_recipient", "pay_with_stream_on_contract", "paid_whole_once", "balances_agree", signed_in=False
    ),
}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streampay_smoke.chain.lag.LAG_LEDGERS", 1)


@pytest.fixture
def honest() -> Iterator[Sandbox]:
    """A sandbox of the test's own: its synthetic user may create ten streams a minute."""
    with start_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def faulty() -> Iterator[Callable[[str], Sandbox]]:
    """Starts a sandbox with a fault, and stops it after the test."""
    running: list[Sandbox] = []

    def start(fault: str) -> Sandbox:
        running.append(start_sandbox(faults=(fault,)))
        return running[0]

    yield start
    for sandbox in running:
        sandbox.stop()


@contextmanager
def opened(sandbox: Sandbox, witness: Witness) -> Iterator[ScenarioContext]:
    scenario = new_scenario(sandbox, witness)
    try:
        yield scenario
    finally:
        scenario.run_context.clean_up()
        scenario.run_context.look_at_ledger_again()
        scenario.run_context.close()


def left_behind(witness: Witness) -> set[str]:
    return {event.id for event in witness.of(ResourceCreated)} - {event.id for event in witness.of(ResourceReleased)}


@pytest.mark.parametrize("name", STORIES)
def test_every_story_passes_against_an_honest_sandbox_and_leaves_nothing(
    name: str, honest: Sandbox, witness: Witness
) -> None:
    with opened(honest, witness) as scenario:
        STORIES[name](scenario)

    assert witness.checks
    assert all(check.held for check in witness.checks)
    assert not left_behind(witness)


def test_a_settlement_is_proved_by_the_ledger_with_the_amount_it_found(honest: Sandbox, witness: Witness) -> None:
    with opened(honest, witness) as scenario:
        settles(scenario)

    (settled,) = witness.of(Settled)
    assert settled.proof == "ledger"
    assert settled.tx_hash == scenario.settlement.receipt.settlement_tx_hash
    assert 0 < settled.amount_stroops <= 7_777_777
    first, *_, last = witness.of(ChainSeen)
    assert first.simulated
    assert first.ledger < settled.ledger <= last.ledger


def test_a_second_scenario_of_a_run_does_not_count_the_first_ones_payment(honest: Sandbox, witness: Witness) -> None:
    with opened(honest, witness) as scenario:
        settles(scenario)
        repeats(ScenarioContext(scenario.run_context))
        settles(ScenarioContext(scenario.run_context))

    assert len({settled.tx_hash for settled in witness.of(Settled)}) == 3
    assert not left_behind(witness)


BROKEN_PROMISES = [
    ("settle-lies", "settles", "the ledger knows the receipt's transaction"),
    ("settle-lies", "repeats", "the ledger knows the receipt's transaction"),
    ("settle-pays-twice", "settles", "the amount is exact"),
    ("settle-pays-twice", "repeats", "the amount is exact"),
    ("settle-pays-other-recipient", "settles", "the stream is started on the ledger before its settlement"),
    ("settle-pays-other-recipient", "settles later", "the stream is started on the ledger before its settlement"),
    ("settle-pays-other-recipient", "repeats", "the stream was started once on the ledger"),
    ("settle-pays-less", "settles", "the ledger holds the stream as ordered"),
    ("settle-pays-less", "repeats", "the amount is exact"),
    ("settle-old-transaction", "settles", "the settlement was made during this run"),
    ("settle-old-transaction", "repeats", "the settlement was made during this run"),
    ("settle-names-a-failure", "settles", "the settlement transaction succeeded"),
    ("settle-names-other-network", "settles", "the ledger knows the receipt's transaction"),
    ("settle-by-plain-payment", "settles", "the expected contract was called"),
    ("escrow-a-stroop-less", "settles", "the ledger holds the stream as ordered"),
    ("contract-keeps-change", "settles", "what was not earned goes back to the payer, to the last stroop"),
    ("contract-overdraws", "settles", "what was not earned goes back to the payer, to the last stroop"),
    ("receipt-names-other-stream", "settles", "the receipt is for the stream that was settled"),
    ("receipt-still-active", "settles", "the receipt says that the stream has ended"),
    ("receipt-backdated", "settles", "the receipt has the time of the settlement"),
    ("record-other-recipient", "settles", "the record is still of the order"),
    ("record-other-amount", "settles", "the record is still of the order"),
    ("record-other-hash", "settles", "the record names the receipt's transaction"),
    ("settle-invents-two", "receipt", "the receipt's two hashes agree"),
    ("settle-receipt-differs", "receipt", "the receipt's two hashes agree"),
    ("settle-invents-transaction", "receipt", "the receipt names a transaction"),
    ("record-other-hash", "receipt", "the record names the receipt's transaction"),
    ("record-cancelled-as-draft", "cancels", "a cancelled stream is shown as cancelled in API v1 and API v2"),
    ("failed-settle-ends-stream", "repeats failed", "a failed settlement leaves its stream unsettled"),
    ("failed-settle-frozen", "repeats failed", "a failed settlement succeeds when it is repeated with the same key"),
    ("replica-lacks-kept-stream", "keeps the canary", "a stream from an earlier release still exists"),
    ("replicas-keep-streams", "keeps orders", "every replica that answers shows the stream"),
    ("key-answers-for-other-order", "keeps orders", "another create request with a used key is refused"),
    ("store-forgets", "keeps the canary", "a stream from an earlier release still exists"),
    ("ready-but-database-dead", "keeps the canary", "a stream from an earlier release still exists"),
    ("chaos-left-on", "answers every time", "the service answers every request"),
    ("metrics-off", "shows metrics", "the metrics are available"),
    ("indexer-invents", "keeps an index", "the index never goes back"),
    ("indexer-stands-still", "keeps an index", "the index is up to date"),
    ("service-clock-ahead", "tells the time", "the clock of the service is right"),
    ("refusal-frozen", "settles later", "the early refusal is not repeated"),
    ("refused-settle-ends-stream", "settles later", "a refused settlement changes nothing"),
    ("settle-receipt-differs", "settles", "the ledger knows the receipt's transaction"),
    ("record-not-settled", "settles", "the record names the receipt's transaction"),
    ("record-not-settled", "repeats", "a settled stream cannot be settled again"),
    ("replay-pays-again", "repeats", "the amount is exact"),
    ("key-answers-for-other-stream", "key", "a settlement key answers for its own stream only"),
    ("create-repeats", "settles", "a repeated creation makes one stream"),
    ("list-open", "refuses nobody", "a caller with none is refused"),
    ("list-accepts-junk", "refuses junk", "a caller with junk is refused"),
    ("list-accepts-expired", "refuses expired", "a caller with expired is refused"),
    ("list-accepts-foreign", "refuses foreign", "a caller with foreign is refused"),
    ("list-accepts-alg-none", "refuses unsigned", "a caller with alg-none is refused"),
    ("list-accepts-other-audience", "refuses other audience", "a caller with other-audience is refused"),
    ("list-accepts-other-issuer", "refuses other issuer", "a caller with other-issuer is refused"),
    ("list-accepts-hs512", "refuses another method", "a caller with hs512 is refused"),
    ("item-shows-others", "hides from others", "another user cannot read the stream"),
    ("list-leaks-others", "hides from others", "another user's list contains none of them"),
    ("list-leaks-private", "lists streams", "no personal data is listed"),
    ("ready-names-mainnet", "is ready", "the service names the network of this environment"),
    ("release-stale", "is ready", "the expected release answers"),
    ("half-broken", "refuses nobody", "a caller with none is refused"),
    ("every-url-500", "refuses junk", "a caller with junk is refused"),
    ("contract-paused", "contract is open", "the contract accepts new streams"),
    ("contract-uninitialised", "contract is open", "nobody can claim the administrator role of the contract"),
    ("contract-uninitialised", "contract obeys", "the administrator controls the contract"),
    ("contract-of-a-stranger", "contract obeys", "the administrator controls the contract"),
    ("contract-pays-twice", "streams directly", "the contract paid the whole amount once"),
    ("contract-pays-less", "streams directly", "the contract paid the whole amount once"),
    ("contract-pays-other", "streams directly", "the contract paid the whole amount once"),
]


@pytest.mark.parametrize(("fault", "story", "promise"), BROKEN_PROMISES)
def test_a_fault_breaks_the_promise_it_is_about(
    fault: str, story: str, promise: str, faulty: Callable[[str], Sandbox], witness: Witness
) -> None:
    kind = ReplicasDisagree.kind if fault.startswith("replica") else PromiseBroken.kind
    with opened(faulty(fault), witness) as scenario, witness.breaks(promise, kind=kind):
        STORIES[story](scenario)


def test_a_service_that_pays_on_another_contract_is_a_matter_of_settings(
    faulty: Callable[[str], Sandbox], witness: Witness
) -> None:
    with opened(faulty("contract-id-wrong"), witness) as scenario, pytest.raises(ContractUnexpected):
        STORIES["settles"](scenario)


OTHER_FAILURES = [
    ("settle-failed-but-ended", "settles", PromiseBroken, "answered 502, not 200: SETTLEMENT_FAILED"),
    ("list-pages-wrong", "lists streams", PromiseBroken, "the list does not end"),
    ("list-wrong-shape", "lists streams", PromiseBroken, "not a page of streams: body.data is missing"),
    ("replicas-keep-keys", "repeats", PromiseBroken, "answered 409, not 200: INVALID_STREAM_STATE"),
    ("ready-but-cannot-sign", "settles", PromiseBroken, "answered 503, not 201: LEDGER_UNAVAILABLE"),
    ("ready-but-database-dead", "lists streams", PromiseBroken, "answered 500, not 200: INTERNAL_ERROR"),
    ("half-broken", "lists streams", PromiseBroken, "answered 500, not 200"),
    ("half-broken", "settles", PromiseBroken, "answered 500, not 201"),
    ("csrf-shut", "settles", PromiseBroken, "answered 403"),
    ("limits-block-everybody", "lists streams", Throttled, "throttled for 60 s"),
    ("every-url-500", "is ready", NeverReady, "status 500"),
    ("ready-lies-html", "is ready", NeverReady, "an HTML page titled 'StreamPay'"),
    ("ready-login-page", "is ready", NeverReady, "an HTML page"),
    ("ready-proxy-welcome", "is ready", NeverReady, "Welcome to nginx!"),
    ("ready-empty-json", "is ready", NeverReady, "body.status is missing"),
    ("ready-degraded-but-200", "is ready", NeverReady, "stellar degraded"),
    ("ready-never", "settles", NeverReady, "stellar degraded"),
    ("network-public", "ledger moves", GuardRefused, "the public network"),
    ("network-public", "repeats", GuardRefused, "the public network"),
    ("network-unknown", "streams directly", GuardRefused, "a network nobody vouched for"),
    ("contract-missing", "contract is there", ContractMissing, "not on this network"),
    ("contract-missing", "settles", ContractMissing, "not on this network"),
    ("contract-undeployed", "contract is open", ContractMissing, "not on this network"),
    ("contract-other-interface", "settles", InterfaceDrift, "create_draft_stream is absent"),
    ("contract-paused", "streams directly", ContractFailure, "ContractPaused"),
    ("contract-paused", "settles", PromiseBroken, "answered 503, not 201"),
    ("rpc-429", "ledger moves", ChainUnavailable, "status 429"),
]


@pytest.mark.parametrize(("fault", "story", "error", "reason"), OTHER_FAILURES)
def test_a_fault_ends_a_story_with_an_error_that_names_it(
    fault: str,
    story: str,
    error: type[SmokeError],
    reason: str,
    faulty: Callable[[str], Sandbox],
    witness: Witness,
) -> None:
    with opened(faulty(fault), witness) as scenario, pytest.raises(error, match=reason) as caught:
        STORIES[story](scenario)

    assert caught.value.blame is error.blame
    assert all(check.held for check in witness.checks)
    assert not witness.of(Settled)


def test_a_contract_with_another_interface_is_found_out(faulty: Callable[[str], Sandbox], witness: Witness) -> None:
    with (
        opened(faulty("contract-other-interface"), witness) as scenario,
        pytest.raises(InterfaceDrift, match="function create_draft_stream is absent"),
    ):
        STORIES["contract is there"](scenario)

    assert [check.held for check in witness.checks] == [False]


def test_a_payment_that_follows_the_answer_of_a_replay_is_seen(
    faulty: Callable[[str], Sandbox], witness: Witness
) -> None:
    with opened(faulty("replay-pays-later"), witness) as scenario, pytest.raises(PromiseBroken) as caught:
        repeats(scenario)

    # Whichever check looks when the second payment is there: the ledger closes when it does.
    assert re.match("the amount is exact|.*paid exactly once", str(caught.value))


@pytest.mark.parametrize("fault", ["record-final-as-draft", "record-without-settlement"])
def test_a_stream_that_the_newer_form_tells_otherwise_is_found_out(
    fault: str, faulty: Callable[[str], Sandbox], witness: Witness
) -> None:
    with (
        opened(faulty(fault), witness) as scenario,
        pytest.raises(PromiseBroken, match="API v1 and API v2 return the same records"),
    ):
        tells_alike(scenario)


MAKING = ("lists streams", "hides from others", "settles", "settles later", "repeats", "keeps orders", "tells alike")


@pytest.mark.parametrize("story", MAKING)
def test_no_story_creates_anything_when_the_service_is_on_the_public_network(
    story: str, faulty: Callable[[str], Sandbox], witness: Witness
) -> None:
    with (
        opened(faulty("ready-names-mainnet"), witness) as scenario,
        pytest.raises(GuardRefused, match="public network"),
    ):
        STORIES[story](scenario)

    assert not witness.of(ResourceCreated)
    writes = [event.target for event in witness.of(Exchanged) if event.peer == "service" and event.method != "GET"]
    assert set(writes) <= {"/api/auth/wallet"}


@pytest.mark.parametrize(
    ("fault", "story"),
    [
        ("archived-entry-once", "streams directly"),
        ("rpc-insufficient-fee-once", "streams directly"),
        ("rpc-duplicate", "settles"),
    ],
)
def test_what_a_ledger_may_do_on_a_bad_day_fails_no_story(
    fault: str, story: str, faulty: Callable[[str], Sandbox], witness: Witness
) -> None:
    with opened(faulty(fault), witness) as scenario:
        STORIES[story](scenario)

    assert all(check.held for check in witness.checks)
    assert not left_behind(witness)
