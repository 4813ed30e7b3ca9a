"""The runner's proxy: which addresses go by it, and what is said when it is in the way."""

import base64
import string
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from authorities import Authority, TlsServer
from hypothesis import given
from hypothesis import strategies as st
from proxy_double import ProxyDouble

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.http import trust
from streampay_smoke.http.client import Client, NoAnswer, Reply
from streampay_smoke.http.proxies import DIRECT, proxy_secrets, route_to

CORP = "http://proxy.corp:3128"
PASSWORD = "hunter2-and-more"
CREDENTIALS = f"smoke:{PASSWORD}"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("url", "environ", "proxy"),
    [
        ("http://a.example/", {"HTTP_PROXY": CORP}, "http://proxy.corp:3128"),
        ("http://a.example/", {"HTTPS_PROXY": CORP}, ""),
        ("https://a.example/", {"HTTPS_PROXY": CORP}, "http://proxy.corp:3128"),
        ("https://a.example/", {"HTTP_PROXY": CORP}, ""),
        ("https://a.example/", {"ALL_PROXY": CORP}, "http://proxy.corp:3128"),
        ("https://a.example/", {"https_proxy": CORP, "HTTPS_PROXY": "http://other:1"}, "http://proxy.corp:3128"),
        ("https://a.example/", {"https_proxy": "", "HTTPS_PROXY": CORP}, "http://proxy.corp:3128"),
        ("https://a.example/", {"HTTPS_PROXY": "proxy.corp:3128"}, "http://proxy.corp:3128"),
        ("https://a.example/", {"HTTPS_PROXY": "http://proxy.corp"}, "http://proxy.corp:80"),
        ("https://a.example/", {"HTTPS_PROXY": "https://u:p@proxy.corp"}, "https://proxy.corp:443"),
        ("https://a.example/", {"HTTPS_PROXY": "http://[fd00::1]:3128"}, "http://[fd00::1]:3128"),
        ("https://a.example/", {}, ""),
        ("http://localhost:1/", {"HTTP_PROXY": CORP}, ""),
        ("http://127.0.0.1:1/", {"HTTP_PROXY": CORP}, ""),
        ("http://[::1]:1/", {"HTTP_PROXY": CORP}, ""),
        ("http://127.0.0.2:1/", {"HTTP_PROXY": CORP}, "http://proxy.corp:3128"),
        ("ftp://a.example/", {"HTTP_PROXY": CORP, "ALL_PROXY": CORP}, ""),
    ],
)
def test_the_scheme_chooses_the_variable(url: str, environ: dict[str, str], proxy: str) -> None:
    found = route_to(url, environ).proxy
    assert (found.url if found else "") == proxy


@pytest.mark.parametrize(
    ("listed", "host", "exempt"),
    [
        ("*", "a.example", True),
        ("a.example", "a.example", True),
        ("a.example", "b.a.example", True),
        (".a.example", "b.a.example", True),
        (".a.example", "a.example", True),
        ("*.a.example", "b.a.example", True),
        ("a.example", "nota.example", False),
        ("b.example, a.example", "a.example", True),
        ("b.example a.example", "a.example", True),
        ("A.Example", "a.example", True),
        ("a.example.", "a.example", True),
        ("a.example:8443", "a.example:8443", True),
        ("a.example:8443", "a.example", False),
        ("a.example:443", "a.example", True),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.0.0.0/8", "a.example", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("fd00::/8", "[fd00::9]", True),
        ("fd00::9", "[fd00::9]", True),
        ("[fd00::9]:443", "[fd00::9]", True),
        ("[fd00::9]:444", "[fd00::9]", False),
        ("not/a/network", "a.example", False),
        (",, .", "a.example", False),
    ],
)
@pytest.mark.parametrize("variable", ["NO_PROXY", "no_proxy"])
def test_hosts_are_exempt_that_no_proxy_lists(variable: str, listed: str, host: str, exempt: bool) -> None:
    route = route_to(f"https://{host}/", {"HTTPS_PROXY": CORP, variable: listed})
    assert (route.proxy is None) is exempt
    assert (f"{variable} exempts it from HTTPS_PROXY" in route.description) is exempt


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("http://", "HTTPS_PROXY is not the address of a proxy"),
        ("http://proxy:no-port", "HTTPS_PROXY is not the address"),
        ("http://proxy:99999", "HTTPS_PROXY is not the address"),
        ("http://[::1", "HTTPS_PROXY is not the address"),
        (f"http://u:{PASSWORD}@/", "HTTPS_PROXY is not the address"),
        (f"socks5://u:{PASSWORD}@proxy:1080", "HTTPS_PROXY names a proxy of another kind"),
    ],
)
def test_what_is_no_proxy_is_refused_by_its_variable_and_never_quoted(value: str, said: str) -> None:
    with pytest.raises(SettingsInvalid, match=said) as caught:
        route_to("https://a.example/", {"HTTPS_PROXY": value})
    assert PASSWORD not in f"{caught.value} {caught.value.next_step}"


