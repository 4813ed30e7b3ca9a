"""Settings against what answers: refused where they contradict it, by `run` and `doctor` alike."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
from step_parts import (
    Says,
    SmallStreamPay,
    Witness,
    readiness,
    readyz_says,
    run_context_of,
    settings_for,
    small_environ,
)
from suite_parts import Project

from streampay_sandbox.ledger.genesis import twin_contract_id
from streampay_sandbox.stack import start_sandbox
from streampay_smoke.acceptance.actions.settlement import settled_stream
from streampay_smoke.acceptance.observations.readiness import NeverReady
from streampay_smoke.acceptance.observations.settings_mismatch import (
    AnotherApplication,
    ContractUnexpected,
    NetworkUnexpected,
    ReleaseElsewhere,
    ReleaseUnexpected,
    refuse_another_address,
    refuse_another_network,
    refuse_another_release,
)
from streampay_smoke.core.errors import Blame, SmokeError
from streampay_smoke.core.networks import ALLOWED
from streampay_smoke.evidence.events import ReleaseSeen
from streampay_smoke.gate.verdict import VerdictStatus
from streampay_smoke.http.ledger_health import is_same_ledger
from streampay_smoke.operations.doctor import DoctorState
from streampay_smoke.operations.doctor.deployment import DEPLOYMENT
from streampay_smoke.operations.doctor.look import look_at
from streampay_smoke.run.probes.stable_contract import stable_contract_probe
from streampay_smoke.service.records import Readiness
from streampay_smoke.service.transport import NOTHING_LISTENS, NoServiceAnswer

TWIN = twin_contract_id(ALLOWED["sandbox"].network_id)
READS = "build-manifest: the build id that the start page names"


@pytest.mark.parametrize("told", [["old"], ["old"] * 6])
def test_one_release_that_is_not_the_expected_one_is_refused_and_what_is_read_is_said(told: list[str]) -> None:
    with pytest.raises(ReleaseUnexpected, match=READS) as caught:
        refuse_another_release("new", told, told_by="build-manifest")
    assert caught.value.blame is Blame.CONFIG


@pytest.mark.parametrize(
    ("expected", "told"),
    [("", ["old"]), ("new", ["new"]), ("new", ["old", "new"]), ("new", ["old", "older"]), ("new", [""]), ("new", [])],
    ids=["none expected", "it is", "mixed", "changing", "untold", "never looked"],
)
def test_whatever_else_was_told_is_left_to_the_checks(expected: str, told: list[str]) -> None:
    refuse_another_release(expected, told, told_by="header:x-release")


NEW = readiness(release="new")
ELSEWHERE: dict[str, tuple[str, dict[str, Readiness], tuple[str, ...]]] = {
    "the scheme's own port": ("https://pay.example:8443", {"https://pay.example": NEW}, ()),
    "the other scheme": ("http://pay.example/app", {"https://pay.example/app": NEW}, ()),
    "where the stable release should be": (
        "http://pay.example:3010",
        {"http://pay.example:3001": NEW},
        ("http://pay.example:3001",),
    ),
}
DEAD: dict[str, tuple[str, dict[str, Readiness], tuple[str, ...]]] = {
    "nothing answers beside it": ("http://pay.example:3010", {}, ("http://pay.example:3001",)),
    "another release does": (
        "http://pay.example:3010",
        {"http://pay.example:3001": readiness(release="old")},
        ("http://pay.example:3001",),
    ),
    "it is not ready there": (
        "https://pay.example:8443",
        {"https://pay.example": readiness(ready=False, release="new")},
        (),
    ),
    "on another host": ("https://pay.example:8443", {"https://old.example": NEW}, ("https://old.example",)),
    "the same address": ("https://pay.example", {"https://pay.example": NEW}, ("https://pay.example:443",)),
}


def look_beside(base_url: str, answers: dict[str, Readiness], others: tuple[str, ...], expected: str = "new") -> None:
    def readiness_at(address: str) -> Readiness:
        if address not in answers:
            raise NoServiceAnswer("nothing listens", cause=NOTHING_LISTENS)
        return answers[address]

    refuse_another_address(base_url, others=others, expected=expected, readiness_at=readiness_at)


@pytest.mark.parametrize(("base_url", "answers", "others"), ELSEWHERE.values(), ids=ELSEWHERE)
def test_an_address_is_wrong_where_the_expected_release_is_ready_beside_it(
    base_url: str, answers: dict[str, Readiness], others: tuple[str, ...]
) -> None:
    with pytest.raises(ReleaseElsewhere, match=f"ready at {next(iter(answers))}") as caught:
        look_beside(base_url, answers, others)
    assert caught.value.blame is Blame.CONFIG


@pytest.mark.parametrize(("base_url", "answers", "others"), DEAD.values(), ids=DEAD)
def test_a_dead_release_is_not_taken_for_a_wrong_address(
    base_url: str, answers: dict[str, Readiness], others: tuple[str, ...]
) -> None:
    look_beside(base_url, answers, others)


def test_without_an_expected_release_nothing_tells_a_wrong_port_from_a_dead_release() -> None:
    look_beside("https://pay.example:8443", {"https://pay.example": NEW}, (), expected="")


def test_a_run_at_a_mistyped_port_judges_nothing_and_doctor_says_so_too(tmp_path: Path) -> None:
    with start_sandbox() as sandbox:
        swapped = {
            "SMOKE_BASE_URL": "http://127.0.0.1:9",
            "SMOKE_BASELINE_URL": sandbox.base_url,
            "SMOKE_EXPECT_RELEASE": "sandbox",
        }
        project = Project(tmp_path, {**sandbox.ready_document()["env"], **swapped})
        (tmp_path / "environments" / "sandbox.toml").write_text(
            (tmp_path / "environments" / "sandbox.toml")
            .read_text()
            .replace("within_seconds = 10", "within_seconds = 1")
        )
        ran = project.smoke("--tags", "@readiness or @access")
        doctor = project.answer("doctor")
    assert (ran.code, ran.verdict.reason_code) == (2, "release_elsewhere"), ran.output
    assert f"the expected release sandbox is ready at {sandbox.base_url}" in ran.verdict.message_long
    assert doctor.returncode == 2, doctor.stdout
    assert "nothing listens at http://127.0.0.1:9" in doctor.stdout


@pytest.mark.parametrize(
    ("named", "expected", "gate", "settles", "because"),
    [
        ("testnet", "private", "sandbox", True, "expects private"),
        ("testnet", "testnet", "local", True, "looks at local"),
        ("private", "private", "testnet", True, "looks at testnet"),
        ("testnet", "public", "testnet", False, "expects public"),
    ],
)
def test_a_network_that_is_not_this_environments_or_the_gates_is_refused(
    named: str, expected: str, gate: str, settles: bool, because: str
) -> None:
    with pytest.raises(NetworkUnexpected, match=because) as caught:
        refuse_another_network(
            readiness(network=named), expected=expected, gate=ALLOWED[gate], rpc_url="", settles=settles
        )
    assert caught.value.blame is Blame.CONFIG


@pytest.mark.parametrize(
    ("named", "expected", "gate", "settles"),
    [
        ("private", "private", "sandbox", True),
        ("private", "private", "local", True),
        ("testnet", "testnet", "testnet", True),
        ("public", "public", "testnet", False),
        ("public", "testnet", "testnet", True),  # a matter of safety
        ("", "testnet", "testnet", True),  # a promise that is broken
    ],
)
def test_a_network_that_agrees_is_let_through(named: str, expected: str, gate: str, settles: bool) -> None:
    refuse_another_network(readiness(network=named), expected=expected, gate=ALLOWED[gate], rpc_url="", settles=settles)


Change = Callable[[SmallStreamPay], None]


def _everywhere(says: Says) -> Change:
    def change(small: SmallStreamPay) -> None:
        for path in ("GET /api/readyz", "GET /api/healthz", "GET /api/streams"):
            small.lie(path, says)

    return change


CONTRADICTIONS = {
    "a login page": (_everywhere(Says(text="<html><title>Sign in</title></html>")), {}, AnotherApplication),
    "another service": (_everywhere(Says(json={"status": "UP"})), {}, AnotherApplication),
    "the backend": (_everywhere(Says(status=404, json={"error": "Not found"})), {}, AnotherApplication),
    "another release": (
        lambda small: small.lie("GET /", Says(text="<!DOCTYPE html><!--old_build--><html>")),
        {"SMOKE_EXPECT_RELEASE": "4b07bac0f6e34f0ab5a8"},
        ReleaseUnexpected,
    ),
    "another contract": (
        lambda small: small.lie("GET /api/readyz", readyz_says(message=f"reachable: http://127.0.0.1, {TWIN}")),
        {},
        ContractUnexpected,
    ),
}


@pytest.mark.parametrize(("change", "environ", "error"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_run_and_doctor_say_the_same(
    change: Change, environ: dict[str, str], error: type[SmokeError], small: SmallStreamPay, witness: Witness
) -> None:
    change(small)
    settings = settings_for({**small_environ(small), **environ})
    with contextlib.closing(run_context_of(settings, witness)) as shared:
        with pytest.raises(error) as caught:
            shared.readiness  # noqa: B018 - looked at once in a run
        assert caught.value.blame is Blame.CONFIG
        looks = [
            look
            for look in look_at(shared, DEPLOYMENT)
            if look.state is DoctorState.PROBLEM and look.verdict is VerdictStatus.CONFIG
        ]
    assert looks, "the doctor sees it too"
    assert not witness.of(ReleaseSeen), "nothing was judged"


def test_one_answer_of_its_own_is_enough_for_a_release_that_is_not_ready(
    small: SmallStreamPay, witness: Witness
) -> None:
    small.lie("GET /api/readyz", Says(text="<html><title>Sign in</title></html>"))
    settings = settings_for(small_environ(small))
    with contextlib.closing(run_context_of(settings, witness)) as shared, pytest.raises(NeverReady):
        shared.readiness  # noqa: B018 - looked at once in a run


@pytest.mark.parametrize("own", [(), ("ready-names-contract",)], ids=["by a draft", "by its own word"])
@pytest.mark.parametrize(("contract_id", "ok"), [("", True), (TWIN, False)], ids=["the stable one's", "another"])
def test_the_stable_release_tells_a_wrong_setting_from_a_wrong_release(
    own: tuple[str, ...], contract_id: str, ok: bool, witness: Witness
) -> None:
    with start_sandbox(faults=own) as sandbox:
        environ = {**sandbox.ready_document()["env"], "SMOKE_BASELINE_URL": sandbox.base_url}
        settings = settings_for({**environ, "SMOKE_CONTRACT_ID": contract_id or environ["SMOKE_CONTRACT_ID"]})
        with contextlib.closing(run_context_of(settings, witness)) as shared:
            found = stable_contract_probe(shared)
            drafts = len(shared.housekeeping)
            shared.clean_up()
            left = shared.unfinished

    assert (found.ok, environ["SMOKE_CONTRACT_ID"] in found.detail) == (ok, True)
    assert (drafts, left) == (0 if own else 1, 0), "what is made there is ended there"


def test_a_stable_release_that_cannot_be_asked_tells_nothing(witness: Witness) -> None:
    with start_sandbox() as sandbox:
        environ = sandbox.ready_document()["env"]
        for baseline in ({}, {"SMOKE_BASELINE_URL": "http://127.0.0.1:9"}):
            with contextlib.closing(run_context_of(settings_for({**environ, **baseline}), witness)) as shared:
                assert stable_contract_probe(shared).ok is None


@pytest.mark.parametrize("contract_id", ["", TWIN], ids=["the service's", "another"])
def test_the_doctor_compares_the_contract_of_settlements_before(contract_id: str, witness: Witness) -> None:
    with start_sandbox() as sandbox:
        environ = sandbox.ready_document()["env"]
        with contextlib.closing(run_context_of(settings_for(environ), witness)) as earlier:
            settled_stream(earlier, earlier.credential)
            earlier.clean_up()
        settings = settings_for({**environ, "SMOKE_CONTRACT_ID": contract_id or environ["SMOKE_CONTRACT_ID"]})
        with contextlib.closing(run_context_of(settings, witness)) as shared:
            looks = [look for look in look_at(shared, DEPLOYMENT) if look.name == "contract"]
            shared.clean_up()

    warned = [look.text for look in looks if look.state is DoctorState.WARNING]
    before = f"the service settled on {environ['SMOKE_CONTRACT_ID']} before, as the synthetic user's streams show"
    assert warned == ([before] if contract_id else [])


def test_two_private_ledgers_are_a_matter_of_settings_and_doctor_says_so_too(tmp_path: Path) -> None:
    with start_sandbox() as service, start_sandbox() as elsewhere:
        elsewhere_rpc = elsewhere.ready_document()["env"]["SMOKE_STELLAR_RPC_URL"]
        project = Project(tmp_path, {**service.ready_document()["env"], "SMOKE_STELLAR_RPC_URL": elsewhere_rpc})
        ran = project.smoke("--tags", "@settlement")
        doctor = project.answer("doctor")

    assert (ran.code, ran.verdict.reason_code) == (2, "network_unexpected"), ran.output
    assert "the one this gate looks at, http://127.0.0.1:" in ran.verdict.message_long
    assert ran.verdict.cleanup.created == 0
    assert doctor.returncode == 2, doctor.stdout
    assert "the newest ledger that both have is not the same" in doctor.stdout


def test_the_ledger_of_the_service_is_known_by_another_address_too() -> None:
    with start_sandbox() as sandbox:
        rpc_url = sandbox.ready_document()["env"]["SMOKE_STELLAR_RPC_URL"]
        assert is_same_ledger(rpc_url, rpc_url.replace("127.0.0.1", "localhost"), timeout_seconds=5) is True
        assert is_same_ledger(rpc_url, "http://127.0.0.1:9/rpc", timeout_seconds=1) is None
        assert is_same_ledger(rpc_url, sandbox.base_url, timeout_seconds=5) is None
