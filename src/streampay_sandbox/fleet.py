"""A fleet of the sandbox: releases of its StreamPay, each of several replicas, behind one address and one engine.

All releases share one ledger, one operator and one memory. StreamPay itself keeps its streams in its process and
forgets them with it; a deployment of several replicas could not even list what it just created. So the fleet stands
for a StreamPay over a shared database: streams, idempotency keys and sign-in challenges are known to every replica of
every release, and a stream created on a canary is there after the rollback. Limits are counted by each release.
`memory=own` starts a release whose replicas are as StreamPay is: each knows only what it was told itself, and
`/restart` makes one forget that. The limit of creates is raised: a fleet is for several deploys in a minute.

At the address of users, a header leads a request to one release, whatever the weights: `x-canary: always` to the
newest one, `never` to the live one, and `host: RELEASE.localhost` to that release.

The engine's API is HTTP on loopback, parameters in the query, every answer a JSON object:

    GET  /state                                  weights, live release, keys it was asked with, rollbacks it applied
    GET  /preview?release=R                      an address that leads to R alone, whatever its weight
    POST /start?release=R&replicas=N&fault=F...  start a release at no traffic; no replica: one that crashes
               &memory=own                       its replicas share nothing
               &differs=WHAT...                  the last replica differs: data, release, clock, keys, limits
    POST /restart?release=R&replica=N            let a replica forget what it keeps in its memory
    POST /shift?R=WEIGHT&...                     share the traffic; the live release stays what it is
    POST /promote?release=R                      all traffic to R, which becomes the live release
    POST /roll-back?release=R&key=K              the same, once for each key
    POST /misbehave?fault=F...                   go wrong in these ways from now on
"""

import argparse
import contextlib
import itertools
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
from msgspec.structs import replace
from starlette.applications import Starlette

from streampay_sandbox.engine import DeploymentEngine, EngineFault, EngineState
from streampay_sandbox.faults import chosen_faults
from streampay_sandbox.ledger import SandboxLedger, start_ledger
from streampay_sandbox.proxy import (
    DisturbingProxy,
    Forward,
    ProxiedRequest,
    ProxyBehaviour,
    SubstituteAnswer,
    gateway,
    hang_up,
)
from streampay_sandbox.server import LoopbackServer
from streampay_sandbox.service.app import build_app
from streampay_sandbox.service.faults import faulty
from streampay_sandbox.service.limits import PER_MINUTE, TokenBuckets
from streampay_sandbox.service.parts import Memory, Parts, honest_parts, new_memory
from streampay_sandbox.service.replicas import Difference, as_replica
from streampay_sandbox.stack import STREAM_CONTRACT, environ_of, new_settings, new_treasury, stoppable, write_private
from streampay_smoke.core.ending_signals import ending_signals
from streampay_smoke.core.errors import SettingsInvalid

ENGINE_VARIABLE = "STREAMPAY_FLEET"
"""The variable in which the engine's address reaches the commands of `[rollback.command]`."""

STABLE, CANDIDATE = "v1", "v2"
"""The releases of a canary."""

CANARY_HEADER = "x-canary"

PER_MINUTE_IN_A_FLEET = {**dict.fromkeys(PER_MINUTE, 100_000), **{tier: PER_MINUTE[tier] for tier in ("read", "login")}}
"""Several gates in a minute create; the limits on reads and sign-ins stay, for the gate looks for them."""


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """A release that runs: its replicas, what each is made of, and the addresses the next requests go to.

    Without replicas it is dead.
    """

    replicas: tuple[LoopbackServer, ...]
    parts: tuple[Parts, ...]
    next_address: Iterator[int]


