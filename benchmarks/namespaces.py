"""Plays runs in network namespaces of their own, and merges them: what a place does not see turns no verdict.

    sudo .venv/bin/python benchmarks/namespaces.py [--tags EXPR] [--artifacts FOLDER]

A namespace holds three regions of the sandbox, one of them with a fault. Each runner stands in a namespace of its own
with one link to them: a near one, a slow one (answers come later), one that is cut off (its packets vanish), and one
that is killed in the middle of its run. Each run is `streampay-smoke run` with a folder of its own, signed; then
`streampay-smoke merge` is played on them, and its answers are compared with those below. Ends with 1 where one differs,
and with 77 where namespaces are not permitted: that is said, and nothing is shown then.
"""

import argparse
import base64
import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]
GATE = (sys.executable, "-m", "streampay_smoke")
NOT_PERMITTED = 77
WAIT_SECONDS = 120.0

TAGS = "@readiness or @streams"
"""What is played by default: a release with the fault breaks a promise of it, and it takes seconds."""

HEALTHY, FAULTY, LOST = "us-east-1", "eu-west-1", "ap-south-1"
FAULT = "list-open"
"""What is wrong with the release in the faulty region."""

SLOW_SECONDS = 0.4
"""How much later a slow place gets each piece of an answer."""


class Place(NamedTuple):
    """Where a runner stands: its name, which is its vantage point, and the third number of its link's addresses."""

    name: str
    number: int
    later_seconds: float = 0.0
    cut_off: bool = False


NEAR, SLOW, CUT_OFF, KILLED = (
    Place("near", 1),
    Place("slow", 2, later_seconds=SLOW_SECONDS),
    Place("cut-off", 3, cut_off=True),
    Place("killed", 4),
)

RUNS = (
    *((HEALTHY, NEAR), (HEALTHY, SLOW), (HEALTHY, CUT_OFF)),
    *((FAULTY, NEAR), (FAULTY, CUT_OFF)),
    *((LOST, KILLED), (LOST, NEAR)),
)
"""Which region is judged from where."""


class Merge(NamedTuple):
    """A merge: what it shows, the runs it is given, how many vantage points have to pass, and the right answer.

    `named` are words that have to stand in the causes, warnings or regions of its verdict.
    """

    shows: str
    runs: tuple[tuple[str, Place], ...]
    vantages: int
    status: str
    named: tuple[str, ...]


MERGES = (
    Merge("near and slow outvote the one that is cut off", RUNS[:3], 2, "PASS", (f"{HEALTHY}@slow is slow",)),
    Merge("a fault that one place saw is a fault", RUNS[3:5], 1, "FAIL", (f"{FAULTY} failed",)),
    Merge(
        "one that is cut off counts for nobody", ((HEALTHY, NEAR), (HEALTHY, CUT_OFF)), 2, "INCONCLUSIVE", (HEALTHY,)
    ),
    Merge("a runner that was killed is named", ((HEALTHY, NEAR), (LOST, KILLED)), 1, "INCONCLUSIVE", (LOST, "killed")),
    Merge("another runner in its place is enough", ((HEALTHY, NEAR), *RUNS[5:]), 1, "PASS", ()),
    Merge("and the faulty region alone fails", RUNS, 1, "FAIL", (f"{FAULTY} failed",)),
)


def not_permitted() -> str:
    """Return why no network namespace can be made here, "" where it can."""
    try:
        done = subprocess.run(
            ["unshare", "--net", "ip", "link", "add", "name", "one", "type", "veth", "peer", "name", "other"],
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        return str(error)
    if done.returncode:
        return done.stderr.strip()
    done = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=False)
    return "" if os.geteuid() == 0 and not done.returncode else "ip netns needs root"


class Namespaces(contextlib.AbstractContextManager["Namespaces"]):
    """The namespace of the deployments, and one for each place with a link to it; all go away at the end."""

    def __init__(self, places: Sequence[Place]) -> None:
        self._mark = f"smoke-{os.getpid()}"
        with contextlib.ExitStack() as made:
            self._add(made, self.deployments)
            for place in places:
                self._add(made, self.of(place))
                self._link(place)
            self._made = made.pop_all()

    def __exit__(self, *error: object) -> None:
        self._made.close()

    @property
    def deployments(self) -> str:
        """The namespace that the sandbox is served in."""
        return f"{self._mark}-deployments"

    def of(self, place: Place) -> str:
        """Return the namespace of a place."""
        return f"{self._mark}-{place.name}"

    def _add(self, made: contextlib.ExitStack, name: str) -> None:
        _ip("netns", "add", name)
        made.callback(_ip, "netns", "delete", name)
        _ip("-n", name, "link", "set", "lo", "up")

    def _link(self, place: Place) -> None:
        here, there, name = self.deployments, self.of(place), f"to-{place.number}"
        _ip("-n", here, "link", "add", "name", name, "type", "veth", "peer", "name", "out", "netns", there)
        _ip("-n", here, "address", "add", f"{address(place)}/24", "dev", name)
        _ip("-n", there, "address", "add", f"10.213.{place.number}.2/24", "dev", "out")
        _ip("-n", here, "link", "set", name, "up")
        _ip("-n", there, "link", "set", "out", "up")
        if place.cut_off:  # its packets go to a machine that is not there, and nothing answers
            nobody = ("lladdr", "02:00:00:00:00:01", "nud", "permanent")
            _ip("-n", there, "neighbour", "replace", address(place), *nobody, "dev", "out")


