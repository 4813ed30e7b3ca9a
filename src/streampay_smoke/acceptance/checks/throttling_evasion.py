"""What StreamPay promises of limits that somebody tries to get around, or to turn against somebody else."""

import msgspec

from streampay_smoke.acceptance.checks.expectation import Expect
from streampay_smoke.acceptance.checks.throttling import RequestBurst
from streampay_smoke.service.exchange import TOO_MANY_REQUESTS, Answer


class ForgedReads(msgspec.Struct, frozen=True, kw_only=True):
    """Reads right after a user was told to wait: with forged tokens that name them, then with no credential at all.

    Each series ends with the first answer that tells its sender to wait.
    """

    forged: tuple[Answer, ...]
    anonymous: tuple[Answer, ...]

    @property
    def forged_waits(self) -> bool:
        """Whether a forged token was told to wait."""
        return self.forged[-1].status == TOO_MANY_REQUESTS

    @property
    def anonymous_waits(self) -> bool:
        """Whether a caller without a credential was told to wait: then this address is at its limit."""
        return self.anonymous[-1].status == TOO_MANY_REQUESTS


def limited(burst: RequestBurst, who: str, expect: Expect) -> None:
    """Whoever asks too much is told to wait, whatever else they claim to be."""
    expect(
        f"{who} is told to wait",
        burst.last.status == TOO_MANY_REQUESTS,
        expected="to be told to wait",
        observed=f"status {burst.last.status} to the last of {burst.requests} requests in {burst.seconds:.1f} s",
    )


def counted_apart(reads: ForgedReads, expect: Expect) -> None:
    """A token that proves nothing is not counted as the user it names: nobody can use up somebody else's share."""
    expect(
        "a forged token does not count against the user it names",
        not reads.forged_waits,
        expected="the forged token to be refused, and not told to wait",
        observed=f"status {reads.forged[-1].status} to read {len(reads.forged)} with the token, where a caller without "
        f"a credential got {', '.join(str(answer.status) for answer in reads.anonymous)}",
    )
