"""What 1,000 environments in 50 regions each ask of ledger, RPC, friendbot, CI and storage, and the schedule that fits.

    .venv/bin/python benchmarks/scale.py            simulates from what was measured, and prints the page (seconds)
    .venv/bin/python benchmarks/scale.py --check    the same; 1 where docs/scale.md says something else
    .venv/bin/python benchmarks/scale.py --measure  plays two runs on ledgers of 5 s first (three minutes), writes both

What one run costs is measured: docs/scale.json. A day of deploys is simulated event by event from it: deploys come at
random moments of a working day (seeded), jobs wait for runners and for room on the ledger, and what the runs send is
counted for each ledger, second and minute. The limits are below, each with what it is known from.
"""

import argparse
import contextlib
import heapq
import json
import math
import random
import statistics
import sys
import tempfile
import textwrap
import time
import zlib
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

ROOT = Path(__file__).resolve().parents[1]
PAGE, MEASURED = ROOT / "docs" / "scale.md", ROOT / "docs" / "scale.json"

ENVIRONMENTS, REGIONS = 1_000, 50
SEED = 20261129
DAY_SECONDS = 8 * 3600
"""Deploys come in so long, each environment once a day."""

SECONDS_PER_LEDGER = 5.0
TRANSACTIONS_PER_LEDGER = 100
LEDGER_SHARE = 0.2
SET_UP_SECONDS = 30.0
REGIONS_PER_JOB = 10
SLOWER_SIDE_BY_SIDE = 1.3
JOBS_AT_ONCE = 60
RPC_BIN_SECONDS = 10.0
ROUNDING = 1e-6
FRIENDBOT_A_MINUTE = 60
RPC_A_SECOND = 200
KEPT_DAYS = 30

LIMITS = (
    ("contract calls in a ledger of testnet", f"{TRANSACTIONS_PER_LEDGER}", "the network's setting (published)"),
    ("of these for us", f"{LEDGER_SHARE:.0%}", "our choice: it is shared, and load tests are unwelcome there"),
    (
        "requests to an RPC",
        f"{RPC_A_SECOND} a second",
        "assumed of a provider with a key; SDF publishes no number for its own",
    ),
    ("friendbot", f"{FRIENDBOT_A_MINUTE} a minute", "assumed: it is limited, and no number is published"),
    ("jobs of GitHub Actions at once", f"{JOBS_AT_ONCE}", "published for Team; 20 for Free, 500 for Enterprise"),
    ("jobs of one matrix", "256", "published by GitHub"),
    ("minutes of GitHub Actions in a month", "50,000", "published for Enterprise; 3,000 for Team; none on own runners"),
)


class RunCost(msgspec.Struct, frozen=True, kw_only=True):
    """What one run of the whole suite costs, measured.

    `transactions` are all that came onto the ledger because of it, those of the service too; `contract_calls` are the
    ones of these that call a contract, which is what a ledger has little room for.
    """

    seconds: float
    service_requests: int
    ledger_requests: int
    friendbot_requests: int
    transactions: int
    contract_calls: int
    fees_stroops: int
    folder_bytes: int
    evidence_bytes: int
    evidence_packed_bytes: int
    merge_ms: float


class Plan(NamedTuple):
    """How a day's deploys are judged.

    `judged` is in how many regions of a deploy runs are played, in turn, and `whole_in` in how many of these money is
    moved by the service; the others are only read. `calls_per_ledger`, `rpc_a_second` and `jobs` are the most that is
    planned for; infinite where nothing waits. With `kept` accounts friendbot is not asked.
    """

    name: str
    judged: int
    whole_in: int
    regions_per_job: int = 1
    jobs: float = math.inf
    calls_per_ledger: float = math.inf
    rpc_a_second: float = math.inf
    kept: bool = False
    own_ledger: bool = False
    own_runners: bool = False


OURS = TRANSACTIONS_PER_LEDGER * LEDGER_SHARE
WITHIN = (REGIONS_PER_JOB, JOBS_AT_ONCE, OURS, RPC_A_SECOND, True)
IN_TURN = 10

