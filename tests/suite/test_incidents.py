"""Deploys that went wrong elsewhere, played here: noise must never roll a release back, faults must be caught."""

import re
import socket
from collections.abc import Iterator

import pytest
from suite_parts import Project, Ran

from streampay_smoke.gate.verdict import Action, Word
from streampay_smoke.sandbox.road import Disturbance, Forward, Passing, Proxy, Reply, burst, gateway, hang_up
from streampay_smoke.sandbox.stack import Sandbox, start_sandbox

OLD, NEW = "the-old-one", "sandbox"
SPA = '<!doctype html><html><body><div id="root"></div></body></html>'


def set_place(project: Project, **values: object) -> None:
    """Replace or add keys of [service] and of the place itself in the sandbox's environment file."""
    path = project.folder / "environments" / "sandbox.toml"
    text = path.read_text()
    for name, value in values.items():
        text = re.sub(rf"^{name} = .*\n", "", text, flags=re.MULTILINE)
        place = "" if name == "step_seconds" else "[service]\n"
        text = f"{name} = {value}\n{text}" if not place else text.replace(place, f"{place}{name} = {value}\n", 1)
    path.write_text(text)


@pytest.fixture
def impatient(project: Project) -> Project:
    set_place(project, ready_within_seconds=1, cutover_seconds=0.5)
    return project


def answer(ran: Ran) -> tuple[Word, str, str]:
    verdict = ran.verdict
    return verdict.verdict, verdict.attribution, verdict.reason_code


def through(disturb: Disturbance, project: Project, sandbox: Sandbox, *arguments: str, **environ: str) -> Ran:
    """Run the gate against the sandbox behind a proxy; with minted tokens, for sign-ins are limited per minute."""
    with Proxy(sandbox.base_url, disturb=disturb) as proxy:
        return project.behave(*arguments, **{"SMOKE_AUTH_MODE": "jwt", "SMOKE_BASE_URL": proxy.url, **environ})


def is_readiness(passing: Passing) -> bool:
    return passing.path == "/api/readyz"


def of_release(release: str) -> Forward:
    return Forward(headers={"x-release": release})


