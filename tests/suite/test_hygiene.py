"""What earlier runs left behind changes no verdict, and is swept; what is not ours is left alone."""

import signal
from collections.abc import Iterator
from json import loads
from pathlib import Path
from typing import Any

import pytest
from suite_parts import ROOT, Project, wait_for_file
from waits import HANG_SECONDS

from streampay_sandbox.stack import Sandbox, start_sandbox
from streampay_smoke.acceptance.run_context import RunContext
from streampay_smoke.evidence.journal import read
from streampay_smoke.gate.judge import judge
from streampay_smoke.gate.verdict import VerdictStatus
from streampay_smoke.http.client import Client
from streampay_smoke.service.identity import unowned_address
from streampay_smoke.service.lease import Lease
from streampay_smoke.service.orders import RATE, SCHEDULE
from streampay_smoke.settings import load

SETTLED_STEP = (
    "    scenario.settlement = actions.settle(scenario.run_context, scenario.credential, scenario.started.record.id)"
)
LEFTOVERS = 60
CSRF = {"cookie": "csrf-token=by-hand", "x-csrf-token": "by-hand"}


@pytest.fixture
def poisoned() -> Iterator[Sandbox]:
    """A sandbox of each test's own: its lists are full of leftovers, and its rate limits are not used up."""
    with start_sandbox() as running:
        yield running


@pytest.fixture
def project(tmp_path: Path, poisoned: Sandbox) -> Project:
    return Project(tmp_path, {**poisoned.ready_document()["env"], "SMOKE_AUTH_MODE": "jwt"})


@pytest.fixture
def run_context(poisoned: Sandbox) -> Iterator[RunContext]:
    settings = load(environ={**poisoned.ready_document()["env"], "SMOKE_AUTH_MODE": "jwt"})
    made = RunContext(settings, record=lambda event: None, learn_secret=lambda text: None, run_id="gone")
    yield made
    made.close()


def killed_in_the_middle(project: Project) -> None:
    """A run that is killed between starting a stream and settling it."""
    project.edit(
        "steps/settlement_steps.py",
        SETTLED_STEP,
        f"    import pathlib, time\n    pathlib.Path('hanging').touch()\n    time.sleep({HANG_SECONDS})",
    )
    with project.start("behave", "--tags=@settlement or @streams") as running:
        wait_for_file(project.folder / "hanging", running)
        running.send_signal(signal.SIGKILL)
        running.communicate(timeout=HANG_SECONDS)
    (project.folder / "hanging").unlink()
    steps = "steps/settlement_steps.py"
    project.put(steps, (ROOT / "features" / steps).read_text())


def test_a_run_after_one_that_was_killed_is_a_pass_and_a_sweep_leaves_nothing(project: Project) -> None:
    killed_in_the_middle(project)
    dead = project.ran(-9, "")
    assert dead.verdict.verdict is VerdictStatus.INCONCLUSIVE
    told = judge(read(dead.folder / "journal.jsonl"))
    leaked = told.cleanup.leaked
    events = [event["event"] for event in dead.events]
    assert events.count("resource_created") == events.count("resource_marked") == leaked > 0

    early = project.answer("sweep")
    assert (early.returncode, early.stdout) == (0, "sweep: 0 brought to an end\n"), "their lease is not over"

    again = project.behave("--tags=@smoke")
    assert (again.code, again.verdict.verdict, again.verdict.cleanup.leaked) == (0, VerdictStatus.PASS, 0), again.output

    dry = project.answer("sweep", "--older-than", "0", "--dry-run")
    swept = project.answer("sweep", "--older-than", "0")
    assert (dry.returncode, swept.returncode) == (0, 0), swept.stderr
    assert f"{leaked} due and left alone (dry run)" in dry.stdout
    assert swept.stdout.endswith(f"sweep: {leaked} brought to an end\n")
    assert swept.stdout.count(f"of run {told.run_id}") == leaked
    assert project.answer("sweep", "--older-than", "0").stdout == "sweep: 0 brought to an end\n"


