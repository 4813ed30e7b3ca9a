"""What can be different about a setup: the conditions that tables of cases are made of."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from streampay_sandbox.ledger.genesis import twin_contract_id
from streampay_sandbox.ledger.stream_contract.payouts import SOMEBODY_ELSE
from streampay_sandbox.proxy import DisturbingProxy, ProxyBehaviour, full_queue, pass_through
from streampay_sandbox.service.auth import Tokens
from streampay_sandbox.stack import start_sandbox
from streampay_selftest.case import Condition
from streampay_selftest.run_setup import RunSetup
from streampay_smoke.core.networks import ALLOWED
from streampay_smoke.core.secret import Secret
from streampay_smoke.evidence.journal import JOURNAL
from streampay_smoke.http.client import Client

PATIENCE_SECONDS = 40.0
"""How long something that a run has to reach first is waited for."""

LOOK_SECONDS = 0.02

BEHIND_THE_PROXY = "127.0.0.2"
"""A host that nothing listens on: a proxy may lead anywhere under its name."""

NewBehaviour = Callable[[], ProxyBehaviour]
"""Makes a disturbance anew for each run: most of them count."""


def proxy(new_behaviour: NewBehaviour) -> Condition:
    """Disturb the way to the deployment."""

    def change(setup: RunSetup) -> None:
        setup.proxy = new_behaviour()

    return change


def rpc_proxy(new_behaviour: NewBehaviour) -> Condition:
    """Disturb this runner's way to the ledger; the deployment has one of its own."""

    def change(setup: RunSetup) -> None:
        setup.rpc_proxy = new_behaviour()

    return change


def only_by_proxy(new_behaviour: NewBehaviour = lambda: pass_through) -> Condition:
    """Give the deployment an address that only the runner's proxy reaches, and disturb that proxy."""

    def change(setup: RunSetup) -> None:
        setup.environ["SMOKE_BASE_URL"] = f"http://{BEHIND_THE_PROXY}:{urlsplit(setup.sandbox.base_url).port}"
        setup.environ["HTTP_PROXY"] = setup.stack.enter_context(
            DisturbingProxy(setup.sandbox.base_url, behaviour=new_behaviour())
        ).url

    return change


def stable(new_behaviour: NewBehaviour = lambda: pass_through) -> Condition:
    """Put a stable release beside the deployment: the same sandbox, down a proxy of its own."""

    def change(setup: RunSetup) -> None:
        setup.stable_proxy = new_behaviour()

    return change


def stable_without_the_fault(setup: RunSetup) -> None:
    """Put a stable release beside the deployment that has none of its faults, on the same ledger."""
    setup.stable_proxy = pass_through
    setup.stable_upstream = setup.sandbox.start_beside()


def another_contract_id(setup: RunSetup) -> None:
    """Tell the gate of a contract of the same interface that the service does not work with."""
    network_id = ALLOWED["sandbox"].network_id
    setup.environ["SMOKE_CONTRACT_ID"] = twin_contract_id(network_id)


def another_upstream(*faults: str) -> Condition:
    """Put a second StreamPay, with a ledger and secrets of its own, behind the same address."""

    def change(setup: RunSetup) -> None:
        other = setup.stack.enter_context(start_sandbox(faults=faults))
        setup.upstreams.append(other.base_url)

    return change


def another_ledger(setup: RunSetup) -> None:
    """Let the gate look at a ledger that is not the service's: another network of the same kind."""
    other = setup.stack.enter_context(start_sandbox())
    setup.environ["SMOKE_STELLAR_RPC_URL"] = other.rpc_url
    setup.environ["SMOKE_STELLAR_FRIENDBOT_URL"] = other.friendbot_url


def shipped(environment: str, *, service_network: str) -> Condition:
    """Play an environment file as it is shipped, but for the network that the sandbox's service names: "private"."""

    def change(setup: RunSetup) -> None:
        setup.environment = setup.environ["SMOKE_ENV"] = environment
        setup.environ.pop("SMOKE_AUTH_MODE", None)
        setup.environment_edits.append((f'network = "{service_network}"', 'network = "private"'))

    return change


def signed_in_by_token(setup: RunSetup) -> None:
    """Give the gate a token that an operator made, of a user who has two streams already."""
    token, _ = Tokens(Secret(setup.environ["SMOKE_AUTH_JWT_SECRET"])).issue("smoke-user")
    headers = {"authorization": f"Bearer {token}", "cookie": "csrf-token=c", "x-csrf-token": "c"}
    order = {"recipient": SOMEBODY_ELSE, "rate": "0.5", "schedule": "month"}
    with Client(base_url=setup.sandbox.base_url, timeout_seconds=PATIENCE_SECONDS, headers=headers) as client:
        for _ in range(2):
            made = client.request(
                "POST", "/api/streams", headers={"content-type": "application/json"}, content=json.dumps(order).encode()
            )
            if made.status != 201:
                raise RuntimeError(f"no stream was made: {made.status}")
    setup.environ |= {"SMOKE_AUTH_MODE": "bearer", "SMOKE_AUTH_TOKEN": token}


def setting(**variables: str) -> Condition:
    """Set environment variables; with "" one that was set is unset."""

    def change(setup: RunSetup) -> None:
        setup.environ.update(variables)

    return change


def without(*variables: str) -> Condition:
    """Take variables out of the environment."""

    def change(setup: RunSetup) -> None:
        for name in variables:
            setup.environ.pop(name, None)

    return change


