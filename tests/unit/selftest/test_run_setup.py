"""A setup keeps the world out, and each condition changes what it says and nothing else."""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

import pytest
from waits import HANG_SECONDS

from streampay_sandbox.proxy import SubstituteAnswer
from streampay_sandbox.stack import Sandbox
from streampay_selftest import conditions
from streampay_selftest.proxy_behaviours import everywhere, round_robin
from streampay_selftest.run_setup import RELEASE, RunSetup
from streampay_smoke.http.client import Client, NoAnswer
from streampay_smoke.settings import load

TEAPOT = SubstituteAnswer(status=418, text="short and stout")
WRITES_ITS_JOURNAL = """
import pathlib, time
run = pathlib.Path("artifacts/run")
run.mkdir(parents=True)
(run.parent / "latest").symlink_to("run")
(run / "journal.jsonl").write_text("half-way")
time.sleep(300)
"""


def status(url: str) -> int:
    with Client(timeout_seconds=5) as client:
        return client.request("GET", url).status


def test_the_gate_finds_nothing_of_this_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sandbox: Sandbox
) -> None:
    for name in ("SMOKE_TAGS", "GITHUB_OUTPUT", "TRACEPARENT", "CI", "HTTP_PROXY"):
        monkeypatch.setenv(name, "something")
    setup = RunSetup(tmp_path / "project", sandbox, contextlib.ExitStack(), ())
    assert not setup.environ.keys() & {"SMOKE_TAGS", "GITHUB_OUTPUT", "TRACEPARENT", "CI", "HTTP_PROXY"}
    assert setup.environ["PATH"] == os.environ["PATH"]
    assert Path(setup.environ["HOME"]) == setup.home
    assert load(environ=setup.environ, root=setup.folder).expect_release == RELEASE


def test_an_undisturbed_scene_leads_straight_to_the_sandbox(setup: RunSetup, sandbox: Sandbox) -> None:
    setup.start_proxies()
    assert setup.environ["SMOKE_BASE_URL"] == sandbox.base_url
    assert setup.environ["SMOKE_STELLAR_RPC_URL"] == sandbox.rpc_url
    assert "SMOKE_BASELINE_URL" not in setup.environ


def test_roads_are_disturbed_where_they_are_meant_to_be(setup: RunSetup, sandbox: Sandbox) -> None:
    conditions.stable(lambda: everywhere(TEAPOT))(setup)
    conditions.rpc_proxy(lambda: everywhere(TEAPOT))(setup)
    setup.start_proxies()
    assert setup.environ["SMOKE_BASE_URL"] == sandbox.base_url
    for name in ("SMOKE_BASELINE_URL", "SMOKE_STELLAR_RPC_URL", "SMOKE_STELLAR_FRIENDBOT_URL"):
        assert status(setup.environ[name]) == 418, name


def test_a_road_may_lead_to_two_deployments(setup: RunSetup) -> None:
    conditions.another_upstream("every-url-500")(setup)
    conditions.proxy(lambda: round_robin(2))(setup)
    setup.start_proxies()
    url = f"{setup.environ['SMOKE_BASE_URL']}/api/readyz"
    assert [status(url) for _ in range(4)] == [200, 500, 200, 500]


def test_a_stable_release_is_undisturbed_unless_said(setup: RunSetup) -> None:
    conditions.stable()(setup)
    setup.start_proxies()
    assert status(f"{setup.environ['SMOKE_BASELINE_URL']}/api/readyz") == 200


def test_variables_and_keys_and_text_of_the_environment(setup: RunSetup) -> None:
    conditions.setting(SMOKE_REGION="eu", SMOKE_TAGS="@chain")(setup)
    conditions.without("SMOKE_TAGS", "SMOKE_NEVER_SET")(setup)
    conditions.environment_file(ready_within_seconds=3, step_seconds=4.5)(setup)
    conditions.environment_text("reads_per_minute = 60", "reads_per_minute = 7")(setup)
    setup.write_environment_file()
    settings = load(environ=setup.environ, root=setup.folder)
    assert (settings.region, settings.tags) == ("eu", "@smoke")
    assert (settings.facts.service.ready_within_seconds, settings.facts.step_seconds) == (3, 4.5)
    assert settings.facts.service.reads_per_minute == 7


def test_text_that_is_not_in_the_environment_is_no_silent_nothing(setup: RunSetup) -> None:
    conditions.environment_text("nothing like it", "else")(setup)
    with pytest.raises(ValueError, match="nothing like it"):
        setup.write_environment_file()


def test_a_shipped_environment_is_played_with_the_sandboxs_network(setup: RunSetup) -> None:
    conditions.shipped("production", service_network="public")(setup)
    conditions.signed_in_by_token(setup)
    setup.write_environment_file()
    settings = load(environ=setup.environ, root=setup.folder)
    assert (settings.environment, settings.facts.service.network, settings.auth_mode) == (
        "production",
        "private",
        "bearer",
    )
    assert not settings.facts.money.settles


def test_another_ledger_is_not_the_services(setup: RunSetup, sandbox: Sandbox) -> None:
    conditions.another_ledger(setup)
    setup.start_proxies()
    assert setup.environ["SMOKE_STELLAR_RPC_URL"] != sandbox.rpc_url
    assert setup.environ["SMOKE_BASE_URL"] == sandbox.base_url


