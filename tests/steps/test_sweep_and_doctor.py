"""The sweep and the doctor against a small StreamPay that answers in ways a sandbox does not."""

import importlib.metadata
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from msgspec.structs import replace
from step_parts import (
    PaperLedger,
    Says,
    SmallStreamPay,
    Witness,
    readyz_says,
    run_context_of,
    settings_for,
    small_environ,
)

from streampay_smoke.acceptance.resources.synthetic_streams import LEASE_SECONDS
from streampay_smoke.acceptance.run_context import RunContext
from streampay_smoke.chain.versions import NEWEST_TESTED_PROTOCOL
from streampay_smoke.core.errors import GuardRefused, SettingsInvalid
from streampay_smoke.core.progress_line import Count
from streampay_smoke.evidence.events import Warned
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.gate.verdict import VerdictStatus
from streampay_smoke.operations import doctor as doctors
from streampay_smoke.operations.doctor import DoctorCheck, DoctorState
from streampay_smoke.operations.doctor.deployment import DEPLOYMENT
from streampay_smoke.operations.doctor.given import SETTINGS, credentials, unused_credentials
from streampay_smoke.operations.doctor.look import look_at
from streampay_smoke.operations.doctor.machine import MACHINE, disk, writable
from streampay_smoke.operations.doctor.rollback import ROLLBACK, RollbackLookedAt
from streampay_smoke.operations.sweep import Swept, sweep, sweep_environment
from streampay_smoke.service.orders import RATE, SCHEDULE
from streampay_smoke.settings import load_evidence
from streampay_smoke.settings.actuator import load_rollback

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()
OLD, YOUNG = "2026-11-23T11:00:00.000Z", "2026-11-23T11:59:00.000Z"


@pytest.fixture
def shared(small: SmallStreamPay, witness: Witness) -> RunContext:
    return run_context_of(settings_for(small_environ(small)), witness)


def stream_of(small: SmallStreamPay, shared: RunContext, **fields: object) -> str:
    return small.add(shared.user.address, **{"rate": RATE, "schedule": SCHEDULE, "createdAt": OLD, **fields})


def swept(
    shared: RunContext,
    said: list[str] | None = None,
    *,
    older_than: float | None = None,
    progress: Count | None = None,
) -> Swept:
    say: Callable[[str], None] = (said if said is not None else []).append
    return sweep(
        shared, older_than_seconds=older_than, dry_run=False, say=say, now_seconds=lambda: NOW, progress=progress
    )


@pytest.mark.parametrize(
    ("fields", "due"),
    [
        ({}, True),
        ({"status": "active"}, True),
        ({"status": "paused"}, True),
        ({"createdAt": "2026-11-23T11:00:00"}, True),
        ({"status": "ended"}, False),
        ({"status": "withdrawn"}, False),
        ({"status": "cancelled"}, False),
        ({"createdAt": YOUNG}, False),
        ({"createdAt": "yesterday"}, False),
        ({"createdAt": "2126-01-01T00:00:00Z"}, False),
        ({"rate": "0.78"}, False),
        ({"schedule": "hour"}, False),
        ({"tags": ["smoke:run-0", "lease:1"], "rate": "1"}, True),
        ({"tags": ["smoke:run-0", f"lease:{int(NOW)}"]}, False),
        ({"tags": ["smoke:run-0", f"lease:{int(NOW) - 1}"]}, True),
        ({"tags": ["lease:1"], "rate": "1"}, False),
    ],
)
def test_only_what_is_ours_and_over_is_due(
    small: SmallStreamPay, shared: RunContext, fields: dict[str, object], due: bool
) -> None:
    stream_id = stream_of(small, shared, **fields)
    assert swept(shared).ended == ((stream_id,) if due else ())


def test_an_age_replaces_the_lease(small: SmallStreamPay, shared: RunContext) -> None:
    leased = stream_of(small, shared, tags=["smoke:run-0", f"lease:{int(NOW) + 500}"])
    young = stream_of(small, shared, createdAt=YOUNG)
    assert swept(shared, older_than=LEASE_SECONDS).ended == (leased,)
    assert swept(shared, older_than=0).ended == (young,)


