"""What operators do: rotate credentials, quarantine a check, override a verdict, ask the doctor."""

import base64
import contextlib
import json
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from suite_parts import Project, Ran
from waits import HANG_SECONDS

from streampay_sandbox.stack import Sandbox, start_sandbox
from streampay_smoke.cli import main
from streampay_smoke.gate.verdict import Verdict, VerdictStatus, from_json

WRONG = "a-secret-that-signs-nothing-anybody-takes"


def token(**claims: Any) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJIUzI1NiJ9.{body}.c2lnbmF0dXJl"


def exchanges(ran: Ran) -> int:
    return sum(event["event"] == "exchanged" for event in ran.events)


def test_a_half_done_rotation_passes_with_a_warning(project: Project, sandbox: Sandbox) -> None:
    right = sandbox.ready_document()["env"]["SMOKE_AUTH_JWT_SECRET"]
    ran = project.behave(
        "--tags=@streams", SMOKE_AUTH_MODE="jwt", SMOKE_AUTH_JWT_SECRET=WRONG, SMOKE_AUTH_JWT_SECRET_B=right
    )
    assert (ran.code, ran.verdict.verdict) == (0, VerdictStatus.PASS), ran.output
    (warning,) = ran.verdict.warnings
    assert "slot A (SMOKE_AUTH_JWT_SECRET) was refused, slot B (SMOKE_AUTH_JWT_SECRET_B) was used" in warning
    assert "slot B" in (ran.folder / "summary.md").read_text()
    assert "finish the rotation" in ran.output


def test_two_old_credentials_are_config_and_both_are_named(project: Project) -> None:
    ran = project.behave(
        "--tags=@streams", SMOKE_AUTH_MODE="api-key", SMOKE_API_KEY=WRONG, SMOKE_API_KEY_B="another-wrong-key"
    )
    assert (ran.code, ran.verdict.reason_code) == (2, "credential_refused"), ran.output
    hints = " ".join(check.hint for check in ran.verdict.checks)
    assert "SMOKE_API_KEY and SMOKE_API_KEY_B" in hints


@pytest.mark.parametrize(
    ("claims", "reason_code"),
    [
        ({"roles": ["admin"]}, "identity_refused"),
        ({"sub": "ada@example.com"}, "identity_refused"),
        ({"sub": "smoke-user", "exp": 1}, "credential_expired"),
    ],
)
def test_an_unfit_token_is_config_before_any_request(
    project: Project, claims: dict[str, Any], reason_code: str
) -> None:
    ran = project.behave("--tags=@streams", SMOKE_AUTH_MODE="bearer", SMOKE_AUTH_TOKEN=token(**claims))
    assert (ran.code, ran.verdict.reason_code) == (2, reason_code), ran.output
    assert exchanges(ran) == 0


class Recorded(ThreadingHTTPServer):
    """Passes requests on to a sandbox and keeps their headers."""

    def __init__(self, target: str) -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        self.target = urlsplit(target)
        self.seen: list[tuple[str, Mapping[str, str]]] = []


