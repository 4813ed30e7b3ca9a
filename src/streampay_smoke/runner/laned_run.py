"""A run whose scenarios are played side by side: what behave sees of it is one run, in the order of the features.

The process of the run walks through all features as ever. What a lane plays, it shows as the lane tells of it; what is
played alone, it plays itself, when no lane is left.
"""

import functools
import gc
import importlib
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, redirect_stderr, redirect_stdout, suppress
from typing import Any

from behave.capture import CaptureController
from behave.model import Feature, Scenario, Step
from behave.runner import Context, Runner

from streampay_smoke.evidence.events import CleanUpStarted, RateLimitWait
from streampay_smoke.evidence.journal import Journal
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.run.parent_death import PARENT_DEATH_PIPE
from streampay_smoke.runner.formatting import summarize_time
from streampay_smoke.runner.interruption import Interruption
from streampay_smoke.runner.lane_plan import lane_of, lanes_of, shared_by
from streampay_smoke.runner.lane_results import LaneOutput, Shown, StepReporter, raise_again
from streampay_smoke.runner.lane_wire import (
    AnyMessage,
    CleanUpBegun,
    Happened,
    LaneEnded,
    Learned,
    Printed,
    ScenarioPlayed,
    Sender,
    StepPlayed,
)
from streampay_smoke.runner.lanes import Lanes
from streampay_smoke.runner.plan import PlannedScenario, ledger_steps
from streampay_smoke.runner.session import Session