@pytest.mark.parametrize(
    "lie", [Says(status=500), Says(status=409, json={"error": {"code": "X"}}), Says(status=502, text="<html>")]
)
def test_what_cannot_be_ended_is_said_and_the_rest_goes_on(
    small: SmallStreamPay, shared: RunContext, lie: Says
) -> None:
    stuck = stream_of(small, shared)
    small.lie("POST stop", lie)
    said: list[str] = []
    progress = Count("streams")
    assert swept(shared, said, progress=progress).stuck == (stuck,)
    assert progress(1.0, is_live=False).startswith("1 of 1 streams, about 0 s left; 1 s; ")
    assert said[0].startswith(f"stuck  {stuck} (draft, without a mark, 3600 s old): ")


def test_a_broken_list_hides_nothing_that_is_due(small: SmallStreamPay, shared: RunContext) -> None:
    stream_id = stream_of(small, shared)
    small.lie("GET /api/streams", Says(status=500))
    assert swept(shared).ended == (stream_id,)


def test_nothing_is_swept_on_the_public_network_or_in_a_read_only_environment(
    small: SmallStreamPay, witness: Witness, shared: RunContext
) -> None:
    stream_of(small, shared)
    small.lie("GET /api/readyz", readyz_says(message="reachable: https://horizon.stellar.org"))
    with pytest.raises(GuardRefused):
        swept(shared)
    read_only = settings_for(small_environ(small), settles=False, settles_not_because="real money")
    with pytest.raises(SettingsInvalid, match="real money"):
        swept(run_context_of(read_only, witness))
    assert not small.writes


def test_the_exit_code_of_a_sweep_says_that_something_is_left(
    small: SmallStreamPay, shared: RunContext, capsys: pytest.CaptureFixture[str]
) -> None:
    stream_of(small, shared)
    small.lie("POST stop", Says(status=500))
    environ = {"SMOKE_AUTH_MODE": "api-key", "SMOKE_API_KEY": "old-credential", "SMOKE_API_KEY_B": shared.user.address}

    def only_b(asked: object, honest: Callable[[object], Says]) -> Says:
        return Says(status=401) if "old-credential" in str(asked) else honest(asked)

    small.lie("GET /api/streams", only_b)  # type: ignore[arg-type]
    settings = settings_for(small_environ(small, **environ))
    assert sweep_environment(settings, Redactor(), older_than_seconds=None, dry_run=False) == 3
    printed = capsys.readouterr()
    assert "sweep: 0 brought to an end, 1 could not be" in printed.out
    assert "warning: credential slot A" in printed.err


def look(state: DoctorState, verdict: VerdictStatus = VerdictStatus.PASS) -> DoctorCheck:
    return DoctorCheck(name="x", state=state, text="said", next_step="step", verdict=verdict)


def test_the_gravest_problem_is_the_doctors_exit_code() -> None:
    unreachable, setting = (
        look(DoctorState.PROBLEM, VerdictStatus.INCONCLUSIVE),
        look(DoctorState.PROBLEM, VerdictStatus.CONFIG),
    )
    safety = look(DoctorState.PROBLEM, VerdictStatus.SAFETY)
    assert doctors.exit_code([look(DoctorState.OK), look(DoctorState.WARNING), look(DoctorState.SKIPPED)]) == 0
    assert doctors.exit_code([unreachable]) == 3
    assert doctors.exit_code([unreachable, setting]) == 2
    assert doctors.exit_code([setting, safety, unreachable]) == 4


def looks_by_name(looks: list[DoctorCheck]) -> dict[str, DoctorCheck]:
    return {found.name: found for found in looks}


def test_a_machine_that_lacks_something_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: ["nothing-like-it>=1", 'x; extra == "y"'])
    found = looks_by_name(list(look_at(load_evidence({}, environ={}, root=tmp_path), MACHINE)))
    assert found["Allure reporter"].state is DoctorState.WARNING
    assert found["packages"].state is DoctorState.PROBLEM
    assert "nothing-like-it" in found["packages"].text


