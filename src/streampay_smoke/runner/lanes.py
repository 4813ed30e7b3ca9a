"""Lanes: processes forked off a run once it is signed in, each of which plays a share of the scenarios.

A fork keeps what a serial run is: every lane has the one main thread that behave, budgets and alarms need, contexts and
accounts of its own, and can be killed alone. What it notes goes through a pipe to the process of the run, which alone
writes the journal and shows behave's formatters the scenarios in their order. A lane ends with that process: the
system itself ends it once nobody holds the other end of a second pipe.
"""

import contextlib
import fcntl
import os
import select
import signal
import time
import traceback
import warnings
from collections import deque
from collections.abc import Callable
from typing import NoReturn

import msgspec

from streampay_smoke.core.errors import SmokeError
from streampay_smoke.evidence.events import ScenarioStarted
from streampay_smoke.run.progress import LaneWatch
from streampay_smoke.runner.interruption import Interruption
from streampay_smoke.runner.lane_wire import (
    AnyMessage,
    Frames,
    Happened,
    LaneEnded,
    Printed,
    ScenarioPlayed,
    Sender,
    StepPlayed,
)

LAST_WORDS_SECONDS = 0.3
"""How long lanes are heard when the time that a run has for its clean-up is over."""

_LOOK_SECONDS = 0.1
_READ_BYTES = 1 << 16
_BROKEN = 70
"""The exit code of a lane that could not be played."""

Play = Callable[[int, Sender], None]
"""Plays the lane of a number, and tells of it; called in a process of its own."""

Receive = Callable[[int, AnyMessage], None]
"""Takes what a lane tells beside its steps."""


class LaneLost(SmokeError):
    """The lane that was to play a scenario ended before it did."""

    kind = "lane_lost"


class Lost(msgspec.Struct, frozen=True, kw_only=True):
    """Why a lane is lost, as an `Interrupted` event tells it."""

    reason: str
    detail: str


class _Lane:
    """One lane as the process of the run knows it."""

    def __init__(self, number: int, pid: int, pipe: int) -> None:
        self.number = number
        self.pid = pid
        self.pipe = pipe
        self.frames = Frames()
        self.watch = LaneWatch()
        self.steps: dict[str, deque[StepPlayed]] = {}
        self.played: set[str] = set()
        self.scenario_id = ""
        self.ended: LaneEnded | None = None
        self.lost: Lost | None = None
        self.running = True

    def take(self, message: AnyMessage) -> None:
        match message:
            case Happened(event=event):
                self.watch.observe(message.at_ms, event)
                self.scenario_id = event.id if isinstance(event, ScenarioStarted) else self.scenario_id
            case StepPlayed():
                self.steps.setdefault(message.scenario_id, deque()).append(message)
            case ScenarioPlayed():
                self.played.add(message.scenario_id)
            case LaneEnded():
                self.ended = message