class ByHand:
    """Puts streams of the synthetic user into a sandbox, past the limits of the API that runs use."""

    def __init__(self, run_context: RunContext, sandbox: Sandbox) -> None:
        self._client = Client(
            base_url=sandbox.base_url, timeout_seconds=10, headers={**run_context.credential.headers, **CSRF}
        )

    def create(self, *, status: str = "draft", rate: str = RATE, **change: Any) -> str:
        body = {"recipient": unowned_address(), "rate": rate, "schedule": SCHEDULE}
        stream_id = str(loads(self._client.request("POST", "/api/v2/streams", json=body).text)["id"])
        for action in {"active": ["start"], "paused": ["start", "pause"], "ended": ["stop"]}.get(status, []):
            assert self._client.request("POST", f"/api/streams/{stream_id}/{action}").status == 200
        if change:
            assert self._client.request("PATCH", f"/api/v2/streams/{stream_id}", json=change).status == 200
        return stream_id

    def status(self, stream_id: str) -> str:
        return str(loads(self._client.request("GET", f"/api/v2/streams/{stream_id}").text)["status"])


@pytest.fixture
def by_hand(run_context: RunContext, poisoned: Sandbox) -> ByHand:
    return ByHand(run_context, poisoned)


FORGED = (
    ["smoke:", "lease:1"],
    ["smoke:r", "lease:soon"],
    ["smoke:r", "lease:-1"],
    ["smoke:r", "lease:1", "lease:2"],
    ["smoke:r", "smoke:s", "lease:1"],
    ["smoke:r", "lease:" + "9" * 400],
    ["lease:1"],
    ["SMOKE:r", "LEASE:1"],
    ["smoke:../../etc", "lease:\u0661"],
)
"""Tags that look like marks and are none."""


def test_sixty_leftovers_and_forged_ones_change_no_verdict_and_only_ours_are_swept(
    project: Project, by_hand: ByHand
) -> None:
    over = Lease(run_id="gone", lease_until_seconds=1).tags
    running = Lease(run_id="running", lease_until_seconds=2**33).tags
    statuses = ["draft", "active", "ended"] * (LEFTOVERS // 3 - 1) + ["paused"] * 3
    ours = [by_hand.create(status=status, tags=over) for status in statuses]
    leased = by_hand.create(tags=running)
    theirs = [by_hand.create(rate="1.5", tags=tags, description="smoke: end me") for tags in FORGED]
    theirs.append(by_hand.create(rate="2"))
    young = by_hand.create()

    # Each transaction closed a ledger of its own, so that this ledger's clock is ahead: @chain would say so.
    ran = project.behave("--tags=@smoke and not @chain")
    assert (ran.code, ran.verdict.verdict, ran.verdict.cleanup.leaked) == (0, VerdictStatus.PASS, 0), ran.output

    swept = project.answer("sweep")
    assert swept.returncode == 0, swept.stderr
    assert f"sweep: {sum(status != 'ended' for status in statuses)} brought to an end" in swept.stdout
    assert {by_hand.status(stream_id) for stream_id in ours} == {"ended"}
    assert {by_hand.status(stream_id) for stream_id in (leased, young, *theirs)} == {"draft"}

    unmarked = project.answer("sweep", "--older-than", "0")
    assert "2 brought to an end" in unmarked.stdout, unmarked.stdout
    assert {by_hand.status(stream_id) for stream_id in (leased, young)} == {"ended"}
    assert {by_hand.status(stream_id) for stream_id in theirs} == {"draft"}


def test_nothing_is_swept_where_real_money_could_be(project: Project) -> None:
    testnet = {"SMOKE_STELLAR_NETWORK": "testnet", "SMOKE_TOKEN_CONTRACT_ID": ""}
    read_only = project.answer("sweep", "--env", "production", SMOKE_AUTH_MODE="jwt", **testnet)
    assert read_only.returncode == 2
    assert "production is read-only" in read_only.stderr
    assert project.answer("sweep", "--env", "nowhere").returncode == 2
    assert project.answer("sweep", SMOKE_STELLAR_NETWORK="pubnet").returncode == 4
    place = project.folder / "environments" / "sandbox.toml"
    place.write_text(place.read_text().replace("ready_within_seconds = 10", "ready_within_seconds = 0.2"))
    assert project.answer("sweep", SMOKE_BASE_URL="http://127.0.0.1:9").returncode == 3


def test_the_embedded_sandbox_has_nothing_to_sweep(tmp_path: Path) -> None:
    swept = Project(tmp_path, {}).answer("sweep")
    assert (swept.returncode, "nothing to sweep" in swept.stdout) == (0, True)
