"""Sample runs: journals as the suite writes them, judged by the real judge."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from streampay_smoke.evidence import events
from streampay_smoke.evidence.journal import JOURNAL, Entry, Journal, JournalRead
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.gate.judge import judge
from streampay_smoke.gate.verdict import VERDICT, ObjectiveResult, Verdict, to_json
from streampay_smoke.publish.report_model import RunReport, report_of

START_MS = 1_795_000_000_000

READY = events.ExpectedScenario(
    id="service_is_ready/the-service-is-ready-in-time",
    feature="Service is ready",
    scenario="The service is ready within 30 seconds",
    location="features/service_is_ready.feature:9",
    tags=("smoke", "readiness", "critical", "allure.link.runbook:https://runbook.example/readiness"),
    steps=("When the service is asked whether it is ready", "Then it is ready within 30 seconds"),
    description="Before anything else, the release that just went live must say that it can serve people.",
)
REFUSED = events.ExpectedScenario(
    id="user_lists_streams/a-caller-with-junk-is-refused",
    feature="Authenticated user lists streams",
    scenario='A caller with <junk> & "more" is refused',
    location="features/user_lists_streams.feature:21",
    tags=("smoke", "streams", "blocker"),
    steps=("Given a caller with a junk credential", "When they ask for the streams", "Then they are refused"),
    description="Only the synthetic user sees the synthetic user's streams.",
)
PAID = events.ExpectedScenario(
    id="stream_is_settled/the-recipient-is-paid-once",
    feature="Synthetic stream is created and settled",
    scenario="The recipient is paid exactly once",
    location="features/stream_is_settled.feature:14",
    tags=("smoke", "settlement", "money", "blocker"),
    steps=(
        "Given a synthetic stream of 10 a day",
        "When it is settled",
        "Then the recipient is paid on the ledger exactly once",
    ),
    description="Money moves once, to the right place, and the ledger says so.",
)
PLAN = (READY, REFUSED, PAID)

STARTED = events.RunStarted(
    run_id="20261123T190000Z-abc123",
    suite_version="0.1.0",
    environment="sandbox",
    region="eu-1",
    base_url="http://127.0.0.1:8123",
    release_expected="r-42",
    network="sandbox",
    contract_id="CABCDEF",
    proof="ledger",
    on_inconclusive="hold",
    service_simulated=True,
    settings={"auth_mode": "wallet"},
)

ASKED = events.Exchanged(
    peer="service",
    method="GET",
    target="/readyz",
    status=200,
    duration_ms=12,
    response='{"status":"ok","release":"r-42","token":"<redacted>"}',
    request_id="req-1",
    release="r-42",
)
SEEN = events.ServiceSeen(release="r-42", network="sandbox", simulated=True)
UNANSWERED = events.Exchanged(
    peer="ledger", method="POST", target="getTransaction", status=None, duration_ms=900, error="connection refused"
)
HELD = events.Checked(promise="the service says it is ready", held=True, expected="ok", observed="ok")
BROKEN_PROMISE = events.Checked(
    promise="the answer is a refusal", held=False, expected="401 or 403", observed="200 with 3 streams"
)
SETTLED = events.Settled(stream_id="st_1", tx_hash="ab" * 32, ledger=120, proof="ledger", amount_stroops=105_000_000)
PRODUCT_FAILURE = events.Failure(
    kind="promise_broken",
    blame="product",
    message="the answer is a refusal: expected 401 or 403, saw 200 with 3 streams",
    next_step="look at the release's authentication middleware",
)


class Script:
    """Writes down a run, 100 ms from event to event."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.statuses: dict[str, str] = {}

    def add(self, *happened: events.AnyEvent) -> "Script":
        for event in happened:
            seq = len(self.entries) + 1
            self.entries.append(Entry(seq=seq, at_ms=START_MS + 100 * seq, prev="0" * 64, event=event))
        return self

    def begin(
        self,
        started: events.RunStarted = STARTED,
        expected: tuple[events.ExpectedScenario, ...] = PLAN,
        excluded: tuple[events.Exclusion, ...] = (),
    ) -> "Script":
        return self.add(started, events.RunPlanned(tags="@smoke", expected=expected, excluded=excluded))

    def step(
        self, text: str, *inside: events.AnyEvent, status: str = "passed", failure: events.Failure | None = None
    ) -> "Script":
        self.add(events.StepStarted(text=text), *inside)
        return self.add(events.StepFinished(text=text, status=status, duration_ms=100, failure=failure))

    def open(self, scenario: events.ExpectedScenario) -> "Script":
        return self.add(events.ScenarioStarted(id=scenario.id))

    def close(
        self, scenario: events.ExpectedScenario, status: str = "passed", failure: events.Failure | None = None
    ) -> "Script":
        self.statuses[scenario.id] = status
        return self.add(events.ScenarioFinished(id=scenario.id, status=status, duration_ms=900, failure=failure))

    def ready(self, seen: events.ServiceSeen = SEEN) -> "Script":
        waited = events.Waited(
            what="the service to be ready", met=True, within_seconds=30.0, waited_seconds=0.2, attempts=2, last="ok"
        )
        self.open(READY).step(READY.steps[0], ASKED, seen, waited)
        return self.step(READY.steps[1], HELD).close(READY)

    def refused(self) -> "Script":
        self.open(REFUSED).step(REFUSED.steps[0]).step(REFUSED.steps[1], ASKED)
        return self.step(REFUSED.steps[2], HELD, HELD).close(REFUSED)

    def not_refused(self) -> "Script":
        self.open(REFUSED).step(REFUSED.steps[0]).step(REFUSED.steps[1], ASKED)
        self.step(REFUSED.steps[2], HELD, BROKEN_PROMISE, status="failed", failure=PRODUCT_FAILURE)
        self.add(events.Probed(name="ledger", ok=True, detail="healthy at ledger 121"))
        return self.close(REFUSED, "failed")

    def paid(self) -> "Script":
        chain = events.ChainSeen(network="sandbox", simulated=True, ledger=118, contract_id="CABCDEF")
        made = events.ResourceCreated(kind="stream", id="st_1")
        self.open(PAID).add(chain).step(PAID.steps[0], ASKED, made).step(PAID.steps[1], ASKED)
        self.step(PAID.steps[2], HELD, SETTLED).add(events.ResourceReleased(kind="stream", id="st_1"))
        return self.close(PAID)

    def finish(self, *, failed: bool = False) -> "Script":
        return self.add(events.RunFinished(failed=failed, hook_failures=0, statuses=self.statuses))


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """A run as the publishers get it."""

    entries: tuple[Entry, ...]
    verdict: Verdict

    @property
    def report(self) -> RunReport:
        return report_of(self.entries, self.verdict)


