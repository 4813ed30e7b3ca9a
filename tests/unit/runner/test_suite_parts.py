"""Failures, the run's folder, control probes and redacted output, each both ways."""

import io
import itertools
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import pytest
from behave.formatter.base import StreamOpener
from proxy_double import ProxyDouble

from streampay_smoke.chain.adapter import ChainUnavailable, ContractMissing
from streampay_smoke.chain.ledger_time import STANDS_STILL_SECONDS
from streampay_smoke.chain.progress import LedgerProgress
from streampay_smoke.core.errors import Blame, GuardRefused, PromiseBroken, SettingsInvalid
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.gate.attribution import NETWORK_AGE_PROBE
from streampay_smoke.gate.verdict import VerdictStatus, from_json
from streampay_smoke.run.failures import failure_of
from streampay_smoke.run.folder import RunFolder
from streampay_smoke.run.output import OutlastingStream, RedactedStream, redacted_output
from streampay_smoke.run.probes.ledger import contract_probe, ledger_probe, network_age_probe
from streampay_smoke.run.probes.release import dependency_report_probe
from streampay_smoke.run.probes.runner import egress_probe
from streampay_smoke.runner.formatting import redacted
from streampay_smoke.service.records import DependencyReport, Readiness


@pytest.mark.parametrize(
    ("error", "kind", "blame"),
    [
        (PromiseBroken("paid twice", next_step="look"), "promise_broken", Blame.PRODUCT),
        (GuardRefused("public"), "guard_refused", Blame.SAFETY),
        (AssertionError("bare"), "harness_error", Blame.HARNESS),
        (KeyboardInterrupt("SIGTERM"), "terminated", Blame.HARNESS),
        (OSError(28, "No space left on device"), "harness_error", Blame.HARNESS),
    ],
)
def test_what_a_step_raises_has_a_kind_and_a_blame(error: BaseException, kind: str, blame: Blame) -> None:
    failure = failure_of(error)
    assert (failure.kind, failure.blame) == (kind, blame)
    assert str(error) in failure.message


def test_a_new_run_is_inconclusive_until_it_has_ended(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "artifacts")
    verdict = from_json(folder.verdict_path.read_bytes())
    assert verdict.verdict is VerdictStatus.INCONCLUSIVE
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
    body = b'{"jsonrpc":"2.0","id":1,"result":{"status":"healthy","latestLedger":7}}'

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


NOT_HEALTHY = [
    b"<html>healthy</html>",
    b'{"result":{"status":"unhealthy","latestLedger":7}}',
    b'{"result":{"status":"healthy"}}',
    b'{"result":"healthy"}',
    b'{"error":"healthy"}',
    b"",
]


@pytest.mark.parametrize("body", NOT_HEALTHY)
def test_any_other_answer_of_a_ledger_is_not(ledger: str, body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ledger, "body", body)
    assert ledger_probe(ledger).ok is False


def health(**result: object) -> bytes:
    return json.dumps({"result": {"status": "healthy", "latestLedger": 7, **result}}).encode()


