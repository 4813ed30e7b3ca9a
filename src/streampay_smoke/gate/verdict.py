"""The verdict: the records of `verdict.json`, its schema and its one way to be written."""

from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from streampay_smoke.core.errors import Blame
from streampay_smoke.evidence.fleet import Disagreement

SCHEMA = "streampay.dev/gate-verdict/v1"
VERDICT = "verdict.json"
"""The file of a run's folder that is its verdict."""

MESSAGE_LIMIT = 140
"""Engines show no more than this many characters (GitHub deployment statuses)."""

MESSAGE_LONG_LIMIT = 1024
"""A paragraph for people; engines that keep more than a line keep about this much."""


class VerdictStatus(StrEnum):
    """The five answers."""

    PASS = "PASS"  # noqa: S105 - not a password
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    CONFIG = "CONFIG"
    SAFETY = "SAFETY"


class Action(StrEnum):
    """What the answer asks for; the judge itself does nothing."""

    PROMOTE = "PROMOTE"
    ROLLBACK = "ROLLBACK"
    HOLD = "HOLD"


GRAVITY = (VerdictStatus.SAFETY, VerdictStatus.FAIL, VerdictStatus.CONFIG, VerdictStatus.INCONCLUSIVE)
"""Of several answers the first counts: money first, then what is proved against the release."""

EXIT_CODES = {
    VerdictStatus.PASS: 0,
    VerdictStatus.FAIL: 1,
    VerdictStatus.CONFIG: 2,
    VerdictStatus.INCONCLUSIVE: 3,
    VerdictStatus.SAFETY: 4,
}

STATUS_OF_BLAME = {
    Blame.SAFETY: VerdictStatus.SAFETY,
    Blame.PRODUCT: VerdictStatus.FAIL,
    Blame.CONFIG: VerdictStatus.CONFIG,
    Blame.DEPENDENCY: VerdictStatus.INCONCLUSIVE,
    Blame.HARNESS: VerdictStatus.INCONCLUSIVE,
}
"""The answer of a run whose failure is attributed so."""

STATUS_WITHOUT_RUN = {**STATUS_OF_BLAME, Blame.PRODUCT: VerdictStatus.INCONCLUSIVE}
"""The answer of a command that fails so and judges nothing: only a run may say FAIL."""

SIGNAL_EXIT_CODES = {"SIGHUP": 129, "SIGINT": 130, "SIGTERM": 143}


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """The deployment that was judged, whether it was a real one, and whether it was reached at all.

    `reached` is None in verdicts of older versions, which do not say. A `rehearsal` judged none: nobody named one.
    `read_from` are the folders that environments and features were read from, by these names.
    """

    environment: str
    region: str
    base_url: str
    release_expected: str
    releases_observed: tuple[str, ...]
    simulated: bool
    rehearsal: bool = False
    reached: bool | None = None
    read_from: dict[str, str] = {}


class Fleet(msgspec.Struct, frozen=True, kw_only=True):
    """The replicas behind the address, as far as this run met them.

    `declared` is how many there are, None where nobody says. `looks` are requests over connections of their own,
    `replicas` the names of those that answered them, none where nothing tells replicas apart. `miss_probability` is the
    most likely it is that one was never met, 1 where that is known, None where nobody can say. `statement` says it in
    words, `disagreements` what they answered differently.
    """

    declared: int | None
    looks: int
    replicas: tuple[str, ...]
    miss_probability: float | None
    statement: str
    disagreements: tuple[Disagreement, ...] = ()


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """The ledger that was asked; ledger numbers are None when it never answered."""

    network: str
    simulated: bool
    contract_id: str
    ledger_start: int | None
    ledger_end: int | None


class Quarantined(msgspec.Struct, frozen=True, kw_only=True):
    """Who answers for a check that does not gate, up to and including which day; `found` is what it found."""

    owner: str
    ticket: str
    until: str
    reason: str
    found: str