def write_run(run: Sample, folder: Path) -> None:
    """Write a run's journal and verdict into a new folder, as the run would have."""
    folder.mkdir()
    times = iter(entry.at_ms for entry in run.entries)
    with Journal(folder / JOURNAL, Redactor(), now_ms=lambda: next(times)) as journal:
        for entry in run.entries:
            journal.append(entry.event)
    (folder / VERDICT).write_bytes(to_json(run.verdict))


def judged(script: Script) -> Sample:
    entries = tuple(script.entries)
    return Sample(entries=entries, verdict=judge(JournalRead(entries=entries, sha256="5" * 64)))


def passing() -> Script:
    return Script().begin().ready().refused().paid().finish()


def failing() -> Script:
    return Script().begin().ready().not_refused().paid().finish(failed=True)


def on_testnet(*, pays: bool) -> Sample:
    """A run on a test network with everything a page can show: a settlement's way, objectives, costs, warnings."""
    started = msgspec.structs.replace(
        STARTED,
        environment="staging",
        network="testnet",
        service_simulated=False,
        base_url="https://pay.example",
        contract_id=f"C{'A' * 55}",
    )
    tx_hash = "ab" * 32
    seen = events.TransactionSeen(tx_hash=tx_hash, ledger=120, closed_at=START_MS // 1000)
    settle = msgspec.structs.replace(ASKED, method="POST", target="/settle", purpose="settle", request='{"key": "k"}')
    order = msgspec.structs.replace(settle, target="/streams", purpose="create")
    knows = events.Checked(
        promise="the ledger knows the receipt's transaction", held=pays, expected=tx_hash, observed="never seen"
    )
    exact = events.Checked(promise="the amount is exact", held=True, expected="5 stroops", observed="5 stroops")
    unpaid = events.Failure(
        kind="promise_broken", blame="product", message=f"{knows.promise}: expected it, saw nothing"
    )
    introduced = events.ServiceSeen(release="r-42", network="testnet")
    script = Script().begin(started=started).ready(introduced).refused().open(PAID).step(PAID.steps[0], order)
    script.add(events.ChainSeen(network="testnet", simulated=False, ledger=118, contract_id=started.contract_id))
    if pays:
        script.step(PAID.steps[1], settle, seen).step(PAID.steps[2], knows, exact, SETTLED).close(PAID)
    else:
        script.step(PAID.steps[1], settle).step(PAID.steps[2], knows, status="failed", failure=unpaid).close(
            PAID, "failed"
        )
    run = judged(script.finish(failed=not pays))
    objectives = tuple(
        ObjectiveResult(
            name=f"streams are {what} quickly",
            kind=kind,
            method="order statistics",
            threshold=0.05 if kind == "settlement_time" else 100.0,
            unit="s" if kind == "settlement_time" else "ms",
            samples=1,
            estimate=12.0,
            low=None,
            high=14.0,
            confidence=0.99,
            decision=decision,
            gates=True,
            quantile=0.95,
            bad=1,
        )
        for what, kind, decision in (
            ("created", "write_latency", "pass"),
            ("settled", "settlement_time", "fail"),
            ("read", "read_latency", "insufficient_sample"),
        )
    )
    verdict = msgspec.structs.replace(run.verdict, objectives=objectives, warnings=("2 INCONCLUSIVE in a row",))
    return msgspec.structs.replace(run, verdict=verdict)


def ledger_down() -> Script:
    failure = events.Failure(
        kind="chain_unavailable",
        blame="dependency",
        message="the ledger's RPC gave no answer: connection refused",
        next_step="see whether the network's RPC is up, then run again",
    )
    waited = events.Waited(
        what="the transaction to be final", met=False, within_seconds=60, waited_seconds=60.2, attempts=13, last="404"
    )
    script = Script().begin().ready().refused().open(PAID).step(PAID.steps[0], ASKED)
    script.step(PAID.steps[1], UNANSWERED, waited, status="error", failure=failure)
    script.add(events.Probed(name="ledger", ok=False, detail="connection refused"))
    script.add(events.Probed(name="egress", ok=None, detail="the deployment answers"))
    return script.close(PAID, "error").finish(failed=True)


def killed() -> Script:
    script = Script().begin().ready().open(REFUSED).step(REFUSED.steps[0])
    script.add(events.StepStarted(text=REFUSED.steps[1]), ASKED)
    return script.add(events.Interrupted(reason="SIGTERM", detail="from outside"))


def refused() -> Script:
    failure = events.Failure(
        kind="guard_refused",
        blame="safety",
        message="network 'public' is the public one: this gate never touches real money",
        next_step="set SMOKE_STELLAR_NETWORK to one of sandbox, local, futurenet, testnet",
    )
    return Script().add(STARTED, events.RunRefused(failure=failure))


def excluded() -> Script:
    production = msgspec.structs.replace(
        STARTED, environment="production", network="testnet", service_simulated=False, base_url="https://pay.example"
    )
    left_out = events.Exclusion(id=PAID.id, reason="production is read-only: its money scenarios run in staging")
    seen = events.ServiceSeen(release="r-42", network="testnet")
    script = Script().begin(started=production, excluded=(left_out,))
    script.open(READY).step(READY.steps[0], ASKED, seen).step(READY.steps[1], HELD).close(READY)
    script.statuses[PAID.id] = "skipped"
    return script.refused().finish()


def hook_failed() -> Script:
    """A clean-up failed after every step had passed."""
    failure = events.Failure(kind="harness_error", blame="harness", message="RuntimeError: clean-up failed")
    script = Script().begin().ready().refused().open(PAID)
    for step in PAID.steps:
        script.step(step, HELD, SETTLED)
    return script.close(PAID, "cleanup_error", failure).finish(failed=True)


def set_up_failed() -> Script:
    """A hook failed before the first step."""
    failure = events.Failure(kind="harness_error", blame="harness", message="RuntimeError: no synthetic user")
    script = Script().begin().ready().refused().open(PAID)
    return script.close(PAID, "hook_error", failure).finish(failed=True)


def after_all_failed() -> Script:
    """Every scenario passed, behave failed all the same."""
    return Script().begin().ready().refused().paid().finish(failed=True)


def empty() -> Script:
    return Script()


SCRIPTS: dict[str, Callable[[], Script]] = {
    script.__name__: script
    for script in (
        passing,
        failing,
        ledger_down,
        killed,
        refused,
        excluded,
        hook_failed,
        set_up_failed,
        after_all_failed,
        empty,
    )
}