def environment_file(**values: object) -> Condition:
    """Replace keys of the environment file."""

    def change(setup: RunSetup) -> None:
        setup.environment_file.update(values)

    return change


def environment_text(old: str, new: str) -> Condition:
    """Replace a text in the environment file."""

    def change(setup: RunSetup) -> None:
        setup.environment_edits.append((old, new))

    return change


def file(path: str, content: str | bytes) -> Condition:
    """Write a file below the folder of the project; `home/...` is the runner's home."""

    def change(setup: RunSetup) -> None:
        target = setup.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)

    return change


def artifacts(path: str) -> Condition:
    """Let runs leave their folders at a path, relative to the project's folder."""

    def change(setup: RunSetup) -> None:
        setup.artifacts = setup.folder / path
        setup.environ["SMOKE_ARTIFACTS"] = path

    return change


def through(*command: str) -> Condition:
    """Start the gate through another command."""

    def change(setup: RunSetup) -> None:
        setup.shell = command

    return change


def limited(limit: str) -> Condition:
    """Start the gate under a limit of the shell's `ulimit`."""
    return through("/bin/sh", "-c", f'ulimit {limit} && exec "$@"', "sh")


def heeding(number: signal.Signals) -> Condition:
    """Start the gate with a signal not ignored, whatever this process inherited: `nohup` ignores SIGHUP."""
    code = (
        "import os, signal, sys; signal.signal(int(sys.argv[1]), signal.SIG_DFL); os.execvp(sys.argv[2], sys.argv[2:])"
    )
    return through(sys.executable, "-c", code, str(int(number)))


def silent_host(setup: RunSetup) -> None:
    """Lead to an address that takes packets and never answers: its queue of connections is full."""
    setup.environ["SMOKE_BASE_URL"] = _silent_url(setup)


def silent_stable_host(setup: RunSetup) -> None:
    """Let the stable release's address be one that never answers."""
    setup.environ["SMOKE_BASELINE_URL"] = _silent_url(setup)


def _silent_url(setup: RunSetup) -> str:
    return f"http://127.0.0.1:{setup.stack.enter_context(full_queue())}"


def nobody_reads_the_output(setup: RunSetup) -> None:
    """Close the other end of the pipe the gate writes to, as `| head -1` does."""
    reading, writing = os.pipe()
    os.close(reading)
    setup.output = writing
    setup.stack.callback(os.close, writing)


def stopped_by(number: signal.Signals, *, at: str) -> Condition:
    """Send the run a signal once its journal holds a text."""

    def change(setup: RunSetup) -> None:
        def stop(running: "subprocess.Popen[bytes]") -> None:
            if _reached(setup, running, at):
                running.send_signal(number)

        setup.during.append(stop)

    return change


def after_a_run_that_was_killed(tags: str, *, at: str) -> Condition:
    """Kill a run, and all of its processes at once, when its journal holds a text; then comes the run that counts."""

    def change(setup: RunSetup) -> None:
        def killed() -> None:
            with setup.start(tags) as running:
                try:
                    _reached(setup, running, at)
                finally:
                    os.killpg(running.pid, signal.SIGKILL)

        setup.before.append(killed)

    return change


def beside_other_runs(tags: str, *, runs: int = 1) -> Condition:
    """Play other runs of the same gate against the same deployment at the same time."""

    def change(setup: RunSetup) -> None:
        for number in range(runs):
            folder = setup.folder / f"another-{number}"
            setup.beside.append((RunSetup(folder, setup.sandbox, setup.stack, setup.gate), tags))

    return change


def clock_ahead(seconds: int) -> Condition:
    """Let the clock of the gate's processes be ahead of everybody else's; behind where `seconds` is negative.

    Python imports `sitecustomize` at every start, and PYTHONPATH says from where.
    """
    return _customized(
        "import datetime, time\n"
        f"_ahead = {seconds}\n"
        "_time, _time_ns, _datetime = time.time, time.time_ns, datetime.datetime\n"
        "time.time = lambda: _time() + _ahead\n"
        "time.time_ns = lambda: _time_ns() + _ahead * 10**9\n"
        "class datetime_ahead(_datetime):\n"
        "    @classmethod\n"
        "    def now(cls, tz=None):\n"
        "        return cls.fromtimestamp(_time() + _ahead, tz)\n"
        "    @classmethod\n"
        "    def utcnow(cls):\n"
        "        return cls.now(datetime.UTC).replace(tzinfo=None)\n"
        "datetime.datetime = datetime_ahead\n"
    )


def _customized(code: str) -> Condition:
    def change(setup: RunSetup) -> None:
        folder = setup.folder / "customized"
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(code, encoding="utf-8")
        inherited = filter(None, [setup.environ.get("PYTHONPATH")])
        setup.environ["PYTHONPATH"] = os.pathsep.join([str(folder), *inherited])

    return change


def _reached(setup: RunSetup, running: "subprocess.Popen[bytes]", text: str) -> bool:
    """Wait until the journal of the newest run holds a text; False when the run ended before."""
    ends_at = time.monotonic() + PATIENCE_SECONDS
    wanted = text.encode()
    while running.poll() is None and time.monotonic() < ends_at:
        latest = setup.latest()
        if latest is not None:
            journal = latest / JOURNAL
            if journal.exists() and wanted in journal.read_bytes():
                return True
        time.sleep(LOOK_SECONDS)
    return False
