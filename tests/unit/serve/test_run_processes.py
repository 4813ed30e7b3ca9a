"""A run is a process: what it is told, what its end is worth, and that it does not outlast its time."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec
import pytest
from fake_smoke import FakeSmoke, verdict_of
from waits import HANG_SECONDS, wait_until

from streampay_smoke.gate.verdict import Action, VerdictStatus, to_json
from streampay_smoke.serve import run_processes as players
from streampay_smoke.serve.attempts import Deploy, RunOrder
from streampay_smoke.serve.run_processes import RunAnswer, RunProcesses, answer_of

ORDER = RunOrder(
    deploy=Deploy(environment="staging", region="", name="shop/pay/abc"),
    release="r1",
    base_url="https://staging.example",
)
PROVED = {"release": "r1", "base_url": "https://staging.example"}


@pytest.fixture
def fake(tmp_path: Path) -> FakeSmoke:
    return FakeSmoke(tmp_path)


def player_of(fake: FakeSmoke, *, limit_seconds: float = HANG_SECONDS, **environ: str) -> RunProcesses:
    return RunProcesses(
        {"PATH": os.environ["PATH"], **fake.environ, **environ},
        limit_seconds=limit_seconds,
        command=(str(fake.program), "run"),
        grace_seconds=HANG_SECONDS,
    )


def do(what: Coroutine[Any, Any, RunAnswer]) -> RunAnswer:
    return asyncio.run(asyncio.wait_for(what, HANG_SECONDS))


@pytest.mark.parametrize("status", list(VerdictStatus))
def test_a_run_answers_with_its_verdict(fake: FakeSmoke, tmp_path: Path, status: VerdictStatus) -> None:
    fake.answers(verdict_of(status, **PROVED))
    groups: list[int] = []
    answer = do(player_of(fake).play(ORDER, tmp_path, groups.append))
    assert (answer.verdict, answer.run_id) == (status, "20261123T212214Z-e5f124")
    assert len(groups) == 1


def test_a_run_is_told_what_to_judge_and_no_token_of_the_service(fake: FakeSmoke, tmp_path: Path) -> None:
    fake.answers(verdict_of(VerdictStatus.PASS, **PROVED))
    fake.looks()
    order = msgspec.structs.replace(ORDER, deploy=Deploy(environment="staging", region="eu", name="d"))
    do(
        player_of(fake, SMOKE_SERVE_TOKEN="very-secret", SMOKE_SERVE_TOKEN_B="too", SMOKE_API_KEY="its-own").play(
            order, tmp_path, lambda group: None
        )
    )
    told = {name: value for name, value in fake.seen_environ.items() if name.startswith("SMOKE_")}
    assert told == {
        "SMOKE_ENV": "staging",
        "SMOKE_REGION": "eu",
        "SMOKE_EXPECT_RELEASE": "r1",
        "SMOKE_BASE_URL": "https://staging.example",
        "SMOKE_ARTIFACTS": str(tmp_path / "artifacts"),
        "SMOKE_ON_INCONCLUSIVE": "hold",
        "SMOKE_API_KEY": "its-own",
    }
    assert fake.calls == ["run"]


def test_a_run_that_leaves_nothing_is_inconclusive(fake: FakeSmoke, tmp_path: Path) -> None:
    fake.ends_with("run", 0)
    answer = do(player_of(fake).play(ORDER, tmp_path, lambda group: None))
    assert (answer.verdict, answer.reason_code) == (VerdictStatus.INCONCLUSIVE, "no_verdict")


@pytest.mark.parametrize(
    ("status", "exit_code"),
    [(VerdictStatus.PASS, 1), (VerdictStatus.FAIL, 0), (VerdictStatus.PASS, 137), (VerdictStatus.FAIL, 2)],
)
def test_a_code_that_contradicts_the_verdict_is_inconclusive(
    fake: FakeSmoke, tmp_path: Path, status: VerdictStatus, exit_code: int
) -> None:
    fake.answers(verdict_of(status, **PROVED), exit_code=exit_code)
    answer = do(player_of(fake).play(ORDER, tmp_path, lambda group: None))
    assert (answer.verdict, answer.reason_code) == (VerdictStatus.INCONCLUSIVE, "verdict_disputed")


@pytest.mark.parametrize(
    ("changes", "reason_code"),
    [
        ({"action": Action.HOLD}, "part_of_the_suite"),
        ({"action": Action.ROLLBACK}, "verdict_disputed"),
        ({"exit_code": 1}, "verdict_disputed"),
        ({"exit_code": 143}, "verdict_disputed"),
        ({"exit_code": 99}, "verdict_disputed"),
    ],
)
def test_a_pass_that_does_not_fit_together_is_no_pass(
    tmp_path: Path, changes: dict[str, Any], reason_code: str
) -> None:
    write(tmp_path, to_json(msgspec.structs.replace(verdict_of(VerdictStatus.PASS, **PROVED), **changes)))
    answer = answer_of(ORDER, tmp_path, exit_code=None)
    assert (answer.verdict, answer.reason_code) == (VerdictStatus.INCONCLUSIVE, reason_code)


@pytest.mark.parametrize("status", [VerdictStatus.PASS, VerdictStatus.FAIL])
def test_a_rehearsal_is_no_answer_about_a_deployment(tmp_path: Path, status: VerdictStatus) -> None:
    verdict = verdict_of(status, **PROVED)
    target = msgspec.structs.replace(verdict.target, rehearsal=True)
    write(tmp_path, to_json(msgspec.structs.replace(verdict, target=target)))
    answer = answer_of(ORDER, tmp_path, exit_code=None)
    assert (answer.verdict, answer.reason_code) == (VerdictStatus.INCONCLUSIVE, "rehearsal")


@pytest.mark.parametrize("status", [VerdictStatus.PASS, VerdictStatus.FAIL])
@pytest.mark.parametrize(
    "judged", [{**PROVED, "release": "r0"}, {**PROVED, "base_url": "https://other"}, {**PROVED, "environment": "local"}]
)
def test_a_verdict_on_something_else_is_none_on_this(
    tmp_path: Path, status: VerdictStatus, judged: dict[str, str]
) -> None:
    write(tmp_path, to_json(verdict_of(status, **judged)))
    answer = answer_of(ORDER, tmp_path, exit_code=None)
    assert (answer.verdict, answer.reason_code) == (VerdictStatus.INCONCLUSIVE, "verdict_of_another")


@pytest.mark.parametrize("content", [b"", b"{", b'{"verdict": "PASS"}', b"\xff\xfe"])
def test_a_verdict_that_cannot_be_read_is_none(tmp_path: Path, content: bytes) -> None:
    write(tmp_path, content)
    assert answer_of(ORDER, tmp_path, exit_code=0).reason_code == "no_verdict"


def once_there(path: Path) -> Callable[[int], None]:
    """Return what a run is told to when its process starts: its time is counted from when it has made this file."""
    return lambda group: wait_until(path.exists, f"{path.name} is there")


def test_a_run_that_is_over_its_time_is_ended_and_leaves_its_verdict(fake: FakeSmoke, tmp_path: Path) -> None:
    fake.answers(verdict_of(VerdictStatus.PASS, **PROVED))
    fake.waits()
    answer = do(player_of(fake, limit_seconds=0.05).play(ORDER, tmp_path, once_there(fake.started)))
    assert (answer.verdict, answer.reason_code) == (VerdictStatus.INCONCLUSIVE, "terminated")


def test_a_run_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    deaf = RunProcesses(
        {**os.environ, "DEAF": str(tmp_path / "deaf")},
        limit_seconds=0.05,
        command=("bash", "-c", "trap '' TERM; : >$DEAF; while :; do sleep 0.05; done"),
        grace_seconds=0.05,
    )
    assert do(deaf.play(ORDER, tmp_path, once_there(tmp_path / "deaf"))).reason_code == "no_verdict"
    assert not players._locked(tmp_path)  # nor does anything it started live on


def test_a_run_that_is_still_alive_is_adopted(fake: FakeSmoke, tmp_path: Path) -> None:
    fake.answers(verdict_of(VerdictStatus.FAIL, **PROVED))
    fake.waits()

    async def story() -> RunAnswer:
        first = asyncio.create_task(player_of(fake).play(ORDER, tmp_path, lambda group: None))
        await appears(fake.started)
        second = asyncio.create_task(player_of(fake).adopt(ORDER, tmp_path, 0))
        await asyncio.sleep(0)
        assert not second.done()
        fake.let_go()
        await first
        return await second

    answer = do(story())
    assert (answer.verdict, len(fake.calls)) == (VerdictStatus.FAIL, 1)


@pytest.mark.parametrize("going_down", [True, False])
def test_an_adopted_run_is_ended_in_time_too(fake: FakeSmoke, tmp_path: Path, going_down: bool) -> None:
    fake.waits()

    async def story() -> RunAnswer:
        groups: list[int] = []
        first = asyncio.create_task(player_of(fake).play(ORDER, tmp_path, groups.append))
        await appears(fake.started)
        adopting = player_of(fake, limit_seconds=HANG_SECONDS if going_down else 0.1)
        second = asyncio.create_task(adopting.adopt(ORDER, tmp_path, groups[0]))
        if going_down:
            adopting.close()
        await first
        return await second

    assert do(story()).reason_code == "terminated"


def test_nothing_is_waited_for_where_nothing_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, to_json(verdict_of(VerdictStatus.PASS, **PROVED)))
    monkeypatch.setattr(asyncio, "sleep", lambda seconds: pytest.fail(f"it waited {seconds} s"))
    assert (
        do(RunProcesses({}, limit_seconds=HANG_SECONDS).adopt(ORDER, tmp_path, os.getpid())).verdict
        is VerdictStatus.PASS
    )


def test_a_closed_player_ends_its_runs(fake: FakeSmoke, tmp_path: Path) -> None:
    fake.waits()

    async def story() -> RunAnswer:
        player = player_of(fake)
        playing = asyncio.create_task(player.play(ORDER, tmp_path, lambda group: None))
        await appears(fake.started)
        player.close()
        return await playing

    assert do(story()).reason_code == "terminated"


def test_a_process_that_is_gone_is_no_trouble(tmp_path: Path) -> None:
    killed = RunProcesses(dict(os.environ), limit_seconds=HANG_SECONDS, command=("bash", "-c", "kill -KILL $$"))
    assert do(killed.play(ORDER, tmp_path, lambda group: None)).message.startswith("the run ended with exit code -9")


async def appears(path: Path) -> None:
    """Wait for a file that another process makes: there is no event to wait for."""
    while not path.exists():  # noqa: ASYNC110, ASYNC240
        await asyncio.sleep(0.01)


def write(folder: Path, content: bytes) -> None:
    run = folder / "artifacts" / "20261123T212214Z-e5f124"
    run.mkdir(parents=True)
    (run / "verdict.json").write_bytes(content)
    (folder / "artifacts" / "latest").symlink_to(run.name)


@pytest.mark.parametrize(("action", "held"), [(Action.HOLD, True), (Action.ROLLBACK, False)])
def test_a_fail_that_the_policy_holds_says_so(fake: FakeSmoke, tmp_path: Path, action: Action, held: bool) -> None:
    fake.answers(msgspec.structs.replace(verdict_of(VerdictStatus.FAIL, **PROVED), action=action))
    answer = do(player_of(fake).play(ORDER, tmp_path, lambda group: None))
    assert (answer.verdict, answer.held) == (VerdictStatus.FAIL, held)