class _Passing(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Recorded

    def log_message(self, *args: Any) -> None:
        """Stay quiet."""

    def _pass(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.seen.append((f"{self.command} {self.path}", headers))
        body = self.rfile.read(int(headers.get("content-length", "0")))
        upstream = HTTPConnection(self.server.target.hostname or "", self.server.target.port, timeout=HANG_SECONDS)
        upstream.request(self.command, self.path, body or None, headers)
        answer = upstream.getresponse()
        if answer.getheader("content-type", "").startswith("text/event-stream"):
            self._stream(answer)
            return
        content = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in {"transfer-encoding", "content-length", "date", "server", "connection"}:
                self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        upstream.close()

    def _stream(self, answer: HTTPResponse) -> None:
        """Pass on what arrives when it arrives, until either side hangs up."""
        self.close_connection = True
        self.send_response(answer.status)
        self.send_header("content-type", answer.getheader("content-type", ""))
        self.end_headers()
        with contextlib.suppress(OSError):
            while arrived := answer.read1(65_536):
                self.wfile.write(arrived)
                self.wfile.flush()

    do_GET = do_POST = do_PATCH = do_DELETE = do_OPTIONS = _pass


@pytest.fixture
def recorded(sandbox: Sandbox) -> Iterator[Recorded]:
    server = Recorded(sandbox.base_url)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_every_request_of_a_run_is_marked_as_synthetic(project: Project, recorded: Recorded) -> None:
    url = f"http://127.0.0.1:{recorded.server_address[1]}"
    ran = project.behave("--tags=@smoke and not @chain", SMOKE_BASE_URL=url, SMOKE_AUTH_MODE="jwt")
    assert ran.verdict.verdict is VerdictStatus.PASS, ran.output
    assert len(recorded.seen) > 20
    for request, headers in recorded.seen:
        assert headers.get("x-streampay-synthetic") == "smoke", request
        assert "synthetic=true" in headers.get("baggage", ""), request


@pytest.fixture(scope="module")
def open_list() -> Iterator[Sandbox]:
    with start_sandbox(faults=["list-open"]) as running:
        yield running


def quarantine(project: Project, ran: Ran, until: datetime) -> None:
    entries = [
        f'[[quarantine]]\nid = "{check.id}"\nowner = "team-lists"\nticket = "T-7"\nuntil = {until:%Y-%m-%d}\n'
        for check in ran.verdict.checks
        if check.status == "failed"
    ]
    (project.folder / "quarantine.toml").write_text("\n".join(entries))


def test_a_quarantined_check_is_shown_does_not_gate_and_gates_again(tmp_path: Path, open_list: Sandbox) -> None:
    project = Project(tmp_path, {**open_list.ready_document()["env"], "SMOKE_AUTH_MODE": "jwt"})
    plain = project.behave("--tags=@streams")
    assert (plain.code, plain.verdict.verdict) == (1, VerdictStatus.FAIL), plain.output

    now = datetime.now(UTC)
    quarantine(project, plain, now + timedelta(days=5))
    apart = project.behave("--tags=@streams")
    assert (apart.code, apart.verdict.verdict) == (0, VerdictStatus.PASS), apart.output
    shown = [check for check in apart.verdict.checks if check.status == "quarantined"]
    assert shown
    assert all(check.quarantined and check.quarantined.owner == "team-lists" for check in shown)
    for report in ("summary.md", "ctrf.json", "junit/streampay-smoke.xml"):
        text = (apart.folder / report).read_text()
        assert "uarantined until" in text, report
        assert "T-7" in text, report

    quarantine(project, plain, now - timedelta(days=2))
    again = project.behave("--tags=@streams")
    assert (again.code, again.verdict.verdict) == (1, VerdictStatus.FAIL)
    assert "gates again" in again.verdict.warnings[0]


def test_a_defective_quarantine_file_is_config(project: Project) -> None:
    listed = "streams/a-second-user-cannot-list-or-read-the-streams-of-the-first-user"
    entry = f'[[quarantine]]\nid = "{listed}"\nowner = "team"\nuntil = 2126-01-01\n'
    (project.folder / "quarantine.toml").write_text(entry)
    bad = project.behave("--tags=@readiness")
    assert (bad.code, bad.verdict.reason_code) == (2, "suite_defective"), bad.output
    assert "it has no ticket" in bad.verdict.message


def overridden(folder: Path, *more: str, to: str = "PASS", hours: float = 1) -> int:
    until = (datetime.now(UTC) + timedelta(hours=hours)).isoformat()
    return main(["override", str(folder), "--to", to, "--who", "ada", "--why", "on purpose", "--until", until, *more])


def verdict_in(folder: Path) -> Verdict:
    return from_json((folder / "verdict.json").read_bytes())


def test_an_override_is_written_judged_and_reported(
    tmp_path: Path, open_list: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    project = Project(tmp_path, {**open_list.ready_document()["env"], "SMOKE_AUTH_MODE": "jwt"})
    ran = project.behave("--tags=@streams")
    assert ran.code == 1
    before = (ran.folder / "journal.jsonl").read_bytes()

    assert overridden(ran.folder, hours=48) == 2
    assert overridden(ran.folder, "--until", "tomorrow") == 2
    assert overridden(ran.folder, "--until", "2126-01-01T00:00:00") == 2
    assert overridden(ran.folder, "--why", " ") == 2
    assert overridden(tmp_path / "nowhere") == 2
    assert (ran.folder / "journal.jsonl").read_bytes() == before
    capsys.readouterr()

    assert overridden(ran.folder) == 0
    assert "OVERRIDDEN from FAIL to PASS by ada" in capsys.readouterr().out
    verdict = verdict_in(ran.folder)
    assert (verdict.verdict, verdict.reason_code, verdict.overrides[0].from_) == (
        VerdictStatus.PASS,
        "overridden",
        "FAIL",
    )
    assert (ran.folder / "journal.jsonl").read_bytes().startswith(before)
    for report in ("summary.md", "junit/streampay-smoke.xml", "ctrf.json"):
        assert "OVERRIDDEN" in (ran.folder / report).read_text(), report

    assert main(["judge", str(ran.folder / "journal.jsonl"), "--json"]) == 0
    assert capsys.readouterr().out == (ran.folder / "verdict.json").read_text()
    assert overridden(ran.folder, to="INCONCLUSIVE") == 2, "a run is overridden once"


def test_safety_and_a_changed_journal_stand(project: Project) -> None:
    ran = project.behave("--tags=@readiness", SMOKE_STELLAR_NETWORK="pubnet")
    assert (ran.code, ran.verdict.verdict) == (4, VerdictStatus.SAFETY)
    assert overridden(ran.folder) == 4
    assert verdict_in(ran.folder).verdict is VerdictStatus.SAFETY

    broken = project.behave("--tags=@readiness", SMOKE_BASE_URL="http://127.0.0.1:9", SMOKE_DEADLINE_SECONDS="2")
    assert broken.code != 0
    journal = broken.folder / "journal.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b'"environment":"sandbox"', b'"environment":"staging"', 1))
    assert overridden(broken.folder) == 2
    assert verdict_in(broken.folder).verdict is not VerdictStatus.PASS


def doctor(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, **environ: str
) -> tuple[int, str]:
    monkeypatch.chdir(project.folder)
    jwt = {"SMOKE_AUTH_MODE": "jwt"} if "SMOKE_AUTH_JWT_SECRET" in project.environ else {}  # sign-ins are limited
    for name, value in {**project.environ, **jwt, **environ}.items():
        if name.startswith("SMOKE_"):
            monkeypatch.setenv(name, value)
    code = main(["doctor"])
    return code, capsys.readouterr().out


def test_the_doctor_finds_the_embedded_sandbox_well(
    bare_project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, said = doctor(bare_project, capsys, monkeypatch)
    assert code == 0, said
    for name in ("Python", "packages", "artifacts", "settings", "suite", "quarantine", "synthetic user", "credentials"):
        assert f"ok       {name}" in said, said
    for name in ("service", "its network", "sign-in", "ledger", "protocol", "friendbot", "contract", "clocks"):
        assert f"ok       {name}" in said, said
    assert "problem" not in said


@pytest.mark.parametrize(
    ("environ", "code", "said"),
    [
        ({"SMOKE_STELLAR_NETWORK": "pubnet"}, 4, "problem  settings"),
        ({"SMOKE_ENV": "nowhere"}, 2, "problem  settings"),
        ({"SMOKE_AUTH_MODE": "api-key", "SMOKE_API_KEY": WRONG}, 2, "problem  sign-in"),
        ({"SMOKE_BASE_URL": "http://127.0.0.1:9"}, 3, "problem  service"),
        ({"SMOKE_STELLAR_FRIENDBOT_URL": "http://127.0.0.1:9"}, 3, "problem  friendbot"),
        ({"SMOKE_CONTRACT_ID": "C" + "A" * 55}, 2, "problem  contract"),
    ],
)
def test_the_doctor_names_a_problem_and_the_next_step(
    project: Project,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    environ: dict[str, str],
    code: int,
    said: str,
) -> None:
    found, text = doctor(project, capsys, monkeypatch, **environ)
    assert said in text, text
    assert "Next: " in text
    assert found == code, text
    assert WRONG not in text


def test_the_doctor_names_all_that_is_wrong_at_once(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    wrong = {
        "SMOKE_AUTH_MODE": "bearer",
        "SMOKE_BAKE": "a while",
        "SMOKE_REGION": "north/south",
        "SMOKE_ARTIFACTS": str(tmp_path / "file"),
    }
    code, said = doctor(project, capsys, monkeypatch, **wrong)
    assert code == 2, said
    for named in ("SMOKE_AUTH_TOKEN", "SMOKE_BAKE is", "SMOKE_REGION is", "problem  artifacts"):
        assert sum(line.startswith("problem") and named in line for line in said.splitlines()) <= 1, said
        assert named in said, said
    assert said.count("problem  settings") == 2
    assert "something answers at " in said


def test_the_doctor_names_a_suite_that_nobody_accepted(
    bare_project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bare_project.spoil("ledger.feature", "@smoke ", "")
    code, said = doctor(bare_project, capsys, monkeypatch)
    assert (code, "problem  suite" in said, "manifest --write" in said) == (2, True, True), said


def test_the_doctor_warns_of_a_token_that_ends_soon_and_of_a_rotation(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox
) -> None:
    soon = token(sub="smoke-user", exp=time.time() + 3 * 86_400)
    late = token(sub="smoke-user", exp=time.time() + 30 * 86_400)
    _, said = doctor(
        project,
        capsys,
        monkeypatch,
        SMOKE_AUTH_MODE="bearer",
        SMOKE_AUTH_TOKEN=soon,
        SMOKE_AUTH_TOKEN_B=late,
    )
    assert "warning  SMOKE_AUTH_TOKEN " in said
    assert "expires in 3.0 days" in said
    assert "SMOKE_AUTH_TOKEN_B  set; good for 30 days" in said
    assert soon not in said

    right = sandbox.ready_document()["env"]["SMOKE_API_KEY"]
    code, said = doctor(
        project, capsys, monkeypatch, SMOKE_AUTH_MODE="api-key", SMOKE_API_KEY=WRONG, SMOKE_API_KEY_B=right
    )
    assert code == 0, said
    assert "finish the rotation" in said


def test_the_doctor_shows_the_quarantine(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = '[[quarantine]]\nid = "{}"\nowner = "team"\nticket = "T-1"\nuntil = {:%Y-%m-%d}\n'
    listed, now = "streams/a-second-user-cannot-list-or-read-the-streams-of-the-first-user", datetime.now(UTC)
    path = project.folder / "quarantine.toml"
    path.write_text(entry.format(listed, now))
    code, said = doctor(project, capsys, monkeypatch)
    assert (code, "does not gate: streams/a-second-user" in said) == (0, True), said
    path.write_text(entry.format(listed, now - timedelta(days=3)))
    assert "over: streams/a-second-user" in doctor(project, capsys, monkeypatch)[1]
    path.write_text(entry.format("streams/nothing", now))
    assert doctor(project, capsys, monkeypatch)[0] == 2


def test_the_doctor_names_a_folder_that_cannot_be_written(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    code, said = doctor(project, capsys, monkeypatch, SMOKE_ARTIFACTS=str(tmp_path / "file"))
    assert (code, "problem  artifacts" in said) == (2, True), said
