"""Failures, the run's folder, control probes and redacted output, each both ways."""

import io
import socket
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import pytest

from streampay_smoke.chain.adapter import ChainUnavailable, ContractMissing
from streampay_smoke.errors import Blame, GuardRefused, PromiseBroken, SettingsInvalid
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.gate.verdict import Word, from_json
from streampay_smoke.service.records import DependencyReport, Readiness
from streampay_smoke.suite.failures import failure_of
from streampay_smoke.suite.folder import RunFolder
from streampay_smoke.suite.output import RedactedStream, redacted_output
from streampay_smoke.suite.probes import (
    contract_probe,
    dependency_report_probe,
    egress_probe,
    ledger_probe,
)


@pytest.mark.parametrize(
    ("error", "kind", "blame"),
    [
        (PromiseBroken("paid twice", next_step="look"), "promise_broken", Blame.PRODUCT),
        (GuardRefused("public"), "guard_refused", Blame.SAFETY),
        (AssertionError("bare"), "harness_error", Blame.HARNESS),
        (OSError(28, "No space left on device"), "harness_error", Blame.HARNESS),
    ],
)
def test_what_a_step_raises_has_a_kind_and_a_blame(error: Exception, kind: str, blame: Blame) -> None:
    failure = failure_of(error)
    assert (failure.kind, failure.blame) == (kind, blame)
    assert str(error) in failure.message


def test_a_new_run_is_inconclusive_until_it_has_ended(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "artifacts")
    verdict = from_json(folder.verdict_path.read_bytes())
    assert verdict.verdict is Word.INCONCLUSIVE
    assert (tmp_path / "artifacts" / "latest").resolve() == folder.path


def test_latest_follows_the_newest_run(tmp_path: Path) -> None:
    first, second = RunFolder.create(tmp_path), RunFolder.create(tmp_path)
    assert first.path != second.path
    assert (tmp_path / "latest").resolve() == second.path


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsInvalid, match="cannot be written"):
        RunFolder.create(tmp_path / "file")


class Ledger(BaseHTTPRequestHandler):
    body = b'{"jsonrpc":"2.0","id":1,"result":{"status":"healthy"}}'

    def do_POST(self) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


@pytest.fixture
def ledger() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Ledger)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_a_healthy_ledger_is_ok(ledger: str) -> None:
    assert ledger_probe(ledger).ok is True


@pytest.mark.parametrize("body", [b"<html>healthy</html>", b'{"result":{"status":"unhealthy"}}', b""])
def test_any_other_answer_of_a_ledger_is_not(ledger: str, body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ledger, "body", body)
    assert ledger_probe(ledger).ok is False


def test_a_dead_ledger_is_not_ok(closed_port: int) -> None:
    probe = ledger_probe(f"http://127.0.0.1:{closed_port}")
    assert probe.ok is False
    assert "refused" in probe.detail


def test_without_an_rpc_the_probe_does_not_apply() -> None:
    assert ledger_probe("").ok is None


def test_a_host_that_answers_or_refuses_is_reached(ledger: str, closed_port: int) -> None:
    assert egress_probe(ledger).ok is True
    assert egress_probe(f"http://127.0.0.1:{closed_port}").ok is True


def test_a_name_that_does_not_resolve_is_the_runners_trouble() -> None:
    assert egress_probe("https://no-such-host.invalid").ok is False


def test_a_silent_host_is_the_runners_trouble_unless_the_stable_release_is_reached(
    ledger: str, closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = socket.create_connection

    def silent(address: tuple[str, int], timeout: float) -> socket.socket:
        if address[0] == "192.0.2.1":
            raise TimeoutError("timed out")
        return connect(address, timeout)

    monkeypatch.setattr("streampay_smoke.suite.probes.socket.create_connection", silent)
    assert egress_probe("http://192.0.2.1").ok is False
    assert egress_probe("http://192.0.2.1", "https://192.0.2.1").ok is False
    assert egress_probe("http://192.0.2.1", ledger).ok is True
    assert egress_probe("http://192.0.2.1", f"http://127.0.0.1:{closed_port}").ok is True


class Says:
    """A deployment that says one thing about its readiness."""

    def __init__(self, said: Readiness | Exception) -> None:
        self._said = said

    def readiness(self) -> Readiness:
        if isinstance(self._said, Exception):
            raise self._said
        return self._said


def says(genuine: bool = True, **statuses: str) -> Says:
    reports = {name: DependencyReport(status=status, message="m") for name, status in statuses.items()}
    return Says(
        Readiness(
            status_code=200,
            genuine=genuine,
            not_genuine_because="" if genuine else "an HTML page",
            ready=True,
            dependencies=reports,
            network="testnet",
            release="",
            simulated=False,
        )
    )


@pytest.mark.parametrize(
    ("deployment", "ok"),
    [
        (says(config="ok", stellar="ok"), True),
        (says(config="ok", stellar="degraded"), True),
        (says(kms="degraded", stellar="ok"), False),
        (says(genuine=False), False),
        (Says(PromiseBroken("no")), None),
    ],
)
def test_the_services_report_leaves_the_ledger_out(deployment: Says, ok: bool | None) -> None:
    assert dependency_report_probe(deployment).ok is ok  # type: ignore[arg-type]


class Around:
    """What the probes see of a run: its settings, its deployment and its ledger."""

    def __init__(self, url: str, spec: dict[str, str] | Exception) -> None:
        self.settings = SimpleNamespace(base_url=url, rpc_url=url, contract_id="C1")
        self.deployment = says(stellar="ok")
        self.ledger = SimpleNamespace(chain=self)
        self._spec = spec

    def spec(self, contract_id: str) -> dict[str, str]:
        if isinstance(self._spec, Exception):
            raise self._spec
        return self._spec


@pytest.mark.parametrize(
    ("found", "ok"), [({"settle": ""}, True), (ContractMissing("gone"), False), (ChainUnavailable("down"), None)]
)
def test_the_contract_is_there_gone_or_cannot_be_asked_for(found: dict[str, str] | Exception, ok: bool | None) -> None:
    assert contract_probe(Around("http://unused", found)).ok is ok  # type: ignore[arg-type]


def test_a_secret_printed_in_pieces_is_redacted() -> None:
    redactor, behind = Redactor(), io.StringIO()
    redactor.learn("correct horse")
    stream = RedactedStream(behind, redactor)
    for piece in ("say correct ", "horse", " now\nthen", " rest"):
        stream.write(piece)
    stream.flush()
    assert behind.getvalue() == "say <redacted> now\nthen rest"
    assert stream.isatty() is False


def test_output_is_given_back_afterwards(capsys: pytest.CaptureFixture[str]) -> None:
    redactor = Redactor()
    redactor.learn("correct horse")
    before = sys.stdout
    with redacted_output(redactor):
        print("correct horse")
        print("correct horse", file=sys.stderr)
    assert sys.stdout is before
    captured = capsys.readouterr()
    assert captured.out == captured.err == "<redacted>\n"