class Fleet(AbstractContextManager["Fleet"]):
    """Serves from its making to `stop()`, or in a `with` block.

    `base_url` is the address users meet: each request goes to a release by weight, and to its replicas in turn.
    """

    def __init__(
        self, stable: str = STABLE, *, replicas: int = 2, faults: Sequence[str] = (), differs: Sequence[str] = ()
    ) -> None:
        self.ledger: SandboxLedger = start_ledger()
        self._settings = new_settings(self.ledger, stable)
        self._treasury = new_treasury(self.ledger)
        self._memory = _new_memory()
        self._stopping = threading.Event()
        self._releases: dict[str, Release] = {}
        self._addresses: list[str] = []
        self._previews: dict[str, DisturbingProxy] = {}
        self.engine = DeploymentEngine(stable)
        self._public = _FleetProxy(self._addresses, lambda passing: self._to(self._asked_for(passing))).__enter__()
        self._admin = DisturbingProxy(behaviour=self._asked).__enter__()
        self.base_url = self._public.url
        self.engine_url = self._admin.url
        self.start(stable, replicas=replicas, faults=faults, differs=differs)

    def start(
        self,
        name: str,
        *,
        replicas: int = 2,
        faults: Sequence[str] = (),
        own_memory: bool = False,
        differs: Sequence[str] = (),
    ) -> None:
        """Start a release at no traffic; `faults` are names of service faults. No replica: a release that crashes.

        With `own_memory` each replica keeps streams, keys and challenges for itself. Where the last replica `differs`,
        each has a name and counts its own metrics. Raises ValueError for no `Difference`.
        """
        settings = replace(self._settings, release=name)
        chosen = chosen_faults(faults).service

        def made(memory: Memory, as_one: Callable[[Parts], Parts] = lambda parts: parts) -> tuple[Parts, Starlette]:
            honest = honest_parts(settings, self._treasury, memory=memory, stopping=self._stopping)
            parts = as_one(faulty(honest, chosen))
            return parts, build_app(parts)

        def apart(number: int) -> tuple[Parts, Starlette]:
            memory = _new_memory() if own_memory else shared
            own = odd if number == replicas else ()
            return made(memory, lambda parts: as_replica(parts, f"{name}-{number}", own))

        odd = [Difference(each) for each in differs]

        shared = replace(self._memory, buckets=_new_buckets())
        each_apart = own_memory or bool(odd)
        own = [apart(number) for number in range(1, replicas + 1)] if each_apart else [made(shared)] * replicas
        servers = tuple(LoopbackServer(app, stopping=self._stopping).start() for _, app in own)
        addresses = range(len(self._addresses), len(self._addresses) + replicas)
        self._addresses.extend(server.url for server in servers)
        self._releases[name] = Release(
            replicas=servers, parts=tuple(parts for parts, _ in own), next_address=itertools.cycle(addresses)
        )
        self.engine.add(name)

    def restart(self, name: str, replica: int) -> None:
        """Let a replica forget what it keeps in its memory; raises KeyError and IndexError for none."""
        self._releases[name].parts[replica].forget()

    def preview_url(self, name: str) -> str:
        """Return an address that leads to one release alone, whatever its weight; raises KeyError for none."""
        self._releases[name]
        if name not in self._previews:
            self._previews[name] = _FleetProxy(self._addresses, lambda passing: self._to(name)).__enter__()
        return self._previews[name].url

    def replica_urls(self, name: str) -> tuple[str, ...]:
        """Return where the replicas of a release answer themselves."""
        return tuple(server.url for server in self._releases[name].replicas)

    def environ(self, *, contract_profile: str = STREAM_CONTRACT) -> dict[str, str]:
        """Return the variables that point a run, and a rollback, at the fleet and at one of its ledger's contracts."""
        environ = environ_of(self.base_url, self.ledger, self._settings, contract_profile=contract_profile)
        return {**environ, ENGINE_VARIABLE: self.engine_url}

    def canary_environ(self, *, by_weight: bool) -> dict[str, str]:
        """Return the variables that let a run compare CANDIDATE with STABLE, by weight or by a header for each."""
        if by_weight:
            return {"SMOKE_EXPECT_RELEASE": CANDIDATE}
        return {
            "SMOKE_EXPECT_RELEASE": CANDIDATE,
            "SMOKE_BASE_HEADER": f"{CANARY_HEADER}: always",
            "SMOKE_BASELINE_HEADER": f"{CANARY_HEADER}: never",
        }

    def ready_document(self) -> Mapping[str, Any]:
        """Return where everything answers; it holds the fleet's secrets, for a file that only its owner reads."""
        return {"base_url": self.base_url, "engine_url": self.engine_url, "env": self.environ()}

    def stop(self) -> None:
        """Stop everything; a second call does nothing."""
        self.engine.stop()
        self._stopping.set()
        for proxy in (self._public, self._admin, *self._previews.values()):
            proxy.__exit__(None, None, None)
        for release in self._releases.values():
            for server in release.replicas:
                server.stop()
        self._treasury.close()
        self.ledger.stop()

    def __exit__(self, *error: object) -> None:
        self.stop()

    def _asked_for(self, passing: ProxiedRequest) -> str:
        """Return the release that a request goes to: the one a header names, else one by weight."""
        host = passing.headers.get("host", "").partition(":")[0].removesuffix(".localhost")
        wanted = passing.headers.get(CANARY_HEADER, "")
        if host in self._releases:
            return host
        if wanted == "always":
            return list(self._releases)[-1]
        return self.engine.state().live if wanted == "never" else self.engine.next_release()

    def _to(self, name: str) -> Forward | SubstituteAnswer:
        release = self._releases[name]
        return Forward(to=next(release.next_address)) if release.replicas else gateway(503)

    def _asked(self, passing: ProxiedRequest) -> SubstituteAnswer:
        """Answer a request to the engine's API."""
        if EngineFault.DOWN in self.engine.faults and not passing.path.startswith("/misbehave"):
            return _json(503, {"error": "the engine is down"})
        asked = urlsplit(passing.path)
        given = parse_qs(asked.query)
        action = _ACTIONS.get(f"{passing.method} {asked.path}")
        if action is None:
            return _json(404, {"error": f"{passing.method} {asked.path} is nothing the engine does"})
        try:
            answer = action(self, given)
        except SettingsInvalid as problem:
            return _json(409, {"error": str(problem)})
        except (LookupError, ValueError) as problem:
            return _json(400, {"error": f"a parameter is missing or wrong: {problem}"})
        if asked.path == "/roll-back" and EngineFault.NO_ANSWER in self.engine.faults:
            return hang_up()
        return _json(200, answer if isinstance(answer, EngineState) else {"said": answer or "done"})