def test_a_ledger_that_says_healthy_and_stands_still_is_not_believed(
    ledger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = itertools.count(0.0, STANDS_STILL_SECONDS)
    progress = LedgerProgress(lambda: next(now))
    assert ledger_probe(ledger, progress).ok is True
    standing = ledger_probe(ledger, progress)
    assert standing.ok is False
    assert "no ledger after 7 closed for 12 s" in standing.detail
    monkeypatch.setattr(Ledger, "body", health(latestLedger=8))
    assert ledger_probe(ledger, progress).ok is True


def test_a_ledger_whose_newest_close_no_clock_explains_is_not_believed(
    ledger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seconds, ok in ((0, True), (70, True), (75, False), (86_400, False)):
        monkeypatch.setattr(Ledger, "body", health(latestLedgerCloseTime=str(int(time.time()) - seconds)))
        assert ledger_probe(ledger).ok is ok, seconds


def test_a_backend_that_lags_is_no_progress() -> None:
    now = itertools.count(0.0, 10.0)
    progress = LedgerProgress(lambda: next(now))
    assert [progress.stood_for(ledger) for ledger in (7, 6, 7, 8)] == [0.0, 10.0, 20.0, 0.0]


def aged(latest: int, oldest: int, seconds: int) -> bytes:
    return health(latestLedger=latest, oldestLedger=oldest, latestLedgerCloseTime="1800000000",
                  oldestLedgerCloseTime=str(1_800_000_000 - seconds))  # fmt: skip


@pytest.mark.parametrize(
    ("body", "ok", "said"),
    [
        pytest.param(aged(3_730_763, 3_609_804, 605_829), True, "5.0 s each: about 216.3 days", id="testnet"),
        pytest.param(aged(120_961, 1, 604_800), True, "7.0 days", id="a week after a reset"),
        pytest.param(aged(100_000, 1, 500_000), False, "5.8 days", id="some days after a reset"),
        pytest.param(aged(500, 1, 2_500), False, "0.0 days", id="just after a reset"),
        pytest.param(aged(3_730_763, 3_730_760, 15), True, "1.0 s each: about 43.2 days", id="an RPC just started"),
        pytest.param(aged(60_000, 59_990, 50), False, "1.0 s each", id="young, and it keeps too few to tell"),
        pytest.param(health(latestLedger=3_730_763), True, "1.0 s each", id="it tells no times"),
        pytest.param(b"{}", None, "says nothing usable", id="no answer of an RPC"),
    ],
)
def test_a_network_is_as_old_as_its_ledgers(
    ledger: str, body: bytes, ok: bool | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ledger, "body", body)
    probe = network_age_probe(ledger)
    assert (probe.name, probe.ok) == (NETWORK_AGE_PROBE, ok)
    assert said in probe.detail


def test_a_network_nobody_reaches_has_no_age(closed_port: int) -> None:
    assert network_age_probe(f"http://127.0.0.1:{closed_port}").ok is None


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

    monkeypatch.setattr("streampay_smoke.run.probes.runner.socket.create_connection", silent)
    assert egress_probe("http://192.0.2.1").ok is False
    assert egress_probe("http://192.0.2.1", "https://192.0.2.1").ok is False
    assert egress_probe("http://192.0.2.1", ledger).ok is True
    assert egress_probe("http://192.0.2.1", f"http://127.0.0.1:{closed_port}").ok is True


NO_WAY = b"HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n"
NOT_READY = b"HTTP/1.1 503 No\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


@pytest.mark.parametrize(("answers", "reached"), [(b"", True), (NO_WAY, False), (NOT_READY, True)])
def test_a_host_behind_a_proxy_is_reached_when_it_answers_itself(
    ledger: str, monkeypatch: pytest.MonkeyPatch, answers: bytes, reached: bool
) -> None:
    with ProxyDouble(answers=answers) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        probed = egress_probe(ledger.replace("127.0.0.1", "127.0.0.2"))
    assert probed.ok is reached
    assert f"by the proxy 127.0.0.1:{proxy.port} of HTTP_PROXY" in probed.detail


def test_a_proxy_that_reaches_the_stable_release_only_leaves_the_host_at_fault(
    ledger: str, closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ProxyDouble() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        gone = f"http://127.0.0.2:{closed_port}"
        assert egress_probe(gone).ok is False
        assert egress_probe(gone, ledger).ok is True
        assert egress_probe(gone, ledger.replace("127.0.0.1", "127.0.0.2")).ok is True
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port}")
        assert egress_probe(gone, ledger.replace("127.0.0.1", "127.0.0.2")).ok is False


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


def test_files_of_formatters_are_redacted_and_whole_once_they_are_closed(tmp_path: Path) -> None:
    redactor, path = Redactor(), tmp_path / "new" / "steps.json"
    redactor.learn("correct horse")
    printed, written = redacted([StreamOpener(stream=io.StringIO()), StreamOpener(str(path))], redactor)
    assert printed.open() is sys.stdout
    assert not path.exists(), "nothing is opened before somebody asks for it"
    assert written.open() is written.open()
    written.open().write("say correct ")
    written.open().write("horse")
    assert written.close()
    assert not written.close()
    assert path.read_text() == "say <redacted>"


def test_output_outlasts_its_reader() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    behind = os.fdopen(writing, "w")
    stream = OutlastingStream(behind)
    assert (stream.encoding.lower(), stream.isatty(), stream.fileno()) == ("utf-8", False, writing)
    for _ in range(2):
        assert stream.write("nobody reads this") == 17
        stream.flush()
    assert os.fstat(writing).st_rdev == Path(os.devnull).stat().st_rdev, "Python's own last flush is harmless too"
    with pytest.raises(BrokenPipeError):
        stream.fileno()
    with pytest.raises(BrokenPipeError):
        stream.buffer.write(b"an answer")
    behind.close()


def test_output_that_was_closed_from_the_start_takes_every_word() -> None:
    stream = OutlastingStream(None)
    assert (stream.encoding, stream.isatty(), stream.write("nobody reads this")) == ("utf-8", False, 17)
    stream.flush()
    with pytest.raises(BrokenPipeError):
        stream.fileno()


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