class Lanes:
    """The lanes of one run, from its own process; none at first."""

    def __init__(self, interruption: Interruption) -> None:
        self._interruption = interruption
        self._lanes: list[_Lane] = []
        self._lane_of: dict[str, _Lane] = {}
        self._receive: Receive = lambda number, message: None
        self._held: list[int] = []

    def start(self, lane_of: dict[str, int], play: Play, receive: Receive) -> None:
        """Fork one process for each lane that plays a scenario."""
        self._receive = receive
        with self._interruption.uninterrupted():
            for number in sorted(set(lane_of.values())):
                self._lanes.append(self._forked(number, play))
        by_number = {lane.number: lane for lane in self._lanes}
        self._lane_of = {scenario_id: by_number[number] for scenario_id, number in lane_of.items()}

    @property
    def started(self) -> bool:
        """Whether there are, or were, lanes."""
        return bool(self._lanes)

    def step(self, scenario_id: str) -> StepPlayed:
        """Wait for the next step of a scenario; raises LaneLost where none comes any more."""
        lane = self._lane_of[scenario_id]
        self._hear(lambda: bool(lane.steps.get(scenario_id)) or scenario_id in lane.played or not lane.running)
        steps = lane.steps.get(scenario_id)
        if not steps:
            raise LaneLost(
                lane.lost.detail if lane.lost else "its lane ended before this scenario did",
                next_step="see what ended a process of this run, and run again",
            )
        return steps.popleft()

    def wait(self) -> None:
        """Wait until every lane has played everything and cleaned up."""
        self._hear(lambda: not self._running())

    def end(self) -> None:
        """Let the lanes come to their end as this run does; what ended it early is passed on to them."""
        try:
            self._pass_on()
            self.wait()
        except KeyboardInterrupt:
            self._pass_on()
            with contextlib.suppress(KeyboardInterrupt):
                self._hear_for(LAST_WORDS_SECONDS)
            raise
        finally:
            self.kill()

    def kill(self) -> None:
        """Kill what is left of the lanes, and hear what they had told."""
        with self._interruption.uninterrupted():
            for lane in self._running():
                os.kill(lane.pid, signal.SIGKILL)
            while self._running():
                self._hear_once(_LOOK_SECONDS)
            self._let_go()

    @property
    def lost(self) -> Lost | None:
        """Why the first lane that is lost is lost; None where all came to their end."""
        return next((lane.lost for lane in self._lanes if lane.lost), None)

    @property
    def ends(self) -> tuple[LaneEnded, ...]:
        """The last words of the lanes that came to their end."""
        return tuple(lane.ended for lane in self._lanes if lane.ended)

    def _running(self) -> list[_Lane]:
        return [lane for lane in self._lanes if lane.running]

    def _let_go(self) -> None:
        """Close the ends of the pipes by which lanes know that the process of the run lives."""
        while self._held:
            os.close(self._held.pop())

    def _forked(self, number: int, play: Play) -> _Lane:
        ours, theirs = os.pipe()
        life, held = os.pipe()  # one for each lane: a pipe has one owner to be told
        self._held.append(held)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the only other thread waits for the supervisor's end
            pid = os.fork()
        if not pid:
            self._live(number, play, Sender(theirs, self._interruption.uninterrupted), life)
        os.close(theirs)
        os.close(life)
        return _Lane(number, pid, ours)

    def _live(self, number: int, play: Play, sender: Sender, life: int) -> NoReturn:
        """Be a lane, and nothing after it."""
        code = _BROKEN
        try:
            self._let_go()
            _end_with_the_holder_of(life)
            self._interruption.resume()
            play(number, sender)
            code = 0
        except Exception:  # noqa: BLE001 - whatever breaks a lane is told by the run
            sender.send(Printed(text=traceback.format_exc()))
        finally:  # no call comes before this: an alarm in one would let this process go on as the run it was forked off
            self._interruption.over = True
            os._exit(code)

    def _pass_on(self) -> None:
        """Send the lanes the signal that ended this run; its deadline is theirs, and they know by themselves."""
        name = self._interruption.reason
        if name in signal.Signals.__members__:
            for lane in self._running():
                os.kill(lane.pid, signal.Signals[name])

    def _hear_for(self, seconds: float) -> None:
        ends_at = time.monotonic() + seconds
        self._hear(lambda: time.monotonic() > ends_at or not self._running())

    def _hear(self, until: Callable[[], bool]) -> None:
        while not until():
            self._hear_once(_LOOK_SECONDS)

    def _hear_once(self, within_seconds: float) -> None:
        by_pipe = {lane.pipe: lane for lane in self._running()}
        ready, _, _ = select.select(list(by_pipe), [], [], within_seconds)
        for pipe in ready:
            with self._interruption.uninterrupted():
                self._read(by_pipe[pipe])
        for lane in self._running():
            if lane.watch.is_stuck() and lane.lost is None:
                lane.lost = Lost(reason="step_timeout", detail=f"{_STUCK} ({_among(lane)})")
                os.kill(lane.pid, signal.SIGKILL)

    def _read(self, lane: _Lane) -> None:
        data = os.read(lane.pipe, _READ_BYTES)
        for message in lane.frames.take(data):
            lane.take(message)
            self._receive(lane.number, message)
        if not data:
            self._bury(lane)

    def _bury(self, lane: _Lane) -> None:
        """Take note that a lane is gone, and how."""
        os.close(lane.pipe)
        lane.running = False
        code = os.waitstatus_to_exitcode(os.waitpid(lane.pid, 0)[1])
        if lane.ended and lane.ended.ended_by:
            lane.lost = Lost(reason=lane.ended.ended_by, detail=f"a part of this run was ended ({_among(lane)})")
        elif lane.lost is None and (code or lane.ended is None):
            lane.lost = Lost(reason="killed", detail=f"a part of this run {_how(code)} ({_among(lane)})")


_STUCK = "a step went on past its budget, could not be interrupted, and was killed"


def _among(lane: _Lane) -> str:
    return f"lane {lane.number}, in {lane.scenario_id}" if lane.scenario_id else f"lane {lane.number}"


def _how(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def _end_with_the_holder_of(pipe: int) -> None:
    """Let the system end this process once nobody holds the other end of `pipe`, whatever it is doing then."""
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(pipe, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(pipe, fcntl.F_SETFL, fcntl.fcntl(pipe, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([pipe], [], [], 0)[0]:  # it is gone already
        os._exit(_BROKEN)
