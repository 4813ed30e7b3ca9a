"""A canary as environment files state it and journals keep it: how a candidate is compared with the stable release."""

import msgspec

from streampay_smoke.evidence.objectives import Kind

CANARY_READS, CANARY_WRITES, CANARY_ERRORS = "canary_reads", "canary_writes", "canary_errors"


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a canary asks of a candidate.

    `name` is that of its answer, `counted` says in words of which pairs. One about time has the plural of what takes
    it (`timed`), and the kind of objective that limits the same times (`latency`).
    """

    name: str
    counted: str
    timed: str = ""
    latency: Kind | None = None
    writes: bool = False


QUESTIONS = {
    CANARY_READS: Question(
        name="reads are no slower on the candidate", counted="of reads", timed="reads", latency="read_latency"
    ),
    CANARY_WRITES: Question(
        name="writes are no slower on the candidate",
        counted="of writes",
        timed="writes",
        latency="write_latency",
        writes=True,
    ),
    CANARY_ERRORS: Question(name="requests fail no more often on the candidate", counted="in all"),
}
"""Every question, by the kind of objective that answers it. How one is decided: `streampay_smoke.gate.canary`."""

CANARY_KINDS = tuple(QUESTIONS)

FEWEST_JOURNEYS, MOST_JOURNEYS = 5, 40
"""How many journeys somebody may ask for. Fewer decide nothing; more are made only where a weight asks for them."""


class Canary(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[canary]` of an environment file: what a candidate has to be, compared with the stable release.

    A candidate that is proved more than `slower_than` times as slow fails; differences below `least_ms` are none. It
    passes only where it is proved less than `within` times as slow, and where fewer than `errors_within` of all
    requests are proved to fail on it alone. `hit_probability` is how sure a weighted address has to lead to the
    candidate often enough, and `within_seconds` bounds the whole comparison. Raises ValueError for values that
    make no comparison.
    """

    slower_than: float = 1.1
    within: float = 2.0
    least_ms: float = 25.0
    errors_within: float = 0.3
    hit_probability: float = 0.99
    within_seconds: float = 900.0

    def __post_init__(self) -> None:
        if not 1 <= self.slower_than < self.within < float("inf"):
            raise ValueError("canary: slower_than is at least 1, and below within")
        if not 0 <= self.least_ms < float("inf"):
            raise ValueError("canary: least_ms is at least 0")
        if not 0 < self.errors_within < 1 or not 0 < self.hit_probability < 1:
            raise ValueError("canary: errors_within and hit_probability are between 0 and 1, both excluded")
        if not 0 < self.within_seconds <= 6 * 3600:
            raise ValueError("canary: within_seconds is above 0 and at most 21600")


class CanaryAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One answer of a pair.

    `asked` is the side whose address was asked, "" at an address that leads to both; `release` is what the answer
    named, "" for nothing. `failed` says what was wrong with it, `status` is None for silence. Times are microseconds.
    """

    asked: str
    release: str
    status: int | None
    microseconds: int
    opened_connection: bool = False
    failed: str = ""
