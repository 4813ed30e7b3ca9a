"""One deploy has one answer: asked twice it runs once, asked again it is judged anew, and nothing is lost."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from serve_parts import BEARER, Service, ToldPlayer

from streampay_smoke.gate.verdict import VerdictStatus
from streampay_smoke.serve import runs
from streampay_smoke.serve.attempts import Deploy
from streampay_smoke.serve.runs import WAITING

Serving = Callable[..., Service]
ASK = {"deploy": "shop/pay/abc", "release": "r1"}


def test_a_deploy_that_is_asked_for_twice_runs_once(serving: Serving) -> None:
    player = ToldPlayer(waits=True)
    service = serving(player)
    first, second = service.post("/v1/runs", ASK), service.post("/v1/runs", ASK)
    assert (first.status, second.status) == (202, 202)
    assert first.json["id"] == second.json["id"]
    player.let_go()
    assert service.answer("shop/pay/abc")["data"] == {"verdict": "PASS", "pass": True, "fail": False, "score": 1}
    assert service.post("/v1/runs", ASK).status == 200
    assert len(player.played) == 1


def test_a_run_that_has_not_ended_neither_passes_nor_fails(serving: Serving) -> None:
    service = serving(ToldPlayer(waits=True), concurrency=1)
    service.post("/v1/runs", ASK)
    service.post("/v1/runs", {"deploy": "second"})
    neither = {"pass": False, "fail": False, "score": 0}
    assert service.answer("shop/pay/abc")["data"] == {"verdict": "RUNNING", **neither}
    assert service.answer("second")["data"] == {"verdict": "QUEUED", **neither}
    assert service.answer("nobody-asked")["data"] == {"verdict": "UNKNOWN", **neither}


def test_a_rerun_takes_the_environment_of_the_old_verdict_at_once(serving: Serving) -> None:
    player = ToldPlayer(VerdictStatus.PASS, VerdictStatus.FAIL)
    service = serving(player)
    service.post("/v1/runs", ASK)
    old = service.answer("shop/pay/abc")
    player.waits = True
    new = service.post("/v1/reruns", {"deploy": "shop/pay/abc", "supersedes": old["id"]}).json
    assert (new["attempt"], new["supersedes"], new["data"]["pass"]) == (2, old["id"], False)
    assert service.get(f"/v1/runs/shop/pay/abc?attempt={old['id']}").json["data"]["verdict"] == "SUPERSEDED"
    assert service.get(f"/v1/runs/shop/pay/abc?attempt={old['id']}").json["superseded_by"] == new["id"]
    player.let_go()
    assert service.answer("shop/pay/abc")["data"]["fail"] is True


def test_a_rerun_that_is_sent_twice_starts_one_attempt(serving: Serving) -> None:
    player = ToldPlayer()
    service = serving(player)
    service.post("/v1/runs", ASK)
    again = {"deploy": "shop/pay/abc", "supersedes": service.answer("shop/pay/abc")["id"]}
    assert service.post("/v1/reruns", again).status == 202
    service.let_work()
    late = service.post("/v1/reruns", again)
    assert late.status == 409
    assert "is not the latest attempt" in late.json["error"]
    assert len(player.played) == 2


def test_a_rerun_while_one_is_under_way_is_that_one(serving: Serving) -> None:
    service = serving(ToldPlayer(waits=True))
    running = service.post("/v1/runs", ASK).json
    assert service.post("/v1/reruns", {"deploy": "shop/pay/abc"}).json["id"] == running["id"]


def test_a_rerun_of_what_nobody_asked_for_is_refused(serving: Serving) -> None:
    assert serving().post("/v1/reruns", {"deploy": "never"}).status == 404


def test_a_rerun_may_correct_the_order(serving: Serving) -> None:
    player = ToldPlayer()
    service = serving(player)
    service.post("/v1/runs", {"deploy": "d", "release": "wrong"})
    service.let_work()
    service.post("/v1/reruns", {"deploy": "d", "release": "right", "base_url": "https://preview.example/"})
    service.let_work()
    assert (player.played[-1].release, player.played[-1].base_url) == ("right", "https://preview.example")


def test_another_release_is_no_answer_for_this_one(serving: Serving) -> None:
    service = serving()
    service.post("/v1/runs", ASK)
    refused = service.post("/v1/runs", {**ASK, "release": "r2"})
    assert refused.status == 409
    assert "another release" in refused.json["error"]


@pytest.mark.parametrize(("region", "same"), [("", True), ("eu", False)])
def test_a_region_is_part_of_the_identity(serving: Serving, region: str, same: bool) -> None:
    service = serving()
    first = service.post("/v1/runs", ASK).json
    assert (service.post("/v1/runs", {**ASK, "region": region}).json["id"] == first["id"]) is same


def test_an_old_pass_counts_no_more_and_is_asked_for_again(serving: Serving) -> None:
    player = ToldPlayer()
    service = serving(player)
    service.post("/v1/runs", ASK)
    assert service.answer("shop/pay/abc")["data"]["pass"] is True
    service.clock.pass_seconds(3600)
    expired = service.answer("shop/pay/abc")
    assert (expired["data"]["verdict"], expired["data"]["pass"], expired["verdict"]) == ("EXPIRED", False, "PASS")
    assert service.post("/v1/runs", ASK).json["attempt"] == 2


def test_not_knowing_is_looked_at_again_but_not_without_end(serving: Serving) -> None:
    player = ToldPlayer(VerdictStatus.INCONCLUSIVE)
    service = serving(player)
    for _ in range(6):
        service.post("/v1/runs", ASK)
        service.let_work()
        service.clock.pass_seconds(300)
    assert len(player.played) == 3
    assert service.answer("shop/pay/abc")["data"]["verdict"] == "EXPIRED"
    assert service.post("/v1/reruns", {"deploy": "shop/pay/abc"}).json["attempt"] == 4


def test_safety_stands_until_a_person_asks_again(serving: Serving) -> None:
    player = ToldPlayer(VerdictStatus.SAFETY)
    service = serving(player)
    service.post("/v1/runs", ASK)
    service.let_work()
    service.clock.pass_seconds(1_000_000)
    service.post("/v1/runs", ASK)
    assert service.answer("shop/pay/abc")["data"]["verdict"] == "SAFETY"
    assert len(player.played) == 1


def test_a_full_queue_starts_nothing_and_says_when_to_come_back(serving: Serving) -> None:
    player = ToldPlayer(waits=True)
    service = serving(player, concurrency=1)
    service.post("/v1/runs", {"deploy": "running"})
    service.let_work()
    for number in range(WAITING):
        assert service.post("/v1/runs", {"deploy": f"waits-{number}"}).status == 202
    full = service.post("/v1/runs", {"deploy": "one-too-many"})
    assert (full.status, full.headers["retry-after"]) == (429, "10")
    assert service.answer("one-too-many")["data"]["verdict"] == "UNKNOWN"
    assert service.post("/v1/runs", {"deploy": "waits-3"}).status == 202  # asked for already, so it costs nothing
    player.let_go()
    service.let_work()
    assert service.answer("waits-15")["data"]["pass"] is True


def test_what_waited_when_the_service_was_killed_runs_once_after_it(serving: Serving) -> None:
    service = serving(ToldPlayer(waits=True), concurrency=1)
    service.post("/v1/runs", {"deploy": "running"})
    service.let_work()
    waiting = service.post("/v1/runs", ASK).json
    service.crash()
    player = ToldPlayer()
    service = serving(player)
    answer = service.answer("shop/pay/abc")
    assert (answer["id"], answer["data"]["pass"]) == (waiting["id"], True)
    assert [order.deploy.name for order in player.played] == ["shop/pay/abc"]


def test_what_ran_when_the_service_was_killed_is_not_run_again(serving: Serving) -> None:
    service = serving(ToldPlayer(waits=True))
    running = service.post("/v1/runs", ASK).json
    service.let_work()
    service.crash()
    player = ToldPlayer()
    service = serving(player)
    answer = service.answer("shop/pay/abc")
    assert (answer["id"], answer["data"]["verdict"], answer["reason_code"]) == (
        running["id"],
        "INCONCLUSIVE",
        "no_verdict",
    )
    assert player.played == []


def test_answers_are_the_same_after_a_restart(serving: Serving) -> None:
    service = serving(ToldPlayer(VerdictStatus.FAIL))
    service.post("/v1/runs", ASK)
    before = service.answer("shop/pay/abc")
    service.stop()
    assert serving().answer("shop/pay/abc") == before


def test_a_service_that_goes_down_writes_down_how_its_runs_ended(serving: Serving) -> None:
    service = serving(ToldPlayer(waits=True), concurrency=1)
    service.post("/v1/runs", ASK)
    service.let_work()
    service.post("/v1/runs", {"deploy": "waits"})
    service.stop()
    service = serving(ToldPlayer(waits=True))
    assert service.answer("shop/pay/abc")["verdict"] == "INCONCLUSIVE"
    assert service.answer("waits")["data"]["verdict"] == "RUNNING"


def test_a_service_that_goes_down_starts_nothing(serving: Serving) -> None:
    service = serving()
    service.do(service.runs.close())
    assert service.post("/v1/runs", ASK).status == 503
    assert service.get("/healthz").status == 503


def test_old_runs_make_room_but_answers_that_stand_stay(serving: Serving, tmp_path: Path) -> None:
    service = serving(keep=3)
    for number in range(3):
        service.post("/v1/runs", {"deploy": f"old-{number}"})
        service.let_work()
    service.clock.pass_seconds(3600)
    for number in range(5):
        service.post("/v1/runs", {"deploy": f"new-{number}"})
        service.let_work()
    assert service.answer("old-0")["data"]["verdict"] == "UNKNOWN"
    assert [service.answer(f"new-{number}")["data"]["pass"] for number in range(5)] == [True] * 5
    assert len(list((tmp_path / "state" / "attempts").iterdir())) == 5


def test_an_attempt_that_made_room_is_superseded_all_the_same(serving: Serving) -> None:
    service = serving(keep=1)
    service.post("/v1/runs", ASK)
    service.let_work()
    old = service.runs.latest(Deploy(environment="staging", region="", name="shop/pay/abc"))
    assert old is not None
    for _ in range(3):
        service.post("/v1/reruns", {"deploy": "shop/pay/abc"})
        service.let_work()
    assert service.runs.attempt(old.id) is None
    assert service.runs.superseded_by(old) == service.answer("shop/pay/abc")["id"]


def test_a_disk_that_is_full_starts_nothing(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    player = ToldPlayer()
    service = serving(player)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    refused = service.post("/v1/runs", ASK)
    assert (refused.status, "No space left" in refused.json["error"]) == (503, True)
    service.let_work()
    assert player.played == []


def test_an_end_that_cannot_be_written_down_is_told_all_the_same(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    player = ToldPlayer(waits=True)
    service = serving(player)
    service.post("/v1/runs", ASK)
    service.let_work()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    player.let_go()
    assert service.answer("shop/pay/abc")["data"]["pass"] is True


def test_a_run_that_cannot_be_started_is_inconclusive(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    player = ToldPlayer()
    service = serving(player)

    async def no_process(*arguments: object) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(player, "play", no_process)
    service.post("/v1/runs", ASK)
    answer = service.answer("shop/pay/abc")
    assert (answer["verdict"], answer["reason_code"]) == ("INCONCLUSIVE", "not_started")
    assert service.get("/healthz", BEARER).json["well"] is True


def test_a_worker_that_died_shows(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    player = ToldPlayer()
    service = serving(player)

    async def defect(*arguments: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(player, "play", defect)
    service.post("/v1/runs", ASK)
    service.let_work()
    assert service.get("/healthz").status == 503
    assert service.answer("shop/pay/abc")["data"]["verdict"] == "RUNNING"
    monkeypatch.setattr(runs, "CLOSING_SECONDS", 0.01)  # what it was doing never ends, and keeps nobody
    service.do(service.runs.close())


def test_a_fail_that_the_policy_holds_is_no_fail_for_an_engine(serving: Serving) -> None:
    service = serving(ToldPlayer(VerdictStatus.FAIL, held=True))
    service.post("/v1/runs", ASK)
    told = service.answer("shop/pay/abc")
    assert told["data"] == {"verdict": "INCONCLUSIVE", "pass": False, "fail": False, "score": 0}
    assert (told["verdict"], told["reason_code"]) == ("FAIL", "told_fail")