def address(place: Place) -> str:
    """Return the address at which a place meets every deployment."""
    return f"10.213.{place.number}.1"


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


@contextlib.contextmanager
def started(command: Sequence[str], **options: object) -> "Iterator[subprocess.Popen[bytes]]":
    """Start a process, and end it with the block."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, **options) as process:  # type: ignore[call-overload]
        try:
            yield process
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()


def in_namespace(name: str, *command: str) -> list[str]:
    """Return a command that is started in a namespace."""
    return ["ip", "netns", "exec", name, *command]


@contextlib.contextmanager
def deployments(namespaces: Namespaces, folder: Path) -> Iterator[Mapping[str, Mapping[str, str]]]:
    """Serve the regions, reachable from every place; give the variables that point a run at each."""
    ready = folder / "regions.json"
    serve = [sys.executable, "-m", "streampay_sandbox.regions", "--ready-file", str(ready), "--until-stdin-ends"]
    serve += [f"--latency={region}=0" for region in (HEALTHY, FAULTY, LOST)] + [f"--fault={FAULTY}={FAULT}"]
    with contextlib.ExitStack() as running:
        quiet = {"stdout": subprocess.DEVNULL}
        process = running.enter_context(started(in_namespace(namespaces.deployments, *serve), **quiet))
        wait_until(ready.exists, "the regions are served", process)
        time.sleep(0.1)
        environs: dict[str, dict[str, str]] = json.loads(ready.read_text())["regions"]
        ports = sorted({str(urlsplit(url).port) for each in environs.values() for url in addresses(each).values()})
        for place in {place for _, place in RUNS}:
            listening = folder / f"listening-{place.name}"
            forward = [sys.executable, __file__, "--forward", address(place), str(place.later_seconds), str(listening)]
            forwarding = running.enter_context(started(in_namespace(namespaces.deployments, *forward, *ports)))
            wait_until(listening.exists, f"{place.name} is linked", forwarding)
        yield environs


def addresses(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a run that are addresses."""
    return {name: value for name, value in environ.items() if value.startswith("http://127.0.0.1:")}


def wait_until(condition: object, what: str, process: "subprocess.Popen[bytes]") -> None:
    """Wait until something holds; raises RuntimeError where it does not, or where the process ends before."""
    ends_at = time.monotonic() + WAIT_SECONDS
    while not condition():  # type: ignore[operator]
        if time.monotonic() > ends_at or process.poll() is not None:
            raise RuntimeError(f"not within {WAIT_SECONDS:g} s: {what}")
        time.sleep(0.05)


def forward(host: str, later_seconds: float, listening: Path, ports: Sequence[int]) -> None:
    """Pass every connection to an address of this namespace on to loopback, what comes back `later_seconds` later."""
    for port in ports:
        server = socket.create_server((host, port), backlog=64)
        threading.Thread(target=_accept, args=(server, port, later_seconds), daemon=True).start()
    listening.touch()
    sys.stdin.buffer.read()  # until whoever started this ends


def _accept(server: socket.socket, port: int, later_seconds: float) -> None:
    while True:
        there, _ = server.accept()
        here = socket.create_connection(("127.0.0.1", port))
        threading.Thread(target=_pass_on, args=(there, here, 0.0), daemon=True).start()
        threading.Thread(target=_pass_on, args=(here, there, later_seconds), daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket, later_seconds: float) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(65_536):
            time.sleep(later_seconds)
            target.sendall(piece)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


class Runner(NamedTuple):
    """A run under way."""

    region: str
    place: Place
    artifacts: Path
    process: "subprocess.Popen[bytes]"


