"""A proxy as companies run them: forwards http, tunnels https, asks for a password, refuses, or breaks."""

import base64
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from waits import HANG_SECONDS


class ProxyDouble:
    """Listens on 127.0.0.1. `lines` are the request lines it was sent, `heads` the whole heads.

    `reach` maps a host and port to those it really connects to. `password` is what it asks for. `answers` are sent in
    place of what was asked for, as they are.
    """

    def __init__(
        self,
        *,
        reach: Callable[[str, int], tuple[str, int]] = lambda host, port: ("127.0.0.1", port),
        password: str = "",
        answers: bytes = b"",
        certificate: tuple[Path, Path] | None = None,
    ) -> None:
        self.lines: list[str] = []
        self.heads: list[bytes] = []
        self._reach = reach
        self._password = password
        self._answers = answers
        self._tls: ssl.SSLContext | None = None
        if certificate:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(*certificate)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https://localhost' if certificate else 'http://127.0.0.1'}:{self.port}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._handle, args=(connection,), daemon=True).start()

    def _handle(self, plain: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError):
            connection = self._tls.wrap_socket(plain, server_side=True) if self._tls else plain
            with connection:
                while head := _head_of(connection):
                    self._proxy(connection, head)

    def _proxy(self, connection: socket.socket, head: bytes) -> None:
        line = head.split(b"\r\n", 1)[0].decode("latin-1")
        self.lines.append(line)
        self.heads.append(head)
        method, target, _ = line.split(" ")
        if self._answers:
            connection.sendall(self._answers)
            return
        if self._password and base64.b64encode(self._password.encode()) not in head:
            connection.sendall(b"HTTP/1.1 407 No\r\nproxy-authenticate: Basic\r\ncontent-length: 0\r\n\r\n")
            return
        parts = urlsplit(f"//{target}" if method == "CONNECT" else target)
        try:
            upstream = socket.create_connection(
                self._reach(parts.hostname or "", parts.port or 80), timeout=HANG_SECONDS
            )
        except OSError:
            connection.sendall(
                b"HTTP/1.1 502 Bad Gateway\r\nx-squid-error: ERR_CONNECT_FAIL 111\r\ncontent-length: 0\r\n\r\n"
            )
            return
        with upstream:
            if method == "CONNECT":
                connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
                upstream.sendall(head.replace(target.encode(), path.encode(), 1))
            back = threading.Thread(target=_copy, args=(upstream, connection), daemon=True)
            back.start()
            _copy(connection, upstream)
            back.join(HANG_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *unused: object) -> None:
        self._listener.close()


def _head_of(connection: socket.socket) -> bytes:
    """Return the head of a request without anything after it: bodies are copied."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        if not byte:
            return b""
        head += byte
    return head


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
