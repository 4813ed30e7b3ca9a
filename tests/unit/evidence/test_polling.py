"""Waiting: what is recorded and said when something happens, and when it never does."""

import itertools
from collections.abc import Callable

import pytest

from streampay_smoke.core.errors import Blame, ServiceUnavailable, SmokeError
from streampay_smoke.evidence.events import AnyEvent, Awaiting, Waited
from streampay_smoke.evidence.polling import NeverHappened, PollResult, eventually


class Hours:
    """A clock that only sleeping, and a probe's own work, moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []
        self.events: list[AnyEvent] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def wait(
        self,
        probe: Callable[[], PollResult[str]],
        *,
        within_seconds: float = 10,
        every_seconds: float = 4,
        error: Callable[[str], SmokeError] = NeverHappened,
    ) -> str:
        return eventually(
            probe,
            what="the stream to settle",
            within_seconds=within_seconds,
            pauses=itertools.repeat(every_seconds),
            record=self.events.append,
            error=error,
            clock=lambda: self.now,
            sleep=self.sleep,
        )


@pytest.fixture
def hours() -> Hours:
    return Hours()


def looks(*answers: bool, hours: Hours | None = None, each_takes: float = 0) -> Callable[[], PollResult[str]]:
    left = list(answers)
    seen = 0

    def probe() -> PollResult[str]:
        nonlocal seen
        seen += 1
        if hours:
            hours.now += each_takes
        met = left.pop(0) if len(left) > 1 else left[0]
        return PollResult(met=met, value=f"value {seen}", last=f"answer {seen}")

    return probe


def test_what_is_true_at_once_needs_no_sleep(hours: Hours) -> None:
    assert hours.wait(looks(True)) == "value 1"
    assert hours.slept == []
    assert hours.events == [
        Awaiting(what="the stream to settle"),
        Waited(what="the stream to settle", met=True, within_seconds=10, waited_seconds=0, attempts=1, last="answer 1"),
    ]


def test_the_value_of_the_attempt_that_met_it_is_returned(hours: Hours) -> None:
    assert hours.wait(looks(False, False, True)) == "value 3"
    assert hours.slept == [4, 4]
    assert hours.events == [
        Awaiting(what="the stream to settle"),
        Waited(what="the stream to settle", met=True, within_seconds=10, waited_seconds=8, attempts=3, last="answer 3"),
    ]


def test_the_last_look_is_at_the_limit_and_the_failure_tells_the_whole_story(hours: Hours) -> None:
    with pytest.raises(
        NeverHappened,
        match=r"^waited 10\.0 s \(limit 10 s\) for the stream to settle, looked 4 times; the last answer was: answer 4",
    ) as caught:
        hours.wait(looks(False))
    assert caught.value.blame is Blame.PRODUCT
    assert hours.slept == [4, 4, 2]
    assert hours.events == [
        Awaiting(what="the stream to settle"),
        Waited(
            what="the stream to settle", met=False, within_seconds=10, waited_seconds=10, attempts=4, last="answer 4"
        ),
    ]


def test_a_last_look_at_the_limit_can_still_succeed(hours: Hours) -> None:
    assert hours.wait(looks(False, False, False, True)) == "value 4"


def test_a_slow_probe_is_not_followed_by_a_sleep_past_the_limit(hours: Hours) -> None:
    with pytest.raises(NeverHappened, match=r"waited 11\.0 s .* looked once"):
        hours.wait(looks(False, hours=hours, each_takes=11))
    assert hours.slept == []


def test_no_time_at_all_still_means_one_look(hours: Hours) -> None:
    assert hours.wait(looks(True), within_seconds=0) == "value 1"
    with pytest.raises(NeverHappened, match="looked once"):
        hours.wait(looks(False), within_seconds=0)


def test_the_caller_names_the_error(hours: Hours) -> None:
    with pytest.raises(ServiceUnavailable, match="for the stream to settle"):
        hours.wait(looks(False), error=lambda message: ServiceUnavailable(message, next_step="look"))


def test_a_probe_that_raises_ends_the_wait_and_is_recorded(hours: Hours) -> None:
    def probe() -> PollResult[str]:
        raise ServiceUnavailable("refused")

    with pytest.raises(ServiceUnavailable, match="refused"):
        hours.wait(probe)
    assert hours.events == [
        Awaiting(what="the stream to settle"),
        Waited(
            what="the stream to settle",
            met=False,
            within_seconds=10,
            waited_seconds=0,
            attempts=1,
            last="ServiceUnavailable: refused",
        ),
    ]


def test_the_real_clock_is_the_default() -> None:
    events: list[AnyEvent] = []
    value = eventually(
        looks(False, True), what="it", within_seconds=5, pauses=itertools.repeat(0.001), record=events.append
    )
    assert value == "value 2"
    assert [type(event) for event in events] == [Awaiting, Waited]