class _FleetProxy(DisturbingProxy):
    """A proxy whose upstreams come and go."""

    def __init__(self, upstreams: Sequence[str], behaviour: ProxyBehaviour) -> None:
        super().__init__(behaviour=behaviour)
        self._addresses = upstreams

    def upstream(self, index: int) -> str:
        """Return the address of an upstream."""
        return self._addresses[index]


def _new_memory() -> Memory:
    return new_memory(_new_buckets())


def _new_buckets() -> TokenBuckets:
    return TokenBuckets(PER_MINUTE_IN_A_FLEET)


Given = Mapping[str, Sequence[str]]

_ACTIONS: Mapping[str, Callable[[Fleet, Given], object]] = {
    "GET /state": lambda fleet, given: fleet.engine.state(),
    "GET /preview": lambda fleet, given: fleet.preview_url(given["release"][0]),
    "POST /start": lambda fleet, given: fleet.start(
        given["release"][0],
        replicas=int(given.get("replicas", ["2"])[0]),
        faults=given.get("fault", ()),
        own_memory=given.get("memory") == ["own"],
        differs=given.get("differs", ()),
    ),
    "POST /restart": lambda fleet, given: fleet.restart(given["release"][0], int(given["replica"][0])),
    "POST /shift": lambda fleet, given: fleet.engine.shift({name: int(text[0]) for name, text in given.items()}),
    "POST /promote": lambda fleet, given: fleet.engine.promote(given["release"][0]),
    "POST /roll-back": lambda fleet, given: fleet.engine.roll_back(given["release"][0], given["key"][0]),
    "POST /misbehave": lambda fleet, given: fleet.engine.misbehave(*given.get("fault", ())),
}


