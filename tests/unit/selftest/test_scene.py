"""A scene keeps the world out, and each condition changes what it says and nothing else."""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

import pytest
from waits import HANG_SECONDS

from streampay_sandbox.road import Reply
from streampay_sandbox.stack import Sandbox
from streampay_selftest import conditions
from streampay_selftest.disturbances import everywhere, round_robin
from streampay_selftest.scene import RELEASE, Scene
from streampay_smoke.http.client import NoAnswer, new_client
from streampay_smoke.settings import load

TEAPOT = Reply(status=418, text="short and stout")
WRITES_ITS_JOURNAL = """
import pathlib, time
run = pathlib.Path("artifacts/run")
run.mkdir(parents=True)
(run.parent / "latest").symlink_to("run")
(run / "journal.jsonl").write_text("half-way")
time.sleep(300)
"""


def status(url: str) -> int:
    with new_client(timeout_seconds=5) as client:
        return client.request("GET", url).status


def test_the_gate_finds_nothing_of_this_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sandbox: Sandbox
) -> None:
    for name in ("SMOKE_TAGS", "GITHUB_OUTPUT", "TRACEPARENT", "CI", "HTTP_PROXY"):
        monkeypatch.setenv(name, "something")
    scene = Scene(tmp_path / "project", sandbox, contextlib.ExitStack(), ())
    assert not scene.environ.keys() & {"SMOKE_TAGS", "GITHUB_OUTPUT", "TRACEPARENT", "CI", "HTTP_PROXY"}
    assert scene.environ["PATH"] == os.environ["PATH"]
    assert Path(scene.environ["HOME"]) == scene.home
    assert load(environ=scene.environ, root=scene.folder).expect_release == RELEASE


def test_an_undisturbed_scene_leads_straight_to_the_sandbox(scene: Scene, sandbox: Sandbox) -> None:
    scene.open_roads()
    assert scene.environ["SMOKE_BASE_URL"] == sandbox.base_url
    assert scene.environ["SMOKE_STELLAR_RPC_URL"] == sandbox.rpc_url
    assert "SMOKE_BASELINE_URL" not in scene.environ


def test_roads_are_disturbed_where_they_are_meant_to_be(scene: Scene, sandbox: Sandbox) -> None:
    conditions.stable(lambda: everywhere(TEAPOT))(scene)
    conditions.rpc_road(lambda: everywhere(TEAPOT))(scene)
    scene.open_roads()
    assert scene.environ["SMOKE_BASE_URL"] == sandbox.base_url
    for name in ("SMOKE_BASELINE_URL", "SMOKE_STELLAR_RPC_URL", "SMOKE_STELLAR_FRIENDBOT_URL"):
        assert status(scene.environ[name]) == 418, name


def test_a_road_may_lead_to_two_deployments(scene: Scene) -> None:
    conditions.another_upstream("every-url-500")(scene)
    conditions.road(lambda: round_robin(2))(scene)
    scene.open_roads()
    url = f"{scene.environ['SMOKE_BASE_URL']}/api/readyz"
    assert [status(url) for _ in range(4)] == [200, 500, 200, 500]


def test_a_stable_release_is_undisturbed_unless_said(scene: Scene) -> None:
    conditions.stable()(scene)
    scene.open_roads()
    assert status(f"{scene.environ['SMOKE_BASELINE_URL']}/api/readyz") == 200


def test_variables_and_keys_and_text_of_the_place(scene: Scene) -> None:
    conditions.setting(SMOKE_REGION="eu", SMOKE_TAGS="@chain")(scene)
    conditions.without("SMOKE_TAGS", "SMOKE_NEVER_SET")(scene)
    conditions.place(ready_within_seconds=3, step_seconds=4.5)(scene)
    conditions.place_text("reads_per_minute = 60", "reads_per_minute = 7")(scene)
    scene.write_place()
    settings = load(environ=scene.environ, root=scene.folder)
    assert (settings.region, settings.tags) == ("eu", "@smoke")
    assert (settings.place.service.ready_within_seconds, settings.place.step_seconds) == (3, 4.5)
    assert settings.place.service.reads_per_minute == 7


def test_text_that_is_not_in_the_place_is_no_silent_nothing(scene: Scene) -> None:
    conditions.place_text("nothing like it", "else")(scene)
    with pytest.raises(ValueError, match="nothing like it"):
        scene.write_place()


