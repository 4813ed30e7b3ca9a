"""The events of a run's journal: everything a verdict may be computed from.

Events between a `ScenarioStarted` and its `ScenarioFinished` belong to that scenario, and those between a
`StepStarted` and its `StepFinished` to that step: the order is the ownership. Durations are milliseconds,
times Unix milliseconds, amounts stroops.
"""

from collections.abc import Callable

import msgspec


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag=_snake):
    """Base of all journal events."""


class ExpectedScenario(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario the feature files and the tag expression promise to run.

    `assertions` are those of its `steps` that must assert something: its Then steps, and the And steps after them.
    """

    id: str
    feature: str
    scenario: str
    location: str
    tags: tuple[str, ...]
    steps: tuple[str, ...]
    assertions: tuple[str, ...] = ()
    description: str = ""


class Exclusion(msgspec.Struct, frozen=True, kw_only=True):
    """A selected scenario this place leaves out by name, and why."""

    id: str
    reason: str


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why a step, hook or scenario failed: a kind and first attribution from `streampay_smoke.errors`."""

    kind: str
    blame: str
    message: str
    next_step: str = ""


class RunStarted(Event, frozen=True, kw_only=True):
    """What was asked of this run, before anything was sent. `settings` is the redacted dump."""

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


class RunPlanned(Event, frozen=True, kw_only=True):
    """The evidence manifest: what must run for a PASS. `problems` are defects of the feature files."""

    tags: str
    expected: tuple[ExpectedScenario, ...]
    excluded: tuple[Exclusion, ...] = ()
    problems: tuple[str, ...] = ()


class RunRefused(Event, frozen=True, kw_only=True):
    """The run ended before any scenario: bad settings, a guard, or a broken suite."""

    failure: Failure


class ScenarioStarted(Event, frozen=True, kw_only=True):
    """A scenario begins."""

    id: str


class StepStarted(Event, frozen=True, kw_only=True):
    """A step begins; `text` includes its keyword."""

    text: str


class Checked(Event, frozen=True, kw_only=True):
    """One assertion: the promise in words, whether it held, what was expected and what was seen."""

    promise: str
    held: bool
    expected: str = ""
    observed: str = ""


class Exchanged(Event, frozen=True, kw_only=True):
    """One request and its answer, redacted; `status` is None when there was no answer (`error` says why).

    `peer` is "service" or "ledger"; `target` is a path or an RPC method.
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


class Waited(Event, frozen=True, kw_only=True):
    """A wait for something to become true: how long, how often, and the last answer."""

    what: str
    met: bool
    within_seconds: float
    waited_seconds: float
    attempts: int
    last: str


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


class Settled(Event, frozen=True, kw_only=True):
    """A settlement that was proved, and by what: `proof` is "ledger" or "service"."""

    stream_id: str
    tx_hash: str
    ledger: int | None
    proof: str
    amount_stroops: int | None


class Probed(Event, frozen=True, kw_only=True):
    """A control probe made beside a failure: `ok` is None when the probe does not apply here."""

    name: str
    ok: bool | None
    detail: str


class ResourceCreated(Event, frozen=True, kw_only=True):
    """Synthetic data came into being."""

    kind: str
    id: str


class ResourceReleased(Event, frozen=True, kw_only=True):
    """Synthetic data was removed or brought to a final state."""

    kind: str
    id: str


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
    """The runner's last word: behave's own answer and the final status of every scenario it knew."""

    failed: bool
    hook_failures: int
    statuses: dict[str, str]


class Interrupted(Event, frozen=True, kw_only=True):
    """The run was ended from outside: "SIGTERM", "SIGINT", "deadline" or "killed"."""

    reason: str
    detail: str = ""


AnyEvent = (
    RunStarted
    | RunPlanned
    | RunRefused
    | ScenarioStarted
    | StepStarted
    | Checked
    | Exchanged
    | Waited
    | ServiceSeen
    | ChainSeen
    | Settled
    | Probed
    | ResourceCreated
    | ResourceReleased
    | StepFinished
    | ScenarioFinished
    | RunFinished
    | Interrupted
)

Recorder = Callable[[AnyEvent], None]
"""Takes one event; clients are given one and never know the journal behind it."""
