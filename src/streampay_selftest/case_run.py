"""Plays one case: the setup, the gate as a process, and what it answered."""

import contextlib
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from streampay_sandbox.fault import Truth
from streampay_sandbox.stack import Sandbox, start_sandbox
from streampay_selftest.case import STATUS_OF_TRUTH, Case
from streampay_selftest.run_setup import RunSetup
from streampay_selftest.run_variation import RunVariation
from streampay_smoke.gate.verdict import EXIT_CODES, SIGNAL_EXIT_CODES, VERDICT, VerdictStatus, written_at
from streampay_smoke.http.ledger_health import measured_seconds_per_ledger
from streampay_smoke.settings.deadline import CLEAN_UP_MOST_SECONDS

GATE = (sys.executable, "-m", "streampay_smoke", "run")

OVERTIME_SECONDS = CLEAN_UP_MOST_SECONDS + 30.0
"""How much longer than its deadline a run may take before it counts as hung: for clean-up, start and reports."""

LOOK_SECONDS = 0.1

NO_ANSWER = "NO ANSWER"
"""The gate did not end, was killed, or ended with a code that is no answer."""

CONTRADICTION = "CONTRADICTION"
"""The exit code says one word and `verdict.json` another."""

PASSED = frozenset({"passed", "excluded"})

_STATUS_OF_CODE = {code: status for status, code in EXIT_CODES.items()} | dict.fromkeys(
    SIGNAL_EXIT_CODES.values(), VerdictStatus.INCONCLUSIVE
)


class CaseRun(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate answered to a case.

    `status` is what its exit code says, and its verdict too. `caught_by` is the red check, or the reason code, that the
    case names; "" where none of those was red. `red` are all red checks, and those that a red one blocks. `seconds` are
    those of the gate's process, `cpu_seconds` what the run cost the machine, its sandbox included.
    """

    case: str
    seed: int
    status: str
    attribution: str = ""
    reason_code: str = ""
    message: str = ""
    caught_by: str = ""
    red: tuple[str, ...] = ()
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    problem: str = ""


def play(case: Case, seed: int, *, hurried: bool, gate: Sequence[str] = GATE, evidence: Path | None = None) -> CaseRun:
    """Play a case once, in a sandbox and a folder of its own; what a wrong run left is kept below `evidence`."""
    cpu_before = _cpu_seconds()
    variation = RunVariation.of(case.name, seed)
    with tempfile.TemporaryDirectory(prefix="selftest-") as folder, contextlib.ExitStack() as stack:
        pace_seconds = variation.close_seconds if case.close_seconds is None else case.close_seconds
        sandbox = stack.enter_context(
            start_sandbox(
                close_seconds=pace_seconds, faults=case.faults, rpc_version=case.rpc_version or variation.rpc_version
            )
        )
        setup = RunSetup(Path(folder) / "project", sandbox, stack, gate)
        variation.over(setup)
        for change in case.conditions:
            change(setup)
        setup.proxy = variation.on(setup.proxy, case.name)
        for each in (setup, *(another for another, _ in setup.beside)):
            each.start_proxies()
            each.write_environment_file()
        tags = case.selection(hurried=hurried)
        if pace_seconds:
            _wait_for_ledgers(sandbox)
        for done in setup.before:
            done()
        with contextlib.ExitStack() as runs:
            others = [(another, runs.enter_context(_ended(another.start(its)))) for another, its in setup.beside]
            began = time.monotonic()
            running = runs.enter_context(_ended(setup.start(tags)))
            for beside in setup.during:
                beside(running)
            answers = [_answer(case, seed, setup, running, began)]
            answers += [_answer(case, seed, another, its, began) for another, its in others]
        answer = next((answer for answer in answers if not is_right(case, answer)), answers[0])
        if evidence is not None and not is_right(case, answer):
            _keep(setup, evidence / re.sub(r"\W+", "-", f"{case.name}-{seed}"))
    return replace(answer, cpu_seconds=round(_cpu_seconds() - cpu_before, 2))


def is_right(case: Case, played: CaseRun) -> bool:
    """Whether an answer is one of those that are right; a fault has to be seen by the check that is named."""
    right = any(played.status == STATUS_OF_TRUTH[truth] and played.attribution == truth for truth in case.truths)
    return right and (not case.is_fault or bool(played.caught_by))


def _wait_for_ledgers(sandbox: Sandbox) -> None:
    """Wait until the sandbox's ledger has a pace that can be measured: a network is there before the run."""
    ends_at = time.monotonic() + OVERTIME_SECONDS
    while measured_seconds_per_ledger(sandbox.rpc_url, timeout_seconds=OVERTIME_SECONDS) is None:
        if time.monotonic() >= ends_at:
            raise RuntimeError("the sandbox closes no ledgers")
        time.sleep(LOOK_SECONDS)


def _cpu_seconds() -> float:
    """Return what this process and its children that have ended have used: a worker plays one run at a time."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _keep(setup: RunSetup, kept: Path) -> None:
    """Copy what a run left; a run that left nothing has said at least something."""
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    shutil.copy(setup.folder / "output.txt", kept)
    latest = setup.latest()
    if latest is not None and latest.is_dir():
        shutil.copytree(latest, kept / "run")


@contextlib.contextmanager
def _ended(running: "subprocess.Popen[bytes]"):  # type: ignore[no-untyped-def]
    """Whatever happens, nothing of a run outlives its case."""
    try:
        yield running
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()


def _answer(case: Case, seed: int, setup: RunSetup, running: "subprocess.Popen[bytes]", began: float) -> CaseRun:
    limit_seconds = setup.longest_seconds(case.close_seconds or 0.0) + OVERTIME_SECONDS
    try:
        code = running.wait(max(0.0, limit_seconds - (time.monotonic() - began)))
    except subprocess.TimeoutExpired:
        problem = f"the gate did not end within {limit_seconds:g} s"
        return CaseRun(case=case.name, seed=seed, status=NO_ANSWER, seconds=limit_seconds, problem=problem)
    seconds = round(time.monotonic() - began, 2)
    status = _STATUS_OF_CODE.get(code)
    latest = setup.latest()
    verdict = written_at(latest / VERDICT) if latest else None
    if status is None:
        problem = f"exit code {code}: {_last_words(setup)}"
        return CaseRun(case=case.name, seed=seed, status=NO_ANSWER, seconds=seconds, problem=problem)
    if verdict is None:
        # Nothing could be left: the exit code alone is the answer, and only CONFIG says enough about itself.
        attribution = Truth.CONFIG if status is VerdictStatus.CONFIG else ""
        problem = f"no verdict.json: {_last_words(setup)}"
        return CaseRun(
            case=case.name, seed=seed, status=status, attribution=attribution, seconds=seconds, problem=problem
        )
    red = tuple(check.id for check in verdict.checks if check.status not in PASSED)
    named = [name for name in (*red, verdict.reason_code) if case.caught_by and name.startswith(case.caught_by)]
    return CaseRun(
        case=case.name,
        seed=seed,
        status=status if status is verdict.verdict else CONTRADICTION,
        attribution=verdict.attribution,
        reason_code=verdict.reason_code,
        message=verdict.message,
        caught_by=named[0] if named else "",
        red=red,
        seconds=seconds,
    )


def _last_words(setup: RunSetup) -> str:
    lines = (setup.folder / "output.txt").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else "it said nothing"
