"""How long a run may take: what somebody set, else what its waits for ledgers add up to."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from json import dumps, loads
from pathlib import Path
from typing import Any, ClassVar

import pytest

from streampay_smoke.evidence.events import Exchanged
from streampay_smoke.evidence.journal import Journal
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.http.ledger_health import measured_seconds_per_ledger
from streampay_smoke.operations.doctor.deployment import deadline
from streampay_smoke.run.probes.runner import quickest_answer_seconds
from streampay_smoke.run.progress import RunProgress
from streampay_smoke.runner.session import Session
from streampay_smoke.settings import load
from streampay_smoke.settings.deadline import (
    LEDGER_STEPS,
    MOST_ROUND_TRIP_SECONDS,
    SHORTEST_SECONDS,
    STEPS,
    UNMEASURED_SECONDS_PER_LEDGER,
    clean_up_seconds,
    derived_deadline_seconds,
    under_way_seconds,
)

GIVEN = {"SMOKE_BASE_URL": "http://127.0.0.1:1", "SMOKE_CONTRACT_ID": "C1"}


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [("sandbox", SHORTEST_SECONDS), ("local", 90.0 + 2 * LEDGER_STEPS), ("staging", 120.0 + 10 * LEDGER_STEPS)],
)
def test_the_default_follows_the_network(environment: str, seconds: float) -> None:
    environ = {**GIVEN, "SMOKE_ENV": environment, "SMOKE_STELLAR_RPC_URL": "http://127.0.0.1:1/rpc"}
    settings = load(environ=environ)
    assert (settings.deadline_seconds, settings.deadline_is_derived) == (seconds, True)


def test_a_run_on_ledgers_of_six_seconds_has_twice_its_time() -> None:
    assert derived_deadline_seconds(ready_within_seconds=10, seconds_per_ledger=6) > 2 * LEDGER_STEPS * 6


def test_a_variable_stands_before_the_environment_file(tmp_path: Path) -> None:
    (tmp_path / "environments").mkdir()
    shipped = Path("environments/sandbox.toml").read_text()
    (tmp_path / "environments" / "sandbox.toml").write_text(f"deadline_seconds = 77.5\n{shipped}")
    environ = {**GIVEN, "SMOKE_STELLAR_RPC_URL": "http://127.0.0.1:1/rpc"}
    assert load(environ=environ, root=tmp_path).deadline_seconds == 77.5
    set_by_hand = load(environ={**environ, "SMOKE_DEADLINE_SECONDS": "9"}, root=tmp_path)
    assert (set_by_hand.deadline_seconds, set_by_hand.deadline_is_derived) == (9.0, False)


class Rpc(BaseHTTPRequestHandler):
    health: ClassVar[dict[str, Any]] = {"status": "healthy", "latestLedger": 30, "oldestLedger": 10}
    ledgers: ClassVar[Any] = []

    def do_POST(self) -> None:
        call = loads(self.rfile.read(int(self.headers["content-length"])))
        result = self.health if call["method"] == "getHealth" else {"ledgers": self.ledgers}
        body = dumps({"jsonrpc": "2.0", "id": call["id"], "result": result}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def rpc() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), type("ThisRpc", (Rpc,), {})) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize(
    ("closed_at", "pace"),
    [
        ([100, 105, 110, 116], 5.0),
        ([100, 105, 110, 171], 5.0),
        ([100, 100, 101, 101, 102], 0.5),  # two share each second
        ([7], None),
        (["soon", "later"], None),
        (None, None),
    ],
)
def test_the_pace_is_what_the_newest_ledgers_show(
    rpc: ThreadingHTTPServer, closed_at: list[Any] | None, pace: float | None
) -> None:
    ledgers = None if closed_at is None else [{"ledgerCloseTime": str(each)} for each in closed_at]
    rpc.RequestHandlerClass.ledgers = ledgers  # type: ignore[attr-defined]
    url = f"http://127.0.0.1:{rpc.server_port}/"
    assert measured_seconds_per_ledger(url, timeout_seconds=5) == pace


def test_a_ledger_that_closes_on_demand_is_as_quick_as_its_shortest_gap(rpc: ThreadingHTTPServer) -> None:
    closed_at = [100, 700, 1000, 1001, 1900]
    rpc.RequestHandlerClass.ledgers = [{"ledgerCloseTime": str(each)} for each in closed_at]  # type: ignore[attr-defined]
    url = f"http://127.0.0.1:{rpc.server_port}/"
    assert measured_seconds_per_ledger(url, timeout_seconds=5, closes_on_demand=True) == 1
    assert measured_seconds_per_ledger(url, timeout_seconds=5) == 450


@pytest.mark.parametrize(
    ("environ", "closed_at", "more_seconds"),
    [
        ({}, [100, 105, 110], 10 + 60 + 2 * 25 * 5 - SHORTEST_SECONDS),
        ({}, [100, 100, 100], 0.0),
        ({"SMOKE_DEADLINE_SECONDS": "90"}, [100, 105, 110], 0.0),
    ],
)
def test_a_slow_ledger_extends_a_deadline_that_nobody_set(
    rpc: ThreadingHTTPServer, tmp_path: Path, environ: dict[str, str], closed_at: list[int], more_seconds: float
) -> None:
    rpc.RequestHandlerClass.ledgers = [{"ledgerCloseTime": str(each)} for each in closed_at]  # type: ignore[attr-defined]
    settings = load(environ={**GIVEN, "SMOKE_STELLAR_RPC_URL": f"http://127.0.0.1:{rpc.server_port}/", **environ})
    path = tmp_path / "journal.jsonl"
    with Journal(path, Redactor()) as journal:
        assert Session(settings, journal, Redactor(), "run").extend_deadline(25, 100) == more_seconds
    progress = RunProgress(path, deadline_seconds=settings.deadline_seconds, clock=lambda: 0.0)
    assert not progress.step_is_stuck()
    assert progress.left_seconds == settings.deadline_seconds + more_seconds


@pytest.mark.parametrize(
    ("round_trip_seconds", "seconds"),
    [(0.002, SHORTEST_SECONDS), (0.4, 70 + 2 * STEPS * 0.4), (3.0, 70 + 2 * STEPS * MOST_ROUND_TRIP_SECONDS)],
    ids=["near", "on another continent", "slow by itself"],
)
def test_a_run_that_is_far_from_what_it_asks_has_more_time(round_trip_seconds: float, seconds: float) -> None:
    found = derived_deadline_seconds(
        ready_within_seconds=10, seconds_per_ledger=0, round_trip_seconds=round_trip_seconds
    )
    assert found == pytest.approx(seconds)


def exchanged(peer: str, duration_ms: int, status: int | None = 200) -> Exchanged:
    return Exchanged(peer=peer, method="GET", target="/", status=status, duration_ms=duration_ms)


@pytest.mark.parametrize(
    ("answers", "seconds"),
    [
        ([], None),
        ([exchanged("service", 9, status=None), exchanged("stable", 7)], None),
        ([exchanged("service", 900), exchanged("service", 410), exchanged("ledger", 20)], 0.41),
        ([exchanged("service", 4), exchanged("ledger", 300)], 0.3),
    ],
)
def test_the_quickest_answer_tells_how_far_a_run_is_from_what_it_asks(
    answers: list[Exchanged], seconds: float | None
) -> None:
    assert quickest_answer_seconds(answers) == seconds


STATED = {"SMOKE_DEADLINE_SECONDS": "100"}


@pytest.mark.parametrize(
    ("environ", "pace", "away", "state", "said"),
    [
        ({}, 0.0, 0.01, "ok", "120 s, derived from ledgers 0 s apart (as measured)"),
        ({}, None, 0.4, "ok", "390 s, derived from ledgers 0 s apart (as its network has them)"),
        ({}, 5.0, 0.0, "ok", "430 s, derived"),
        (STATED, 5.0, 0.0, "warning", "100 s is set: it may be too short, 430 s follows from ledgers 5 s apart"),
        (STATED, 20.0, 0.0, "problem", "100 s is set: too short, a whole smoke takes 140 s at least"),
        ({"SMOKE_DEADLINE_SECONDS": "500"}, 5.0, 0.0, "ok", "500 s is set, and 430 s is enough with ledgers 5 s apart"),
    ],
)
def test_doctor_says_clearly_whether_a_run_has_the_time_it_needs(
    environ: dict[str, str], pace: float | None, away: float, state: str, said: str
) -> None:
    settings = load(environ={**GIVEN, "SMOKE_STELLAR_RPC_URL": "http://127.0.0.1:9/", **environ})
    look = deadline(settings, seconds_per_ledger=pace, round_trip_seconds=away)
    assert look.state == state
    assert look.text.startswith(said)


@pytest.mark.parametrize(("unfinished", "pace", "seconds"), [(0, 5.0, 5), (1, 0.0, 7), (3, 5.0, 41), (9, 6.0, 90)])
def test_the_clean_up_has_time_for_what_is_left_and_a_limit(unfinished: int, pace: float, seconds: float) -> None:
    assert clean_up_seconds(unfinished, seconds_per_ledger=pace) == seconds


@pytest.mark.parametrize(("pace", "more_seconds"), [(0.0, 15), (5.0, 15), (10.0, 25)])
def test_a_run_that_is_cut_off_waits_for_what_is_under_way(pace: float, more_seconds: float) -> None:
    assert under_way_seconds(pace) == more_seconds
    one = clean_up_seconds(1, seconds_per_ledger=pace)
    assert clean_up_seconds(1, seconds_per_ledger=pace, cut_off=True) == one + more_seconds
    assert clean_up_seconds(0, seconds_per_ledger=pace, cut_off=True) == 5


def test_lanes_that_write_in_turn_have_the_time_of_all_of_them() -> None:
    alone, in_turn = (clean_up_seconds(1, seconds_per_ledger=5, writers_a_slot=number) for number in (1.0, 7.0))
    assert in_turn == alone + 6 * 2 * 5


def test_nobody_who_cannot_measure_the_pace_takes_a_ledger_for_instant(tmp_path: Path) -> None:
    environ = {**GIVEN, "SMOKE_STELLAR_RPC_URL": "http://127.0.0.1:9/"}
    with Journal(tmp_path / "journal.jsonl", Redactor()) as journal:
        session = Session(load(environ=environ), journal, Redactor(), "run")
        assert session.extend_deadline(25, 100) == 0
    assert session.time_left.seconds_per_ledger == UNMEASURED_SECONDS_PER_LEDGER


def test_a_ledger_that_says_nothing_has_no_pace() -> None:
    assert measured_seconds_per_ledger("http://127.0.0.1:9/", timeout_seconds=1) is None


def test_the_steps_that_wait_for_ledgers_are_counted() -> None:
    done = subprocess.run([sys.executable, "-c", COUNT], capture_output=True, text=True, check=True)
    waiting, steps = map(int, done.stdout.split())
    assert 0.75 * LEDGER_STEPS <= waiting <= LEDGER_STEPS
    assert 0.75 * STEPS <= steps <= STEPS


COUNT = """
from behave.runner_util import load_step_modules
from pathlib import Path
from streampay_smoke.runner.plan import scenarios_below
from streampay_smoke.runner.plan import ledger_steps

load_step_modules(["features/steps"])
planned = scenarios_below(Path("features"))
print(ledger_steps(planned), sum(len(item.expected.steps) for item in planned))
"""
"""In a process of its own: behave's registry takes each step once."""