def test_files_and_folders(scene: Scene) -> None:
    conditions.file("home/.behaverc", "[behave]")(scene)
    conditions.artifacts("somewhere else")(scene)
    assert (scene.home / ".behaverc").read_text() == "[behave]"
    assert scene.environ["SMOKE_ARTIFACTS"] == "somewhere else"
    assert scene.artifacts == scene.folder / "somewhere else"


def started(scene: Scene, code: str) -> tuple[int, str]:
    scene.gate = (sys.executable, "-c", code)
    with scene.start("@smoke") as running:
        return running.wait(HANG_SECONDS), (scene.folder / "output.txt").read_text()


def test_a_limit_holds_for_the_gate(scene: Scene) -> None:
    conditions.limited("-n 64")(scene)
    limits = "import resource, sys; print(resource.getrlimit(resource.RLIMIT_NOFILE)[0], sys.argv[1:])"
    assert started(scene, limits) == (0, "64 ['--tags', '@smoke']\n")


@pytest.mark.parametrize("seconds", [600, -600])
def test_a_clock_is_off_in_every_way_it_is_asked(scene: Scene, seconds: int) -> None:
    conditions.clock_ahead(seconds)(scene)
    code = "import datetime, time; print(time.time(), time.time_ns() / 1e9, datetime.datetime.now().timestamp(), "
    code += "datetime.datetime.now(datetime.UTC).timestamp())"
    began = time.time()
    _, told = started(scene, code)
    for clock in told.split():
        assert began - 1 < float(clock) - seconds < time.time() + 1


def test_nobody_reads(scene: Scene) -> None:
    conditions.nobody_reads_the_output(scene)
    _, told = started(scene, "print('x', flush=True)")
    assert "BrokenPipeError" in told


def test_a_silent_host_takes_packets_and_never_answers(scene: Scene) -> None:
    conditions.silent_host(scene)
    conditions.silent_stable_host(scene)
    for name in ("SMOKE_BASE_URL", "SMOKE_BASELINE_URL"):
        with new_client(timeout_seconds=0.3) as client, pytest.raises(NoAnswer) as caught:
            client.request("GET", scene.environ[name])
        assert caught.value.cause == "timeout"


def test_weather_on_the_road_does_not_bring_a_run_back_that_was_sent_elsewhere(scene: Scene) -> None:
    conditions.silent_host(scene)
    elsewhere = scene.environ["SMOKE_BASE_URL"]
    conditions.road(lambda: everywhere(TEAPOT))(scene)
    scene.open_roads()
    assert scene.environ["SMOKE_BASE_URL"] == elsewhere


def test_a_run_is_stopped_in_its_middle(scene: Scene) -> None:
    conditions.stopped_by(signal.SIGTERM, at="half-way")(scene)
    scene.gate = (sys.executable, "-c", WRITES_ITS_JOURNAL)
    with scene.start("@smoke") as running:
        scene.during[0](running)
        assert running.wait(HANG_SECONDS) == -signal.SIGTERM


def test_a_run_that_ended_before_is_not_stopped(scene: Scene) -> None:
    conditions.stopped_by(signal.SIGTERM, at="never")(scene)
    with scene.start("@smoke") as running:
        scene.during[0](running)
        assert running.wait(HANG_SECONDS) == 0


def test_a_run_before_is_killed_whole(scene: Scene) -> None:
    conditions.after_a_run_that_was_killed("@smoke", at="half-way")(scene)
    scene.gate = (sys.executable, "-c", WRITES_ITS_JOURNAL)
    scene.before[0]()
    assert (scene.folder / "artifacts" / "run" / "journal.jsonl").read_text() == "half-way"


def test_another_run_has_a_folder_of_its_own(scene: Scene) -> None:
    conditions.beside_other_runs("@chain")(scene)
    ((another, tags),) = scene.beside
    assert (another.folder, tags, another.sandbox) == (scene.folder / "another-0", "@chain", scene.sandbox)


def test_what_the_gate_says_is_kept(scene: Scene) -> None:
    with scene.start("@smoke") as running:
        assert running.wait(HANG_SECONDS) == 0
    assert (scene.folder / "output.txt").read_text() == "a gate\n"
    assert scene.latest() is None
