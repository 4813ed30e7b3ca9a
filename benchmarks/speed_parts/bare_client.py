"""Sends the calls of a file one after the other; prints how many got the status that they had, and the seconds of all.

It imports nothing but the client: how long it takes is a floor.
"""

import base64
import json
import sys
import time
from pathlib import Path
from typing import Any

import httpx

EVENTS = "text/event-stream"


def status_of(client: httpx.Client, call: dict[str, Any]) -> int:
    """Send a call and read its answer; of a stream of events, which need not end, the first piece."""
    with client.stream(
        call["method"], call["url"], headers=call["headers"], content=base64.b64decode(call["body"])
    ) as answer:
        if answer.headers.get("content-type", "").startswith(EVENTS):
            next(answer.iter_raw(), b"")
        else:
            answer.read()
        return answer.status_code


if __name__ == "__main__":
    recorded = json.loads(Path(sys.argv[1]).read_bytes())
    with httpx.Client(timeout=30.0) as opened:
        began = time.monotonic()
        alike = sum(status_of(opened, call) == call["status"] for call in recorded)
        print(json.dumps({"alike": alike, "seconds": time.monotonic() - began}))
