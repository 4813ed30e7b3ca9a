"""A journal, folded: what was promised to run, and what each scenario left as evidence."""

from collections.abc import Sequence

import msgspec

from streampay_smoke.evidence import events
from streampay_smoke.evidence.journal import Entry
from streampay_smoke.evidence.pending import Pending
from streampay_smoke.gate.releases import ANSWER, START, Sighting


class StepHistory(msgspec.Struct, kw_only=True):
    """What one step did: behave's word for its end ("" while there is none), and how many of its checks held."""

    text: str
    status: str = ""
    checks_held: int = 0


class ScenarioHistory(msgspec.Struct, kw_only=True):
    """What one scenario did."""

    id: str
    started_at_ms: int
    lane: int = 0
    checks: list[events.Checked] = msgspec.field(default_factory=list)
    waits: list[events.Waited] = msgspec.field(default_factory=list)
    probes: list[events.Probed] = msgspec.field(default_factory=list)
    retries: list[events.Retried] = msgspec.field(default_factory=list)
    settlements: list[events.Settled] = msgspec.field(default_factory=list)
    steps: list[StepHistory] = msgspec.field(default_factory=list)
    failure: events.Failure | None = None
    failed_step: str = ""
    overran: str = ""
    finished: events.ScenarioFinished | None = None


class OverrideAt(msgspec.Struct, frozen=True, kw_only=True):
    """An override and when it was written down."""

    at_ms: int
    event: events.Overridden


class Look(msgspec.Struct, frozen=True):
    """One look at a release that is watched, and when it was made."""

    at_ms: int
    event: events.Watched | events.BurnRead


class RunHistory(msgspec.Struct, kw_only=True):
    """What one run did, in the order it happened."""

    started: events.RunStarted | None = None
    planned: events.RunPlanned | None = None
    refused: events.RunRefused | None = None
    finished: events.RunFinished | None = None
    interrupted: events.Interrupted | None = None
    merged: events.RegionsMerged | None = None
    scenarios: dict[str, ScenarioHistory] = msgspec.field(default_factory=dict)
    services: list[events.ServiceSeen] = msgspec.field(default_factory=list)
    chains: list[events.ChainSeen] = msgspec.field(default_factory=list)
    created: list[events.ResourceCreated] = msgspec.field(default_factory=list)
    released: list[events.ResourceReleased] = msgspec.field(default_factory=list)
    lost: list[events.ResourceLost] = msgspec.field(default_factory=list)
    replicas_seen: list[events.ReplicaSeen] = msgspec.field(default_factory=list)
    releases: list[str] = msgspec.field(default_factory=list)
    pending: dict[int, Pending] = msgspec.field(default_factory=dict)
    sightings: list[Sighting] = msgspec.field(default_factory=list)
    probes_at_start: list[events.Probed] = msgspec.field(default_factory=list)
    warnings: list[events.Warned] = msgspec.field(default_factory=list)
    quarantine: events.QuarantineRead | None = None
    objectives: events.ObjectivesSet | None = None
    bake: events.BakeStarted | None = None
    bake_ended: events.BakeEnded | None = None
    canary: events.CanaryStarted | None = None
    canary_ended: events.CanaryEnded | None = None
    canary_pairs: list[events.CanaryPaired] = msgspec.field(default_factory=list)
    measured: events.Measured | None = None
    looks: list[Look] = msgspec.field(default_factory=list)
    ledger_answers_ms: list[int] = msgspec.field(default_factory=list)
    probes_in_bake: list[events.Probed] = msgspec.field(default_factory=list)
    overrides: list[OverrideAt] = msgspec.field(default_factory=list)
    service_answered: bool = False
    started_at_ms: int = 0
    ended_at_ms: int = 0
    clean_up_at_ms: int = 0

    @property
    def doing(self) -> str:
        """The steps that were under way at the end, in words: one at most in each lane. Empty for none."""
        return "; ".join(step for pending in self.pending.values() if (step := pending.described()))

    @property
    def last_scenarios(self) -> tuple[ScenarioHistory, ...]:
        """The scenario that each lane was playing last."""
        return tuple({scenario.lane: scenario for scenario in self.scenarios.values()}.values())

    @property
    def ended_early(self) -> bool:
        """Whether the run ended before its scenarios did: refused, ended from outside, or its process was lost."""
        return self.interrupted is not None or self.refused is not None or self.finished is None


_OK = 200