PLANS = (
    Plan("every region, money in each, at once", REGIONS, REGIONS),
    Plan("every region, money in each, queued", REGIONS, REGIONS, *WITHIN),
    Plan("every region, money in one, queued", REGIONS, 1, *WITHIN),
    Plan(f"{IN_TURN} regions in turn, money in one, queued", IN_TURN, 1, *WITHIN, own_runners=True),
    Plan(
        "every region, money in each, on a ledger of one's own",
        *(REGIONS, REGIONS, REGIONS_PER_JOB, JOBS_AT_ONCE, 20.0 * TRANSACTIONS_PER_LEDGER, math.inf, True),
        own_ledger=True,
        own_runners=True,
    ),
)
RECOMMENDED = PLANS[3]


class Job(NamedTuple):
    """Some regions of one deploy, on one runner."""

    deploy: int
    asked_at: float
    whole: int
    others: int


class Day(NamedTuple):
    """What a day asked of everything, and how long a deploy waited for its merged verdict, in seconds."""

    waits: Sequence[float]
    hours: float
    most_calls: int
    most_rpc: float
    most_friendbot: int
    job_minutes: int
    most_jobs: int
    runs: int
    whole_runs: int


def jobs_of(plan: Plan) -> Iterator[Job]:
    """Yield the jobs of a day in the order in which they are asked for."""
    moments = random.Random(SEED)
    asked = sorted(moments.uniform(0, DAY_SECONDS) for _ in range(ENVIRONMENTS))
    for deploy, asked_at in enumerate(asked):
        for first in range(0, plan.judged, plan.regions_per_job):
            of_job = range(first, min(first + plan.regions_per_job, plan.judged))
            money = sum(region < plan.whole_in for region in of_job)  # counted from the region whose turn it is
            yield Job(deploy, asked_at, money, len(of_job) - money)


class Running(NamedTuple):
    """A job under way: when it ends, its number, itself, and what it sends to a ledger, and to RPCs in a second."""

    ends_at: float
    number: int
    job: Job
    calls: float
    rpc: float