@pytest.fixture
def silent_host() -> Iterator[str]:
    """An address that takes packets and never answers: its queue of connections is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        crowd = [socket.socket() for _ in range(4)]
        for caller in crowd:
            caller.setblocking(False)
            caller.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        for caller in crowd:
            caller.close()


def test_noise_a_runner_whose_packets_never_arrive(project: Project, silent_host: str) -> None:
    set_place(project, ready_within_seconds=0.5, step_seconds=0.5)
    ran = project.behave("--tags=@readiness", SMOKE_BASE_URL=silent_host)
    assert answer(ran)[:2] == (Word.INCONCLUSIVE, "harness"), ran.output
    assert {item.rule for item in ran.verdict.checks} == {"runner-has-no-way-out"}


def test_a_silent_host_beside_a_stable_release_that_is_reached_is_the_release(
    project: Project, sandbox: Sandbox, silent_host: str
) -> None:
    set_place(project, ready_within_seconds=0.5, step_seconds=0.5)
    ran = project.behave("--tags=@readiness", SMOKE_BASE_URL=silent_host, SMOKE_BASELINE_URL=sandbox.base_url)
    assert answer(ran)[:2] == (Word.FAIL, "product"), ran.output


CUTOVER = [gateway(502), gateway(503), hang_up(), gateway(504), hang_up()]


def test_noise_a_load_balancer_in_cutover_before_the_release_is_ready(project: Project, sandbox: Sandbox) -> None:
    ran = through(burst(CUTOVER), project, sandbox, "--tags=@readiness")
    assert answer(ran)[0] is Word.PASS, ran.output
    assert [item.flaky for item in ran.verdict.checks] == [True]
    assert "1 flaky" in ran.verdict.message
    assert "flaky" in (ran.folder / "summary.md").read_text()


@pytest.mark.parametrize(("method", "path"), [("GET", "/api/v2/streams"), ("POST", "/api/streams")])
def test_noise_connections_drained_in_the_middle_of_a_journey(
    project: Project, sandbox: Sandbox, method: str, path: str
) -> None:
    disturb = burst(CUTOVER, path=path, method=method, after=1)
    ran = through(disturb, project, sandbox, "--tags=@settlement")
    assert answer(ran)[0] is Word.PASS, ran.output
    retried = [event for event in ran.events if event["event"] == "retried"]
    assert [event["because"] for event in retried] == ["http 502", "http 503", "reset", "http 504", "reset"]
    assert any(item.flaky for item in ran.verdict.checks)


def test_noise_the_sign_in_meets_a_draining_backend(project: Project, sandbox: Sandbox) -> None:
    disturb = burst([gateway(502), hang_up()], path="/api/auth/wallet", method="POST")
    ran = through(disturb, project, sandbox, "--tags=@streams and @second-user", SMOKE_AUTH_MODE="wallet")
    assert answer(ran)[0] is Word.PASS, ran.output


def test_fault_a_release_that_never_stops_answering_502(impatient: Project, sandbox: Sandbox) -> None:
    def disturb(passing: Passing) -> Reply | Forward:
        return gateway(502) if passing.path.startswith("/api/streams") else Forward()

    ran = through(disturb, impatient, sandbox, "--tags=@streams and @second-user")
    assert answer(ran) == (Word.FAIL, "product", "service_unavailable"), ran.output


def test_fault_a_promise_seen_broken_once_stays_broken(project: Project, sandbox: Sandbox) -> None:
    broken = Reply(status=500, text='{"error": {"code": "INTERNAL", "message": "m"}}', content_type="application/json")
    ran = through(burst([broken], path="/api/streams"), project, sandbox, "--tags=@streams and @second-user")
    assert answer(ran)[:2] == (Word.FAIL, "product"), ran.output


def test_noise_the_old_release_still_answers_while_the_new_one_is_propagated(
    project: Project, sandbox: Sandbox
) -> None:
    def disturb(passing: Passing) -> Forward:
        return of_release(OLD) if passing.number < 8 else Forward()

    ran = through(disturb, project, sandbox, "--tags=@readiness", SMOKE_EXPECT_RELEASE=NEW)
    assert answer(ran)[0] is Word.PASS, ran.output
    assert ran.verdict.target.releases_observed == (OLD, NEW)


def test_noise_a_wrong_operators_token(project: Project, sandbox: Sandbox) -> None:
    wrong = {"SMOKE_AUTH_MODE": "api-key", "SMOKE_API_KEY": "a-key-that-was-rotated"}
    ran = project.behave("--tags=@streams and not @second-user", SMOKE_BASELINE_URL=sandbox.base_url, **wrong)
    assert answer(ran) == (Word.CONFIG, "config", "credential_refused"), ran.output


def test_fault_a_release_that_refuses_the_credential_the_stable_one_accepts(project: Project, sandbox: Sandbox) -> None:
    refusal = Reply(status=401, text='{"error": {"code": "UNAUTHORIZED", "message": "m"}}')

    def disturb(passing: Passing) -> Reply | Forward:
        return refusal if passing.path.startswith("/api/streams") else Forward()

    environ = {"SMOKE_AUTH_MODE": "api-key", "SMOKE_BASELINE_URL": sandbox.base_url}
    ran = through(disturb, project, sandbox, "--tags=@streams and not @second-user", **environ)
    assert answer(ran) == (Word.FAIL, "product", "credential_refused_by_release"), ran.output


def test_noise_a_cold_start(project: Project, sandbox: Sandbox) -> None:
    def disturb(passing: Passing) -> Forward:
        return Forward(seconds=1.0 if passing.number < 4 else 0.0)

    ran = through(disturb, project, sandbox, "--tags=@readiness")
    assert (answer(ran)[0], ran.verdict.checks[0].flaky) == (Word.PASS, False), ran.output


@pytest.mark.parametrize("faults", [("friendbot-500",), ("contract-missing",), ("contract-missing", "friendbot-500")])
def test_noise_the_test_network_was_reset(project: Project, faults: tuple[str, ...]) -> None:
    set_place(project, ready_within_seconds=1)
    with start_sandbox(faults=faults) as sandbox:
        ran = project.behave("--tags=@smoke and not @streams", **sandbox.ready_document()["env"])
    assert ran.verdict.verdict in {Word.INCONCLUSIVE, Word.CONFIG}, ran.output
    assert ran.verdict.action is Action.HOLD


@pytest.mark.parametrize("status", [500, 503])
def test_noise_the_stable_release_is_red_in_the_same_way(impatient: Project, sandbox: Sandbox, status: int) -> None:
    def disturb(passing: Passing) -> Reply:
        return Reply(status=status, text="Internal Server Error", content_type="text/plain")

    with Proxy(sandbox.base_url, disturb=disturb) as stable:
        ran = through(disturb, impatient, sandbox, "--tags=@readiness", SMOKE_BASELINE_URL=stable.url)
    assert answer(ran) == (Word.INCONCLUSIVE, "dependency", "pre_existing"), ran.output


def test_fault_red_beside_a_stable_release_that_is_well(impatient: Project, sandbox: Sandbox) -> None:
    def disturb(passing: Passing) -> Reply | Forward:
        return Reply(status=500) if passing.path.startswith("/api/streams") else Forward()

    ran = through(disturb, impatient, sandbox, "--tags=@streams and @second-user", SMOKE_BASELINE_URL=sandbox.base_url)
    assert answer(ran)[:2] == (Word.FAIL, "product"), ran.output


@pytest.mark.parametrize("unset", ["SMOKE_BASE_URL", "SMOKE_CONTRACT_ID"])
def test_fault_a_smoke_that_is_skipped_because_a_variable_is_unset(project: Project, unset: str) -> None:
    ran = project.behave("--tags=@smoke", SMOKE_ENV="staging", SMOKE_STELLAR_NETWORK="testnet", **{unset: ""})
    assert (ran.code, answer(ran)[0]) == (2, Word.CONFIG), ran.output
    assert unset in ran.output


def test_fault_the_old_release_is_still_live_for_every_push(impatient: Project, sandbox: Sandbox) -> None:
    ran = through(lambda passing: of_release(OLD), impatient, sandbox, "--tags=@readiness", SMOKE_EXPECT_RELEASE=NEW)
    assert answer(ran) == (Word.FAIL, "product", "release_unexpected"), ran.output


@pytest.mark.parametrize(
    ("expected", "word", "blame"), [(NEW, Word.FAIL, "product"), ("", Word.INCONCLUSIVE, "harness")]
)
def test_fault_the_release_is_swapped_under_the_gate(
    project: Project, sandbox: Sandbox, expected: str, word: Word, blame: str
) -> None:
    def disturb(passing: Passing) -> Forward:
        return of_release(OLD) if passing.number > 5 else Forward()

    ran = through(disturb, project, sandbox, "--tags=@streams and @second-user", SMOKE_EXPECT_RELEASE=expected)
    assert answer(ran) == (word, blame, "release_changed"), ran.output


def test_fault_one_replica_of_three_was_left_behind(project: Project, sandbox: Sandbox) -> None:
    def disturb(passing: Passing) -> Forward:
        return of_release(OLD) if passing.connection % 3 == 2 else Forward()

    set_place(project, replicas=3, ready_within_seconds=1)
    ran = through(disturb, project, sandbox, "--tags=@readiness", SMOKE_EXPECT_RELEASE=NEW)
    assert answer(ran)[:2] == (Word.FAIL, "product"), ran.output
    assert ran.verdict.reason_code in {"release_mixed", "release_changed"}
    assert OLD in ran.verdict.message


def test_noise_a_replica_that_is_replaced_a_moment_later(project: Project, sandbox: Sandbox) -> None:
    def disturb(passing: Passing) -> Forward:
        return of_release(OLD) if passing.connection % 3 == 2 and passing.number < 12 else Forward()

    set_place(project, replicas=3, ready_within_seconds=1)
    ran = through(disturb, project, sandbox, "--tags=@readiness", SMOKE_EXPECT_RELEASE=NEW)
    assert answer(ran)[0] is Word.PASS, ran.output


@pytest.mark.parametrize("fault", ["settle-lies", "settle-failed-but-ended"])
def test_fault_a_settlement_that_is_only_claimed(project: Project, fault: str) -> None:
    with start_sandbox(faults=(fault,)) as sandbox:
        ran = project.behave("--tags=@settlement", **sandbox.ready_document()["env"])
    assert answer(ran)[:2] == (Word.FAIL, "product"), ran.output


def test_fault_an_application_that_never_reached_its_backend(impatient: Project, sandbox: Sandbox) -> None:
    ran = through(lambda passing: Reply(status=200, text=SPA), impatient, sandbox, "--tags=@readiness or @streams")
    assert answer(ran)[:2] == (Word.FAIL, "product"), ran.output


def test_fault_retries_that_are_used_up(impatient: Project, sandbox: Sandbox) -> None:
    ran = through(lambda passing: hang_up(), impatient, sandbox, "--tags=@readiness")
    assert answer(ran) == (Word.FAIL, "product", "service_unavailable"), ran.output
    assert ran.code == 1
