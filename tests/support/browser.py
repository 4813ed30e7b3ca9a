"""A Chromium without a window, spoken to through its own pipe: pages are opened as people see them."""

import contextlib
import fcntl
import itertools
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from waits import HANG_SECONDS

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

_OPTIONS = (
    "--headless",
    "--no-sandbox",  # as root, which containers are
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--remote-debugging-pipe",
)

_DIFFERENCES = {"light": ("screen", "light"), "dark": ("screen", "dark"), "print": ("print", "light")}


def chromium() -> str | None:
    """Return the path of a Chromium, None where there is none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Page:
    """One page. `outside` are the addresses it asked for beyond itself, `complaints` what its console says."""

    def __init__(self, browser: "Browser", session: str) -> None:
        self._browser = browser
        self._session = session

    @property
    def outside(self) -> list[str]:
        asked = [event["request"]["url"] for event in self._browser.events("Network.requestWillBeSent")]
        return [url for url in asked if not url.startswith(("file:", "data:", "blob:", "about:"))]

    @property
    def complaints(self) -> list[str]:
        logged = [event["entry"]["text"] for event in self._browser.events("Log.entryAdded")]
        thrown = [event["exceptionDetails"]["text"] for event in self._browser.events("Runtime.exceptionThrown")]
        return [*logged, *thrown]

    def look(self, how: str, width: int = 1280, height: int = 900) -> None:
        """Show the page light, dark or printed, on a screen of this many CSS pixels."""
        media, scheme = _DIFFERENCES[how]
        self._send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._send("Emulation.setEmulatedMedia", media=media, features=features)

    def answer(self, script: str) -> Any:
        """Return what a script evaluates to, once a promise in it is kept."""
        told = self._send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def _send(self, method: str, **parameters: Any) -> Any:
        return self._browser.send(method, parameters, self._session)


class Browser:
    """A running Chromium."""

    def __init__(self, process: "subprocess.Popen[bytes]", to: int, of: int) -> None:
        self._process = process
        self._to = to
        self._of = of
        self._numbers = itertools.count(1)
        self._unread = b""
        self._events: list[dict[str, Any]] = []

    def open(self, path: Path) -> Page:
        """Open a file in a new page, and wait until it is shown."""
        self._events.clear()
        target = self.send("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = self.send("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.send(f"{domain}.enable", {}, session)
        self.send("Page.navigate", {"url": path.resolve().as_uri()}, session)
        while not self.events("Page.loadEventFired"):
            self._read()
        return Page(self, session)

    def events(self, method: str) -> list[dict[str, Any]]:
        """Return what was told of under a name since the last page was opened."""
        return [event["params"] for event in self._events if event["method"] == method]

    def send(self, method: str, parameters: dict[str, Any], session: str = "") -> Any:
        """Return the answer to one request."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters, **({"sessionId": session} if session else {})}
        rest = json.dumps(message).encode() + b"\0"
        while rest:
            rest = rest[os.write(self._to, rest) :]
        while True:
            told = self._read()
            if told.get("id") == number:
                assert "error" not in told, told["error"]
                return told["result"]

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._unread:
            more = os.read(self._of, 1 << 16)
            assert more, f"Chromium ended with {self._process.wait()}"
            self._unread += more
        line, _, self._unread = self._unread.partition(b"\0")
        told: dict[str, Any] = json.loads(line)
        if "method" in told:
            self._events.append(told)
        return told


@contextlib.contextmanager
def browser(program: str, home: Path) -> Iterator[Browser]:
    """Start a Chromium with a profile of its own; it ends with the block."""
    ends = [os.pipe(), os.pipe()]
    (theirs_in, to), (of, theirs_out) = ends
    # Above the two numbers that Chromium knows its pipe by, so that neither takes the place of the other.
    given = [fcntl.fcntl(end, fcntl.F_DUPFD, 20) for end in (theirs_in, theirs_out)]
    process = subprocess.Popen(
        [
            "bash",
            "-c",
            'exec "${@:2}" 3<&"$0" 4>&"$1"',
            *map(str, given),
            program,
            *_OPTIONS,
            f"--user-data-dir={home}",
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "HOME": str(home)},
        pass_fds=given,
    )
    for end in (theirs_in, theirs_out, *given):
        os.close(end)
    try:
        yield Browser(process, to, of)
    finally:
        os.close(to)
        os.close(of)
        process.terminate()
        try:
            process.wait(HANG_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