def simulate(plan: Plan, whole: RunCost, other: RunCost) -> Day:
    """Play a day: jobs start in order as soon as there is a runner, and room for what they send."""
    waiting, arrivals, running = deque[Job](), deque(jobs_of(plan)), list[Running]()
    ended: dict[int, float] = {}
    calls, rpc, friendbot = Counter[int](), Counter[int](), Counter[int]()
    runs = whole_runs = minutes = most_jobs = number = 0
    calls_now = rpc_now = 0.0
    while arrivals or running or waiting:
        if arrivals and (not running or arrivals[0].asked_at <= running[0].ends_at):
            now = arrivals[0].asked_at
            waiting.append(arrivals.popleft())
        else:
            over = heapq.heappop(running)
            now, calls_now, rpc_now = over.ends_at, calls_now - over.calls, rpc_now - over.rpc
            ended[over.job.deploy] = max(ended.get(over.job.deploy, 0.0), now)
        while waiting:
            job = waiting[0]
            lasts = (whole.seconds if job.whole else other.seconds) * (
                SLOWER_SIDE_BY_SIDE if job.whole + job.others > 1 else 1.0
            )
            sends = [(cost, count) for cost, count in ((whole, job.whole), (other, job.others)) if count]
            calls_of_job = sum(cost.contract_calls * count for cost, count in sends) / lasts * SECONDS_PER_LEDGER
            rpc_of_job = sum(cost.ledger_requests * count for cost, count in sends) / lasts
            fits = (
                len(running) < plan.jobs
                and calls_now + calls_of_job <= plan.calls_per_ledger + ROUNDING
                and rpc_now + rpc_of_job <= plan.rpc_a_second + ROUNDING
            )
            if running and not fits:
                break
            waiting.popleft()
            number += 1
            took, began = SET_UP_SECONDS + lasts, now + SET_UP_SECONDS
            heapq.heappush(running, Running(now + took, number, job, calls_of_job, rpc_of_job))
            calls_now, rpc_now, most_jobs = calls_now + calls_of_job, rpc_now + rpc_of_job, max(most_jobs, len(running))
            minutes += math.ceil(took / 60)
            runs, whole_runs = runs + job.whole + job.others, whole_runs + job.whole
            for cost, count in sends:
                _sent(calls, began, lasts, cost.contract_calls * count, SECONDS_PER_LEDGER)
                _sent(rpc, began, lasts, cost.ledger_requests * count, RPC_BIN_SECONDS)
                friendbot[int(began // 60)] += 0 if plan.kept else cost.friendbot_requests * count
    asked = {job.deploy: job.asked_at for job in jobs_of(plan)}
    return Day(
        waits=sorted(ended[deploy] - asked[deploy] for deploy in ended),
        hours=max(ended.values()) / 3600,
        most_calls=max(calls.values(), default=0),
        most_rpc=max(rpc.values(), default=0) / RPC_BIN_SECONDS,
        most_friendbot=max(friendbot.values(), default=0),
        job_minutes=minutes,
        most_jobs=most_jobs,
        runs=runs,
        whole_runs=whole_runs,
    )


def _sent(bins: Counter[int], began: float, lasts: float, count: int, bin_seconds: float) -> None:
    """Count what is sent evenly over a while, in the bins it falls into."""
    sent, at = 0, int(began // bin_seconds)
    while sent < count:
        by_then = min(count, max(0, math.ceil(((at + 1) * bin_seconds - began) * count / lasts - 0.5)))
        bins[at] += by_then - sent
        sent, at = by_then, at + 1


def page(costs: Mapping[str, RunCost]) -> str:
    """Return docs/scale.md."""
    whole, other = costs["money"], costs["read-only"]
    days = [(plan, simulate(plan, whole, other)) for plan in PLANS]
    every = days[0][1].runs
    merges = every * whole.merge_ms / 3_600_000
    of_job = whole.contract_calls + (IN_TURN - 1) * other.contract_calls
    places = int(OURS * SLOWER_SIDE_BY_SIDE * whole.seconds / SECONDS_PER_LEDGER / of_job)
    fees_of_runs = int(10_000 * 10**7 / max(whole.fees_stroops, 1))
    lines = [
        "# Scale: 1,000 environments in 50 regions",
        "",
        *_wrapped(
            "Made by `benchmarks/scale.py`, and held by its `--check`. What one run costs is measured; a day, in "
            "which each "
            f"of {ENVIRONMENTS:,} environments is deployed once, to {REGIONS} regions, within "
            f"{DAY_SECONDS // 3600} hours, is simulated event by event."
        ),
        "",
        "## One run",
        "",
        "| of the whole suite, on ledgers of 5 s | money moves | read-only, as production is |",
        "|---|---|---|",
        *(f"| {what} | {shown(whole)} | {shown(other)} |" for what, shown in ONE_RUN),
        "",
        "## One day",
        "",
        "| | " + " | ".join(plan.name for plan, _ in days) + " |",
        "|---|" + "---|" * len(days),
        *(f"| {what} | " + " | ".join(shown(plan, day) for plan, day in days) + " |" for what, shown in ONE_DAY),
        "",
        *_wrapped(
            "Figures in bold are over a limit. The last two plans use runners of one's own, the last one a network of "
            "one's own, whose limits the operator sets."
        ),
        "",
        "## Limits",
        "",
        "| what | limit | known from |",
        "|---|---|---|",
        *(f"| {what} | {limit} | {source} |" for what, limit, source in LIMITS),
        "",
        "## One coordinator",
        "",
        *_wrapped(
            f"It merges {ENVIRONMENTS:,} deploys a day. Verifying and judging a run again takes "
            f"{whole.merge_ms:.0f} ms of "
            f"CPU, and a day's {every:,} runs {merges:.1f} hours of one core at most. It keeps:"
        ),
        "",
        f"| what is kept of a run | a day | {KEPT_DAYS} days |",
        "|---|---|---|",
        *(
            f"| {what} | {_bytes(size * every)} | {_bytes(size * every * KEPT_DAYS)} |"
            for what, size in (
                ("everything that a run leaves", whole.folder_bytes),
                ("journal, verdict and signature: all that is needed to judge again", whole.evidence_bytes),
                ("the same, compressed", whole.evidence_packed_bytes),
            )
        ),
        "",
        "## The schedule that stays within the limits",
        "",
        *_wrapped(
            f"1. A deploy is judged in {IN_TURN} of its {REGIONS} regions, the next ones at the next deploy, and "
            f"baked in "
            "the others (`--bake`). In the first of them the service moves money; the others are only read, as "
            f"`environments/production.toml` does. In {REGIONS // IN_TURN} deploys every region is judged, in "
            f"{REGIONS} "
            "money has moved in each."
        ),
        *_wrapped(
            f"2. A job plays these {REGIONS_PER_JOB} regions on one machine (`run --region all` of an environment "
            f"file that "
            "lists them), on runners of one's own or in Kubernetes."
        ),
        *_wrapped(
            "3. Accounts are kept (`SMOKE_SIGNER_SEED` in a region's `credentials`): friendbot is asked once for "
            "each. It "
            f"gives 10,000 XLM, the fees of {fees_of_runs:,} runs."
        ),
        *_wrapped(
            f"4. At most {places} such jobs are played at once: a queue of the engine with so many places "
            "(`concurrency` of GitHub, `resource_group` of GitLab, a semaphore of Argo Workflows)."
        ),
        *_wrapped(
            "5. Where every region must be judged at every deploy, the ledger is one's own: a network that is run "
            "beside the environments has the limits that its operator sets. A run of the suite calls a contract "
            f"{other.contract_calls} times even where it only reads, to prove that ledger and contract work."
        ),
        "",
        "A merge of 50 regions is a matrix of 5 jobs at GitHub, which allows 256.",
    ]
    return "\n".join(lines) + "\n"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 120, subsequent_indent="   " if text[:1].isdigit() else "")


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _bytes(value: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:,.0f} {unit}"
        value /= 1000
    return f"{value:,.1f} TB"


ONE_RUN: Sequence[tuple[str, Any]] = (
    ("seconds", lambda run: _count(run.seconds)),
    ("requests to the service", lambda run: _count(run.service_requests)),
    ("requests to the RPC", lambda run: _count(run.ledger_requests)),
    ("of these to friendbot, with new accounts", lambda run: _count(run.friendbot_requests)),
    ("transactions that came onto the ledger, the service's too", lambda run: _count(run.transactions)),
    ("contract calls among these", lambda run: _count(run.contract_calls)),
    ("fees that the run paid, XLM", lambda run: f"{run.fees_stroops / 10**7:.2f}"),
    ("what it leaves", lambda run: _bytes(run.folder_bytes)),
    ("its journal, verdict and signature", lambda run: _bytes(run.evidence_bytes)),
    ("these, compressed", lambda run: _bytes(run.evidence_packed_bytes)),
)


def _over(text: str, value: float, limit: float) -> str:
    return f"**{text}**" if value > limit else text


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:,.0f} min" if seconds < 2 * 3600 else f"{seconds / 3600:,.0f} h"


ONE_DAY: Sequence[tuple[str, Any]] = (
    ("runs, and those that move money", lambda _, day: f"{day.runs:,}, {day.whole_runs:,}"),
    (
        "contract calls in the fullest ledger",
        lambda plan, day: _over(
            _count(day.most_calls),
            day.most_calls,
            plan.calls_per_ledger if plan.own_ledger else TRANSACTIONS_PER_LEDGER,
        ),
    ),
    (
        "requests to RPCs in the busiest second",
        lambda plan, day: _over(_count(day.most_rpc), 0 if plan.own_ledger else day.most_rpc, RPC_A_SECOND),
    ),
    (
        "friendbot in the busiest minute",
        lambda _, day: _over(_count(day.most_friendbot), day.most_friendbot, FRIENDBOT_A_MINUTE),
    ),
    ("jobs at once", lambda plan, day: _over(_count(day.most_jobs), day.most_jobs, JOBS_AT_ONCE)),
    (
        "minutes of jobs in a month of 21 days",
        lambda plan, day: _over(_count(day.job_minutes * 21), 0 if plan.own_runners else day.job_minutes * 21, 50_000),
    ),
    ("verdict after, median of deploys", lambda _, day: _minutes(statistics.median(day.waits))),
    ("verdict after, 95 % of deploys", lambda _, day: _minutes(day.waits[int(0.95 * len(day.waits))])),
    ("the last verdict of the day", lambda _, day: f"{day.hours:.1f} h"),
)


def measured() -> dict[str, RunCost]:
    """Return what was measured, from docs/scale.json."""
    return msgspec.json.decode(MEASURED.read_bytes(), type=dict[str, RunCost])


def measure() -> dict[str, RunCost]:
    """Play a run that moves money and one that reads, each on a sandbox of its own with ledgers of 5 s."""
    return {"money": _measured(settles=True), "read-only": _measured(settles=False)}


def _measured(*, settles: bool) -> RunCost:
    from streampay_sandbox.stack import start_sandbox
    from streampay_selftest.conditions import shipped, signed_in_by_token
    from streampay_selftest.region_conditions import new_signing_key
    from streampay_selftest.run_setup import RunSetup
    from streampay_smoke.core.signing import SigningKey
    from streampay_smoke.operations.merge import Artifact, Trust, read_evidence

    with tempfile.TemporaryDirectory(prefix="scale-") as place, contextlib.ExitStack() as stack:
        sandbox = stack.enter_context(start_sandbox(close_seconds=SECONDS_PER_LEDGER))
        setup = RunSetup(Path(place) / "project", sandbox, stack, [sys.executable, "-m", "streampay_smoke", "run"])
        setup.environ |= {"SMOKE_REGION": "one", "SMOKE_SIGNING_KEY": new_signing_key()}
        del setup.environ["SMOKE_DEADLINE_SECONDS"]
        if not settles:
            shipped("production", service_network="public")(setup)
            signed_in_by_token(setup)  # of a user who has streams: nothing is created
        setup.write_environment_file()
        time.sleep(2 * SECONDS_PER_LEDGER)  # a ledger has a pace before the run
        before = len(_transactions(sandbox.rpc_url))
        began = time.monotonic()
        code = setup.start("@smoke").wait()
        seconds = time.monotonic() - began
        run = setup.latest()
        if code or run is None:
            raise SystemExit(f"the run ended with {code}: {(setup.folder / 'output.txt').read_text()}")
        sent = _transactions(sandbox.rpc_url)[before:]
        cost = json.loads((run / "verdict.json").read_text())["cost"]
        journal = (run / "journal.jsonl").read_text()
        evidence = [run / name for name in ("journal.jsonl", "verdict.json", "verdict.dsse.json")]
        key = SigningKey.given(setup.environ["SMOKE_SIGNING_KEY"], variable="SMOKE_SIGNING_KEY")
        cpu = time.process_time()
        found = read_evidence([Artifact(path=run)], Trust(now_ms=round(time.time() * 1000), keys=(key.public,)))
        merge_ms = (time.process_time() - cpu) * 1000
        if found.refused:
            raise SystemExit(f"the run that is measured does not count: {found.refused}")
        return RunCost(
            seconds=round(seconds),
            service_requests=cost["service_requests"],
            ledger_requests=cost["ledger_requests"],
            friendbot_requests=journal.count('"target":"friendbot"'),
            transactions=len(sent),
            contract_calls=sum(sent),
            fees_stroops=cost["fees_stroops"],
            folder_bytes=sum(path.stat().st_size for path in run.rglob("*") if path.is_file()),
            evidence_bytes=sum(path.stat().st_size for path in evidence),
            evidence_packed_bytes=sum(len(zlib.compress(path.read_bytes(), 9)) for path in evidence),
            merge_ms=round(merge_ms),
        )


def _transactions(rpc_url: str) -> list[bool]:
    """Return every transaction of a ledger in order: whether it calls a contract."""
    from stellar_sdk import Network, SorobanServer, TransactionEnvelope
    from stellar_sdk.operation import InvokeHostFunction

    found: list[bool] = []
    with SorobanServer(rpc_url) as server:
        answer = server.get_transactions(start_ledger=server.get_health().oldest_ledger, limit=200)
        while answer.transactions:
            for each in answer.transactions:
                envelope = TransactionEnvelope.from_xdr(str(each.envelope_xdr), Network.TESTNET_NETWORK_PASSPHRASE)
                found.append(isinstance(envelope.transaction.operations[0], InvokeHostFunction))
            answer = server.get_transactions(cursor=answer.cursor, limit=200)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate; measure, check or write where that is asked for."""
    parser = argparse.ArgumentParser(description="Simulate 1,000 environments in 50 regions.")
    asked = parser.add_mutually_exclusive_group()
    asked.add_argument(
        "--measure", action="store_true", help="measure anew, and write docs/scale.json and docs/scale.md"
    )
    asked.add_argument("--write", action="store_true", help="write docs/scale.md from what was measured")
    asked.add_argument("--check", action="store_true", help="end with 1 where docs/scale.md says something else")
    chosen = parser.parse_args(arguments)
    if chosen.measure:
        MEASURED.write_bytes(msgspec.json.format(msgspec.json.encode(measure())) + b"\n")
    found = page(measured())
    if chosen.measure or chosen.write:
        PAGE.write_text(found, encoding="utf-8")
    elif chosen.check:
        same = PAGE.read_text(encoding="utf-8") == found
        print("docs/scale.md is what is simulated" if same else "docs/scale.md differs: benchmarks/scale.py --write")
        return 0 if same else 1
    else:
        print(found, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
