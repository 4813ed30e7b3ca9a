"""The proof of a rollback holds for a healthy previous release, and for nothing else."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fleet_parts import actuation_of, environment_in
from msgspec.structs import replace

from streampay_sandbox.fleet import Fleet
from streampay_sandbox.proxy import DisturbingProxy, burst, gateway
from streampay_smoke.core.errors import CredentialRefused, PromiseBroken, SettingsInvalid, SmokeError
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.rollback import verification as proofs
from streampay_smoke.rollback.configuration import Actuation
from streampay_smoke.rollback.outcome import NotLive
from streampay_smoke.rollback.verification import ReleaseVerifier, Verification
from streampay_smoke.rollback.wire import Wire, _on_one_line

SECONDS = 0.4


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with Fleet("v1", replicas=3) as running:
        running.start("v2", replicas=1)
        running.start("dead", replicas=0)
        yield running


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return environment_in(tmp_path, replicas=3, replica_miss_probability=0.05)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch, fleet: Fleet) -> None:
    monkeypatch.setattr(proofs, "LEAST_SECONDS", SECONDS)
    fleet.engine.promote("v1")


def verify(settings: Actuation, target: str = "v1") -> Verification:
    return ReleaseVerifier(settings, Redactor()).verify(target, within_seconds=SECONDS)


def test_a_healthy_release_on_every_replica_is_proved(fleet: Fleet, root: Path) -> None:
    proof = verify(actuation_of(fleet, root))
    assert proof.notes == ()
    assert set(proof.promises) >= {
        "the previous release is live",
        "the readiness answer is the service's own",
        "all replicas that answer run the expected release",
        "the synthetic user is shown a list",
        "a caller with no credential is refused",
        "a caller with a malformed token receives no stream",
        "the previous release answers to the end",
    }


@pytest.mark.parametrize("mode", ["jwt", "api-key"])
def test_every_way_to_sign_in_proves_it(fleet: Fleet, root: Path, mode: str) -> None:
    assert verify(actuation_of(fleet, root, SMOKE_AUTH_MODE=mode)).promises


def test_another_release_is_not_it(fleet: Fleet, root: Path) -> None:
    fleet.engine.promote("v2")
    with pytest.raises(NotLive, match=r"for v1 to be live and ready, looked .*: v2: status 200"):
        verify(actuation_of(fleet, root))


def test_one_replica_of_another_release_is_found(fleet: Fleet, root: Path) -> None:
    fleet.engine.shift({"v1": 75, "v2": 25})
    with pytest.raises(NotLive):
        verify(actuation_of(fleet, root))


def test_silence_is_not_it(fleet: Fleet, root: Path) -> None:
    fleet.engine.promote("dead")
    with pytest.raises(NotLive, match="status 503, but"):
        verify(actuation_of(fleet, root))


@pytest.mark.parametrize(
    ("fault", "error", "why"),
    [
        ("every-url-500", NotLive, "to be live and ready"),
        ("ready-lies-html", NotLive, "an HTML page"),
        ("ready-proxy-welcome", NotLive, "an HTML page"),
        ("ready-never", PromiseBroken, "the service names the network of this environment"),
        ("ready-degraded-but-200", PromiseBroken, "the service names the network of this environment"),
        ("half-broken", PromiseBroken, "answered 500, not 200"),
        ("list-open", PromiseBroken, "a caller with no credential is refused"),
        ("list-accepts-junk", PromiseBroken, "a caller with a malformed token is refused"),
        ("list-wrong-shape", PromiseBroken, "not a page of streams"),
        ("release-stale", NotLive, "before-"),
    ],
)
def test_a_release_that_is_not_healthy_is_not_proved(
    fleet: Fleet, root: Path, fault: str, error: type[SmokeError], why: str
) -> None:
    release = f"with-{fault}"
    fleet.start(release, replicas=1, faults=[fault])
    with pytest.raises(error, match=why):
        verify(actuation_of(fleet, root, base_url=fleet.preview_url(release)), release)


def test_a_credential_that_is_old_leaves_the_proof_open(fleet: Fleet, root: Path) -> None:
    with pytest.raises(CredentialRefused, match="refused the operator's API key with 401"):
        verify(actuation_of(fleet, root, SMOKE_AUTH_MODE="api-key", SMOKE_API_KEY="an-old-key-of-ours"))


def test_a_credential_nobody_gave_leaves_the_proof_open(fleet: Fleet, root: Path) -> None:
    with pytest.raises(SettingsInvalid, match="auth mode bearer needs SMOKE_AUTH_TOKEN"):
        verify(actuation_of(fleet, root, SMOKE_AUTH_MODE="bearer"))


def test_slot_b_is_tried_where_slot_a_is_refused(fleet: Fleet, root: Path) -> None:
    good = fleet.environ()["SMOKE_API_KEY"]
    settings = actuation_of(
        fleet, root, SMOKE_AUTH_MODE="api-key", SMOKE_API_KEY="an-old-key-of-ours", SMOKE_API_KEY_B=good
    )
    assert verify(settings).promises


def test_a_cutover_is_waited_out(fleet: Fleet, root: Path) -> None:
    silence = burst([gateway(502), gateway(503)], path="/api/streams")
    with DisturbingProxy(fleet.preview_url("v1"), behaviour=silence) as proxy:
        assert verify(actuation_of(fleet, root, base_url=proxy.url)).promises


def test_no_secret_is_left_for_the_redactor_to_learn(fleet: Fleet, root: Path) -> None:
    redactor = Redactor()
    ReleaseVerifier(actuation_of(fleet, root, redactor=redactor), redactor).verify("v1", within_seconds=SECONDS)
    environ = fleet.environ()
    settings = actuation_of(fleet, root, redactor=redactor, SMOKE_AUTH_MODE="api-key")
    assert settings.credentials
    assert environ["SMOKE_API_KEY"] not in redactor.text(f"key {environ['SMOKE_API_KEY']}")


# -- the ledger is down


@pytest.fixture(scope="module")
def without_ledger() -> Iterator[Fleet]:
    with Fleet("v1", replicas=1) as running:
        running.ledger.stop()
        yield running


def test_a_ledger_that_is_down_keeps_nobody_from_proving(without_ledger: Fleet, root: Path) -> None:
    proof = verify(actuation_of(without_ledger, root))
    (note,) = proof.notes
    assert "the service calls its ledger degraded (fetch failed), and it is down when asked directly too" in note
    assert "the synthetic user is shown a list" in proof.promises
    assert "dependency stellar is ok" not in proof.promises


def test_where_no_ledger_is_known_the_release_is_taken_at_its_word(without_ledger: Fleet, root: Path) -> None:
    proof = verify(replace(actuation_of(without_ledger, root), ledger_rpc_url=""))
    assert "no other ledger is known here" in proof.notes[0]


def test_a_ledger_that_is_well_takes_the_excuse_away(without_ledger: Fleet, fleet: Fleet, root: Path) -> None:
    settings = replace(actuation_of(without_ledger, root), ledger_rpc_url=fleet.ledger.rpc_url)
    with pytest.raises(PromiseBroken):
        verify(settings)


# -- looks


def test_a_look_meets_the_release_and_the_engine_is_not_needed(fleet: Fleet, root: Path) -> None:
    wire = Wire(actuation_of(fleet, root), record=lambda event: None)
    assert wire.look().description == "v1 in 11 looks"
    assert wire.peek().description == "v1 in 1 look"
    fleet.engine.shift({"v1": 50, "v2": 50})
    assert set(wire.look().releases) == {"v1", "v2"}


def test_a_release_too_broken_to_be_ready_still_tells_its_name(fleet: Fleet, root: Path) -> None:
    fleet.start("broken", replicas=1, faults=["every-url-500"])
    wire = Wire(actuation_of(fleet, root, base_url=fleet.preview_url("broken")), record=lambda event: None)
    assert wire.look().releases == ("broken",)


def test_silence_is_seen_as_silence(fleet: Fleet, root: Path) -> None:
    fleet.engine.promote("dead")
    seen = Wire(actuation_of(fleet, root), record=lambda event: None).peek()
    assert seen.releases == ()
    assert "HTML page" in seen.description
    gone = Wire(actuation_of(fleet, root, base_url="http://127.0.0.1:1"), record=lambda event: None).peek()
    assert "the connection was refused" in gone.description


def test_a_look_that_hangs_does_not_keep_a_rollback_waiting(fleet: Fleet, root: Path) -> None:
    ticks = iter([0.0, 4.0, 8.0, 12.0])
    wire = Wire(actuation_of(fleet, root), record=lambda event: None, clock=lambda: next(ticks))
    assert wire.look().looks == 3


def test_a_sandbox_that_answers_for_a_deployment_is_refused(fleet: Fleet, root: Path) -> None:
    file = root / "environments" / "sandbox.toml"
    file.write_text(file.read_text().replace("simulated = true", "simulated = false"))
    with pytest.raises(SettingsInvalid, match="a sandbox answers at"):
        Wire(actuation_of(fleet, root), record=lambda event: None).peek()


def test_a_release_with_a_name_of_several_lines_is_shown_on_one() -> None:
    assert _on_one_line("v2\n\x1b[31m" + "x" * 300) == "v2??[31m" + "x" * 192