@pytest.mark.parametrize(
    ("lie", "name", "verdict"),
    [
        (readyz_says(503, status="degraded"), "service", VerdictStatus.INCONCLUSIVE),
        (Says(text="<html><title>Welcome</title></html>"), "service", VerdictStatus.INCONCLUSIVE),
        (readyz_says(message="reachable: https://horizon-testnet.stellar.org"), "its network", VerdictStatus.CONFIG),
        (readyz_says(message="reachable: https://horizon.stellar.org"), "its network", VerdictStatus.SAFETY),
    ],
)
def test_a_service_that_is_not_what_it_should_be_is_named(
    small: SmallStreamPay, shared: RunContext, lie: Says, name: str, verdict: VerdictStatus
) -> None:
    small.lie("GET /api/readyz", lie)
    found = next(look for look in look_at(shared, DEPLOYMENT) if look.name == name)
    assert (found.state, found.verdict) == (DoctorState.PROBLEM, verdict)
    assert found.next_step


@pytest.mark.parametrize(("open_to_strangers", "state"), [(False, DoctorState.OK), (True, DoctorState.WARNING)])
def test_a_credential_is_proved_only_where_a_stranger_is_refused(
    small: SmallStreamPay, shared: RunContext, open_to_strangers: bool, state: DoctorState
) -> None:
    if open_to_strangers:
        small.lie("GET /api/streams", Says(json={"data": [], "meta": {"hasNext": False, "total": 0}}))
    assert next(look for look in look_at(shared, DEPLOYMENT) if look.name == "sign-in").state is state