def start(
    namespaces: Namespaces, region: str, place: Place, environ: Mapping[str, str], folder: Path, tags: str
) -> Runner:
    """Start a run of a region from a place."""
    artifacts = folder / f"{region}-{place.name}"
    artifacts.mkdir()
    there = {name: value.replace("127.0.0.1", address(place)) for name, value in addresses(environ).items()}
    own = {
        **environ,
        **there,
        "SMOKE_ENV": "sandbox-regions",
        "SMOKE_REGION": region,
        "SMOKE_VANTAGE": place.name,
        "SMOKE_ARTIFACTS": str(artifacts),
        "SMOKE_REPORT": "0",
        "SMOKE_DEADLINE_SECONDS": "90",
    }
    with (artifacts / "output.log").open("wb") as output:
        process = subprocess.Popen(
            in_namespace(namespaces.of(place), *GATE, "run", "--tags", tags),
            cwd=ROOT,
            env={**os.environ, **own},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    return Runner(region, place, artifacts, process)


def end(runner: Runner) -> int:
    """Wait for a run, or kill all of it in the middle; return its exit code."""
    if runner.place is KILLED:

        def under_way() -> bool:
            return any("scenario_started" in path.read_text() for path in runner.artifacts.glob("2*/journal.jsonl"))

        wait_until(under_way, f"{runner.region} is played from {runner.place.name}", runner.process)
        os.killpg(runner.process.pid, signal.SIGKILL)
    try:
        return runner.process.wait(WAIT_SECONDS)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(runner.process.pid, signal.SIGKILL)


def played(folder: Path, tags: str) -> dict[tuple[str, Place], Path]:
    """Play every run, two at a time beside those that are cut off, which only wait; return the folder each left."""
    found: dict[tuple[str, Place], Path] = {}
    two_at_a_time = threading.Semaphore(2)
    with Namespaces(sorted({place for _, place in RUNS})) as namespaces, deployments(namespaces, folder) as environs:

        def play(region: str, place: Place) -> None:
            with contextlib.nullcontext() if place.cut_off else two_at_a_time:
                began = time.monotonic()
                runner = start(namespaces, region, place, environs[region], folder, tags)
                code = end(runner)
            found[region, place] = (runner.artifacts / "latest").resolve()
            print(f"{region} from {place.name}: exit code {code} after {time.monotonic() - began:.0f} s", flush=True)

        threads = [threading.Thread(target=play, args=run) for run in RUNS]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return found


def merged(merge: Merge, runs: Mapping[tuple[str, Place], Path], artifacts: Path) -> dict[str, object]:
    """Merge, and return the verdict."""
    expected = list(dict.fromkeys(region for region, _ in merge.runs))
    command = [*GATE, "merge", *(str(runs[run]) for run in merge.runs), "--expect", *expected]
    environ = {**os.environ, "SMOKE_ARTIFACTS": str(artifacts), "SMOKE_ENV": "sandbox-regions"}
    done = subprocess.run(
        [*command, "--vantages", str(merge.vantages)],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    verdict: dict[str, object] = json.loads((artifacts / "latest" / "verdict.json").read_text())
    if done.returncode != verdict["exit_code"]:
        raise RuntimeError(f"exit code {done.returncode}: {done.stdout}{done.stderr}")
    return verdict


def wrong(merge: Merge, verdict: Mapping[str, object]) -> str:
    """Return what is wrong with the answer, "" for nothing."""
    if verdict["verdict"] != merge.status:
        return f"{merge.status} is right, and it says: {verdict['message']}"
    told = json.dumps([verdict[name] for name in ("message_long", "causes", "warnings", "regions")])
    return ", ".join(f"{word!r} is not told" for word in merge.named if word not in told)


def main(arguments: Sequence[str] | None = None) -> int:
    """Play, merge and compare."""
    parser = argparse.ArgumentParser(description="Play runs in network namespaces, and merge them.")
    parser.add_argument("--tags", default=TAGS, metavar="EXPR")
    parser.add_argument("--artifacts", type=Path, metavar="FOLDER", help="keep the runs and merges below this folder")
    chosen = parser.parse_args(arguments)
    if because := not_permitted():
        print(f"network namespaces are not permitted here, and nothing was played: {because}")
        return NOT_PERMITTED
    os.environ["SMOKE_SIGNING_KEY"] = base64.b64encode(secrets.token_bytes(32)).decode()
    failed = False
    with contextlib.ExitStack() as stack:
        folder = chosen.artifacts or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="namespaces-")))
        folder.mkdir(parents=True, exist_ok=True)
        runs = played(folder.resolve(), chosen.tags)
        for number, merge in enumerate(MERGES):
            verdict = merged(merge, runs, folder.resolve() / f"merged-{number}")
            problem = wrong(merge, verdict)
            failed = failed or bool(problem)
            print(f"{verdict['verdict']:<12} {merge.shows}{f'  WRONG: {problem}' if problem else ''}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--forward"]:
        host, later, listening, *ports = sys.argv[2:]
        forward(host, float(later), Path(listening), list(map(int, ports)))
        sys.exit()
    sys.exit(main())
