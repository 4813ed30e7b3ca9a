"""Whatever bytes a deployment sends, the gate has an answer or an error of its own, and shows no secret."""

import gzip
import json
import socket
import threading
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streampay_smoke.core.errors import SmokeError
from streampay_smoke.evidence.events import AnyEvent
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.service.credentials import Credential
from streampay_smoke.service.exchange import Answer
from streampay_smoke.service.transport import ServiceTransport

TOKEN = "tok_7f3a9c1e5b2d4f60a8c7e9d1b3f5a7c9"

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
_BODIES = st.one_of(
    st.binary(max_size=80),
    st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass")),
    _JSON.map(lambda value: json.dumps(value).encode()),
    _JSON.map(lambda value: b"\xef\xbb\xbf" + json.dumps(value).encode()),
    _JSON.map(lambda value: gzip.compress(json.dumps(value).encode())),
    _JSON.map(lambda value: gzip.compress(json.dumps(value).encode())[:-9]),
    st.just(json.dumps({"token": TOKEN, "echo": f"Bearer {TOKEN}"}).encode()),
)
_HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            ["content-encoding", "content-type", "location", "retry-after", "date", "set-cookie", "x-request-id", "x"]
        ),
        st.sampled_from(["gzip", "deflate", "UTF-8", "gzip, br", "", "https://[::1", "-1", "9e9", f"a={TOKEN}"])
        | st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=20),
    ),
    max_size=4,
)


class Wire:
    """Answers every connection with `sent`, as it is."""

    def __init__(self) -> None:
        self.sent = b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(self.sent)
            except OSError:
                if self._listener.fileno() < 0:
                    return

    def close(self) -> None:
        self._listener.close()


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    made = Wire()
    yield made
    made.close()


def asked(wire: Wire) -> tuple[list[AnyEvent], Answer | SmokeError]:
    """Return what was recorded, and what came: an answer or an error of the gate's own. Nothing else may come."""
    events: list[AnyEvent] = []
    credential = Credential(kind="bearer", headers={"authorization": f"Bearer {TOKEN}"}, shown_as="a token")
    with ServiceTransport(wire.url, record=events.append, timeout_seconds=2, throttle_seconds=0) as transport:
        try:
            return events, transport.send("GET", "/api/streams", credential=credential)
        except SmokeError as problem:
            return events, problem


def shows_nothing(events: list[AnyEvent], came: Answer | SmokeError) -> None:
    redactor = Redactor()
    redactor.learn(TOKEN)
    told = [str(event) for event in events] + ([f"{came} {came.next_step}"] if isinstance(came, SmokeError) else [])
    assert not any(TOKEN in redactor.text(text) for text in told)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(status=st.sampled_from([200, 204, 304, 308, 401, 429, 503, 599]), headers=_HEADERS, body=_BODIES)
def test_any_body_and_headers_are_an_answer_or_a_named_error(
    wire: Wire, status: int, headers: list[tuple[str, str]], body: bytes
) -> None:
    lines = [f"HTTP/1.1 {status} Any", *(f"{name}: {value}" for name, value in headers)]
    head = "\r\n".join([*lines, "connection: close", f"content-length: {len(body)}", "", ""])
    wire.sent = head.encode("latin-1") + (b"" if status in {204, 304} else body)
    shows_nothing(*asked(wire))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=st.binary(max_size=80) | st.binary(max_size=80).map(lambda rest: b"HTTP/1.1 200 OK\r\n" + rest))
def test_any_bytes_at_all_are_an_answer_or_a_named_error(wire: Wire, sent: bytes) -> None:
    wire.sent = sent
    shows_nothing(*asked(wire))
