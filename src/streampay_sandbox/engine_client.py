"""Asks the engine of a fleet: python -m streampay_sandbox.engine_client live, roll-back, preview RELEASE ...

This is what `[rollback.command]` of the sandbox runs: the engine's address is in STREAMPAY_FLEET, what to put back in
the variables every rollback command gets. Nothing but the standard library is loaded.
"""

import json
import os
import sys
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

SECONDS = 10.0


def ask(method: str, path: str, **given: str) -> dict[str, object]:
    """Return the engine's answer; raises OSError when there is none, with the engine's own words when it refuses."""
    query = f"?{urlencode(given)}" if given else ""
    request = Request(f"{os.environ['STREAMPAY_FLEET']}{path}{query}", method=method)  # noqa: S310 - loopback
    try:
        with build_opener(ProxyHandler({})).open(request, timeout=SECONDS) as answer:
            document: dict[str, object] = json.load(answer)
    except HTTPError as refusal:
        raise OSError(f"{refusal.code}: {refusal.read().decode(errors='replace')}") from None
    return document


def main(arguments: list[str]) -> int:
    """Do one thing and say what the engine says; 1 when it could not be asked, or refused."""
    try:
        match arguments:
            case ["live"]:
                live = ask("GET", "/state")["live"]
            case ["roll-back"]:
                target, key = os.environ["STREAMPAY_TARGET_RELEASE"], os.environ["STREAMPAY_ROLLBACK_KEY"]
                live = ask("POST", "/roll-back", release=target, key=key)["said"]
            case ["preview", release]:
                live = ask("GET", "/preview", release=release)["said"]
            case [method, path]:
                live = json.dumps(ask(method, path), indent=2)
            case _:
                sys.stderr.write("say live, roll-back, preview RELEASE, or a method and a path\n")
                return 2
    except (OSError, KeyError) as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    sys.stdout.write(f"{live}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
