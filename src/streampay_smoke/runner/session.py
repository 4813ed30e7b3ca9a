"""A run in progress: its settings, its evidence, and what its scenarios share."""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from behave.model import Scenario, Step
from msgspec.structs import replace

from streampay_smoke import __version__
from streampay_smoke import settings as configuration
from streampay_smoke.acceptance.run_context import RunContext
from streampay_smoke.acceptance.scenario_context import ScenarioContext
from streampay_smoke.core import system_facts
from streampay_smoke.core.errors import SettingsInvalid, SmokeError
from streampay_smoke.core.side_by_side import hand_over
from streampay_smoke.core.trace import Trace
from streampay_smoke.evidence.events import (
    AnyEvent,
    DeadlineExtended,
    Exchanged,
    Failure,
    ObjectivesSet,
    Probed,
    RateLimitWait,
    RunStarted,
    ScenarioFinished,
    ScenarioStarted,
    StepFinished,
    StepOverran,
    StepStarted,
    WriteSlotWait,
)
from streampay_smoke.evidence.journal import Journal
from streampay_smoke.evidence.pending import Pending
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.run.bake import watch
from streampay_smoke.run.canary import CanaryComparison
from streampay_smoke.run.embedded import start_canary, start_sandbox
from streampay_smoke.run.failures import failure_of
from streampay_smoke.run.folder import RunFolder
from streampay_smoke.run.more_reads import more_reads
from streampay_smoke.run.probes.ledger import seconds_per_ledger
from streampay_smoke.run.probes.rounds import control_probes, probes_at_start
from streampay_smoke.run.probes.runner import quickest_answer_seconds
from streampay_smoke.run.sampling import SlowAnswers, measure
from streampay_smoke.runner.budget import StepTimeout
from streampay_smoke.runner.lane_wire import Learned, Sender
from streampay_smoke.runner.plan import PlannedScenario
from streampay_smoke.runner.time_left import TimeLeft
from streampay_smoke.runner.write_slots import WriteSlots
from streampay_smoke.settings import Settings
from streampay_smoke.settings.deadline import (
    UNMEASURED_SECONDS_PER_LEDGER,
    clean_up_seconds,
    derived_deadline_seconds,
    under_way_seconds,
)
from streampay_smoke.settings.folders import read_from
from streampay_smoke.settings.reading import read

WHEN = "when"
"""behave's name for a step that does what its scenario is about."""


class _Met(NamedTuple):
    """A failure, the scenario that met it first, and the evidence of the control probes made beside it.

    The id is empty for one that no scenario has met yet.
    """

    error: BaseException
    scenario_id: str
    evidence: tuple[AnyEvent, ...]


class EventWriter(Protocol):
    """Keeps events: a journal, or what leads to one."""

    def append(self, event: AnyEvent) -> None:
        """Keep one event."""


class SignsElsewhere(SmokeError):
    """A scenario needs the payer's account in a lane that must not sign."""

    kind = "signs_elsewhere"