def test_a_run_is_waited_for_as_long_as_its_ledger_takes(setup: RunSetup) -> None:
    conditions.setting(SMOKE_DEADLINE_SECONDS="30")(setup)
    assert setup.longest_seconds(0.0) == 30
    conditions.without("SMOKE_DEADLINE_SECONDS")(setup)
    assert setup.longest_seconds(6.0) > setup.longest_seconds(5.0) > setup.longest_seconds(0.0) >= 120


def test_files_and_folders(setup: RunSetup) -> None:
    conditions.file("home/.behaverc", "[behave]")(setup)
    conditions.artifacts("somewhere else")(setup)
    assert (setup.home / ".behaverc").read_text() == "[behave]"
    assert setup.environ["SMOKE_ARTIFACTS"] == "somewhere else"
    assert setup.artifacts == setup.folder / "somewhere else"


def started(setup: RunSetup, code: str) -> tuple[int, str]:
    setup.gate = (sys.executable, "-c", code)
    with setup.start("@smoke") as running:
        return running.wait(HANG_SECONDS), (setup.folder / "output.txt").read_text()


def test_a_limit_holds_for_the_gate(setup: RunSetup) -> None:
    conditions.limited("-n 64")(setup)
    limits = "import resource, sys; print(resource.getrlimit(resource.RLIMIT_NOFILE)[0], sys.argv[1:])"
    assert started(setup, limits) == (0, "64 ['--tags', '@smoke']\n")


@pytest.mark.parametrize("seconds", [600, -600])
def test_a_clock_is_off_in_every_way_it_is_asked(setup: RunSetup, seconds: int) -> None:
    conditions.clock_ahead(seconds)(setup)
    code = "import datetime, time; print(time.time(), time.time_ns() / 1e9, datetime.datetime.now().timestamp(), "
    code += "datetime.datetime.now(datetime.UTC).timestamp())"
    began = time.time()
    _, told = started(setup, code)
    for clock in told.split():
        assert began - 1 < float(clock) - seconds < time.time() + 1


def test_nobody_reads(setup: RunSetup) -> None:
    conditions.nobody_reads_the_output(setup)
    _, told = started(setup, "print('x', flush=True)")
    assert "BrokenPipeError" in told


def test_a_silent_host_takes_packets_and_never_answers(setup: RunSetup) -> None:
    conditions.silent_host(setup)
    conditions.silent_stable_host(setup)
    for name in ("SMOKE_BASE_URL", "SMOKE_BASELINE_URL"):
        with Client(timeout_seconds=0.3) as client, pytest.raises(NoAnswer) as caught:
            client.request("GET", setup.environ[name])
        assert caught.value.cause == "timeout"


def test_variation_on_the_proxy_does_not_bring_a_run_back_that_was_sent_elsewhere(setup: RunSetup) -> None:
    conditions.silent_host(setup)
    elsewhere = setup.environ["SMOKE_BASE_URL"]
    conditions.proxy(lambda: everywhere(TEAPOT))(setup)
    setup.start_proxies()
    assert setup.environ["SMOKE_BASE_URL"] == elsewhere


def test_a_run_is_stopped_in_its_middle(setup: RunSetup) -> None:
    conditions.stopped_by(signal.SIGTERM, at="half-way")(setup)
    setup.gate = (sys.executable, "-c", WRITES_ITS_JOURNAL)
    with setup.start("@smoke") as running:
        setup.during[0](running)
        assert running.wait(HANG_SECONDS) == -signal.SIGTERM


def test_a_run_that_ended_before_is_not_stopped(setup: RunSetup) -> None:
    conditions.stopped_by(signal.SIGTERM, at="never")(setup)
    with setup.start("@smoke") as running:
        setup.during[0](running)
        assert running.wait(HANG_SECONDS) == 0


def test_a_run_before_is_killed_whole(setup: RunSetup) -> None:
    conditions.after_a_run_that_was_killed("@smoke", at="half-way")(setup)
    setup.gate = (sys.executable, "-c", WRITES_ITS_JOURNAL)
    setup.before[0]()
    assert (setup.folder / "artifacts" / "run" / "journal.jsonl").read_text() == "half-way"


def test_another_run_has_a_folder_of_its_own(setup: RunSetup) -> None:
    conditions.beside_other_runs("@chain")(setup)
    ((another, tags),) = setup.beside
    assert (another.folder, tags, another.sandbox) == (setup.folder / "another-0", "@chain", setup.sandbox)


def test_what_the_gate_says_is_kept(setup: RunSetup) -> None:
    with setup.start("@smoke") as running:
        assert running.wait(HANG_SECONDS) == 0
    assert (setup.folder / "output.txt").read_text() == "a gate\n"
    assert setup.latest() is None


def test_another_command_takes_the_place_of_the_run_of_a_part(setup: RunSetup) -> None:
    setup.gate = (sys.executable, "-c", "import sys; print(sys.argv[1:])", "run")
    setup.command = ("merge", "a", "--expect", "eu")
    assert setup.start("@smoke").wait(HANG_SECONDS) == 0
    assert (setup.folder / "output.txt").read_text() == "['merge', 'a', '--expect', 'eu']\n"
