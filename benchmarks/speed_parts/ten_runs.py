"""Ten runs at once against one deployment: how long they take, what they say, and what they use."""

import contextlib
import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import msgspec
from stellar_sdk import Keypair

from speed_parts.addresses import seen_from
from speed_parts.gate import ROOT, environment, play
from speed_parts.processes import cpu_seconds_of_children, memory_of_children
from speed_parts.rows import Row
from speed_parts.served import served_sandbox
from streampay_smoke.gate.verdict import Verdict

ALONE = "one run alone"
AT_ONCE = 10
SHARING = 3
MOST_REPEATS = 2
CLOSE_SECONDS = 5.0
REMARK = (
    "Each run has one write under way at a time, as places do that say nothing else: the sandbox's operator sends from "
    "nine accounts, one transaction of each for a ledger, and what waits longer than a request may is a failure."
)


class Together(msgspec.Struct, frozen=True, kw_only=True):
    """Some runs at once and their deployment: seconds until the last has ended, CPU seconds, MiB, and what was said."""

    seconds: float
    cpu_seconds: float
    pss_mib: float
    rss_mib: float
    said: Counter[str]


def rows(runs: int, *, at_once: int = AT_ONCE, close_seconds: float = CLOSE_SECONDS) -> Iterator[Row | str]:
    """Yield runs side by side against one alone: each as a user of its own, and all as one user."""
    apart, sharing = (
        f"{at_once} runs side by side, with a user and an address each",
        f"{SHARING} runs side by side as one user from one address, whose limits they share",
    )
    found: dict[str, list[Together]] = {ALONE: [], apart: [], sharing: []}
    for number in range(min(runs, MOST_REPEATS)):
        found[ALONE].append(_together(1, close_seconds, apart=False))
        found[apart].append(_together(at_once, close_seconds, apart=True))
        if number == 0:  # it takes as long as their limits say
            found[sharing].append(_together(SHARING, close_seconds, apart=False))
    alone = tuple(each.seconds for each in found[ALONE])
    for what, several in found.items():
        yield Row(
            part="side by side",
            what=f"{what}, until the last has ended",
            seconds=tuple(each.seconds for each in several),
            base=ALONE,
            base_seconds=alone,
        )
    for what, several in found.items():
        yield f"{what[0].upper()}{what[1:]}: {_used(several)}."
    yield REMARK


def _together(count: int, close_seconds: float, *, apart: bool) -> Together:
    environment()  # compiles the modules, which is no part of a run
    before = cpu_seconds_of_children()
    with (
        memory_of_children() as memory,
        served_sandbox(close_seconds) as environ,
        _one_write_at_once() as project,
        contextlib.ExitStack() as stack,
    ):
        environs = [
            {**environ, **stack.enter_context(_of_its_own(number, environ))} if apart else environ
            for number in range(count)
        ]
        began = time.monotonic()
        with ThreadPoolExecutor(count) as threads:
            played = list(threads.map(partial(play, project=project), environs))
        seconds = time.monotonic() - began
    said = Counter(_said(run.verdict) for run in played)
    return Together(
        seconds=seconds,
        cpu_seconds=cpu_seconds_of_children() - before,
        pss_mib=memory.pss_mib,
        rss_mib=memory.rss_mib,
        said=said,
    )


@contextlib.contextmanager
def _one_write_at_once() -> Iterator[Path]:
    """Give the project with a sandbox that takes one write of a run at once, as places do that say nothing else.

    The sandbox's operator has accounts for nine: ten runs with eight writes each would wait longer than a request may.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for each in ("features", "behave.ini"):
            (folder / each).symlink_to(ROOT / each)
        shutil.copytree(ROOT / "environments", folder / "environments")
        file = folder / "environments" / "sandbox.toml"
        text, changed = re.subn(r"(?m)^writes_at_once = \d+", "writes_at_once = 1", file.read_text())
        if changed != 1:
            raise RuntimeError("environments/sandbox.toml says nothing of writes_at_once")
        file.write_text(text)
        yield folder


@contextlib.contextmanager
def _of_its_own(number: int, environ: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
    """Give the variables of a run with a user and an address of its own."""
    with seen_from(f"127.0.0.{number + 2}", environ["SMOKE_BASE_URL"]) as base_url:
        yield {"SMOKE_BASE_URL": base_url, "SMOKE_SIGNER_SEED": Keypair.random().secret}


def _said(verdict: Verdict) -> str:
    return verdict.verdict if verdict.verdict == "PASS" else f"{verdict.verdict} ({verdict.message})"


def _used(several: list[Together]) -> str:
    said: Counter[str] = sum((each.said for each in several), Counter())
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in said.most_common())
    most = max(several, key=lambda each: each.pss_mib)
    cpu_seconds = max(each.cpu_seconds for each in several)
    return (
        f"{verdicts}; with the deployment {cpu_seconds:.0f} s of CPU and at most {most.pss_mib:.0f} MiB (PSS), "
        f"{most.rss_mib:.0f} MiB of resident sizes added up"
    )