class Session:
    """Gives each scenario a fresh context and writes down what becomes of it."""

    def __init__(self, settings: Settings, journal: Journal, redactor: Redactor, run_id: str) -> None:
        self.settings = settings
        self.pending = Pending()
        self._journal: EventWriter = journal
        self._run_journal = journal
        self._redactor = redactor
        self._sender: Sender | None = None
        self._run_context = RunContext(settings, record=self.record, learn_secret=self._learn, run_id=run_id)
        self._slow_answers = SlowAnswers(self._run_context)
        self._ids: dict[int, str] = {}
        self._failure: Failure | None = None
        self._met: list[_Met] = []
        self._scenario_id = ""
        self._doing = ""
        self._cleaning_up = False
        self._lost: OSError | None = None
        self._answers: list[Exchanged] = []
        self._started_seconds = 0.0
        self._writers_a_slot = 1.0
        self._round_trip_seconds = 0.0
        self.time_left = TimeLeft(
            settings.deadline_seconds,
            derived=settings.deadline_is_derived,
            seconds_per_ledger=settings.network.seconds_per_ledger,
        )
        self._run_context.throttle_patience = self.time_left.patience_seconds
        self.allow: Callable[[float, float], None] = lambda step_seconds, run_seconds: None
        """Gives the step under way, and the run, so many more seconds."""
        self._clock_ahead_seconds = time.time() - time.monotonic()

    @property
    def clock_moved_seconds(self) -> float:
        """How much more time went by on this runner's clock than passed: 0 unless somebody set it."""
        return round(time.time() - time.monotonic() - self._clock_ahead_seconds, 3)

    def reuse_sign_ins(self) -> None:
        """Let the users of this run, which is of a part of the suite, use sign-ins of runs before it."""
        self._run_context.reuses_sign_ins = True

    def expect(self, planned: Sequence[PlannedScenario]) -> None:
        """Remember the identities of the scenarios that are about to run."""
        self._ids = {id(item.scenario): item.expected.id for item in planned}

    def begin(self, scenario: Scenario) -> ScenarioContext:
        """Open a scenario's evidence; raises KeyError for one nobody planned."""
        self._failure = None
        self._started_seconds = time.monotonic()
        self._scenario_id, self._doing = self._ids[id(scenario)], ""
        self._answers.clear()
        self.record(ScenarioStarted(id=self._scenario_id))
        return ScenarioContext(self._run_context)

    def record(self, event: AnyEvent) -> None:
        """Write one event down; a wait for a rate limit uses up neither the step's budget nor a derived deadline.

        What happens in calls side by side is written down by the thread that makes them.
        """
        if hand_over(event):
            return
        if isinstance(event, RateLimitWait):
            event = replace(event, step_seconds=event.seconds, run_seconds=self.time_left.wait(event.seconds))
            self.allow(event.step_seconds, event.run_seconds)
        elif isinstance(event, WriteSlotWait):
            event = replace(event, step_seconds=event.seconds)
            self.allow(event.step_seconds, 0.0)
        try:
            self._journal.append(event)
        except OSError as lost:
            if not self._cleaning_up:
                raise
            self._lost = self._lost or lost
        self.pending.observe(event)
        self._slow_answers.observe(event)
        if isinstance(event, Exchanged) and event.peer == "service" and event.status is not None:
            self._answers.append(event)

    def id_of(self, scenario: Scenario) -> str:
        """Return the identity of a scenario that is about to run; raises KeyError for one nobody planned."""
        return self._ids[id(scenario)]

    def expects(self, scenario: Scenario) -> bool:
        """Whether a scenario is about to run."""
        return id(scenario) in self._ids

    def drop_connections(self) -> None:
        """Close kept connections: no two processes may use the same."""
        self._slow_answers.close()
        self._run_context.drop_connections()

    def share_write_slots(self, *, lanes: int) -> None:
        """From now on, and in every lane, have no more writes at the deployment at once than its place says."""
        writes_at_once = self.settings.facts.service.writes_at_once
        slots = WriteSlots(writes_at_once)
        self._writers_a_slot = max(1.0, lanes / writes_at_once)
        self._run_context.write_slot = lambda: slots.slot(lambda seconds: self.record(WriteSlotWait(seconds=seconds)))

    def open_shared(self, names: Sequence[str]) -> bool:
        """Open what lanes share; False where something fails, which is then met by the first scenario that needs it."""
        for name in names:
            try:
                getattr(self._run_context, name)
            except SmokeError as error:
                evidence = control_probes(self._run_context, self._run_context.last_asked, error)
                self._met.append(_Met(error, "", tuple(evidence)))
                return False
        return True

    def enter_lane(self, sender: Sender, *, ledger_steps: int, signs: bool) -> None:
        """Go on in a process of its own, as one lane: what it notes and learns is sent to the run's."""
        self._journal = self._sender = sender
        self.time_left.ledger_steps = ledger_steps
        if not signs:
            self._run_context.failures["payer"] = SignsElsewhere(
                "this scenario signs with the payer's account, and its lane must not",
                next_step="name it in the lane that signs: streampay_smoke.runner.lane_plan",
            )

    def begin_step(self, step: Step, budget_seconds: float) -> None:
        """Open a step's evidence."""
        if step.step_type == WHEN != self._doing:
            self._answers.clear()
        self._doing = step.step_type
        self.record(StepStarted(text=f"{step.keyword} {step.name}", budget_seconds=budget_seconds))

    def overrun(self) -> StepTimeout:
        """Return what the step that is under way fails with because its budget is over."""
        self.record(StepOverran(text=self.pending.step, budget_seconds=self.pending.budget_seconds))
        return StepTimeout.at(self.pending)

    def end_step(self, step: Step) -> None:
        """Close a step's evidence, with the failure and the control probes made beside it."""
        failure = failure_of(step.exception) if step.exception is not None else None
        if failure is not None and self._failure is None:
            failure = self._with_answers(failure)
            first_in = self._probe(step.exception)
            self._failure = failure = replace(failure, first_in=first_in)  # without its probes it blames nobody
        self.record(
            StepFinished(
                text=f"{step.keyword} {step.name}",
                status=step.status.name,
                duration_ms=round(step.duration * 1000),
                failure=failure,
            )
        )

    def end(self, scenario: Scenario) -> None:
        """Close a scenario's evidence."""
        for evidence in self._slow_answers.evidence(left_seconds=self.time_left.seconds):
            self.record(evidence)
        failure = self._failure
        if failure is None and scenario.exception is not None:
            failure = failure_of(scenario.exception)
        self.record(
            ScenarioFinished(
                id=self._ids[id(scenario)],
                status=scenario.status.name,
                duration_ms=round((time.monotonic() - self._started_seconds) * 1000),
                reason=scenario.skip_reason or "",
                failure=failure,
            )
        )

    def look_around(self) -> None:
        """Make the control probes once before the first scenario."""
        evidence = list(probes_at_start(self._run_context))
        for event in evidence:
            self.record(event)
        self._round_trip_seconds = quickest_answer_seconds(evidence) or 0.0

    def extend_deadline(self, ledger_steps: int, steps: int) -> float:
        """Return how much longer this run may take: its ledger may be slower than its network is known to be, or far.

        A deadline that somebody set stands.
        """
        self.time_left.ledger_steps = ledger_steps
        pace = seconds_per_ledger(self.settings)
        if pace is None:
            pace = self.settings.network.seconds_per_ledger
            self.time_left.seconds_per_ledger = max(pace, UNMEASURED_SECONDS_PER_LEDGER)
        else:
            self.time_left.seconds_per_ledger = pace
        if not self.settings.deadline_is_derived:
            return 0.0
        needed_seconds = derived_deadline_seconds(
            ready_within_seconds=self.settings.facts.service.ready_within_seconds,
            seconds_per_ledger=pace,
            ledger_steps=ledger_steps,
            steps=steps,
            round_trip_seconds=self._round_trip_seconds,
        )
        more_seconds = max(0.0, needed_seconds - self.settings.deadline_seconds)
        if more_seconds:
            self.time_left.extend(more_seconds)
            self.record(
                DeadlineExtended(
                    more_seconds=more_seconds,
                    ledger_steps=ledger_steps,
                    seconds_per_ledger=pace,
                    steps=steps,
                    round_trip_seconds=self._round_trip_seconds,
                )
            )
        return more_seconds

    def measure(self, *, failed: bool) -> None:
        """Sample what this environment's objectives need beyond the scenarios."""
        if self.settings.facts.objectives:
            if not failed:  # lanes write into the journal too: what they measured is read there
                entries = self._run_journal.entries()
                for evidence in more_reads(self._run_context, entries, left_seconds=self.time_left.seconds):
                    self.record(evidence)
            for evidence in measure(self._run_context, left_seconds=self.time_left.seconds, failed=failed):
                self.record(evidence)

    @property
    def canary_seconds(self) -> float:
        """How long candidate and stable release may be compared, beside the deadline; 0 for not at all."""
        return self.settings.facts.canary.within_seconds if self.settings.canary_journeys else 0.0

    def refuse_impossible_canary(self, *, comparison_only: bool) -> None:
        """Raise SettingsInvalid for scenarios at an address that leads to two releases: neither is judged by them."""
        if self.settings.canary_weight and not comparison_only:
            raise SettingsInvalid(
                "SMOKE_CANARY_WEIGHT says that SMOKE_BASE_URL leads to two releases: no scenario could judge either",
                next_step="use streampay-smoke canary there, and play the scenarios where the candidate answers alone",
            )

    def compare(self, *, failed: bool) -> None:
        """Compare candidate and stable release, where this run was asked to; not where a scenario failed already."""
        if self.settings.canary_journeys and not failed:
            for evidence in CanaryComparison(self._run_context, seconds=self.canary_seconds).play():
                self.record(evidence)

    def bake(self, *, failed: bool) -> None:
        """Watch the release for as long as this run was asked to; one that failed already is not watched."""
        if self.settings.bake_seconds and not failed:
            for evidence in watch(self._run_context, seconds=self.settings.bake_seconds):
                self.record(evidence)

    def clean_up_seconds(self, *, cut_off: bool) -> float:
        """Return how long this run, or this lane, may take to end what it made."""
        return clean_up_seconds(
            self._run_context.unfinished,
            seconds_per_ledger=self.time_left.seconds_per_ledger,
            cut_off=cut_off,
            writers_a_slot=self._writers_a_slot,
        )

    def clean_up(self, *, cut_off: bool) -> None:
        """Bring the synthetic data of this run, or of this lane, to an end, after a last look at the release.

        Evidence that cannot be kept is raised (OSError) when that is done: what was made must not outlive a full disk.
        """
        self._cleaning_up = True
        if self._sender is None:
            self._run_context.look_at_release_again()
        self._run_context.clean_up(
            under_way_seconds=under_way_seconds(self.time_left.seconds_per_ledger) if cut_off else 0.0
        )
        if self._sender is None:
            self._run_context.look_at_ledger_again()
        if self._lost is not None:
            raise self._lost

    @property
    def own_streams(self) -> tuple[str, ...]:
        """The ids of the synthetic user's streams that were made here."""
        return self._run_context.own_streams

    def adopt(self, stream_ids: Iterable[str]) -> None:
        """Take note of streams of the synthetic user that lanes made, and ended."""
        self._run_context.adopt(tuple(stream_ids))

    def look_for_streams(self) -> None:
        """Look whether the service still knows what this run made: the last thing that is looked at."""
        self._run_context.look_for_own_streams()

    def close(self) -> None:
        """Release sockets."""
        self._slow_answers.close()
        self._run_context.close()

    def _learn(self, *secrets: str | None) -> None:
        self._redactor.learn(*secrets)
        if self._sender is not None:
            self._sender.send(Learned(secrets=tuple(secret for secret in secrets if secret)))

    def _with_answers(self, failure: Failure) -> Failure:
        if not self._answers:
            return failure
        last = self._answers[-1]
        return replace(
            failure,
            asked=f"{last.method} {last.target.partition('?')[0]}",
            statuses=tuple(answer.status for answer in self._answers if answer.status is not None),
        )

    def _probe(self, error: BaseException) -> str:
        """Make the control probes; return the scenario that met a failure first which is remembered from before.

        Such a failure was probed when it happened.
        """
        before = next((met for met in self._met if met.error is error), None)
        if before is not None and before.scenario_id:
            for probed in before.evidence:
                if isinstance(probed, Probed):
                    self.record(probed)
            return before.scenario_id if before.scenario_id != self._scenario_id else ""
        asked = self._run_context.last_asked
        evidence = before.evidence if before else control_probes(self._run_context, asked, error)
        met = _Met(error, self._scenario_id, tuple(evidence))
        for event in met.evidence:
            self.record(event)
        self._met = [met, *(other for other in self._met if other is not before)]
        return ""


