"""The fleet: several replicas of several releases behind one address, one memory, and an engine that can go wrong."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from waits import HANG_SECONDS

from streampay_sandbox import engine_client
from streampay_sandbox.engine import AppliedRollback, DeploymentEngine, EngineFault
from streampay_sandbox.fleet import ENGINE_VARIABLE, Fleet
from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.http.client import Client, NoAnswer
from streampay_smoke.run.embedded import start_canary
from streampay_smoke.service.deployment import Deployment
from streampay_smoke.service.identity import synthetic_user, unowned_address
from streampay_smoke.service.records import StreamOrder


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with Fleet("v1", replicas=2) as running:
        running.start("v2", replicas=2)
        running.start("broken", replicas=1, faults=["every-url-500"])
        running.start("dead", replicas=0)
        yield running


@pytest.fixture
def client(fleet: Fleet) -> Iterator[Client]:
    fleet.engine.misbehave()
    fleet.engine.promote("v1")
    with Client(timeout_seconds=10) as client:
        yield client


def releases(client: Client, url: str, number: int) -> Counter[str]:
    replies = (client.request("GET", f"{url}/api/healthz") for _ in range(number))
    return Counter(reply.header("x-release") or str(reply.status) for reply in replies)


def test_traffic_is_shared_by_weight(fleet: Fleet, client: Client) -> None:
    fleet.engine.shift({"v1": 80, "v2": 20})
    assert releases(client, fleet.base_url, 20) == {"v1": 16, "v2": 4}
    assert fleet.engine.state().live == "v1"
    fleet.engine.promote("v2")
    assert releases(client, fleet.base_url, 4) == {"v2": 4}
    assert fleet.engine.state().live == "v2"


def test_a_preview_leads_to_one_release_whatever_its_weight(fleet: Fleet, client: Client) -> None:
    assert releases(client, fleet.preview_url("v2"), 3) == {"v2": 3}
    assert fleet.preview_url("v2") == fleet.preview_url("v2")
    assert releases(client, fleet.preview_url("broken"), 1) == {"broken": 1}
    assert client.request("GET", f"{fleet.preview_url('broken')}/api/readyz").status == 500


def test_every_replica_of_a_release_gets_its_turn(fleet: Fleet, client: Client) -> None:
    assert len(fleet.replica_urls("v1")) == 2
    assert len({url for url in fleet.replica_urls("v1") if releases(client, url, 1) == {"v1": 1}}) == 2
    taken = fleet._releases["v1"].next_address
    assert {next(taken), next(taken)} == {0, 1}


def test_a_release_that_crashed_is_a_gateways_503(fleet: Fleet, client: Client) -> None:
    fleet.engine.promote("dead")
    assert releases(client, fleet.base_url, 1) == {"503": 1}


def test_replicas_with_memories_of_their_own_disagree_and_a_restart_forgets(fleet: Fleet, client: Client) -> None:
    started = client.request("POST", f"{fleet.engine_url}/start?release=apart&memory=own&replicas=2")
    assert started.status == 200
    urls = fleet.replica_urls("apart")
    token, _ = fleet._releases["apart"].parts[0].tokens.issue("a user")
    headers = {"authorization": f"Bearer {token}", "cookie": "csrf-token=x", "x-csrf-token": "x"}
    order = {"recipient": unowned_address(), "rate": "1", "schedule": "minute"}
    created = client.request("POST", f"{urls[0]}/api/streams", json=order, headers=headers)
    assert created.status == 201, created.text
    path = f"/api/v2/streams/{json.loads(created.content)['data']['id']}"

    def statuses() -> list[int]:
        return [client.request("GET", f"{url}{path}", headers=headers).status for url in urls]

    assert statuses() == [200, 404]
    assert client.request("POST", f"{fleet.engine_url}/restart?release=apart&replica=2").status == 400
    assert client.request("POST", f"{fleet.engine_url}/restart?release=apart&replica=0").status == 200
    assert statuses() == [404, 404]


def test_all_replicas_of_all_releases_share_one_memory(fleet: Fleet, client: Client) -> None:
    fleet.engine.shift({"v1": 50, "v2": 50})
    user = synthetic_user("fleet", "wallet", learn_secret=lambda secret: None)
    with Deployment.at(
        fleet.base_url,
        dialect="app-v1",
        record=lambda event: None,
        timeout_seconds=10,
        learn_secret=lambda secret: None,
    ) as deployment:
        credentials = [deployment.sign_in(user) for _ in range(3)]  # challenge and answer meet different replicas
        order = StreamOrder(recipient=unowned_address(), rate="0.7777777", schedule="minute")
        created = {deployment.create(credential, order, "one-key").id for credential in credentials}
        assert len(created) == 1
        seen = [deployment.stream(credentials[0], *created).id for _ in range(8)]
    assert set(seen) == created


# -- the engine, asked by its own client


def ask(method: str, path: str, monkeypatch: pytest.MonkeyPatch, fleet: Fleet, **given: str) -> dict[str, object]:
    monkeypatch.setenv(ENGINE_VARIABLE, fleet.engine_url)
    return engine_client.ask(method, path, **given)


def test_a_key_is_acted_on_once(fleet: Fleet, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet.engine.promote("v2")
    before = len(fleet.engine.state().applied)
    for said in ("v1 is live", "asked before with this key"):
        assert ask("POST", "/roll-back", monkeypatch, fleet, release="v1", key="k-once") == {"said": said}
    state = ask("GET", "/state", monkeypatch, fleet)
    assert state["live"] == "v1"
    assert state["asked"][-2:] == ["k-once", "k-once"]  # type: ignore[index]
    assert fleet.engine.state().applied[before:] == (AppliedRollback(release="v1", key="k-once"),)


@pytest.mark.parametrize(
    ("method", "path", "given", "why"),
    [
        ("POST", "/roll-back", {"release": "v9", "key": "k"}, "409: .*no release v9 was started"),
        ("POST", "/roll-back", {"release": "v1"}, "400: .*missing or wrong: 'key'"),
        ("POST", "/shift", {"v1": "-1"}, "409: .*the weight of v1 is -1"),
        ("POST", "/shift", {"v1": "0"}, "409: .*no release would get any traffic"),
        ("POST", "/shift", {"v1": "many"}, "400: .*invalid literal"),
        ("POST", "/misbehave", {"fault": "sulks"}, "400: .*sulks"),
        ("POST", "/start", {"release": "v8", "fault": "no-such-fault"}, "409: .*no fault 'no-such-fault'"),
        ("GET", "/roll-back", {}, "404: .*nothing the engine does"),
    ],
)
def test_the_engine_refuses_what_it_cannot_do(
    fleet: Fleet,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    path: str,
    given: dict[str, str],
    why: str,
) -> None:
    with pytest.raises(OSError, match=why):
        ask(method, path, monkeypatch, fleet, **given)
    assert fleet.engine.state().live == "v1"


def test_the_client_is_a_rollback_command(
    fleet: Fleet, client: Client, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(ENGINE_VARIABLE, fleet.engine_url)
    monkeypatch.setenv("STREAMPAY_TARGET_RELEASE", "v2")
    monkeypatch.setenv("STREAMPAY_ROLLBACK_KEY", "k-client")
    assert engine_client.main(["live"]) == 0
    assert engine_client.main(["roll-back"]) == 0
    assert engine_client.main(["preview", "v2"]) == 0
    assert engine_client.main(["GET", "/state"]) == 0
    live, said, preview, state = capsys.readouterr().out.split("\n", 3)
    assert (live, said, json.loads(state)["live"]) == ("v1", "v2 is live", "v2")
    assert preview == fleet.preview_url("v2")
    assert engine_client.main(["preview", "v9"]) == 1
    assert engine_client.main(["POST", "/nothing"]) == 1
    assert engine_client.main([]) == 2
    monkeypatch.delenv("STREAMPAY_TARGET_RELEASE")
    assert engine_client.main(["roll-back"]) == 1
    fleet.engine.misbehave(EngineFault.DOWN)
    assert engine_client.main(["live"]) == 1
    assert "the engine is down" in capsys.readouterr().err


def test_an_engine_that_acts_and_gives_no_answer(fleet: Fleet, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet.engine.misbehave(EngineFault.NO_ANSWER)
    with pytest.raises(NoAnswer, match="closed without a full answer"):
        client.request("POST", f"{fleet.engine_url}/roll-back?release=v2&key=k-silent")
    assert fleet.engine.state().live == "v2"


# -- the engine itself


def engine(*faults: str) -> DeploymentEngine:
    made = DeploymentEngine("v2")
    made.add("v1")
    made.add("v0")
    made.misbehave(*faults)
    return made


def test_an_engine_that_does_nothing() -> None:
    lazy = engine("does-nothing")
    assert lazy.roll_back("v1", "k") == "v1 will be live"
    assert (lazy.state().live, lazy.state().applied) == ("v2", ())


def test_an_engine_that_is_late() -> None:
    late = engine("late")
    late.late_seconds = 0.05
    late.roll_back("v1", "k")
    assert late.state().live == "v2"
    for timer in late._late:
        timer.join(HANG_SECONDS)
    assert late.state().live == "v1"
    late.stop()


def test_an_engine_that_is_stopped_does_nothing_more() -> None:
    late = engine("late")
    late.roll_back("v1", "k")
    late.stop()
    for timer in late._late:
        timer.join(HANG_SECONDS)
    assert late.state().live == "v2"


def test_an_engine_that_forgets_keys() -> None:
    forgetful = engine("forgets-keys")
    forgetful.roll_back("v1", "k")
    forgetful.roll_back("v1", "k")
    assert len(forgetful.state().applied) == 2


def test_an_engine_that_restores_another_release() -> None:
    wrong = engine("wrong-release")
    wrong.roll_back("v1", "k")
    assert wrong.state().live == "v0"


def test_an_engine_that_knows_no_other_release_says_so() -> None:
    with pytest.raises(SettingsInvalid, match="no release v7 was started"):
        engine().promote("v7")


def test_the_ready_document_points_a_run_and_a_rollback_at_the_fleet(fleet: Fleet) -> None:
    document = fleet.ready_document()
    assert document["env"]["SMOKE_BASE_URL"] == document["base_url"] == fleet.base_url
    assert document["env"][ENGINE_VARIABLE] == document["engine_url"] == fleet.engine_url
    assert Path(document["env"]["SMOKE_CONTRACT_ID"]).name.startswith("C")


def test_a_header_or_a_host_leads_to_one_release_whatever_the_weights(fleet: Fleet, client: Client) -> None:
    def release_by(name: str, value: str) -> str:
        return client.request("GET", f"{fleet.base_url}/api/healthz", headers={name: value}).header("x-release")

    fleet.engine.promote("v1")
    assert release_by("host", "v2.localhost") == "v2"
    assert release_by("host", f"v2.localhost:{fleet.base_url.rpartition(':')[2]}") == "v2"
    assert release_by("x-canary", "never") == "v1"
    newest = list(fleet._releases)[-1]
    fleet.start("v9", replicas=1)
    assert newest != "v9"
    assert release_by("x-canary", "always") == "v9"


def test_one_replica_of_a_release_can_differ(fleet: Fleet, client: Client) -> None:
    started = client.request("POST", f"{fleet.engine_url}/start?release=odd&replicas=3&differs=limits&differs=keys")
    assert started.status == 200
    url = fleet.preview_url("odd")
    seen = [client.request("GET", f"{url}/.well-known/jwks.json") for _ in range(6)]
    assert Counter(reply.header("x-replica-id") for reply in seen) == {"odd-1": 2, "odd-2": 2, "odd-3": 2}
    limits = {(reply.header("x-replica-id"), reply.header("x-ratelimit-limit")) for reply in seen}
    assert limits == {("odd-1", "60"), ("odd-2", "60"), ("odd-3", "30")}
    assert len({reply.content for reply in seen}) == 2
    refused = client.request("POST", f"{fleet.engine_url}/start?release=odder&differs=shoes")
    assert refused.status == 400
    assert "shoes" in refused.text


def started_with(*command: str) -> "subprocess.Popen[str]":
    fleet = [sys.executable, "-m", "streampay_sandbox.fleet", "--replicas", "1", "--", *command]
    return subprocess.Popen(fleet, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_a_command_is_pointed_at_the_fleet_and_its_exit_code_is_the_fleets() -> None:
    with started_with("sh", "-c", 'echo "$SMOKE_BASE_URL of $SMOKE_REPLICAS"; exit 7') as running:
        said, _ = running.communicate(timeout=HANG_SECONDS)
    assert running.returncode == 7
    base_url = said.split("StreamPay at ")[1].split(",")[0]
    assert f"{base_url} of 1\n" in said


def test_a_signal_ends_the_command_and_then_the_fleet() -> None:
    with started_with("sh", "-c", "trap 'exit 5' TERM; echo started; while :; do sleep 0.1; done") as running:
        assert running.stdout is not None
        while "started" not in running.stdout.readline():
            pass
        running.terminate()
        assert running.wait(HANG_SECONDS) == 5


def test_a_program_that_is_not_there_is_named() -> None:
    with started_with("no-such-program") as running:
        said, _ = running.communicate(timeout=HANG_SECONDS)
    assert (running.returncode, "no-such-program: No such file or directory" in said) == (127, True)


def test_two_releases_of_the_sandbox_stand_beside_the_contract_of_the_profile() -> None:
    with start_canary("streampay-contracts-v0.2", weight=0, faults=()) as environ:
        assert environ["SMOKE_CONTRACT_PROFILE"] == "streampay-contracts-v0.2"
        other = environ["SMOKE_CONTRACT_ID"]
    with start_canary("streampay-stream", weight=0, faults=()) as environ:
        assert environ["SMOKE_CONTRACT_ID"] != other
    with pytest.raises(SettingsInvalid, match="no contract of profile"), start_canary("none", weight=0, faults=()):
        pass
