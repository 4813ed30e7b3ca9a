"""What StreamPay promises of its limits: they slow one caller down, and nobody else."""

import msgspec

from streampay_smoke.acceptance.checks.expectation import Expect
from streampay_smoke.service.exchange import TOO_MANY_REQUESTS, Answer


class RequestBurst(msgspec.Struct, frozen=True, kw_only=True):
    """One caller's requests in a hurry: how many, over how long, and the last answer."""

    requests: int
    seconds: float
    last: Answer


def served_at_once(answer: Answer, expect: Expect) -> None:
    """A caller nobody has seen before is dealt with, and not told to come back later."""
    expect(
        "a caller nobody has seen is not told to wait",
        answer.status != TOO_MANY_REQUESTS and answer.status < 500,
        expected="an answer at once",
        observed=f"status {answer.status} (request {answer.request_id})",
    )


def slowed_down(rush: RequestBurst, expect: Expect) -> None:
    """A caller who asks and asks is told to wait, and for how long."""
    expect(
        "a caller in a rush is told to wait",
        rush.last.status == TOO_MANY_REQUESTS,
        expected="to be told to wait",
        observed=f"status {rush.last.status} to the last of {rush.requests} requests in {rush.seconds:.1f} s",
    )
    said = rush.last.headers.get("retry-after", "")
    expect("they are told how long", bool(said), expected="a time", observed=said or "no time")


def others_are_served(answer: Answer, expect: Expect) -> None:
    """Somebody else is served while one caller has to wait."""
    expect(
        "another caller is served meanwhile",
        answer.status == 200,
        expected="their streams",
        observed=f"status {answer.status} (request {answer.request_id})",
    )
