"""A step that takes longer than its budget ends within a second, whatever it hangs in, and the run goes on."""

import json
import math
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from suite_parts import Project, Ran
from waits import HANG_SECONDS, Stopwatch

from streampay_sandbox.proxy import full_queue
from streampay_smoke.gate.verdict import VerdictStatus

CHECK = "    readiness.dependencies_are_healthy(context.scenario_context.readiness, context.scenario_context.expect)"
STEP = "And every named dependency is healthy"
SCENARIOS = ("--name=The service and its dependencies", "--name=A caller with")
"""One that can be made to hang, and five that come after it and need no sign-in, which is limited."""


@pytest.fixture
def watch() -> Iterator[Stopwatch]:
    with Stopwatch() as running:
        yield running


@pytest.fixture
def budget_seconds(watch: Stopwatch) -> int:
    """What a step has: two seconds where the machine is idle, for steps that do not hang have to be through."""
    return math.ceil(watch.allows(1.5))


@pytest.fixture
def hurried(project: Project, budget_seconds: int) -> Project:
    """A project whose steps have little time."""
    place = project.folder / "environments" / "sandbox.toml"
    place.write_text(
        f"step_seconds = {budget_seconds}\nledger_step_seconds = {3 * budget_seconds}\n"
        + place.read_text().replace("ready_within_seconds = 10", "ready_within_seconds = 0.1")
    )
    return project


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that accepts connections and never answers: its backlog is never emptied."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


@pytest.fixture
def full_port() -> Iterator[int]:
    """A port whose backlog is full: connecting to it hangs."""
    with full_queue() as port:
        yield port


@pytest.fixture
def dripping_port() -> Iterator[int]:
    """A port that answers with a byte of body each tenth of a second, for ever."""
    stopped = threading.Event()

    def drip(connection: socket.socket) -> None:
        with connection:
            try:
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
                while not stopped.wait(0.1):
                    connection.sendall(b"x")
            except OSError:
                return

    def serve() -> None:
        while not stopped.is_set():
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=drip, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, daemon=True).start()
        yield int(server.getsockname()[1])
        stopped.set()


def latest_ms(budget_seconds: float, watch: Stopwatch) -> float:
    """Return when a step of this budget has ended: within a second, as far as the machine gives it one."""
    return 1000 * (budget_seconds + watch.allows(1))


def step(ran: Ran, text: str = STEP) -> dict[str, Any]:
    (found,) = [event for event in ran.events if event["event"] == "step_finished" and event["text"] == text]
    return found


def hang_in(project: Project, *code: str) -> None:
    project.edit("steps/readiness_steps.py", CHECK, "\n".join(f"    {line}" for line in code))


def asks(port: int) -> tuple[str, ...]:
    return (
        "from streampay_smoke.service.transport import ServiceTransport",
        f"transport = ServiceTransport('http://127.0.0.1:{port}', timeout_seconds={HANG_SECONDS},",
        "                             record=context.scenario_context.run_context.record)",
        "transport.send('GET', '/hanging')",
    )


@pytest.mark.parametrize("port", ["silent_port", "full_port", "dripping_port"])
def test_a_service_that_hangs_is_the_releases_fault(
    hurried: Project, budget_seconds: int, watch: Stopwatch, port: str, request: pytest.FixtureRequest
) -> None:
    hang_in(hurried, *asks(request.getfixturevalue(port)))
    ran = hurried.behave("features/readiness.feature")
    ended = step(ran)
    assert ended["duration_ms"] < latest_ms(budget_seconds, watch), ran.output
    assert (ended["failure"]["kind"], ended["failure"]["blame"]) == ("step_timeout", "product"), ran.output
    assert (ran.code, ran.verdict.reason_code) == (1, "step_timeout"), ran.output
    assert (
        f"longer than its {budget_seconds} s, waiting for the service to answer GET /hanging"
        in ran.verdict.message_long
    )
    assert "the last answer was" in ran.verdict.message_long or "nothing had answered" in ran.verdict.message_long


def test_an_rpc_that_hangs_is_a_dependency(
    hurried: Project, budget_seconds: int, watch: Stopwatch, silent_port: int
) -> None:
    ran = hurried.behave("features/ledger.feature", SMOKE_STELLAR_RPC_URL=f"http://127.0.0.1:{silent_port}")
    ended = step(ran, "When the ledger network is observed")
    assert ended["duration_ms"] < latest_ms(3 * budget_seconds, watch), ran.output
    nearer = {"step_timeout", "chain_unavailable"}  # the limit of a request, where a slow machine gives steps more
    assert ended["failure"]["kind"] in nearer, ran.output
    assert ended["failure"]["blame"] == "dependency"
    assert (ran.code, ran.verdict.verdict, ran.verdict.attribution) == (3, VerdictStatus.INCONCLUSIVE, "dependency"), (
        ran.output
    )


