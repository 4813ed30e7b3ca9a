"""What limits promise: to slow one caller down, and nobody else."""

import itertools
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from step_parts import Witness, answer

from streampay_smoke.acceptance.actions.throttling import SPARE, LimitNotReached, OneExchange, request_until_throttled
from streampay_smoke.acceptance.checks import throttling
from streampay_smoke.acceptance.checks.throttling import RequestBurst
from streampay_smoke.core.errors import Blame
from streampay_smoke.evidence.events import Exchanged
from streampay_smoke.service.exchange import Answer

WAIT = answer(429, headers={"retry-after": "1"})


@pytest.mark.parametrize("status", [200, 401, 403])
def test_served_at_once_passes_for_an_answer(status: int, witness: Witness) -> None:
    throttling.new_caller_is_not_throttled(answer(status), witness.expect)

    witness.saw_held("a new caller is not throttled")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_served_at_once_fails_for_a_caller_who_is_turned_away(status: int, witness: Witness) -> None:
    with witness.breaks("a new caller is not throttled", saw=f"status {status}"):
        throttling.new_caller_is_not_throttled(answer(status), witness.expect)


def test_slowed_down_passes_for_a_caller_who_is_told_how_long_to_wait(witness: Witness) -> None:
    throttling.burst_is_throttled(RequestBurst(requests=61, seconds=0.2, last=WAIT), witness.expect)

    witness.saw_held("a caller who exceeds the limit is throttled", "the answer says how long to wait")


def test_slowed_down_fails_for_a_caller_nothing_stops(witness: Witness) -> None:
    with witness.breaks(
        "a caller who exceeds the limit is throttled", saw="status 200 to the last of 66 requests in 0.2 s"
    ):
        throttling.burst_is_throttled(RequestBurst(requests=66, seconds=0.2, last=answer(200)), witness.expect)


def test_slowed_down_fails_where_nobody_says_for_how_long(witness: Witness) -> None:
    with witness.breaks("the answer says how long to wait", saw="no Retry-After"):
        throttling.burst_is_throttled(RequestBurst(requests=61, seconds=0.2, last=answer(429)), witness.expect)


def test_others_are_served_passes_for_their_streams(witness: Witness) -> None:
    throttling.others_are_served(answer(200), witness.expect)

    witness.saw_held("another caller is served meanwhile")


@pytest.mark.parametrize("status", [401, 429, 500])
def test_others_are_served_fails_for_somebody_who_is_not(status: int, witness: Witness) -> None:
    with witness.breaks("another caller is served meanwhile", saw=f"status {status}"):
        throttling.others_are_served(answer(status), witness.expect)


def test_a_rush_ends_when_it_is_told_to_wait() -> None:
    answers = iter([[answer(200)], [answer(401)], [WAIT]])

    rushed = request_until_throttled(lambda at_once: next(answers), per_minute=60, replicas=1, clock=lambda: 0.0)

    assert (rushed.requests, rushed.last.status) == (3, 429)


@pytest.mark.parametrize(
    ("replicas", "seconds_each", "requests"),
    [(1, 0.0, 60 + SPARE), (3, 0.0, 180 + SPARE), (1, 0.2, 82)],
)
def test_a_rush_that_nothing_stops_ends_when_every_replica_would_have(
    replicas: int, seconds_each: float, requests: int
) -> None:
    clock = itertools.count(0.0, seconds_each)

    rushed = request_until_throttled(
        lambda at_once: [answer(200)], per_minute=60, replicas=replicas, clock=lambda: next(clock)
    )

    assert (rushed.requests, rushed.last.status) == (requests, 200)


def test_one_throttled_answer_of_several_at_once_ends_a_rush() -> None:
    rushed = request_until_throttled(lambda at_once: [answer(200), WAIT, answer(200)], per_minute=60, replicas=1)

    assert (rushed.requests, rushed.last.status) == (3, 429)


@pytest.mark.parametrize(
    ("served", "per_minute", "fewest", "most", "asked"),
    [
        pytest.param(60, 60, 6, 18, [6, 18, 18, 18, 6], id="a full limit"),
        pytest.param(5, 60, 6, 18, [6], id="one that is used up"),
        pytest.param(66, 60, 6, 18, [6, 18, 18, 18, 6, 6], id="more than it says"),
        pytest.param(5, 5, 1, 2, [1, 2, 2, 1], id="a small one"),
        pytest.param(10, 10, 6, 18, [6, 6], id="one below the fewest"),
    ],
)
def test_more_requests_than_the_fewest_are_under_way_only_within_a_full_limit(
    served: int, per_minute: int, fewest: int, most: int, asked: list[int]
) -> None:
    sent: list[int] = []

    def ask(at_once: int) -> list[Answer]:
        sent.append(at_once)
        return [answer(200) if sum(sent) <= served else WAIT] * at_once

    burst = request_until_throttled(
        ask, per_minute=per_minute, replicas=2, fewest_at_once=fewest, most_at_once=most, clock=lambda: 0.0
    )

    assert (sent, burst.last.status) == (asked, 429)


@pytest.mark.parametrize("seconds_each", [1.0, 2.0])
def test_requests_too_slow_to_exceed_the_limit_prove_nothing(seconds_each: float) -> None:
    clock = itertools.count(0.0, seconds_each)

    with pytest.raises(LimitNotReached, match="too slow to exceed a limit of 60 a minute") as raised:
        request_until_throttled(lambda at_once: [answer(200)], per_minute=60, replicas=1, clock=lambda: next(clock))

    assert raised.value.blame is Blame.HARNESS


@pytest.mark.parametrize(
    "said",
    [
        "1",
        "60",
        pytest.param(format_datetime(datetime.now(UTC) + timedelta(hours=1)), id="an hour from now, as a date"),
    ],
)
def test_throttled_callers_are_told_a_time(said: str, witness: Witness) -> None:
    last = answer(429, headers={"retry-after": said})

    throttling.burst_is_throttled(RequestBurst(requests=61, seconds=0.2, last=last), witness.expect)


@pytest.mark.parametrize("said", ["soon", "-1", "1.5.0", "99999999", "null"])
def test_what_is_no_time_tells_nobody_how_long_to_wait(said: str, witness: Witness) -> None:
    last = answer(429, headers={"retry-after": said})

    with witness.breaks("the answer says how long to wait", saw=f"Retry-After: {said}"):
        throttling.burst_is_throttled(RequestBurst(requests=61, seconds=0.2, last=last), witness.expect)


def test_the_journal_keeps_one_of_a_burst_and_how_many_it_stands_for() -> None:
    recorded: list[Exchanged] = []
    seen = OneExchange()
    for status in (200, 200, 429):
        seen(Exchanged(peer="service", method="GET", target="/x", status=status, duration_ms=1))
    seen.record_it(recorded.append)  # type: ignore[arg-type]

    assert [(each.status, each.stands_for) for each in recorded] == [(429, 3)]
