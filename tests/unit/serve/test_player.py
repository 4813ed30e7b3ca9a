"""A run is a process: what it is told, what its end is worth, and that it does not outlast its time."""

import asyncio
import os
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import msgspec
import pytest
from fake_smoke import FakeSmoke, verdict_of

from streampay_smoke.gate.verdict import Action, Word, to_json
from streampay_smoke.serve import player as players
from streampay_smoke.serve.attempts import Deploy, Order
from streampay_smoke.serve.player import Answer, Player, answer_of

ORDER = Order(
    deploy=Deploy(environment="staging", region="", name="shop/pay/abc"),
    release="r1",
    base_url="https://staging.example",
)
PROVED = {"release": "r1", "base_url": "https://staging.example"}


@pytest.fixture
def fake(tmp_path: Path) -> FakeSmoke:
    return FakeSmoke(tmp_path)


def player_of(fake: FakeSmoke, *, limit_seconds: float = 10, grace_seconds: float = 5, **environ: str) -> Player:
    return Player(
        {"PATH": os.environ["PATH"], **fake.environ, **environ},
        limit_seconds=limit_seconds,
        command=(str(fake.program), "run"),
        grace_seconds=grace_seconds,
    )


def do(what: Coroutine[Any, Any, Answer]) -> Answer:
    return asyncio.run(asyncio.wait_for(what, 20))


@pytest.mark.parametrize("word", list(Word))
def test_a_run_answers_with_its_verdict(fake: FakeSmoke, tmp_path: Path, word: Word) -> None:
    fake.answers(verdict_of(word, **PROVED))
    groups: list[int] = []
    answer = do(player_of(fake).play(ORDER, tmp_path, groups.append))
    assert (answer.verdict, answer.run_id) == (word, "20261123T212214Z-e5f124")
    assert len(groups) == 1


def test_a_run_is_told_what_to_judge_and_no_token_of_the_service(fake: FakeSmoke, tmp_path: Path) -> None:
    fake.answers(verdict_of(Word.PASS, **PROVED))
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
    assert (answer.verdict, answer.reason_code) == (Word.INCONCLUSIVE, "no_verdict")


@pytest.mark.parametrize(("word", "exit_code"), [(Word.PASS, 1), (Word.FAIL, 0), (Word.PASS, 137), (Word.FAIL, 2)])
def test_a_code_that_contradicts_the_verdict_is_inconclusive(
    fake: FakeSmoke, tmp_path: Path, word: Word, exit_code: int
) -> None:
    fake.answers(verdict_of(word, **PROVED), exit_code=exit_code)
    answer = do(player_of(fake).play(ORDER, tmp_path, lambda group: None))
    assert (answer.verdict, answer.reason_code) == (Word.INCONCLUSIVE, "verdict_disputed")


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
    write(tmp_path, to_json(msgspec.structs.replace(verdict_of(Word.PASS, **PROVED), **changes)))
    answer = answer_of(ORDER, tmp_path, exit_code=None)
    assert (answer.verdict, answer.reason_code) == (Word.INCONCLUSIVE, reason_code)


@pytest.mark.parametrize("word", [Word.PASS, Word.FAIL])
def test_a_rehearsal_is_no_answer_about_a_deployment(tmp_path: Path, word: Word) -> None:
    verdict = verdict_of(word, **PROVED)
    target = msgspec.structs.replace(verdict.target, rehearsal=True)
    write(tmp_path, to_json(msgspec.structs.replace(verdict, target=target)))
    answer = answer_of(ORDER, tmp_path, exit_code=None)
    assert (answer.verdict, answer.reason_code) == (Word.INCONCLUSIVE, "rehearsal")


@pytest.mark.parametrize("word", [Word.PASS, Word.FAIL])
@pytest.mark.parametrize(
    "judged", [{**PROVED, "release": "r0"}, {**PROVED, "base_url": "https://other"}, {**PROVED, "environment": "local"}]
)
def test_a_verdict_on_something_else_is_none_on_this(tmp_path: Path, word: Word, judged: dict[str, str]) -> None:
    write(tmp_path, to_json(verdict_of(word, **judged)))
    answer = answer_of(ORDER, tmp_path, exit_code=None)
    assert (answer.verdict, answer.reason_code) == (Word.INCONCLUSIVE, "verdict_of_another")


