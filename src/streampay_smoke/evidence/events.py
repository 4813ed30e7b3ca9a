"""The events of a run's journal: everything a verdict may be computed from.

Events between a `ScenarioStarted` and its `ScenarioFinished` belong to that scenario, and those between a
`StepStarted` and its `StepFinished` to that step: the order is the ownership. Durations are milliseconds,
times Unix milliseconds, amounts stroops.
"""

from collections.abc import Callable

import msgspec

from streampay_smoke.core.errors import Blame, UnfitAnswer
from streampay_smoke.core.http_statuses import SERVER_ERROR
from streampay_smoke.evidence.bake import Bake
from streampay_smoke.evidence.canary import Canary, CanaryAnswer
from streampay_smoke.evidence.objectives import Objective
from streampay_smoke.evidence.policy import Policy
from streampay_smoke.evidence.regions import MergedRun, Quorum, RefusedArtifact


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag=_snake):
    """Base of all journal events."""


class ExpectedScenario(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario the feature files and the tag expression promise to run.

    `assertions` are those of its `steps` that must assert something: its Then steps, and the And steps after them.
    `concern` is what it is about, a `streampay_smoke.gate.concerns.Concern`. `at_least` is how many assertions each of
    its `steps` makes in a good run; () where nobody has measured that.
    """

    id: str
    feature: str
    scenario: str
    location: str
    tags: tuple[str, ...]
    steps: tuple[str, ...]
    assertions: tuple[str, ...] = ()
    at_least: tuple[int, ...] = ()
    description: str = ""
    concern: str = ""


class Exclusion(msgspec.Struct, frozen=True, kw_only=True):
    """A selected scenario this environment leaves out by name, and why."""

    id: str
    reason: str


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why a step, hook or scenario failed: a kind and first attribution from `streampay_smoke.core.errors`.

    `cause` is a cause of `streampay_smoke.http.client.NoAnswer` for silence. `first_in` is the id of the scenario that
    met this very failure first: it was remembered, and nothing was tried again. `statuses` are those of the service's
    answers since the scenario began to do what it is about, `asked` is the request the last one was an answer to.
    `unfit` is the answer that is itself the failure, None where the failure is about something else.
    """

    kind: str
    blame: str
    message: str
    next_step: str = ""
    cause: str = ""
    first_in: str = ""
    asked: str = ""
    statuses: tuple[int, ...] = ()
    unfit: UnfitAnswer | None = None

    @property
    def met_server_errors_only(self) -> bool:
        """Whether the service answered with 5xx each time: it said nothing of what it was asked."""
        return bool(self.statuses) and all(status >= SERVER_ERROR for status in self.statuses)


class RunStarted(Event, frozen=True, kw_only=True):
    """What was asked of this run, before anything was sent. `settings` is the redacted dump, `read_from` the folders of
    environments and features.

    `trace_id` is the W3C trace of the run's requests, `signed_by` the id of the key that will sign its verdict,
    `bake_seconds` how long the release has to be watched after the scenarios, 0 for not at all. `policy` is what this
    environment makes of a verdict. `rehearsal` says that the run started a sandbox of its own, because nobody named a
    deployment. `replicas` is how many replicas are declared behind the address, 0 where nobody says. `canary_journeys`
    is how many journeys candidate and stable release have to be compared on, 0 for none.
    """

    run_id: str
    suite_version: str
    environment: str
    region: str
    base_url: str
    release_expected: str
    network: str
    contract_id: str
    proof: str
    on_inconclusive: str
    service_simulated: bool
    settings: dict[str, str]
    trace_id: str = ""
    signed_by: str = ""
    bake_seconds: float = 0.0
    canary_journeys: int = 0
    rehearsal: bool = False
    policy: Policy = Policy()
    read_from: dict[str, str] = {}
    replicas: int = 0


class RunPlanned(Event, frozen=True, kw_only=True):
    """The evidence manifest: what must run for a PASS. `problems` are defects of the feature files.

    `whole_suite` says that every scenario of the smoke was planned, `by_path` that somebody named feature files,
    `comparison_only` that a candidate is compared with the stable release and no scenario is played.
    """

    tags: str
    expected: tuple[ExpectedScenario, ...]
    excluded: tuple[Exclusion, ...] = ()
    problems: tuple[str, ...] = ()
    whole_suite: bool = True
    by_path: bool = False
    comparison_only: bool = False


class RunRefused(Event, frozen=True, kw_only=True):
    """The run ended before any scenario: bad settings, a guard, or a broken suite; it may never have started.

    `run_id`, `environment` and `region` say which run it was and what it was asked to judge, `read_from` in
    which folders its environments and features were looked for, `runbook_url` where people read what its reason code
    means: no `RunStarted` does.
    """

    failure: Failure
    run_id: str = ""
    environment: str = ""
    region: str = ""
    read_from: dict[str, str] = {}
    runbook_url: str = ""


class RegionsMerged(Event, frozen=True, kw_only=True):
    """Runs of several regions were merged: all that the merged verdict is made of, and the only line before overrides.

    `signed_by` is the id of the key that will sign the verdict. `inconclusive_fails` says that INCONCLUSIVE exits as
    FAIL does, `ended_by` names the signal that ended the runs. A `rehearsal` judged no deployment.
    """

    run_id: str
    quorum: Quorum
    runs: tuple[MergedRun, ...]
    refused: tuple[RefusedArtifact, ...] = ()
    signed_by: str = ""
    inconclusive_fails: bool = False
    ended_by: str = ""
    rehearsal: bool = False


class ScenarioStarted(Event, frozen=True, kw_only=True):
    """A scenario begins."""

    id: str


class StepStarted(Event, frozen=True, kw_only=True):
    """A step begins; `text` includes its keyword. `budget_seconds` is how long it may take, 0 for any time."""

    text: str
    budget_seconds: float = 0.0


class Checked(Event, frozen=True, kw_only=True):
    """One assertion: the promise in words, whether it held, what was expected and what was seen."""

    promise: str
    held: bool
    expected: str = ""
    observed: str = ""


class Awaiting(Event, frozen=True, kw_only=True):
    """A wait begins: for the answer of `peer` ("service" or "ledger") to a request, or, without a peer, for `what`."""

    what: str
    peer: str = ""


class Exchanged(Event, frozen=True, kw_only=True):
    """One request and its answer, redacted; `status` is None when there was no answer (`error` says why).

    `peer` is "service" or "ledger"; `target` is a path or an RPC method. `purpose` is what a user wants by a request
    that has to succeed ("sign-in", "list", "show", "create", "start", "settle", ...); it is empty for probes, polls
    and requests that are to be refused. `opened_connection` marks an answer that waited for a connection first.
    `cpu_wait_ms` is for how much of its time the runner had no CPU, None where its system does not tell. `stands_for`
    counts requests: of a burst of requests alike only the last one is kept.
    """

    peer: str
    method: str
    target: str
    status: int | None
    duration_ms: int
    request: str = ""
    response: str = ""
    error: str = ""
    request_id: str = ""
    release: str = ""
    purpose: str = ""
    opened_connection: bool = False
    cpu_wait_ms: int | None = None
    stands_for: int = 1


class Waited(Event, frozen=True, kw_only=True):
    """A wait for something to become true: how long, how often, and the last answer."""

    what: str
    met: bool
    within_seconds: float
    waited_seconds: float
    attempts: int
    last: str


class Retried(Event, frozen=True, kw_only=True):
    """A request that got no answer of the service itself, and was sent again: a cutover, waited out.

    `attempt` counts the requests sent so far; `because` is the cause of the silence, e.g. "refused" or "http 502".
    """

    target: str
    attempt: int
    because: str


class ReleaseSeen(Event, frozen=True, kw_only=True):
    """One deliberate look at which release answers, "" where none was told (`detail` says why).

    `moment` is "start" (from here on every answer must be of one release; what came before was a roll-out that was
    waited out), "sample" (one of the fleet's replicas, over a connection of its own) or "end" (after the last check).
    """

    moment: str
    release: str
    detail: str = ""


class ReplicaSeen(Event, frozen=True, kw_only=True):
    """What one replica answered; `fresh` marks the first answer over a connection of its own. A balancer may send each
    request of one connection to another replica, so that each answer is told by itself.

    `replica` is the name it gives itself, or its address where each replica has one, "" where nothing tells it. The
    clock bounds say how many seconds its clock is ahead of this runner's: HTTP tells whole seconds, and an answer takes
    time; None where it tells no time. `asked` is the request, `keys` the keys it publishes, `limits` the rate limits
    its headers state for `asked`, `data` what it shows of `about`; "" where that was not asked or not told.
    """

    fresh: bool = True
    replica: str = ""
    release: str = ""
    clock_low_seconds: float | None = None
    clock_high_seconds: float | None = None
    asked: str = ""
    keys: str = ""
    limits: str = ""
    about: str = ""
    data: str = ""


class ServiceSeen(Event, frozen=True, kw_only=True):
    """What the deployment says of itself."""

    release: str = ""
    network: str = ""
    simulated: bool = False


class ChainSeen(Event, frozen=True, kw_only=True):
    """The live network as the chain adapter found it."""

    network: str
    simulated: bool
    ledger: int
    contract_id: str


class TransactionSeen(Event, frozen=True, kw_only=True):
    """The first moment a settlement's transaction was seen in a closed ledger; `closed_at` is Unix seconds."""

    tx_hash: str
    ledger: int
    closed_at: int


class TransactionClosed(Event, frozen=True, kw_only=True):
    """A transaction that the run signed is in a closed ledger: applied, or `failed`, which costs its fee too.

    `locked_stroops` is how much more the contract it called holds of any token since, negative for what it paid out.
    """

    tx_hash: str
    function: str
    ledger: int
    fee_stroops: int
    locked_stroops: int = 0
    failed: bool = False


class Settled(Event, frozen=True, kw_only=True):
    """A settlement that was proved, and by what: `proof` is "ledger" or "service"."""

    stream_id: str
    tx_hash: str
    ledger: int | None
    proof: str
    amount_stroops: int | None


class Probed(Event, frozen=True, kw_only=True):
    """A control probe made beside a failure: `ok` is None when the probe does not apply here.

    `took_ms` is how long what it timed took, None where it timed nothing.
    """

    name: str
    ok: bool | None
    detail: str
    took_ms: float | None = None


class ResourceCreated(Event, frozen=True, kw_only=True):
    """Synthetic data came into being."""

    kind: str
    id: str


class ResourceMarked(Event, frozen=True, kw_only=True):
    """Synthetic data carries its run's id, and the end of the lease (Unix seconds)."""

    kind: str
    id: str
    lease_until_seconds: int


class ResourceReleased(Event, frozen=True, kw_only=True):
    """Synthetic data was removed or brought to a final state."""

    kind: str
    id: str


class ResourceLost(Event, frozen=True, kw_only=True):
    """Synthetic data that nobody removed is unknown to the service after the last check; `seen` is what it answered."""

    kind: str
    id: str
    seen: str


class StepOverran(Event, frozen=True, kw_only=True):
    """A step was stopped because its budget was over; what it waited for stands before this event."""

    text: str
    budget_seconds: float


class StepFinished(Event, frozen=True, kw_only=True):
    """A step ended; `status` is behave's word."""

    text: str
    status: str
    duration_ms: int
    failure: Failure | None = None


class ScenarioFinished(Event, frozen=True, kw_only=True):
    """A scenario's hooks and steps ended; `status` is behave's word."""

    id: str
    status: str
    duration_ms: int
    reason: str = ""
    failure: Failure | None = None


class RunFinished(Event, frozen=True, kw_only=True):
    """The runner's last word: behave's own answer and the final status of every scenario it knew.

    `clock_moved_seconds` is how much more time went by on this runner's clock than passed.
    """

    failed: bool
    hook_failures: int
    statuses: dict[str, str]
    cleanup_errors: int = 0
    clock_moved_seconds: float = 0.0


INTERRUPTED = "terminated"
"""The kind of failure of a scenario that was under way when its run was ended."""


def cut_off(reason: str) -> Failure:
    """Return the failure of a scenario that was under way when a signal or the deadline ended its run."""
    return Failure(
        kind=INTERRUPTED,
        blame=Blame.HARNESS,
        message=f"the run was ended while this was played ({reason})",
        next_step="run again",
    )


class Interrupted(Event, frozen=True, kw_only=True):
    """The run was ended from outside: "SIGTERM", "SIGINT", "SIGHUP", "deadline", "step_timeout" or "killed"."""

    reason: str
    detail: str = ""


class Warned(Event, frozen=True, kw_only=True):
    """Something a person has to look after soon, and that no verdict depends on."""

    code: str
    text: str


class QuarantineEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario that does not gate up to and including the day `until` (ISO, UTC), and who answers for that."""

    id: str
    owner: str
    ticket: str
    until: str
    reason: str = ""


class QuarantineRead(Event, frozen=True, kw_only=True):
    """The quarantine file as it was on the day of the run, `today` (ISO, UTC); `problems` are its defects."""

    today: str
    entries: tuple[QuarantineEntry, ...]
    problems: tuple[str, ...] = ()


class Overridden(Event, frozen=True, kw_only=True):
    """Somebody overrides the verdict on this run: `to` is the word that counts until `until_ms` (Unix)."""

    who: str
    why: str
    until_ms: int
    to: str


class ObjectivesSet(Event, frozen=True, kw_only=True):
    """The service level objectives of this environment: the judge knows no others."""

    objectives: tuple[Objective, ...]


class PairSampled(Event, frozen=True, kw_only=True):
    """The same read, sent to candidate and stable release right after each other, a coin deciding who is first.

    A pair counts when both answered with 200 and it is no `warm_up`. Latencies are microseconds; `release` is what
    the candidate's answer names.
    """

    candidate_first: bool
    candidate_us: int
    stable_us: int
    candidate_status: int | None
    stable_status: int | None
    warm_up: bool = False
    release: str = ""

    @property
    def counts(self) -> bool:
        """Whether the two latencies can be compared."""
        answered = self.candidate_status == self.stable_status == 200
        return answered and not self.warm_up and self.candidate_us > 0 and self.stable_us > 0


class Measured(Event, frozen=True, kw_only=True):
    """Measuring for objectives is over: why sampling ended ("" where none was asked for), and the ledger's health then.

    `ledger_ok` is None where no objective needs it.
    """

    sampling: str = ""
    ledger_ok: bool | None = None
    ledger_detail: str = ""


class DeadlineExtended(Event, frozen=True, kw_only=True):
    """The run may take this much longer than its settings say: its ledger is slow, or it is far from what it asks."""

    more_seconds: float
    ledger_steps: int
    seconds_per_ledger: float
    steps: int = 0
    round_trip_seconds: float = 0.0


class CleanUpStarted(Event, frozen=True, kw_only=True):
    """From here on the run ends what it made, for at most `within_seconds`, whatever is left of its deadline."""

    within_seconds: float


class RateLimitWait(Event, frozen=True, kw_only=True):
    """The service said 429, and `seconds` are waited before the request is sent again: `step_seconds` and `run_seconds`
    are what the step under way and the run may take longer for it.
    """

    seconds: float
    step_seconds: float = 0.0
    run_seconds: float = 0.0


class WriteSlotWait(Event, frozen=True, kw_only=True):
    """A write waited so long for others of this run: it has no more at once than its place says. The step under way
    may take `step_seconds` longer for it.
    """

    seconds: float
    step_seconds: float = 0.0


class BakeStarted(Event, frozen=True, kw_only=True):
    """From here on the release is watched, and everything belongs to that."""

    seconds: float
    bake: Bake


class Watched(Event, frozen=True, kw_only=True):
    """One look of a bake: requests that went well and that failed since the look before.

    `source` is "reads" (the gate's own) or "counters" (the service's, of all its users). A look that saw nothing has
    neither, and `detail` says why. `release` is what an own read's answer names.
    """

    source: str
    good: int
    bad: int
    detail: str = ""
    release: str = ""


class BurnRead(Event, frozen=True, kw_only=True):
    """The share of failed requests as Prometheus has it, over a short and a long window; None where it has none."""

    short_ratio: float | None
    long_ratio: float | None
    detail: str = ""


class BakeEnded(Event, frozen=True, kw_only=True):
    """Watching is over: "over" (the time was), or "burning" (the error budget was being spent too fast)."""

    reason: str
    watched_seconds: float


class CanaryStarted(Event, frozen=True, kw_only=True):
    """Candidate and stable release begin to be compared, for at most so many seconds.

    `weight` is the candidate's share in percent of an address that leads to both, 0 where each side is asked by itself.
    `candidate` is the release that is judged, `at_candidate` and `at_stable` are what the sides said they are at the
    start; each is "" where nobody said. `hit_probability` is that of comparing `fewest_pairs` pairs or more of each
    kind in so many journeys. `seed` made the coin that chose the order of each pair. `no_writes_because` says why only
    reads are compared.
    """

    canary: Canary
    journeys: int
    seed: int
    seconds: float
    fewest_pairs: int
    weight: float = 0.0
    candidate: str = ""
    at_candidate: str = ""
    at_stable: str = ""
    hit_probability: float = 1.0
    no_writes_because: str = ""


class CanaryPaired(Event, frozen=True, kw_only=True):
    """The same request of two journeys side by side, one right after the other: `first` was asked first.

    `throttled` says that the rate limit turned one of them away for a while.
    """

    step: str
    writes: bool
    first: CanaryAnswer
    second: CanaryAnswer
    throttled: bool = False


class CanaryEnded(Event, frozen=True, kw_only=True):
    """The comparison is over after so many journeys; `reason` is for people. The sides as in `CanaryStarted`."""

    reason: str
    journeys: int
    at_candidate: str = ""
    at_stable: str = ""


AnyEvent = (
    RunStarted
    | RunPlanned
    | RunRefused
    | RegionsMerged
    | ScenarioStarted
    | StepStarted
    | Checked
    | Awaiting
    | Exchanged
    | Waited
    | Retried
    | ReleaseSeen
    | ReplicaSeen
    | ServiceSeen
    | ChainSeen
    | Settled
    | Probed
    | ResourceCreated
    | ResourceMarked
    | ResourceReleased
    | ResourceLost
    | StepOverran
    | StepFinished
    | ScenarioFinished
    | RunFinished
    | Interrupted
    | Warned
    | QuarantineRead
    | Overridden
    | TransactionSeen
    | TransactionClosed
    | ObjectivesSet
    | PairSampled
    | Measured
    | DeadlineExtended
    | CleanUpStarted
    | RateLimitWait
    | WriteSlotWait
    | BakeStarted
    | Watched
    | BurnRead
    | BakeEnded
    | CanaryStarted
    | CanaryPaired
    | CanaryEnded
)

Recorder = Callable[[AnyEvent], None]
"""Takes one event; clients are given one and never know the journal behind it."""
