"""What can be different where several regions are judged: conditions of cases about merges."""

import base64
import json
import re
import secrets
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from streampay_sandbox.stack import start_sandbox
from streampay_selftest.case import Condition
from streampay_selftest.run_setup import RELEASE, RunSetup
from streampay_smoke.evidence.journal import JOURNAL
from streampay_smoke.gate.verdict import VERDICT

RUN_SECONDS = 120.0
"""How long a run that is to be merged may take."""

Spoil = Callable[[Path], None]
"""Changes what a run left in its folder."""


class RegionRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that is merged. With `faults` or another `release` its region has a sandbox of its own.

    `environ` are further variables of it, and `spoil` is what becomes of its folder before the merge.
    """

    region: str
    vantage: str = ""
    tags: str = "@readiness"
    faults: tuple[str, ...] = ()
    release: str = RELEASE
    environ: Mapping[str, str] = {}
    spoil: Spoil | None = None


def merging(*runs: RegionRun, expect: tuple[str, ...], vantages: int = 0) -> Condition:
    """Play runs of regions one after the other, each signed, and let the gate merge them."""

    def change(setup: RunSetup) -> None:
        setup.environ["SMOKE_SIGNING_KEY"] = new_signing_key()
        folders = [setup.folder / "regions" / str(number) for number in range(len(runs))]
        for run, folder in zip(runs, folders, strict=True):
            setup.before.append(lambda run=run, folder=folder: _play(setup, run, folder))  # type: ignore[misc]
        artifacts = [str(folder / "latest") for folder in folders]
        quorum = ("--vantages", str(vantages)) if vantages else ()
        setup.command = ("merge", *artifacts, "--expect", *expect, *quorum)

    return change


def every_region(tags: str, *, faulty: str, fault: str) -> Condition:
    """Play all regions of `sandbox-regions` side by side, one of them with a fault, on instant ledgers."""

    def change(setup: RunSetup) -> None:
        kept = {"HOME", "SMOKE_REPORT", "SMOKE_DEADLINE_SECONDS", "SMOKE_EXPECT_RELEASE"}
        setup.environ = {
            name: value for name, value in setup.environ.items() if name in kept or not name.startswith("SMOKE_")
        }
        setup.environment = setup.environ["SMOKE_ENV"] = "sandbox-regions"
        setup.environment_edits += [
            ("simulated_seconds_per_ledger = 5", "simulated_seconds_per_ledger = 0"),
            (f'name = "{faulty}"\n', f'name = "{faulty}"\nsimulated_faults = ["{fault}"]\n'),
        ]
        setup.command = ("run", "--region", "all", "--tags", tags)

    return change


def verdict_says_pass(folder: Path) -> None:
    """Let a verdict claim what its journal does not prove."""
    path = folder / VERDICT
    verdict = json.loads(path.read_bytes())
    path.write_text(json.dumps({**verdict, "verdict": "PASS", "exit_code": 0, "reason_code": "all_promises_kept"}))


def journal_says_held(folder: Path) -> None:
    """Let the journal say that assertions held which did not."""
    path = folder / JOURNAL
    changed = re.sub(rb'"held":false', b'"held":true', path.read_bytes())
    path.write_bytes(changed)


def without_its_journal(folder: Path) -> None:
    """Leave a verdict that nothing proves."""
    (folder / JOURNAL).unlink()


def signed_by_another_key() -> Mapping[str, str]:
    """Return the variable of a run that signs with a key of its own."""
    return {"SMOKE_SIGNING_KEY": new_signing_key()}


def new_signing_key() -> str:
    """Return a key that signs verdicts, as its variable takes it."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


def _play(setup: RunSetup, run: RegionRun, folder: Path) -> None:
    folder.mkdir(parents=True)
    own = {"SMOKE_REGION": run.region, "SMOKE_VANTAGE": run.vantage, "SMOKE_ARTIFACTS": str(folder)}
    if run.faults or run.release != RELEASE:
        sandbox = setup.stack.enter_context(start_sandbox(faults=run.faults, release=run.release))
        own |= {**sandbox.ready_document()["env"], "SMOKE_EXPECT_RELEASE": run.release}
    with (folder / "output.log").open("wb") as output:
        subprocess.run(
            [*setup.gate, "--tags", run.tags],
            cwd=setup.folder,
            env={**setup.environ, **own, **run.environ},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            check=False,
            timeout=RUN_SECONDS,
        )
    if run.spoil is not None:
        run.spoil((folder / "latest").resolve())
