"""A road to a deployment on which everything takes a little longer."""

import contextlib
import http.client
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

NOT_PASSED_ON = {"connection", "transfer-encoding", "content-length", "date", "server"}


@contextlib.contextmanager
def slow_road(base_url: str, *, milliseconds: float) -> Iterator[str]:
    """Serve `base_url` on loopback, each answer so much later; yields the address."""
    there = urlsplit(base_url).netloc

    class Road(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            time.sleep(milliseconds / 1000)
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            onward = http.client.HTTPConnection(there)
            onward.request(self.command, self.path, body=body or None, headers=dict(self.headers.items()))
            answer = onward.getresponse()
            content = answer.read()
            onward.close()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in NOT_PASSED_ON:
                    self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET
        do_PATCH = do_GET

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Road)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