SLOW_DNS = (
    "import socket, time",
    "look_up = socket.getaddrinfo",
    f"hang = lambda host: host == 'slow.invalid' and time.sleep({HANG_SECONDS})",
    "socket.getaddrinfo = lambda host, *more, **options: hang(host) or look_up(host, *more, **options)",
    *(line.replace("127.0.0.1", "slow.invalid") for line in asks(80)),
)
BACKTRACKING = ("import re", "re.match(r'(a+)+$', 'a' * 64 + 'b')")
SWALLOWED = ("import time", "try:", f"    time.sleep({HANG_SECONDS})", "except Exception:", "    pass")


@pytest.mark.parametrize(("code", "blame"), [(SLOW_DNS, "product"), (BACKTRACKING, "harness")])
def test_a_step_that_hangs_ends_and_the_next_scenario_is_played(
    hurried: Project, budget_seconds: int, watch: Stopwatch, code: tuple[str, ...], blame: str
) -> None:
    hang_in(hurried, *code)
    ran = hurried.behave(*SCENARIOS)
    ended = step(ran)
    assert ended["duration_ms"] < latest_ms(budget_seconds, watch), ran.output
    assert (ended["failure"]["kind"], ended["failure"]["blame"]) == ("step_timeout", blame), ran.output
    assert ran.code == (1 if blame == "product" else 3)
    others = [check.status for check in ran.verdict.checks if check.id.startswith("streams/")]
    assert len(others) == 8
    assert set(others) == {"passed"}, ran.output


def test_a_step_that_swallows_its_alarm_is_no_pass(hurried: Project) -> None:
    hang_in(hurried, *SWALLOWED)
    hurried.edit(
        "steps/readiness_steps.py", "        pass", "        context.scenario_context.expect.that('it is', True)"
    )
    ran = hurried.behave("features/readiness.feature")
    assert (ran.code, ran.verdict.verdict) == (3, VerdictStatus.INCONCLUSIVE), ran.output


HOLDING = ("sum(range(10**12))",)  # one call into C, which looks at no signal


def test_a_call_that_holds_the_interpreter_is_killed_by_the_supervisor(
    hurried: Project, budget_seconds: int, watch: Stopwatch
) -> None:
    hang_in(hurried, *HOLDING)
    ran = hurried.smoke("features/readiness.feature", SMOKE_TAGS="@readiness")
    assert (ran.code, ran.verdict.reason_code) == (3, "step_timeout"), ran.output
    begun = next(
        entry["at_ms"] for entry in entries(ran) if entry["event"].get("text") == STEP and "budget" in str(entry)
    )
    assert ran.verdict.timings.ended_at_ms - begun < latest_ms(budget_seconds, watch)
    assert STEP in ran.verdict.message_long
    assert f"budget {budget_seconds} s" in ran.verdict.message_long
    assert "the last answer was" in ran.verdict.message_long or "nothing had answered" in ran.verdict.message_long


def entries(ran: Ran) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (ran.folder / "journal.jsonl").read_text().splitlines()]


def test_at_the_deadline_the_verdict_names_the_step_its_budget_and_what_it_waited_for(
    project: Project, watch: Stopwatch, silent_port: int
) -> None:
    hang_in(project, *asks(silent_port))
    seconds = math.ceil(watch.allows(1.5))
    ran = project.behave("features/readiness.feature", SMOKE_DEADLINE_SECONDS=str(seconds))
    assert (ran.code, ran.verdict.reason_code) == (3, "deadline"), ran.output
    assert ran.verdict.timings.total_ms < latest_ms(seconds, watch)
    for told in (STEP, f"the {seconds} s of this run were over", "budget 30 s", "to answer GET /hanging"):
        assert told in ran.verdict.message_long


def test_a_budget_of_nothing_is_config(project: Project) -> None:
    place = project.folder / "environments" / "sandbox.toml"
    place.write_text("step_seconds = 0\n" + place.read_text())
    ran = project.behave("--tags=@readiness")
    assert (ran.code, ran.verdict.reason_code) == (2, "settings_invalid"), ran.output