def _json(status: int, document: object) -> SubstituteAnswer:
    return SubstituteAnswer(status=status, text=msgspec.json.encode(document).decode(), content_type="application/json")


@contextlib.contextmanager
def canary_fleet(*, faults: Sequence[str], stable_faults: Sequence[str] = (), weight: float = 0) -> Iterator[Fleet]:
    """Start a stable release and a candidate of one replica each, with faults of their own, behind one address.

    `weight` percent of the traffic are the candidate's; 0 for none but what a header leads to it.
    """
    with Fleet(STABLE, replicas=1, faults=stable_faults) as fleet:
        fleet.start(CANDIDATE, replicas=1, faults=faults)
        if weight:
            fleet.engine.shift({STABLE: round(100 - weight), CANDIDATE: round(weight)})
        yield fleet


def serve(
    *, ready_file: Path | None, stable: str, replicas: int, differs: Sequence[str] = (), command: Sequence[str] = ()
) -> int:
    """Serve a fleet until SIGTERM, SIGINT or SIGHUP, or for as long as a command runs; return its exit code, else 0.

    `ready_file` gets the ready document, and goes away at the end. The command is pointed at the fleet, and gets the
    signals; 127 where there is no such program.
    """
    with stoppable() as wait, Fleet(stable, replicas=replicas, differs=differs) as fleet, contextlib.ExitStack() as end:
        if ready_file is not None:
            write_private(ready_file, msgspec.json.format(msgspec.json.encode(fleet.ready_document())))
            end.callback(ready_file.unlink, missing_ok=True)
        sys.stdout.write(f"fleet: StreamPay at {fleet.base_url}, its engine at {fleet.engine_url} (all simulated)\n")
        sys.stdout.flush()
        if command:
            environ = {**os.environ, **fleet.environ(), "SMOKE_REPLICAS": str(replicas)}
            return _run(command, environ, wait)
        wait()
    return 0


def _run(command: Sequence[str], environ: Mapping[str, str], wait: Callable[[], int]) -> int:
    """Run a command to its end and return its exit code; the signals that are waited for here reach it."""
    early: list[int] = []  # signals that come while none is blocked, for a command would inherit that they are
    kept = {each: signal.signal(each, lambda number, _: early.append(number)) for each in ending_signals()}
    blocked = signal.pthread_sigmask(signal.SIG_UNBLOCK, ending_signals())
    try:
        process = subprocess.Popen(command, env=environ)
    except OSError as problem:
        sys.stderr.write(f"{command[0]}: {problem.strerror}; name a program that can be run, after --\n")
        return 127
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        for each, handler in kept.items():
            signal.signal(each, handler)
    for came in early:
        process.send_signal(came)
    waiting = threading.get_ident()

    def tell_the_end() -> None:
        process.wait()
        signal.pthread_kill(waiting, signal.SIGTERM)

    threading.Thread(target=tell_the_end, daemon=True).start()
    while True:
        number = wait()
        if process.poll() is not None:
            return process.returncode if process.returncode >= 0 else 128 - process.returncode
        process.send_signal(number)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=serve.__doc__)
    parser.add_argument("--ready-file", type=Path, metavar="FILE")
    parser.add_argument("--stable", default=STABLE, metavar="RELEASE")
    parser.add_argument("--replicas", type=int, default=2)
    parser.add_argument("--differs", action="append", default=[], choices=list(Difference), help="of the last replica")
    parser.add_argument("command", nargs="*", help="what to run while the fleet serves, after --")
    sys.exit(serve(**vars(parser.parse_args())))