_ONE_OF_A_RUN: dict[type[events.Event], str] = {
    events.RunStarted: "started",
    events.RunPlanned: "planned",
    events.RunRefused: "refused",
    events.RunFinished: "finished",
    events.Interrupted: "interrupted",
    events.RegionsMerged: "merged",
    events.QuarantineRead: "quarantine",
    events.ObjectivesSet: "objectives",
    events.BakeStarted: "bake",
    events.BakeEnded: "bake_ended",
    events.Measured: "measured",
    events.CanaryStarted: "canary",
    events.CanaryEnded: "canary_ended",
}
_MANY_OF_A_RUN: dict[type[events.Event], str] = {
    events.ServiceSeen: "services",
    events.ChainSeen: "chains",
    events.ResourceCreated: "created",
    events.ResourceReleased: "released",
    events.ResourceLost: "lost",
    events.Warned: "warnings",
    events.CanaryPaired: "canary_pairs",
    events.ReplicaSeen: "replicas_seen",
}
_MANY_OF_A_SCENARIO: dict[type[events.Event], str] = {
    events.Checked: "checks",
    events.Waited: "waits",
    events.Probed: "probes",
    events.Retried: "retries",
    events.Settled: "settlements",
}


def fold(entries: Sequence[Entry]) -> RunHistory:
    """Return the history the entries tell. Order is ownership: see `streampay_smoke.evidence.events`."""
    run = RunHistory()
    scenario: ScenarioHistory | None = None
    last = 0
    for entry in entries:
        event = entry.event
        if isinstance(event, events.Overridden):  # written after the run: no part of it, nor of its time
            run.overrides.append(OverrideAt(at_ms=entry.at_ms, event=event))
            continue
        last = _note_time(run, entry, last)
        run.pending.setdefault(entry.lane, Pending()).observe(event)
        if isinstance(event, events.ScenarioStarted):
            scenario = ScenarioHistory(id=event.id, started_at_ms=entry.at_ms, lane=entry.lane)
            run.scenarios[event.id] = scenario
        elif type(event) in _ONE_OF_A_RUN:
            setattr(run, _ONE_OF_A_RUN[type(event)], event)
        elif type(event) in _MANY_OF_A_RUN:
            getattr(run, _MANY_OF_A_RUN[type(event)]).append(event)
        elif isinstance(event, events.Exchanged | events.PairSampled | events.Watched | events.BurnRead):
            _note_answer(run, event, entry.at_ms)
        elif isinstance(event, events.ReleaseSeen):
            _note_sighting(run, event)
        elif isinstance(event, events.Probed) and run.bake is not None:
            run.probes_in_bake.append(event)
        elif isinstance(event, events.Probed) and scenario is None:
            run.probes_at_start.append(event)
        elif scenario is not None:
            _record_event(scenario, event)
    return run


def _note_time(run: RunHistory, entry: Entry, last: int) -> int:
    """Take note of when the run began and ended, and began to clean up; return the last line seen so far."""
    run.started_at_ms = run.started_at_ms or entry.at_ms
    if isinstance(entry.event, events.CleanUpStarted):
        run.clean_up_at_ms = run.clean_up_at_ms or entry.at_ms
    if entry.seq > last:
        run.ended_at_ms = entry.at_ms
    return max(last, entry.seq)


def _note_answer(
    run: RunHistory, event: events.Exchanged | events.PairSampled | events.Watched | events.BurnRead, at_ms: int
) -> None:
    """Take note of an answer and its release; the stable release that probes ask is not the one that is judged."""
    if isinstance(event, events.Watched | events.BurnRead):
        run.looks.append(Look(at_ms, event))
    if isinstance(event, events.BurnRead):
        return
    if isinstance(event, events.Exchanged):
        if event.peer == "ledger" and event.status == _OK:
            run.ledger_answers_ms.append(event.duration_ms)
        if event.peer != "service":
            return
        run.service_answered = run.service_answered or event.status is not None
    if not event.release:
        return
    if event.release not in run.releases:
        run.releases.append(event.release)
    if run.sightings:
        run.sightings.append(Sighting(moment=ANSWER, release=event.release))


def _note_sighting(run: RunHistory, event: events.ReleaseSeen) -> None:
    if event.release and event.release not in run.releases:
        run.releases.append(event.release)
    if event.moment == START:
        run.sightings.clear()
        run.replicas_seen.clear()
    run.sightings.append(Sighting(moment=event.moment, release=event.release))


def _record_event(scenario: ScenarioHistory, event: events.AnyEvent) -> None:
    match event:
        case events.StepStarted():
            scenario.steps.append(StepHistory(text=event.text))
        case events.StepOverran():
            scenario.overran = event.text
        case events.StepFinished():
            _end_step(scenario, event)
        case events.ScenarioFinished():
            scenario.finished = event
            scenario.failure = scenario.failure or event.failure
        case _ if type(event) in _MANY_OF_A_SCENARIO:
            if isinstance(event, events.Checked) and event.held and scenario.steps:
                scenario.steps[-1].checks_held += 1
            getattr(scenario, _MANY_OF_A_SCENARIO[type(event)]).append(event)


def _end_step(scenario: ScenarioHistory, event: events.StepFinished) -> None:
    if scenario.steps and scenario.steps[-1].text == event.text:
        scenario.steps[-1].status = event.status
    if event.status != "passed":
        scenario.failure = scenario.failure or event.failure
        scenario.failed_step = scenario.failed_step or event.text
