"""The HTTP client: one answer or one named cause, within one time limit, whatever the peer does."""

import gzip
import logging
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterator

import pytest
from waits import HANG_SECONDS, Stopwatch, slowdown, wait_until

from streampay_smoke import __version__
from streampay_smoke.core.cpu_wait import cpu_wait_ns
from streampay_smoke.http import client as http
from streampay_smoke.http.bodies import MAX_BODY_BYTES, one_event
from streampay_smoke.http.client import Client, NoAnswer

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"

Behaviour = Callable[[socket.socket], None]
Listen = Callable[[Behaviour], "Peer"]


class Peer:
    """A raw socket server: `behave` gets each connection; what it read first is in `received`."""

    def __init__(self, behave: Behaviour) -> None:
        self.behave = behave
        self.received: list[bytes] = []
        self.done = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._handle, args=(connection,), daemon=True).start()

    def _handle(self, connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(65536):
                    while b"}" not in data and b"application/json" in data:
                        data += connection.recv(65536)
                    self.received.append(data)
                    self.behave(connection)
            except OSError:
                return

    def close(self) -> None:
        self.done.set()
        self._listener.close()


@pytest.fixture
def listen() -> Iterator[Listen]:
    peers: list[Peer] = []

    def start(behave: Behaviour) -> Peer:
        peers.append(Peer(behave))
        return peers[-1]

    yield start
    for peer in peers:
        peer.close()


@pytest.fixture
def client() -> Iterator[Client]:
    with Client(timeout_seconds=HANG_SECONDS) as client:
        yield client


def says(answer: bytes) -> Behaviour:
    return lambda connection: connection.sendall(answer)


def cause_of(client: Client, url: str, **options: float) -> str:
    with pytest.raises(NoAnswer) as caught:
        client.request("GET", url, timeout_seconds=options.get("timeout_seconds"))
    return caught.value.cause


def test_an_answer_has_status_headers_body_and_duration(listen: Listen, client: Client) -> None:
    peer = listen(
        says(b"HTTP/1.1 503 No\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nX-Y: \xe9\r\ncontent-length: 3\r\n\r\nh\xe9!")
    )
    with Stopwatch() as watch:
        reply = client.request("GET", f"{peer.url}/x")
    assert reply.status == 503
    assert reply.header("Set-Cookie") == "a=1, b=2"
    assert reply.header_values("SET-COOKIE") == ("a=1", "b=2")
    assert reply.header("absent") == ""
    assert reply.text == "h�!"
    assert 0 <= reply.duration_ms <= 1000 * watch.seconds + 1
    assert 0 <= (reply.cpu_wait_ms or 0) <= reply.duration_ms + 1
    assert (reply.cpu_wait_ms is None) is (cpu_wait_ns() is None)


def test_a_request_carries_user_agent_defaults_query_and_json(listen: Listen) -> None:
    peer = listen(says(OK))
    with Client(base_url=f"{peer.url}/root", timeout_seconds=5, headers={"x-always": "1"}) as client:
        client.request("POST", "/a", headers={"x-once": "2"}, json={"b": 1}, params={"q": "ä b"})
    sent = peer.received[0].decode()
    assert sent.startswith("POST /root/a?q=%C3%A4+b HTTP/1.1")
    assert f"user-agent: streampay-smoke/{__version__}" in sent.lower()
    assert "accept-encoding: identity" in sent.lower()
    assert "x-always: 1" in sent.lower()
    assert "x-once: 2" in sent.lower()
    assert sent.endswith('{"b":1}')


def test_a_redirect_is_an_answer_and_not_followed(listen: Listen, client: Client) -> None:
    peer = listen(says(b"HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n"))
    assert client.request("GET", peer.url).status == 302
    assert len(peer.received) == 1


def test_a_path_below_the_base_url_is_named_whole() -> None:
    with Client(base_url="http://127.0.0.1:9/root", timeout_seconds=5) as client, pytest.raises(NoAnswer) as caught:
        client.request("GET", "/a?token=hunter2")
    assert caught.value.where == "http://127.0.0.1:9/root/a"


def test_a_query_that_an_address_has_is_kept_beside_more(listen: Listen, client: Client) -> None:
    peer = listen(says(OK))
    client.request("GET", f"{peer.url}/friendbot?key=1", params={"addr": "G"})
    assert peer.received[0].startswith(b"GET /friendbot?key=1&addr=G ")


def test_cookies_are_never_kept_or_sent_back(listen: Listen, client: Client) -> None:
    peer = listen(says(b"HTTP/1.1 200 OK\r\nset-cookie: session=1; Path=/\r\ncontent-length: 0\r\n\r\n"))
    client.request("GET", peer.url)
    client.request("GET", peer.url)
    assert all(b"cookie" not in received.lower() for received in peer.received)


def test_a_refused_connection_is_named(client: Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(NoAnswer, match=rf"http://127\.0\.0\.1:{port}: the connection was refused") as caught:
        client.request("GET", f"http://user:hunter2@127.0.0.1:{port}/hunter2/a?token=hunter2")
    assert caught.value.cause == "refused"
    assert caught.value.where == f"http://127.0.0.1:{port}"
    assert "hunter2" not in str(caught.value)


def test_a_name_that_does_not_resolve_is_named(client: Client) -> None:
    assert cause_of(client, "http://no-such-host.invalid/") == "dns"


def test_a_name_that_cannot_be_one_is_named(client: Client) -> None:
    assert cause_of(client, f"http://{'a' * 70}.example/") == "dns"


def test_a_resolver_that_hangs_ends_at_the_limit(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def hang(*arguments: object, **options: object) -> list[object]:
        over.wait(HANG_SECONDS)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    assert cause_of(client, "http://slow.example/", timeout_seconds=0.2) == "dns"
    over.set()


def test_the_next_address_is_tried_when_one_refuses(
    listen: Listen, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = listen(says(OK))
    monkeypatch.setattr(http, "_resolve", lambda host, port: ["127.0.0.2", "127.0.0.1"])
    assert client.request("GET", f"http://two-addresses.example:{peer.port}/").status == 200


def test_a_reset_connection_is_named(listen: Listen, client: Client) -> None:
    def reset(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.close()

    assert cause_of(client, listen(reset).url) == "reset"


def test_a_connection_closed_before_an_answer_is_a_reset(listen: Listen, client: Client) -> None:
    assert cause_of(client, listen(lambda connection: connection.shutdown(socket.SHUT_RDWR)).url) == "reset"


def test_a_body_cut_short_is_a_reset(listen: Listen, client: Client) -> None:
    def cut(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")
        connection.shutdown(socket.SHUT_RDWR)

    assert cause_of(client, listen(cut).url) == "reset"


def test_silence_ends_at_the_limit(listen: Listen, client: Client) -> None:
    started = time.monotonic()
    assert cause_of(client, listen(lambda connection: None).url, timeout_seconds=0.2) == "timeout"
    assert time.monotonic() - started > 0.15


@pytest.mark.parametrize(
    "start", [b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n", b"HTTP/1.1 200 OK\r\nx-slow: "], ids=["body", "head"]
)
def test_a_drip_fed_answer_ends_at_the_limit(listen: Listen, client: Client, start: bytes) -> None:
    def drip(connection: socket.socket) -> None:
        connection.sendall(start)
        while not peer.done.wait(0.02):
            connection.sendall(b"x")

    peer = listen(drip)
    started = time.monotonic()
    assert cause_of(client, peer.url, timeout_seconds=0.3) == "timeout"
    assert time.monotonic() - started > 0.25


EVENTS = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def chunk(text: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(text), text)


def test_a_stream_of_events_is_read_as_far_as_the_first_one(listen: Listen, client: Client) -> None:
    def tell(connection: socket.socket) -> None:
        connection.sendall(EVENTS + chunk(b": padding\n\n") + chunk(b"event: x\nda") + chunk(b"ta: 1\n\n"))
        peer.done.wait(HANG_SECONDS)

    peer = listen(tell)
    reply = client.request("GET", peer.url, enough=one_event)
    assert (reply.status, reply.text) == (200, ": padding\n\nevent: x\ndata: 1\n\n")
    # The connection is given up: what comes after it belongs to nobody.
    assert client.request("GET", peer.url, enough=one_event).opened_connection


def test_a_stream_without_events_ends_at_the_limit(listen: Listen, client: Client) -> None:
    def silent(connection: socket.socket) -> None:
        connection.sendall(EVENTS + chunk(b": keep-alive\n\n"))
        peer.done.wait(HANG_SECONDS)

    peer = listen(silent)
    with pytest.raises(NoAnswer) as caught:
        client.request("GET", peer.url, enough=one_event, timeout_seconds=0.1)
    assert caught.value.cause == "timeout"


def test_a_reader_may_have_enough_while_nothing_comes(listen: Listen, client: Client) -> None:
    bodies: list[bytes] = []
    over = threading.Event()

    def enough(body: bytes) -> bool:
        bodies.append(body)
        return over.is_set() and bodies[-2:] == [body, body]

    def tell(connection: socket.socket) -> None:
        connection.sendall(EVENTS + chunk(b"data: 1\n\n"))
        time.sleep(0.3)
        connection.sendall(chunk(b"data: 2\n\n"))
        over.set()
        peer.done.wait(HANG_SECONDS)

    peer = listen(tell)
    reply = client.request("GET", peer.url, enough=enough)
    assert (reply.status, reply.text) == (200, "data: 1\n\ndata: 2\n\n")
    assert bodies[:2] == [b"data: 1\n\n"] * 2, "asked with what has come, and again while nothing comes"


@pytest.mark.parametrize(
    ("body", "whole"),
    [
        (b"", False),
        (b": padding\n\n", False),
        (b"data: 1\n", False),
        (b"data: 1\n\n", True),
        (b"event: x\r\ndata: 1\r\n\r\n", True),
        (b"data: 1\nid: 2\n\n", True),
        (b"\n\ndata: 1\n", False),
    ],
)
def test_an_event_is_whole_when_an_empty_line_follows_its_data(body: bytes, whole: bool) -> None:
    assert one_event(body) is whole


def test_no_time_at_all_is_a_timeout(listen: Listen, client: Client) -> None:
    peer = listen(says(OK))
    assert cause_of(client, peer.url, timeout_seconds=0) == "timeout"
    assert peer.received == []


def test_a_request_that_nobody_reads_ends_at_the_limit(listen: Listen, client: Client) -> None:
    def reads_nothing(connection: socket.socket) -> None:
        peer.done.wait(HANG_SECONDS)

    peer = listen(reads_nothing)
    with pytest.raises(NoAnswer) as caught:
        client.request("POST", peer.url, content=b"x" * 30_000_000, timeout_seconds=0.3)
    assert caught.value.cause == "timeout"


def test_the_limit_holds_for_each_request_and_not_for_the_connection(listen: Listen, client: Client) -> None:
    peer = listen(says(OK))
    seconds = 0.2 * slowdown()
    client.request("GET", peer.url, timeout_seconds=seconds)
    time.sleep(1.25 * seconds)  # the time itself is what the connection must not count
    assert client.request("GET", peer.url, timeout_seconds=seconds).status == 200


def test_a_body_of_the_largest_size_is_read_and_one_byte_more_is_not(listen: Listen, client: Client) -> None:
    def sized(size: int) -> Behaviour:
        return says(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (size, b"x" * size))

    assert len(client.request("GET", listen(sized(MAX_BODY_BYTES)).url).content) == MAX_BODY_BYTES
    assert cause_of(client, listen(sized(MAX_BODY_BYTES + 1)).url) == "too large"


@pytest.mark.parametrize(("name", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_an_unasked_compression_is_undone(
    listen: Listen, client: Client, name: str, pack: Callable[[bytes], bytes]
) -> None:
    packed = pack(b"hello")
    answer = b"HTTP/1.1 200 OK\r\ncontent-encoding: %s\r\ncontent-length: %d\r\n\r\n%s" % (
        name.encode(),
        len(packed),
        packed,
    )
    assert client.request("GET", listen(says(answer)).url).text == "hello"


def test_a_compressed_bomb_is_too_large(listen: Listen, client: Client) -> None:
    packed = gzip.compress(b"\0" * 50_000_000)
    answer = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n%s" % (len(packed), packed)
    assert cause_of(client, listen(says(answer)).url) == "too large"


@pytest.mark.parametrize("encoding", [b"gzip", b"br", b"UTF-8"])
def test_a_body_that_cannot_be_decoded_is_named(listen: Listen, client: Client, encoding: bytes) -> None:
    answer = b"HTTP/1.1 200 OK\r\ncontent-encoding: %s\r\ncontent-length: 4\r\n\r\njunk" % encoding
    assert cause_of(client, listen(says(answer)).url) == "body"


def test_a_byte_order_mark_is_no_part_of_the_text(listen: Listen, client: Client) -> None:
    peer = listen(says(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n\xef\xbb\xbf{}"))
    assert client.request("GET", peer.url).text == "{}"


def test_a_peer_that_speaks_no_http_is_named(listen: Listen, client: Client) -> None:
    assert cause_of(client, listen(says(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")).url) == "protocol"


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "http://[::1", "no-scheme"])
def test_an_address_that_cannot_be_asked_is_named(client: Client, url: str) -> None:
    assert cause_of(client, url) == "bad request"


@pytest.mark.parametrize("value", ["hunter2\r\nx-injected: 1", "hünter2 ☃", "hunter2\0"])
def test_a_header_that_cannot_be_sent_is_never_quoted(listen: Listen, client: Client, value: str) -> None:
    peer = listen(says(OK))
    with pytest.raises(NoAnswer) as caught:
        client.request("GET", peer.url, headers={"authorization": value})
    assert caught.value.cause == "bad request"
    assert "nter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert not any(b"injected" in received for received in peer.received)


def test_a_host_that_cannot_be_reached_is_named(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_resolve", lambda host, port: ["255.255.255.255"])
    assert cause_of(client, "http://nowhere.example/") in {"unreachable", "refused"}


def test_tls_to_a_plain_port_is_named(listen: Listen, client: Client) -> None:
    assert cause_of(client, listen(says(OK)).url.replace("http:", "https:")) == "tls"


def test_the_ca_bundle_is_not_read_for_plain_http(
    listen: Listen, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> ssl.SSLContext:
        raise AssertionError("the CA bundle was read")

    monkeypatch.setattr("streampay_smoke.http.trust.trusted", refuse)
    monkeypatch.setattr("httpcore._ssl.default_ssl_context", refuse)
    assert client.request("GET", listen(says(OK)).url).status == 200


def test_several_threads_each_have_their_own_limit(listen: Listen, client: Client) -> None:
    quick, silent = listen(says(OK)), listen(lambda connection: None)
    causes: list[str] = []
    worker = threading.Thread(target=lambda: causes.append(cause_of(client, silent.url, timeout_seconds=0.3)))
    worker.start()
    wait_until(lambda: bool(silent.received) or bool(causes), "the request")
    assert client.request("GET", quick.url, timeout_seconds=HANG_SECONDS).status == 200
    worker.join(HANG_SECONDS)
    assert causes == ["timeout"]


def test_the_libraries_log_no_headers(listen: Listen, client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client.request("GET", listen(says(OK)).url, headers={"authorization": "Bearer hunter2"})
    assert "hunter2" not in caplog.text
    assert not [record for record in caplog.records if record.name.startswith("httpc")]


TWO = ["127.0.0.1", "127.0.0.2"]


def test_a_client_keeps_to_the_address_it_is_given(listen: Listen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_resolve", lambda host, port: TWO)
    peer = listen(says(OK))
    base_url = f"http://fleet.example:{peer.port}"
    with Client(base_url=base_url, timeout_seconds=HANG_SECONDS, address=TWO[0]) as client:
        assert client.request("GET", "/").status == 200
    assert f"host: fleet.example:{peer.port}".encode() in peer.received[0].lower()
    with Client(base_url=base_url, timeout_seconds=HANG_SECONDS, address=TWO[1]) as client:
        assert cause_of(client, "/") == "refused", "no other address takes its place"


@pytest.mark.parametrize(
    ("addresses", "found"),
    [(TWO, tuple(TWO)), (["127.0.0.1", "::1"], ("127.0.0.1",)), (["::1", "127.0.0.1"], ("::1",))],
)
def test_the_addresses_of_a_name_are_of_one_family(
    addresses: list[str], found: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "_resolve", lambda host, port: addresses)
    assert http.addresses_of("http://fleet.example/", within_seconds=HANG_SECONDS) == found
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert http.addresses_of("http://fleet.example/", within_seconds=HANG_SECONDS) == (), "the proxy resolves names"


def test_a_name_that_does_not_resolve_has_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(*arguments: object, **options: object) -> list[object]:
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    assert http.addresses_of("https://gone.example", within_seconds=HANG_SECONDS) == ()
