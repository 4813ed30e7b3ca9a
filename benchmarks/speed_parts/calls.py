"""Calls that a bare client sends one after the other, from a process of its own."""

import base64
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec


class Call(msgspec.Struct, kw_only=True):
    """One call: where to, what, and the status of its answer; `body` is base64."""

    url: str
    method: str
    headers: dict[str, str]
    body: str
    status: int = 0

    @classmethod
    def rpc(cls, url: str, method: str, parameters: object) -> "Call":
        """Return a JSON-RPC call that gets an answer."""
        body = msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters})
        headers = {"content-type": "application/json"}
        return cls(url=url, method="POST", headers=headers, body=base64.b64encode(body).decode(), status=200)


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """How long a bare client's process took for some calls, how long the calls alone, and how many went as before."""

    process_seconds: float
    seconds: float
    alike: int


class _Printed(msgspec.Struct, frozen=True, kw_only=True):
    alike: int
    seconds: float


def send(calls: Sequence[Call]) -> Sent:
    """Send the calls by plain httpx."""
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(msgspec.json.encode(calls))
        command = [sys.executable, str(Path(__file__).with_name("bare_client.py")), file.name]
        began = time.monotonic()
        done = subprocess.run(command, check=True, capture_output=True)
        process_seconds = time.monotonic() - began
    printed = msgspec.json.decode(done.stdout, type=_Printed)
    return Sent(process_seconds=process_seconds, seconds=printed.seconds, alike=printed.alike)