class LanedRun:
    """The lanes of one run. Without any, everything is played in turn, as if there were no such thing."""

    def __init__(
        self,
        runner: Runner,
        interruption: Interruption,
        redactor: Redactor,
        quiet: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """Play the lanes of `runner`; `quiet` keeps this process from saying how far it is while it forks."""
        self._runner = runner
        self._interruption = interruption
        self._redactor = redactor
        self._quiet = quiet
        self._lanes = Lanes(interruption)
        self._lane_of: dict[str, int] = {}
        self._planned: Sequence[PlannedScenario] = ()
        self._features: Sequence[Feature] = ()
        self._played: StepPlayed | None = None
        self._sender: Sender | None = None
        self._waited_seconds: dict[int, float] = {}
        self._began_seconds = time.monotonic()
        self._cleaning_up = False
        self._clean_until_seconds = 0.0
        self._clean_up: Callable[[], None] = lambda: None
        self._session: Session
        self._journal: Journal

    def plan(
        self,
        features: Sequence[Feature],
        planned: Sequence[PlannedScenario],
        session: Session,
        journal: Journal,
        *,
        clean_up: Callable[[], None],
    ) -> None:
        """Decide which lanes there will be, and show formatters what they play; who stops at a failure has none.

        A lane cleans up by `clean_up`, once, as the run does.
        """
        self._clean_up = clean_up
        self._features, self._planned, self._session, self._journal = features, planned, session, journal
        if not self._runner.config.stop:
            played = [item.expected for item in planned if not item.scenario.should_skip]
            self._lane_of = lanes_of(played, session.settings)
        self._runner.formatters.insert(0, Shown(self._runner.config, lambda: self._played))

    def playable(self, step: Callable[..., Any]) -> Callable[..., Any]:
        """Return a step function that ends as the step did in the lane that plays it, where one does."""

        @functools.wraps(step)
        def run(context: Context, *arguments: Any, **named: Any) -> Any:
            self._played = None
            if not self.plays(context.scenario):
                return step(context, *arguments, **named)
            self._played = self._lanes.step(self._session.id_of(context.scenario))
            return raise_again(self._played)

        return run

    def plays(self, scenario: Scenario) -> bool:
        """Whether a lane plays this scenario; the process of the run only shows it."""
        return self._lanes.started and self._session.id_of(scenario) in self._lane_of

    def begin_feature(self, feature: Feature) -> None:
        """Start the lanes before the first feature that has something to play in them.

        Not where what they share is not to be had: then everything is played in turn, and it is met where it is
        needed. Nor beside threads that are at work: a lock that one holds would be held for ever in a lane.
        """
        here = {self._session.id_of(item) for item in feature.walk_scenarios() if self._session.expects(item)}
        if self._lanes.started or not here & self._lane_of.keys():
            return
        shared_names = shared_by(self._lane_of, [item.expected for item in self._planned], self._session.settings)
        with _loading("streampay_smoke.chain.stellar" if "ledger" in shared_names else ""):
            shared = self._session.open_shared(shared_names)
        self._session.drop_connections()
        with self._quiet():
            if not shared or _threads_at_work():
                self._lane_of = {}
                return
            self._session.share_write_slots(lanes=len(set(self._lane_of.values())))
            gc.freeze()  # what is there is shared with the lanes, as long as nobody writes to it
            self._lanes.start(self._lane_of, self._play, self._receive)

    def begin_scenario(self, scenario: Scenario) -> None:
        """Let the lanes come to their end before what is played alone."""
        if self._lanes.started and not self.plays(scenario):
            self._lanes.wait()

    def end_scenario(self, scenario: Scenario) -> None:
        """In a lane, tell that no more steps of a scenario follow."""
        if self._sender is not None:
            self._sender.send(ScenarioPlayed(scenario_id=self._session.id_of(scenario)))

    def end_step(self, step: Step) -> None:
        """Give a step the time that it took in its lane."""
        if self._played is not None:
            step.duration = self._played.seconds

    @property
    def is_lane(self) -> bool:
        """Whether this process is a lane, and not that of the run."""
        return self._sender is not None

    def begin_clean_up(self, within_seconds: float) -> None:
        """Tell that the run, or this lane, ends what it made, in a time of its own."""
        if self._sender is not None:
            self._sender.send(CleanUpBegun(within_seconds=within_seconds))
            return
        self._cleaning_up = True
        self._reserve(within_seconds)

    def end(self) -> None:
        """Let the lanes come to their end with the run, and take note of one that is lost."""
        self._lanes.end()
        if self._lanes.started:
            summarize_time(self._runner.config.reporters, time.monotonic() - self._began_seconds)
        self._session.adopt(stream_id for end in self._lanes.ends for stream_id in end.streams)
        if lost := self._lanes.lost:
            self._interruption.lost(lost.reason, lost.detail)

    def kill(self) -> None:
        """Leave no lane behind."""
        self._lanes.kill()

    @property
    def failed(self) -> bool:
        """Whether a lane is lost, or behave says that it failed."""
        return self._lanes.lost is not None or any(end.failed for end in self._lanes.ends)

    @property
    def statuses(self) -> dict[str, str]:
        """Behave's last word in the lanes on each scenario that they played."""
        return {name: status for end in self._lanes.ends for name, status in end.statuses.items()}

    @property
    def hook_failures(self) -> int:
        """How many hooks failed in lanes."""
        return sum(end.hook_failures for end in self._lanes.ends)

    @property
    def cleanup_errors(self) -> int:
        """How many clean-ups of behave failed in lanes."""
        return sum(end.cleanup_errors for end in self._lanes.ends)

    def _receive(self, number: int, message: AnyMessage) -> None:
        match message:
            case Learned():
                self._redactor.learn(*message.secrets)
            case CleanUpBegun():
                self._reserve(message.within_seconds)
            case Printed():
                sys.stdout.write(message.text)
            case Happened():
                self._journal.append(message.event, lane=number, at_ms=message.at_ms)
                if isinstance(message.event, RateLimitWait):
                    self._allow(number, message.event.run_seconds)

    def _reserve(self, within_seconds: float) -> None:
        """Give the run the time that a lane has for its clean-up, once it is all that is left to do."""
        self._clean_until_seconds = max(self._clean_until_seconds, time.monotonic() + within_seconds)
        if self._cleaning_up:
            left_seconds = self._clean_until_seconds - time.monotonic()
            self._interruption.reserve(left_seconds)
            self._journal.append(CleanUpStarted(within_seconds=left_seconds))

    def _allow(self, number: int, seconds: float) -> None:
        """Extend the deadline by a lane's wait for a rate limit: as long as the longest wait of a lane."""
        before = max(self._waited_seconds.values(), default=0.0)
        self._waited_seconds[number] = self._waited_seconds.get(number, 0.0) + seconds
        more_seconds = max(self._waited_seconds.values()) - before
        self._interruption.allow(more_seconds)
        self._session.time_left.extend(more_seconds)

    def _play(self, number: int, sender: Sender) -> None:
        """Play one lane, in a process of its own."""
        mine = [item for item in self._planned if self._lane_of.get(item.expected.id) == number]
        lanes = [lane for item in mine if (lane := lane_of(item.expected.id))]
        self._session.enter_lane(sender, ledger_steps=ledger_steps(mine), signs=any(lane.signs for lane in lanes))
        features = [each for each in self._features if any(item.scenario.feature is each for item in mine)]
        for item in self._planned:
            if item not in mine and item.scenario.feature in features:
                item.scenario.skip()  # behave prints a reason
        self._lane_of, self._lanes, self._sender = {}, Lanes(self._interruption), sender
        runner, output = self._runner, LaneOutput(sender)
        runner.context, runner.capture_controller = Context(runner), CaptureController(runner.config)
        runner.formatters = [StepReporter(runner.config, sender, self._session.id_of)]
        runner.config.reporters = []
        with redirect_stdout(output), redirect_stderr(output):
            try:
                failed = Runner.run_model(runner, features)
            finally:  # an alarm may come where behave catches none
                self._clean_up()
        sender.send(
            LaneEnded(
                failed=bool(failed),
                statuses={item.expected.id: item.scenario.status.name for item in mine},
                hook_failures=runner.hook_failures,
                cleanup_errors=runner.context._root["cleanup_errors"],
                ended_by=self._interruption.reason,
                streams=self._session.own_streams,
            )
        )


@contextmanager
def _loading(module: str) -> Iterator[None]:
    """Import a module beside what is done in the block, which waits for answers; "" for none.

    Who needs the module meanwhile waits for it, and meets its errors.
    """

    def load() -> None:
        with suppress(Exception):
            importlib.import_module(module)

    thread = threading.Thread(target=load, name=f"import of {module}", daemon=True)
    if module:
        thread.start()
    try:
        yield
    finally:
        if module:
            thread.join()


def _threads_at_work() -> bool:
    """Whether a thread beside the main one does something, other than wait for the supervisor's end."""
    return any(
        thread is not threading.main_thread() and thread.name != PARENT_DEATH_PIPE for thread in threading.enumerate()
    )
