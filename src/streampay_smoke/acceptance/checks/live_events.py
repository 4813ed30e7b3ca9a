"""What StreamPay promises of live events: they come at once, to those whose stream it is, and of that stream alone."""

import msgspec

from streampay_smoke.acceptance.checks.expectation import Expect
from streampay_smoke.core.errors import SmokeError
from streampay_smoke.service.records import LiveEvent

WITHIN_SECONDS = 10.0
"""How soon the first byte comes after the request, and an event after what it tells of was answered."""

_OK = 200


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What one listener was told, in its order.

    `status` is the answer's, None where none had come in time. `cut_off` is why the listener was told no more.
    """

    stream_id: str
    status: int | None
    events: tuple[LiveEvent, ...] = ()
    cut_off: SmokeError | None = None


class HeardMove(msgspec.Struct, frozen=True, kw_only=True):
    """What was heard while a stream was moved: `status` is what it became, `mover` its listener, `idle` another's."""

    status: str
    mover: Heard
    idle: Heard

    @property
    def cut_off(self) -> SmokeError | None:
        """Why a listener was told no more, None where both listened to the end."""
        return self.mover.cut_off or self.idle.cut_off


def begins_at_once(heard: HeardMove, expect: Expect) -> None:
    """The first byte comes at once: a listener knows that they are heard."""
    late = [each for each in (heard.mover, heard.idle) if each.status != _OK]
    expect(
        f"live events begin within {WITHIN_SECONDS:g} s",
        not late,
        expected="a first byte in time",
        observed="; ".join(_not_begun(each) for each in late) or "a first byte in time",
    )


def told_at_once(heard: HeardMove, expect: Expect) -> None:
    """Whoever listens to a stream is told that it has moved."""
    told = [event.status for event in heard.mover.events if event.stream_id == heard.mover.stream_id]
    expect(
        f"a move of a stream is told live within {WITHIN_SECONDS:g} s",
        heard.status in told,
        expected=f"an event that says {heard.status}",
        observed=f"events that say {', '.join(told)}" if told else "no event",
    )


def told_of_no_other(heard: HeardMove, expect: Expect) -> None:
    """Whoever listens to a stream is told of no other one."""
    mixed = sorted(
        f"{event.stream_id} to who listens to {each.stream_id}"
        for each in (heard.mover, heard.idle)
        for event in each.events
        if event.stream_id != each.stream_id
    )
    expect(
        "live events are of the stream that is listened to",
        not mixed,
        expected="events of that stream alone",
        observed=f"events of {'; '.join(mixed)}" if mixed else "events of that stream alone",
    )


def _not_begun(heard: Heard) -> str:
    came = "no answer" if heard.status is None else f"status {heard.status}"
    return f"{came} for {heard.stream_id}"