@contextlib.contextmanager
def open_session(folder: RunFolder, journal: Journal, redactor: Redactor) -> Iterator[Session]:
    """Load the settings and, for the embedded sandbox, start it; raises SmokeError before anything is sent."""
    with effective_settings() as settings:
        redactor.learn(*settings.redacted())
        journal.append(_run_started(settings, folder))
        if settings.facts.objectives:
            journal.append(ObjectivesSet(objectives=settings.facts.objectives))
        session = Session(settings, journal, redactor, folder.run_id)
        try:
            yield session
        finally:
            session.close()


@contextlib.contextmanager
def effective_settings(options: Mapping[str, str] | None = None) -> Iterator[Settings]:
    """Load the settings; where a run would start its own sandbox, start it. Raises SmokeError."""
    raw = read(options)
    settings = configuration.settings_of(raw)
    if not settings.embedded:
        yield settings
        return
    if settings.canary_journeys:
        weight, faults = settings.canary_weight, settings.canary_faults
        with start_canary(settings.contract_profile, weight=weight, faults=faults) as environ:
            yield configuration.settings_of(raw.over(environ))
        return
    with start_sandbox(settings.contract_profile) as sandbox:
        yield configuration.settings_of(raw.over(sandbox.ready_document()["env"]))


def _run_started(settings: Settings, folder: RunFolder) -> RunStarted:
    return RunStarted(
        run_id=folder.run_id,
        suite_version=__version__,
        environment=settings.environment,
        region=settings.region,
        base_url=settings.base_url,
        release_expected=settings.expect_release,
        network=settings.network.name,
        contract_id=settings.contract_id,
        proof=settings.settlement_proof,
        on_inconclusive=settings.on_inconclusive,
        service_simulated=settings.facts.service.simulated,
        settings=settings.dump(),
        trace_id=Trace.of_run(folder.run_id, system_facts.variables()).id,
        signed_by=signer.public.id if (signer := settings.signer()) else "",
        bake_seconds=settings.bake_seconds,
        canary_journeys=settings.canary_journeys,
        rehearsal=settings.rehearsal,
        policy=settings.facts.policy,
        read_from=read_from(),
        replicas=settings.facts.service.replicas,
    )