class Override(msgspec.Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """A verdict somebody replaced: who, why, until when (ISO 8601, UTC), and from which status to which."""

    who: str
    why: str
    until: str
    from_: str
    to: str


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One scenario.

    `status` is passed, failed (the release), broken (anything else), blocked (by what another check met first),
    excluded, missing, or quarantined: it did not pass, and that does not gate. `blocked_by` is the id of the check that
    met the cause first, or RUN for a missing one where the run ended before. `concern` is what a failure is about, else
    what the scenario is about: see `streampay_smoke.gate.concerns`. `flaky` says that a request met with silence and
    had to be sent again; a promise that was once seen broken is never asked for again.
    """

    id: str
    feature: str
    scenario: str
    status: str
    attribution: str
    assertions: int
    duration_ms: int
    attempts: tuple[str, ...]
    hint: str
    rule: str = ""
    quarantined: Quarantined | None = None
    flaky: bool = False
    concern: str = ""
    blocked_by: str = ""

    @property
    def is_blocked(self) -> bool:
        """Whether this check says nothing of its own: what kept it from being played is told elsewhere."""
        return bool(self.blocked_by)


RUN = "run"
"""Stands for the run itself where a check's id stands otherwise."""


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that speaks against PASS, the gravest first in a verdict.

    `checks` are the ids of those that are red for it, none for a cause of the run itself; `blocked` of those that could
    not be played because of it. `text` is what happened. `scenario` is the name of the check that says what it means,
    "" where the text stands for itself.
    """

    verdict: VerdictStatus
    reason_code: str
    attribution: str
    concern: str
    text: str
    checks: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()
    scenario: str = ""


PASS, FAIL, INSUFFICIENT = "pass", "fail", "insufficient_sample"
"""Decisions on an objective."""


class ObjectiveResult(msgspec.Struct, frozen=True, kw_only=True):
    """One service level objective.

    `decision` is pass, fail or insufficient_sample, which is neither. `estimate`, `low` and `high` are in `unit`, None
    where the samples do not give them; each bound, and each decision, is wrong with at most 1 - `confidence`.
    `warm_up` counts samples that were left out; `gates` says whether a fail counts against the verdict. `bad` counts
    the samples that were not as promised, None where single samples are neither.
    """

    name: str
    kind: str
    method: str
    threshold: float
    unit: str
    samples: int
    estimate: float | None
    low: float | None
    high: float | None
    confidence: float
    decision: str
    gates: bool
    quantile: float | None = None
    warm_up: int = 0
    note: str = ""
    bad: int | None = None


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """The settlement that was proved; `proof` is "ledger", "service" or "none"."""

    stream_id: str
    tx_hash: str
    ledger: int | None
    proof: str


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What was promised to run, what did, and the digest of the journal it was computed from."""

    expected_ids: tuple[str, ...]
    executed_ids: tuple[str, ...]
    missing_ids: tuple[str, ...]
    excluded_ids: tuple[str, ...]
    assertions: int
    journal_sha256: str


class Cleanup(msgspec.Struct, frozen=True, kw_only=True):
    """Synthetic data: how much was made, brought to an end, and left behind."""

    created: int
    deleted: int
    leaked: int


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """The answer in one hop, for engines that read a JSON path such as Argo's `{$.data}`.

    `pass` and `fail` are both false where nothing was judged; `score` is 1 for PASS, else 0.
    """

    verdict: VerdictStatus
    passed: bool = msgspec.field(name="pass")
    failed: bool = msgspec.field(name="fail")
    score: int

    @classmethod
    def of(cls, status: VerdictStatus) -> "Data":
        """Return the data of a word."""
        return cls(
            verdict=status,
            passed=status is VerdictStatus.PASS,
            failed=status is VerdictStatus.FAIL,
            score=int(status is VerdictStatus.PASS),
        )


class Timings(msgspec.Struct, frozen=True, kw_only=True):
    """When the run's evidence begins and ends (Unix milliseconds), and how long that is."""

    started_at_ms: int
    ended_at_ms: int
    total_ms: int


class FeatureCost(msgspec.Struct, frozen=True, kw_only=True):
    """What one feature cost: requests that the journal has, and transactions that the run signed.

    Failed transactions count, with the fee they were charged. `most_locked_stroops` is the most that contracts held of
    the run's own money at a time, of any token. `feature` is "" for what belongs to no scenario: readiness, the run's
    set-up and clean-up, measurements and the bake.
    """

    feature: str
    service_requests: int
    ledger_requests: int
    transactions: int
    fees_stroops: int
    most_locked_stroops: int


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What a run cost, in all and by feature; the features' most locked money need not have been locked at one time."""

    service_requests: int
    ledger_requests: int
    transactions: int
    fees_stroops: int
    most_locked_stroops: int
    by_feature: tuple[FeatureCost, ...]


class RegionRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run that a merged verdict counts for a region, and the digest of the journal that proves it.

    `artifacts` is where it was read from, `vantage` the vantage point it was played from, "" where nobody named one.
    `answer_ms` is the median of the service's answers there, None for none; `total_ms` how long the run took.
    """

    run_id: str
    vantage: str
    verdict: VerdictStatus
    reason_code: str
    message: str
    releases_observed: tuple[str, ...]
    journal_sha256: str
    signed_by: str
    settlement: Settlement
    ended_at_ms: int
    artifacts: str
    answer_ms: int | None = None
    total_ms: int = 0


class RegionVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a merged verdict says of one region. `action` is what is done there, the other regions considered.

    `runs` is empty for a region of which no evidence counts; `overrides` are those of its runs.
    """

    region: str
    verdict: VerdictStatus
    reason_code: str
    attribution: str
    message: str
    action: Action
    runs: tuple[RegionRun, ...] = ()
    overrides: tuple[Override, ...] = ()


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """`verdict.json`.

    `message` is one line for engines, `message_long` a paragraph for people. `causes` are what speaks against PASS,
    equal failures grouped, the gravest first: the first is the headline. `trace_id` is the W3C trace of the
    run's requests; `signed_by` the id of the key that vouches for this file in `verdict.dsse.json`, "" for none.
    `cost` is None in verdicts of older versions. `regions` are those of a merged verdict, none for that of one run: ids
    of its checks begin with the region, and its journal is the merge's own.
    `fleet` is None where no release answered, and for a merged verdict.
    """

    schema: str
    run_id: str
    verdict: VerdictStatus
    exit_code: int
    reason_code: str
    message: str
    attribution: str
    action: Action
    target: Target
    chain: Chain
    checks: tuple[Check, ...]
    settlement: Settlement
    objectives: tuple[ObjectiveResult, ...]
    evidence: Evidence
    cleanup: Cleanup
    timings: Timings
    warnings: tuple[str, ...] = ()
    overrides: tuple[Override, ...] = ()
    message_long: str = ""
    trace_id: str = ""
    signed_by: str = ""
    data: Data | None = None
    causes: tuple[Cause, ...] = ()
    cost: Cost | None = None
    regions: tuple[RegionVerdict, ...] = ()
    fleet: Fleet | None = None

    @property
    def ended_by_signal(self) -> bool:
        """Whether somebody ended the run."""
        return self.exit_code in SIGNAL_EXIT_CODES.values()


def to_json(verdict: Verdict) -> bytes:
    """Return the bytes of `verdict.json`: the same verdict always gives the same bytes."""
    return msgspec.json.format(msgspec.json.encode(verdict)) + b"\n"


def from_json(content: bytes) -> Verdict:
    """Read `verdict.json`; raises msgspec.ValidationError or DecodeError when it is not one."""
    return msgspec.json.decode(content, type=Verdict)


def written_at(path: Path) -> Verdict | None:
    """Return the verdict a run has written to a file, None where there is none that can be read."""
    try:
        return from_json(path.read_bytes())
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of `verdict.json`."""
    return json_schema(Verdict, SCHEMA)


def json_schema(kind: type[msgspec.Struct], name: str) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a document this gate writes, by the name it carries itself."""
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"https://{name}",
        **msgspec.json.schema(kind),
    }
    read_back: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(document))  # its defaults as JSON has them
    return read_back
