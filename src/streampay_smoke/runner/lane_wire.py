"""What a lane tells the process of the run, over a pipe: one frame for each message, as it happens."""

import os
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext

import msgspec

from streampay_smoke.core import times
from streampay_smoke.evidence.events import AnyEvent

_LENGTH = struct.Struct(">I")


class Message(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Base of all messages."""


class Happened(Message, frozen=True, kw_only=True):
    """An event for the journal, and when it happened (Unix milliseconds)."""

    at_ms: int
    event: AnyEvent


class Learned(Message, frozen=True, kw_only=True):
    """Secrets that must not be shown, told before anything that may hold them."""

    secrets: tuple[str, ...]


class Printed(Message, frozen=True, kw_only=True):
    """A text for the output of the run."""

    text: str


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """What was printed and logged in a step, as behave keeps it."""

    name: str
    stdout: str
    stderr: str
    log: str
    failed: bool


class StepPlayed(Message, frozen=True, kw_only=True):
    """A step ended; `status` is behave's word. `error` is the exception's name and `says` its text, "" for none."""

    scenario_id: str
    status: str
    seconds: float
    error: str = ""
    says: str = ""
    error_message: str = ""
    output: tuple[Output, ...] = ()


class ScenarioPlayed(Message, frozen=True, kw_only=True):
    """A scenario ended: no more steps of it follow."""

    scenario_id: str


class CleanUpBegun(Message, frozen=True, kw_only=True):
    """A lane ends what it made, and may take so long for it."""

    within_seconds: float


class LaneEnded(Message, frozen=True, kw_only=True):
    """Everything was played and cleaned up; as behave tells it. `ended_by` is what ended it early, "" for nothing.

    `streams` are the ids of the synthetic user's streams that were made.
    """

    failed: bool
    statuses: dict[str, str]
    hook_failures: int
    cleanup_errors: int
    ended_by: str = ""
    streams: tuple[str, ...] = ()


AnyMessage = Happened | Learned | Printed | StepPlayed | ScenarioPlayed | CleanUpBegun | LaneEnded

_decoder = msgspec.msgpack.Decoder(AnyMessage)


class Sender:
    """The lane's end: sends whole frames, from any thread; an OSError when nobody takes them.

    `uninterrupted` gives the block in which the main thread sends one.
    """

    def __init__(self, pipe: int, uninterrupted: Callable[[], AbstractContextManager[None]] = nullcontext) -> None:
        self._pipe = pipe
        self._uninterrupted = uninterrupted
        self._lock = threading.Lock()

    def send(self, message: AnyMessage) -> None:
        """Send one message."""
        body = msgspec.msgpack.encode(message)
        in_main = threading.current_thread() is threading.main_thread()
        with self._uninterrupted() if in_main else nullcontext(), self._lock:
            frame = memoryview(_LENGTH.pack(len(body)) + body)
            while frame:
                frame = frame[os.write(self._pipe, frame) :]

    def append(self, event: AnyEvent) -> None:
        """Send an event that happens now: to a lane this is its journal."""
        self.send(Happened(at_ms=times.now_ms(), event=event))


class Frames:
    """The other end: bytes in, messages out; what a lane that was killed left half is never one."""

    def __init__(self) -> None:
        self._rest = b""

    def take(self, data: bytes) -> Iterator[AnyMessage]:
        """Yield the messages that are whole with these bytes."""
        self._rest += data
        while len(self._rest) >= _LENGTH.size:
            end = _LENGTH.size + _LENGTH.unpack_from(self._rest)[0]
            if len(self._rest) < end:
                return
            body, self._rest = self._rest[_LENGTH.size : end], self._rest[end:]
            yield _decoder.decode(body)
