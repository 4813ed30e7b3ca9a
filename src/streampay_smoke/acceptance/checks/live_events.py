"""What StreamPay promises of live events: they come within seconds, to the owner of the stream, and of it alone."""

import msgspec

from streampay_smoke.acceptance.checks.expectation import Expect
from streampay_smoke.core.errors import SmokeError, UnfitAnswer
from streampay_smoke.service.records import LiveEvent

WITHIN_SECONDS = 10.0
"""How soon the first byte comes after the request, and an event after the answer to what it reports."""

_OK = 200


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """The events that one listener received, in their order.

    `status` is the answer's, None where none had come in time; `unfit` is an answer that is no events. `cut_off` is why
    no more events came.
    """

    stream_id: str
    status: int | None
    events: tuple[LiveEvent, ...] = ()
    cut_off: SmokeError | None = None
    unfit: UnfitAnswer | None = None


class HeardStart(msgspec.Struct, frozen=True, kw_only=True):
    """What was heard while a stream was started: `status` is what it became, `started` what its listener heard.

    `idle` is what the listener of another stream heard, to which nothing happened.
    """

    status: str
    started: Heard
    idle: Heard

    @property
    def cut_off(self) -> SmokeError | None:
        """Why a listener received no more events, None where both listened to the end."""
        return self.started.cut_off or self.idle.cut_off


def events_begin_in_time(heard: HeardStart, expect: Expect) -> None:
    """The first byte comes in time, so that a client knows that it is listening."""
    late = [each for each in (heard.started, heard.idle) if each.status != _OK]
    expect(
        f"live events begin within {WITHIN_SECONDS:g} s",
        not late,
        expected="a first byte in time",
        observed="; ".join(_not_begun(each) for each in late) or "a first byte in time",
        unfit=next((each.unfit for each in late), None),
    )


def start_is_reported(heard: HeardStart, expect: Expect) -> None:
    """The listener of a stream receives an event about its start."""
    reported = [event.status for event in heard.started.events if event.stream_id == heard.started.stream_id]
    expect(
        f"the start of a stream is reported live within {WITHIN_SECONDS:g} s",
        heard.status in reported,
        expected=f"an event that says {heard.status}",
        observed=f"events that say {', '.join(reported)}" if reported else "no event",
    )


def events_are_of_own_stream(heard: HeardStart, expect: Expect) -> None:
    """The listener of a stream receives no event of another one."""
    mixed = sorted(
        f"{event.stream_id} to the listener of {each.stream_id}"
        for each in (heard.started, heard.idle)
        for event in each.events
        if event.stream_id != each.stream_id
    )
    expect(
        "each listener receives events of their own stream only",
        not mixed,
        expected="events of that stream alone",
        observed=f"events of {'; '.join(mixed)}" if mixed else "events of that stream alone",
    )


def _not_begun(heard: Heard) -> str:
    came = "no answer" if heard.status is None else f"status {heard.status}"
    return f"{came} for {heard.stream_id}"