@given(st.text(alphabet=string.printable, max_size=30), st.text(max_size=30))
def test_any_variables_lead_somewhere_or_are_refused(proxy: str, exempt: str) -> None:
    try:
        route_to("https://a.example/", {"HTTPS_PROXY": proxy, "NO_PROXY": exempt})
    except SettingsInvalid as refused:
        assert "HTTPS_PROXY" in str(refused)  # noqa: PT017


def test_credentials_of_proxies_are_secrets() -> None:
    given = {"HTTPS_PROXY": "http://smoke:p%40ss-word@proxy:1", "all_proxy": CORP, "http_proxy": "u:secret-one@proxy"}
    assert set(proxy_secrets(given)) == {
        "smoke:p%40ss-word", "smoke:p@ss-word", "p%40ss-word", "p@ss-word", "u:secret-one", "secret-one",
    }  # fmt: skip
    assert "p@ss-word" not in repr(route_to("https://a.example/", given))


class _Named(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._say(f"{self.path} at {self.headers['host']}".encode())

    def do_POST(self) -> None:
        self._say(self.rfile.read(int(self.headers["content-length"])))

    def _say(self, said: bytes) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def origin() -> Iterator[int]:
    """The port of a server that is reached under a name only the proxy knows."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Named) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "authority")


@pytest.fixture
def trusting(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(trust.FILE_VARIABLE, str(authority.certificate))
    monkeypatch.setattr(trust, "_contexts", {})


def get(url: str, seconds: float = 5) -> Reply:
    with Client(timeout_seconds=seconds) as client:
        return client.request("GET", url)


def silence_of(url: str, seconds: float = 5) -> NoAnswer:
    with pytest.raises(NoAnswer) as caught:
        get(url, seconds)
    assert PASSWORD not in str(caught.value)
    assert base64.b64encode(CREDENTIALS.encode()).decode() not in str(caught.value)
    return caught.value


def test_http_is_forwarded(origin: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with ProxyDouble() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        assert get(f"http://only-there.test:{origin}/a?b=c").text == f"/a?b=c at only-there.test:{origin}"
        with Client(base_url=f"http://only-there.test:{origin}", timeout_seconds=5) as client:
            assert client.request("POST", "/b", json={"a": 1}).text == '{"a":1}'
    assert proxy.lines[0] == f"GET http://only-there.test:{origin}/a?b=c HTTP/1.1"


def test_https_is_tunnelled_and_verified_to_its_end(
    authority: Authority, trusting: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with TlsServer(authority.issue("only-there.test")) as server, ProxyDouble() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        assert get(server.url("only-there.test")).text == "ok"
        assert proxy.lines == [f"CONNECT only-there.test:{server.port} HTTP/1.1"]
        refused = silence_of(server.url("another.test"))
    assert (refused.cause, "Hostname mismatch" in str(refused)) == ("tls", True)


def test_a_proxy_may_speak_tls_itself(
    origin: int, authority: Authority, trusting: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        TlsServer(authority.issue("only-there.test")) as server,
        ProxyDouble(certificate=authority.issue("localhost")) as proxy,
    ):
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        assert get(server.url("only-there.test")).text == "ok"
        assert get(f"http://only-there.test:{origin}/").status == 200


def test_a_password_is_shown_to_the_proxy_and_to_nobody_else(
    origin: int, authority: Authority, trusting: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bytes] = []

    def answer(connection: object) -> None:
        seen.append(connection.recv(65536))  # type: ignore[attr-defined]
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")  # type: ignore[attr-defined]

    with TlsServer(authority.issue("only-there.test"), answer) as server, ProxyDouble(password=CREDENTIALS) as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url.replace("//", f"//{CREDENTIALS}@"))
        assert get(server.url("only-there.test")).status == 200
        assert get(f"http://only-there.test:{origin}/").status == 200
    assert b"roxy-authorization" not in seen[0].lower()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_password_that_is_missing_or_wrong_is_the_proxys_refusal(
    monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    with ProxyDouble(password=CREDENTIALS) as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url.replace("//", "//u:wrong-password@"))
        refused = silence_of(f"{scheme}://only-there.test/")
    assert refused.cause == "proxy"
    assert f"by the proxy 127.0.0.1:{proxy.port} of ALL_PROXY: status 407" in str(refused)
    assert "wrong-password" not in str(refused)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("proxy", ["http://127.0.0.1:9", "https://127.0.0.1:9", "http://no-such-proxy.invalid:3128"])
def test_a_proxy_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, scheme: str, proxy: str) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy.replace("//", f"//{CREDENTIALS}@"))
    refused = silence_of(f"{scheme}://only-there.test/")
    assert refused.cause == "proxy"
    assert f"by the proxy {proxy.partition('//')[2]} of ALL_PROXY: " in str(refused)


def test_a_proxy_whose_certificate_nobody_trusts_is_in_the_way(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trust, "_contexts", {})
    with ProxyDouble(certificate=authority.issue("localhost")) as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        assert {silence_of(f"{scheme}://only-there.test/").cause for scheme in ("http", "https")} == {"proxy"}


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_host_the_proxy_does_not_reach_is_not_reached(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    with ProxyDouble(reach=lambda host, port: ("127.0.0.1", 9)) as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        refused = silence_of(f"{scheme}://only-there.test/")
    assert refused.cause == "unreachable"
    assert "of ALL_PROXY: status 502" in str(refused)


@pytest.mark.parametrize("answers", [b"HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n", b"SSH-2.0\r\n\r\n"])
def test_a_tunnel_that_is_refused_is_the_proxys_doing(monkeypatch: pytest.MonkeyPatch, answers: bytes) -> None:
    with ProxyDouble(answers=answers) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        assert silence_of("https://only-there.test/").cause == "proxy"


def test_a_tunnel_that_is_never_opened_may_be_the_hosts_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    with ProxyDouble(answers=b"HTTP/1.1 100 Continue\r\n\r\n") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        assert silence_of("https://only-there.test/", 0.3).cause == "unreachable"


def test_an_answer_that_a_proxy_marks_as_its_own_is_not_the_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    marked = b"HTTP/1.1 403 No\r\nproxy-status: corp; error=http_request_denied\r\ncontent-length: 0\r\n\r\n"
    with ProxyDouble(answers=marked) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        assert silence_of("http://only-there.test/").cause == "proxy"
    passed_on = b"HTTP/1.1 403 No\r\nproxy-status: corp; received-status=403\r\ncontent-length: 0\r\n\r\n"
    with ProxyDouble(answers=passed_on) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        assert get("http://only-there.test/").status == 403


def test_this_machine_is_reached_without_a_proxy(origin: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert get(f"http://127.0.0.1:{origin}/").status == 200
    assert get(f"http://localhost:{origin}/").status == 200
    refused = silence_of("http://127.0.0.1:9/")
    assert refused.cause == "refused"
    assert "directly: HTTP_PROXY is not used for 127.0.0.1" in str(refused)


def test_a_direct_client_uses_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with Client(timeout_seconds=5, direct=True) as client, pytest.raises(NoAnswer) as caught:
        client.request("GET", "http://127.0.0.2:9/")
    assert caught.value.cause == "refused"


def test_nothing_set_is_told_of_nothing() -> None:
    assert route_to("https://a.example/", {}) == DIRECT
    assert DIRECT.description == ""
