"""Journals of runs that never took place, told event by event."""

from streampay_smoke.evidence import events
from streampay_smoke.evidence.events import AnyEvent
from streampay_smoke.gate.verdict import Check, ObjectiveResult

READY = events.ExpectedScenario(
    id="readiness/ready",
    feature="Service is ready",
    scenario="The release is ready",
    location="features/readiness.feature:5",
    tags=("smoke", "readiness"),
    steps=("When asked", "Then ready"),
    assertions=("Then ready",),
)
MONEY = events.ExpectedScenario(
    id="settlement/paid",
    feature="Synthetic stream is created and settled",
    scenario="The recipient is paid",
    location="features/settlement.feature:9",
    tags=("smoke", "settlement", "money"),
    steps=("When settled", "Then paid"),
    assertions=("Then paid",),
)


def started(**changes: object) -> events.RunStarted:
    facts: dict[str, object] = {
        "run_id": "r1",
        "suite_version": "0",
        "environment": "staging",
        "region": "",
        "base_url": "https://staging.example",
        "release_expected": "",
        "network": "testnet",
        "contract_id": "C1",
        "proof": "ledger",
        "on_inconclusive": "hold",
        "service_simulated": False,
        "settings": {},
    }
    return events.RunStarted(**{**facts, **changes})  # type: ignore[arg-type]


def planned(
    *expected: events.ExpectedScenario,
    excluded: tuple[events.Exclusion, ...] = (),
    problems: tuple[str, ...] = (),
) -> events.RunPlanned:
    return events.RunPlanned(tags="@smoke", expected=expected, excluded=excluded, problems=problems)


def played(
    expected: events.ExpectedScenario,
    *evidence: AnyEvent,
    status: str = "passed",
    failure: events.Failure | None = None,
    probes: tuple[events.Probed, ...] = (),
) -> list[AnyEvent]:
    """A scenario in which every step but the last passes; the last one has `status` and `failure`."""
    *before, last = expected.steps
    story: list[AnyEvent] = [events.ScenarioStarted(id=expected.id)]
    for step in before:
        story += [events.StepStarted(text=step), events.StepFinished(text=step, status="passed", duration_ms=1)]
    story += [events.StepStarted(text=last), *evidence, *probes]
    story.append(events.StepFinished(text=last, status=status, duration_ms=1, failure=failure))
    story.append(events.ScenarioFinished(id=expected.id, status=status, duration_ms=9, failure=failure))
    return story


def ended(failed: bool = False, hook_failures: int = 0, **statuses: str) -> events.RunFinished:
    named = {name.replace("__", "/"): status for name, status in statuses.items()}
    return events.RunFinished(failed=failed, hook_failures=hook_failures, statuses=named)


HELD = events.Checked(promise="it is ready", held=True)
SETTLED = events.Settled(stream_id="stream-1", tx_hash="ab" * 32, ledger=7, proof="ledger", amount_stroops=5)

RED_CHECK = Check(
    id="a/red",
    feature="f",
    scenario="it pays",
    status="broken",
    attribution="harness",
    assertions=0,
    duration_ms=0,
    attempts=("error",),
    hint="",
    rule="the-rule",
)
LATE_READS = ObjectiveResult(
    name="reads",
    kind="read_latency",
    method="m",
    threshold=500,
    unit="ms",
    samples=10,
    estimate=900,
    low=None,
    high=None,
    confidence=0.99,
    decision="fail",
    gates=True,
    quantile=0.95,
    bad=10,
)
