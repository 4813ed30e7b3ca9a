"""Certificate authorities of a test's own, made by the openssl command, and a server that shows their certificates."""

import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Self

import pytest

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Authority:
    """A certificate authority; `certificate` is its own certificate in PEM."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self.certificate = folder / f"{name}.pem"
        self._key = folder / f"{name}.key"
        _openssl(
            "req", "-x509", *_KEY, "-days", "3", "-subj", f"/CN={name}", "-keyout", self._key, "-out", self.certificate
        )

    def issue(self, host: str, *, days: int = 2, not_after: str = "") -> tuple[Path, Path]:
        """Return a certificate for a DNS name or an address, and its key; `not_after` (YYYYMMDDHHMMSSZ) ends it."""
        made = self._folder / f"{self._name}-{host}-{not_after}"
        certificate, key, request, names = (made.with_suffix(it) for it in (".pem", ".key", ".csr", ".ext"))
        kind = "IP" if host.replace(".", "").isdigit() else "DNS"
        names.write_text(f"subjectAltName={kind}:{host}\n")
        _openssl("req", *_KEY, "-subj", f"/CN={host}", "-keyout", key, "-out", request)
        until = ("-not_before", "20200101000000Z", "-not_after", not_after) if not_after else ("-days", str(days))
        signing = ("-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial", *until, "-extfile", names)
        _openssl("x509", "-req", "-in", request, *signing, "-out", certificate)
        return certificate, key


class TlsServer:
    """Answers on 127.0.0.1 with a certificate; `answer` gets each connection once TLS is there."""

    def __init__(self, certificate: tuple[Path, Path], answer: Callable[[ssl.SSLSocket], None] | None = None) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*certificate)
        self._answer = answer or _say_ok
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def url(self, host: str = "localhost") -> str:
        """Its address under a name."""
        return f"https://{host}:{self.port}/"

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._handle, args=(plain,), daemon=True).start()

    def _handle(self, plain: socket.socket) -> None:
        with contextlib.suppress(OSError), self._context.wrap_socket(plain, server_side=True) as connection:
            self._answer(connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *unused: object) -> None:
        self._listener.close()


def _say_ok(connection: ssl.SSLSocket) -> None:
    while connection.recv(65536):
        connection.sendall(OK)


def _openssl(*arguments: str | Path) -> None:
    command = shutil.which("openssl")
    if command is None:
        pytest.skip("no openssl command to make certificates with")
    subprocess.run([command, *map(str, arguments)], check=True, capture_output=True)