@pytest.mark.parametrize("content", [b"", b"{", b'{"verdict": "PASS"}', b"\xff\xfe"])
def test_a_verdict_that_cannot_be_read_is_none(tmp_path: Path, content: bytes) -> None:
    write(tmp_path, content)
    assert answer_of(ORDER, tmp_path, exit_code=0).reason_code == "no_verdict"


def test_a_run_that_is_over_its_time_is_ended_and_leaves_its_verdict(fake: FakeSmoke, tmp_path: Path) -> None:
    fake.answers(verdict_of(Word.PASS, **PROVED))
    fake.waits()
    answer = do(player_of(fake, limit_seconds=0.3).play(ORDER, tmp_path, lambda group: None))
    assert (answer.verdict, answer.reason_code) == (Word.INCONCLUSIVE, "terminated")


def test_a_run_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    deaf = Player(
        dict(os.environ),
        limit_seconds=0.2,
        command=("bash", "-c", "trap '' TERM; while :; do sleep 0.05; done"),
        grace_seconds=0.2,
    )
    assert do(deaf.play(ORDER, tmp_path, lambda group: None)).reason_code == "no_verdict"
    assert not players._locked(tmp_path)  # nor does anything it started live on


def test_a_run_that_is_still_alive_is_adopted(fake: FakeSmoke, tmp_path: Path) -> None:
    fake.answers(verdict_of(Word.FAIL, **PROVED))
    fake.waits()

    async def story() -> Answer:
        first = asyncio.create_task(player_of(fake).play(ORDER, tmp_path, lambda group: None))
        await appears(fake.started)
        second = asyncio.create_task(player_of(fake).adopt(ORDER, tmp_path, 0))
        await asyncio.sleep(0)
        assert not second.done()
        fake.let_go()
        await first
        return await second

    answer = do(story())
    assert (answer.verdict, len(fake.calls)) == (Word.FAIL, 1)


@pytest.mark.parametrize("going_down", [True, False])
def test_an_adopted_run_is_ended_in_time_too(fake: FakeSmoke, tmp_path: Path, going_down: bool) -> None:
    fake.waits()

    async def story() -> Answer:
        groups: list[int] = []
        first = asyncio.create_task(player_of(fake).play(ORDER, tmp_path, groups.append))
        await appears(fake.started)
        adopting = player_of(fake, limit_seconds=20 if going_down else 0.1)
        second = asyncio.create_task(adopting.adopt(ORDER, tmp_path, groups[0]))
        if going_down:
            adopting.close()
        await first
        return await second

    assert do(story()).reason_code == "terminated"


def test_nothing_is_waited_for_where_nothing_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, to_json(verdict_of(Word.PASS, **PROVED)))
    monkeypatch.setattr(asyncio, "sleep", lambda seconds: pytest.fail(f"it waited {seconds} s"))
    assert do(Player({}, limit_seconds=20).adopt(ORDER, tmp_path, os.getpid())).verdict is Word.PASS


def test_a_closed_player_ends_its_runs(fake: FakeSmoke, tmp_path: Path) -> None:
    fake.waits()

    async def story() -> Answer:
        player = player_of(fake)
        playing = asyncio.create_task(player.play(ORDER, tmp_path, lambda group: None))
        await appears(fake.started)
        player.close()
        return await playing

    assert do(story()).reason_code == "terminated"


def test_a_process_that_is_gone_is_no_trouble(tmp_path: Path) -> None:
    killed = Player(dict(os.environ), limit_seconds=10, command=("bash", "-c", "kill -KILL $$"))
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
    fake.answers(msgspec.structs.replace(verdict_of(Word.FAIL, **PROVED), action=action))
    answer = do(player_of(fake).play(ORDER, tmp_path, lambda group: None))
    assert (answer.verdict, answer.held) == (Word.FAIL, held)
