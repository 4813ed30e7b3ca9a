"""What StreamPay promises of rate limits that a caller tries to evade, or to use up for another caller."""

import msgspec

from streampay_smoke.acceptance.checks.expectation import Expect
from streampay_smoke.service.exchange import TOO_MANY_REQUESTS, Answer


class ForgedReads(msgspec.Struct, frozen=True, kw_only=True):
    """Reads right after a user was throttled: with forged tokens that name them, then with no credential at all.

    Each series ends with its first answer that is throttled. There is no second one where no forged token was.
    """

    forged: tuple[Answer, ...]
    anonymous: tuple[Answer, ...]

    @property
    def forged_throttled(self) -> bool:
        """Whether a forged token was throttled."""
        return self.forged[-1].status == TOO_MANY_REQUESTS

    @property
    def anonymous_throttled(self) -> bool:
        """Whether a caller without a credential was throttled: then this address is at its limit."""
        return any(answer.status == TOO_MANY_REQUESTS for answer in self.anonymous[-1:])


def forged_reads_are_counted_apart(reads: ForgedReads, expect: Expect) -> None:
    """A forged token is not counted as the user it names: nobody can use up another user's limit."""
    observed = f"status {reads.forged[-1].status} to read {len(reads.forged)} with the token"
    if reads.anonymous:
        statuses = ", ".join(str(answer.status) for answer in reads.anonymous)
        observed += f", where a caller without a credential got {statuses}"
    expect(
        "a forged token does not count against the user it names",
        not reads.forged_throttled,
        expected="the forged token to be refused, and not throttled",
        observed=observed,
    )
