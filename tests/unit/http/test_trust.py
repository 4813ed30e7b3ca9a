"""Certificate authorities: the machine's, the public ones and the operator's, side by side."""

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from authorities import Authority, TlsServer

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.http import trust
from streampay_smoke.http.client import Client, NoAnswer


@pytest.fixture(autouse=True)
def unnamed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (trust.FILE_VARIABLE, trust.DIRECTORY_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(trust, "_contexts", {})


@pytest.fixture(scope="module")
def internal(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("internal"), "internal")


@pytest.fixture(scope="module")
def another(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("another"), "another")


@pytest.fixture
def served(internal: Authority) -> Iterator[TlsServer]:
    with TlsServer(internal.issue("localhost")) as server:
        yield server


def answer_of(url: str) -> str:
    with Client(timeout_seconds=5) as client:
        return client.request("GET", url).text


def refusal_of(url: str) -> NoAnswer:
    with Client(timeout_seconds=5) as client, pytest.raises(NoAnswer) as caught:
        client.request("GET", url)
    return caught.value


def test_an_authority_nobody_here_trusts_is_named_as_that(served: TlsServer) -> None:
    refused = refusal_of(served.url())
    assert refused.cause == "untrusted"
    assert "unable to get local issuer certificate" in str(refused)


def test_a_certificate_that_vouches_for_itself_is_untrusted(internal: Authority, tmp_path: Path) -> None:
    with TlsServer((internal.certificate, internal.certificate.with_suffix(".key"))) as server:
        assert refusal_of(server.url()).cause == "untrusted"


@pytest.mark.parametrize("variable", [trust.FILE_VARIABLE, trust.DIRECTORY_VARIABLE])
def test_an_authority_of_the_operators_is_trusted(
    served: TlsServer, internal: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    if variable == trust.DIRECTORY_VARIABLE:
        hashed = hashed_directory(internal, tmp_path)
        monkeypatch.setenv(variable, f"{tmp_path}:{hashed}")
    else:
        monkeypatch.setenv(variable, str(internal.certificate))
    assert answer_of(served.url()) == "ok"


def test_what_the_operator_adds_replaces_no_authority_of_the_machine(
    internal: Authority, another: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trust, "_SYSTEM_BUNDLES", (str(internal.certificate),))
    monkeypatch.setenv(trust.FILE_VARIABLE, str(another.certificate))
    with TlsServer(internal.issue("localhost")) as service, TlsServer(another.issue("localhost")) as ledger:
        assert answer_of(service.url()) == "ok"
        assert answer_of(ledger.url()) == "ok"
    assert trust.trusted().cert_store_stats()["x509_ca"] > 50  # the public ones are there too


def test_a_system_bundle_that_cannot_be_read_adds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken.pem").write_text("no certificate")
    monkeypatch.setattr(trust, "_SYSTEM_BUNDLES", (str(tmp_path / "broken.pem"),))
    assert trust.trusted().cert_store_stats()["x509_ca"] > 50


@pytest.mark.parametrize(
    ("variable", "content", "why"),
    [
        (trust.FILE_VARIABLE, None, "cannot be read"),
        (trust.FILE_VARIABLE, "no certificate\n", "holds no certificate"),
        (trust.DIRECTORY_VARIABLE, None, "is no directory"),
    ],
)
@pytest.mark.parametrize("look", [trust.refuse_unusable_trust, trust.trusted])
def test_a_variable_that_names_nothing_usable_is_refused_by_its_name(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    content: str | None,
    why: str,
    look: Callable[[], object],
) -> None:
    if content is not None:
        (tmp_path / "named").write_text(content)
    monkeypatch.setenv(variable, str(tmp_path / "named"))
    with pytest.raises(SettingsInvalid, match=f"{variable} names .*named, which {why}") as caught:
        look()
    assert variable in caught.value.next_step


def test_a_certificate_of_another_host_or_another_time_is_the_deployments(
    internal: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(trust.FILE_VARIABLE, str(internal.certificate))
    with TlsServer(internal.issue("elsewhere.example")) as server:
        refused = refusal_of(server.url())
    assert (refused.cause, "Hostname mismatch" in str(refused)) == ("tls", True)
    with TlsServer(internal.issue("localhost", days=-1)) as server:
        refused = refusal_of(server.url())
    assert (refused.cause, "expired" in str(refused)) == ("tls", True)


def test_an_authority_that_is_named_is_the_only_one_trusted(
    served: TlsServer, internal: Authority, tmp_path: Path
) -> None:
    with Client(timeout_seconds=5, authority=internal.certificate) as client:
        assert client.request("GET", served.url()).text == "ok"
    (tmp_path / "none.pem").write_text("no certificate\n")
    for wrong in ("none.pem", "missing.pem"):
        with pytest.raises(OSError):  # noqa: PT011 (an SSLError is one too)
            Client(timeout_seconds=5, authority=tmp_path / wrong)


def test_certificates_are_read_once_for_a_process() -> None:
    assert trust.trusted({}) is trust.trusted({})
    assert isinstance(trust.trusted({}), ssl.SSLContext)


def hashed_directory(authority: Authority, folder: Path) -> Path:
    """Return a directory as OpenSSL reads them: each certificate under the hash of its subject."""
    import subprocess

    made = folder / "hashed"
    made.mkdir()
    asked = ["openssl", "x509", "-hash", "-noout", "-in", str(authority.certificate)]
    name = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
    (made / f"{name}.0").write_bytes(authority.certificate.read_bytes())
    return made
