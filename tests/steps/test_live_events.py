"""Live events: begun in time, reported in time, of the right stream, to its owner; and what cuts listeners off."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from feature_steps import play
from msgspec.structs import replace
from step_parts import Witness, run_context_of, settings_for

from streampay_sandbox.proxy import (
    DisturbingProxy,
    Forward,
    ProxiedRequest,
    ProxyBehaviour,
    ProxyDecision,
    SubstituteAnswer,
    hang_up,
)
from streampay_sandbox.stack import Sandbox, start_sandbox
from streampay_smoke.acceptance.checks import live_events
from streampay_smoke.acceptance.checks.live_events import Heard, HeardStart
from streampay_smoke.acceptance.observations import live_events as listening
from streampay_smoke.acceptance.scenario_context import ScenarioContext
from streampay_smoke.core.errors import ServiceUnavailable
from streampay_smoke.evidence.events import Exchanged, ResourceCreated, ResourceReleased
from streampay_smoke.service.records import LiveEvent


@contextmanager
def opened(sandbox: Sandbox, witness: Witness, **environ: str) -> Iterator[ScenarioContext]:
    settings = settings_for({**sandbox.ready_document()["env"], "SMOKE_AUTH_MODE": "jwt", **environ})
    scenario = ScenarioContext(run_context_of(settings, witness))
    try:
        yield scenario
    finally:
        scenario.run_context.clean_up()
        scenario.run_context.close()


def listens(scenario: ScenarioContext) -> None:
    play(scenario, "sign_in", "have_a_draft", "listen_to_a_start")
    play(scenario, "events_begin", "start_is_reported", "events_of_own_stream_only")


def refused(scenario: ScenarioContext) -> None:
    play(scenario, "sign_in")
    play(scenario, "have_streams", count=1)
    play(scenario, "listen_without_valid_credential", "every_attempt_is_refused")


def refused_to_second_user(scenario: ScenarioContext) -> None:
    play(scenario, "sign_in")
    play(scenario, "have_streams", count=1)
    play(scenario, "second_user_listens", "every_attempt_is_refused")


@pytest.mark.parametrize("mode", ["wallet", "jwt", "api-key"])
def test_the_sandbox_sends_live_events_to_the_owner_only(mode: str, witness: Witness) -> None:
    with start_sandbox() as sandbox, opened(sandbox, witness, SMOKE_AUTH_MODE=mode) as scenario:
        for story in (listens, refused, *([] if mode == "api-key" else [refused_to_second_user])):
            story(ScenarioContext(scenario.run_context))

    assert all(check.held for check in witness.checks)
    created, released = witness.of(ResourceCreated), witness.of(ResourceReleased)
    assert {event.id for event in created} == {event.id for event in released}
    listened = [event for event in witness.of(Exchanged) if event.target.endswith("/events") and event.status == 200]
    assert len(listened) == 2, "what both listeners exchanged is in the journal"


def test_a_run_listens_to_one_start(witness: Witness) -> None:
    with start_sandbox() as sandbox, opened(sandbox, witness) as scenario:
        listens(scenario)
        made = len(witness.of(ResourceCreated))
        listens(ScenarioContext(scenario.run_context))

    assert len(witness.of(ResourceCreated)) == made


@pytest.mark.parametrize(
    ("fault", "story", "promise"),
    [
        ("events-open", refused, "an unauthorized caller cannot listen to a stream with no credential"),
        ("events-to-others", refused_to_second_user, "another user cannot listen to the user's stream"),
        ("events-mixed", listens, "each listener receives events of their own stream only"),
        ("events-silent", listens, "the start of a stream is reported live within 10 s"),
        ("events-buffered", listens, "live events begin within 10 s"),
    ],
)
def test_events_that_are_wrong_break_the_promise_they_are_about(
    fault: str,
    story: Callable[[ScenarioContext], None],
    promise: str,
    witness: Witness,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listening, "WITHIN_SECONDS", 1.0)
    with start_sandbox(faults=(fault,)) as sandbox, opened(sandbox, witness) as scenario, witness.breaks(promise):
        story(scenario)


class CutOff:
    """Meets the requests for live events, one after the other, with these."""

    def __init__(self, *met: ProxyDecision) -> None:
        self._met = list(met)

    def __call__(self, passing: ProxiedRequest) -> ProxyDecision:
        return self._met.pop(0) if passing.path.endswith("/events") and self._met else Forward()


BREAKS_OFF = Forward(then=lambda sent: replace(sent, hang_up_after=len(sent.content) - 1))

ENDS = SubstituteAnswer(status=200, text=": listening\n\n", content_type="text/event-stream")


@contextmanager
def behind(behaviour: ProxyBehaviour, witness: Witness) -> Iterator[ScenarioContext]:
    with (
        start_sandbox() as sandbox,
        DisturbingProxy(sandbox.base_url, behaviour=behaviour) as proxy,
        opened(sandbox, witness, SMOKE_BASE_URL=proxy.url) as scenario,
    ):
        yield scenario


@pytest.mark.parametrize(
    "met",
    [(), (hang_up(),), (hang_up(), hang_up()), (BREAKS_OFF,), (ENDS, ENDS)],
    ids=["passed on", "one hangs up", "both hang up", "one breaks off", "both end"],
)
def test_a_listener_who_is_cut_off_listens_anew(met: tuple[ProxyDecision, ...], witness: Witness) -> None:
    with behind(CutOff(*met), witness) as scenario:
        listens(scenario)

    assert all(check.held for check in witness.checks)


@pytest.mark.parametrize("met", [hang_up(), ENDS], ids=["hangs up", "ends"])
def test_a_listener_who_is_always_cut_off_ends_in_service_unavailable(met: ProxyDecision, witness: Witness) -> None:
    with behind(CutOff(*[met] * 99), witness) as scenario, pytest.raises(ServiceUnavailable):
        listens(scenario)

    assert not witness.checks


def test_a_listener_who_is_refused_is_a_promise_that_is_broken(witness: Witness) -> None:
    refusal = SubstituteAnswer(
        status=403, text='{"error": {"code": "FORBIDDEN", "message": "m"}}', content_type="application/json"
    )
    with (
        behind(CutOff(*[refusal] * 99), witness) as scenario,
        witness.breaks("live events begin within 10 s", saw="status 403"),
    ):
        listens(scenario)


OWN = LiveEvent(stream_id="stream-1", status="active")


def heard(*started: LiveEvent, idle: tuple[LiveEvent, ...] = ()) -> HeardStart:
    return HeardStart(
        status="active",
        started=Heard(stream_id="stream-1", status=200, events=started),
        idle=Heard(stream_id="stream-2", status=200, events=idle),
    )


def test_an_event_about_the_start_keeps_the_promise(witness: Witness) -> None:
    live_events.events_begin_in_time(heard(OWN), witness.expect)
    live_events.start_is_reported(heard(OWN), witness.expect)
    live_events.events_are_of_own_stream(heard(OWN), witness.expect)

    assert len(witness.checks) == 3


def test_an_event_with_another_status_does_not_report_the_start(witness: Witness) -> None:
    other = LiveEvent(stream_id="stream-1", status="draft")
    with witness.breaks("the start of a stream is reported live within 10 s", saw="events that say draft"):
        live_events.start_is_reported(heard(other), witness.expect)


def test_an_event_of_another_stream_is_found_at_either_listener(witness: Witness) -> None:
    with witness.breaks(
        "each listener receives events of their own stream only", saw="stream-1 to the listener of stream-2"
    ):
        live_events.events_are_of_own_stream(heard(OWN, idle=(OWN,)), witness.expect)
    with witness.breaks(
        "each listener receives events of their own stream only", saw="stream-3 to the listener of stream-1"
    ):
        live_events.events_are_of_own_stream(
            heard(OWN, LiveEvent(stream_id="stream-3", status="active")), witness.expect
        )
