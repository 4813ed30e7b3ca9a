"""The line between an engine and the service: what gets through, and when the run on the other side ends."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import msgspec
from serve_parts import PLACE, TOKEN, Reply, Service, ToldPlayer

from engines.effects import Situation
from streampay_smoke.gate.verdict import VerdictStatus

SLOW_CALLS = 2
"""So many callers hang up before they are answered."""

SLOW_LOOKS = 4
"""So many times a slow run is looked at before it ends."""

TARGETS = ("http://streampay-canary.pay.svc", "https://test.streampay.example")


class Unreachable(Exception):
    """The connection was refused, or nothing came in time."""


class ServiceLink(Protocol):
    """The way from an engine to a service."""

    def request(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Return the service's answer; raises Unreachable."""


class Line:
    """A service that will say `status`, as an engine in a `situation` meets it. Use as a context manager."""

    def __init__(self, folder: Path, status: VerdictStatus, situation: Situation) -> None:
        self.situation = situation
        self.calls = 0
        self.player = ToldPlayer(status, waits=situation is Situation.SLOW)
        # A short wait stands for a caller that hangs up: what it did not wait for goes on.
        place = msgspec.structs.replace(PLACE, targets=TARGETS, wait_seconds=0.01)
        self.service = Service(folder / "state", self.player, served=place)

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *ended: object) -> None:
        self.service.stop()

    def request(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Return the service's answer; raises Unreachable."""
        self.calls += 1
        if self.situation is Situation.DOWN:
            raise Unreachable(url)
        parts = urlsplit(url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        lowered = {name.lower(): value for name, value in headers.items()}
        reply = self.service.call(method, target, body, lowered)
        if self.situation is Situation.TWICE:
            reply = self.service.call(method, target, body, lowered)
        self.service.let_work()
        if self.situation is Situation.SLOW:
            if self.calls == SLOW_LOOKS:
                self.player.let_go()
                self.service.let_work()
            if self.calls <= SLOW_CALLS:
                raise Unreachable(url)
        return reply


class BusyLine(Line):
    """A service whose queue is full for the first `busy_calls`."""

    def __init__(self, folder: Path, status: VerdictStatus, *, busy_calls: int) -> None:
        super().__init__(folder, status, Situation.NORMAL)
        self._busy_calls = busy_calls

    def request(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        if self.calls < self._busy_calls:
            self.calls += 1
            return Reply(status=429, headers={"retry-after": "10"}, body=b"{}")
        return super().request(method, url, headers, body)


class RerunLine(Line):
    """A service on which a person asks for another attempt, which will say `then`, after so many calls."""

    def __init__(self, folder: Path, status: VerdictStatus, *, then: VerdictStatus, after_calls: int) -> None:
        super().__init__(folder, status, Situation.NORMAL)
        self.player.words = [status, then]
        self._after_calls = after_calls

    def request(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        if self.calls == self._after_calls:
            (order,) = self.player.played
            again = {"deploy": order.deploy.name, "region": order.deploy.region}
            assert self.service.post("/v1/reruns", again).status == 202
        return super().request(method, url, headers, body)


SECRETS = {"token": TOKEN}
"""What secret stores hold for the engines, by key."""