def test_the_doctor_says_what_goes_by_a_proxy_and_shows_ledgers_by_their_host(
    small: SmallStreamPay, shared: RunContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "proxy" not in looks_by_name(list(look_at(shared.settings, SETTINGS)))
    monkeypatch.setenv("HTTP_PROXY", "http://smoke:a-proxys-password@127.0.0.1:9")
    looks = [*look_at(shared.settings, SETTINGS), *look_at(shared, DEPLOYMENT)]
    found = looks_by_name(looks)
    assert "service directly: HTTP_PROXY is not used for 127.0.0.1" in found["proxy"].text
    assert not any("a-proxys-password" in look.text or "/friendbot" in look.text for look in looks)


@pytest.mark.parametrize(
    ("protocol", "state"),
    [(27, DoctorState.OK), (NEWEST_TESTED_PROTOCOL, DoctorState.OK), (99, DoctorState.WARNING)],
)
def test_the_protocol_is_shown_with_what_the_sdk_knows(protocol: int, state: DoctorState) -> None:
    chain = PaperLedger()
    info = replace(chain.connect(), protocol_version=protocol)
    run = cast(RunContext, SimpleNamespace(ledger=SimpleNamespace(chain=chain)))
    chain.connect = lambda: info  # type: ignore[method-assign]
    (look,) = look_at(run, [each for each in DEPLOYMENT if each.name == "protocol"])
    assert look.state is state
    assert f"the network runs protocol {protocol}, its RPC is 27.1.0; stellar-sdk" in look.text


@pytest.mark.parametrize(
    ("environ", "unused"),
    [
        ({}, set()),
        ({"SMOKE_API_KEY": "a-key-of-nobody"}, {"SMOKE_API_KEY"}),
        ({"SMOKE_AUTH_JWT_SECRET": "b" * 40}, set()),
        ({"SMOKE_AUTH_MODE": "api-key", "SMOKE_API_KEY": "a-key-in-use", "SMOKE_API_KEY_B": "another-key"}, set()),
        ({"SMOKE_METRICS_TOKEN": "c" * 40}, {"SMOKE_METRICS_TOKEN"}),
        ({"SMOKE_ROLLBACK_TOKEN": "d" * 40}, {"SMOKE_ROLLBACK_TOKEN"}),
    ],
)
def test_credentials_that_are_set_and_not_used_are_named_and_never_shown(
    small: SmallStreamPay, environ: dict[str, str], unused: set[str]
) -> None:
    found = list(unused_credentials(settings_for(small_environ(small, **environ))))
    assert {check.name for check in found} == unused
    assert all(check.state is DoctorState.WARNING and check.next_step for check in found)
    assert not any(value in check.text for check in found for value in environ.values() if len(value) > 9)


def test_scenarios_that_this_environment_leaves_out_are_counted_with_the_reason(small: SmallStreamPay) -> None:
    settings = settings_for(small_environ(small), settles=False, settles_not_because="real money")
    said = [check.text for check in look_at(settings, SETTINGS) if check.name == "left out"]
    assert any("scenarios: real money" in line for line in said)
    assert any("no release is expected" in line for line in said)


@pytest.mark.parametrize(
    ("free_bytes", "state"),
    [(10_000_000, DoctorState.PROBLEM), (500_000_000, DoctorState.WARNING), (5_000_000_000, DoctorState.OK)],
)
def test_a_disk_that_is_nearly_full_is_said(tmp_path: Path, free_bytes: int, state: DoctorState) -> None:
    found = disk(tmp_path, free_bytes)
    assert found.state is state
    assert f"{free_bytes / 1e9:.1f} GB" in found.text


def test_a_folder_that_is_not_there_yet_is_looked_at_and_not_made(tmp_path: Path) -> None:
    assert writable("artifacts", tmp_path / "a" / "b", "step").state is DoctorState.OK
    assert not list(tmp_path.iterdir())


ROLLBACK_FILE = """
description = "x"
[service]
network = "testnet"
ready_within_seconds = 1
[chain]
network = "testnet"
[money]
settles = true
"""


@pytest.mark.parametrize(
    ("table", "state", "said"),
    [
        ("", DoctorState.OK, "has no [rollback]"),
        ('[rollback]\nhook = "nobody"', DoctorState.PROBLEM, "has no engine 'nobody'"),
        ('[rollback]\nhook = "webhook"\n[rollback.webhook]\nurl = "https://x.example"', DoctorState.PROBLEM, "SECRET"),
        (
            '[rollback]\nhook = "command"\n[rollback.command]\nroll_back = ["no-such-program"]',
            DoctorState.PROBLEM,
            "no-such-program of [rollback.command]",
        ),
        (
            '[rollback]\nhook = "command"\n[rollback.command]\nroll_back = ["true"]\nlive_release = ["false"]',
            DoctorState.WARNING,
            "false ended with exit code 1",
        ),
        (
            '[rollback]\nhook = "command"\n[rollback.command]\nroll_back = ["true"]\nlive_release = ["echo", "r7"]',
            DoctorState.OK,
            "has r7 live",
        ),
    ],
)
def test_what_a_rollback_needs_is_looked_at(tmp_path: Path, table: str, state: DoctorState, said: str) -> None:
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments" / "here.toml").write_text(ROLLBACK_FILE + table)
    environ = {"SMOKE_ENV": "here", "SMOKE_BASE_URL": "https://streampay.example", "SMOKE_DEPLOY": "d1"}
    settings = load_rollback(environ=environ, root=tmp_path)
    found = list(look_at(RollbackLookedAt(settings, Redactor()), ROLLBACK))
    assert any(check.state is state and said in check.text for check in found), found
    assert all(check.next_step for check in found if check.state in {DoctorState.WARNING, DoctorState.PROBLEM})
    assert ("rollback target" in looks_by_name(found)) is bool(table)


def test_the_doctor_says_what_a_credential_says_of_its_end(small: SmallStreamPay) -> None:
    environ = {"SMOKE_AUTH_MODE": "api-key", "SMOKE_API_KEY": "an-opaque-key", "SMOKE_API_KEY_B": "a.e30.c2lnbmF0"}
    said = [look.text for look in credentials(settings_for(small_environ(small, **environ)))]
    assert said == ["set; it does not say when it ends, or whose it is"] * 2
    jwt = small_environ(small, SMOKE_AUTH_MODE="jwt", SMOKE_AUTH_JWT_SECRET="a" * 40)
    assert "minted" in next(credentials(settings_for(jwt))).text


def test_a_warning_met_on_the_way_is_shown(witness: Witness) -> None:
    looks: list[DoctorCheck] = []
    doctors.warnings_to(looks)(Warned(code="x", text="slot B was used"))
    assert looks[0].text == "slot B was used"
    assert "warning" in doctors.table(looks)
