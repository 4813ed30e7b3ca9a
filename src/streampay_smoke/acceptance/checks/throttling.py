"""What StreamPay promises of its rate limits: they apply to each caller separately."""

import msgspec

from streampay_smoke.acceptance.checks.expectation import Expect
from streampay_smoke.http.retry_after import retry_after_seconds
from streampay_smoke.service.exchange import TOO_MANY_REQUESTS, Answer

LONGEST_RETRY_SECONDS = 3600.0
"""The longest Retry-After that tells a caller anything, where limits are counted by the minute."""


class RequestBurst(msgspec.Struct, frozen=True, kw_only=True):
    """Many requests of one caller: how many, in how many seconds, and the last answer."""

    requests: int
    seconds: float
    last: Answer


def new_caller_is_not_throttled(answer: Answer, expect: Expect) -> None:
    """A caller without earlier requests is not throttled."""
    expect(
        "a new caller is not throttled",
        answer.status != TOO_MANY_REQUESTS and answer.status < 500,
        expected="an answer at once",
        observed=answer.outcome,
    )


def limit_holds(burst: RequestBurst, expect: Expect) -> None:
    """A caller who exceeds the limit is throttled, whatever else they claim to be."""
    expect(
        "a caller who exceeds the limit is throttled",
        burst.last.status == TOO_MANY_REQUESTS,
        expected="to be throttled",
        observed=f"status {burst.last.status} to the last of {burst.requests} requests in {burst.seconds:.1f} s",
    )


def burst_is_throttled(burst: RequestBurst, expect: Expect) -> None:
    """A caller who exceeds the limit is throttled, and the answer says for how long."""
    limit_holds(burst, expect)
    retry_after = burst.last.headers.get("retry-after", "")
    seconds = retry_after_seconds(retry_after)
    expect(
        "the answer says how long to wait",
        seconds is not None and seconds <= LONGEST_RETRY_SECONDS,
        expected=f"Retry-After with a number of seconds or a date, within {LONGEST_RETRY_SECONDS:g} s",
        observed=f"Retry-After: {retry_after}" if retry_after else "no Retry-After",
    )


def others_are_served(answer: Answer, expect: Expect) -> None:
    """Another caller is served while one is throttled."""
    expect(
        "another caller is served meanwhile",
        answer.status == 200,
        expected="their streams",
        observed=answer.outcome,
    )
