"""Addresses of their own for callers of one deployment on loopback: whoever uses one is seen to come from there."""

import contextlib
import socket
import socketserver
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

PIECE_BYTES = 65_536


@contextlib.contextmanager
def seen_from(address: str, base_url: str) -> Iterator[str]:
    """Give an address that leads to `base_url`, which sees its callers at `address`, e.g. 127.0.0.7."""
    parts = urlsplit(base_url)
    behind = (str(parts.hostname), int(parts.port or 80))

    class Forwarded(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection(behind, source_address=(address, 0)) as onward:
                back = threading.Thread(target=_copy, args=(onward, self.request), daemon=True)
                back.start()
                _copy(self.request, onward)
                back.join()

    with _Server(("127.0.0.1", 0), Forwarded) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False


def _copy(source: socket.socket, to: socket.socket) -> None:
    with contextlib.suppress(OSError):  # whoever hangs up first ends both directions
        while piece := source.recv(PIECE_BYTES):
            to.sendall(piece)
        to.shutdown(socket.SHUT_WR)
