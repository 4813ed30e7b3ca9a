"""Ten runs at once against one deployment: how long they take, what they say, and what they use."""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import msgspec

from speed_parts.gate import environment, play
from speed_parts.processes import cpu_seconds_of_children, memory_of_children
from speed_parts.rows import Row
from speed_parts.served import served_sandbox
from streampay_smoke.gate.verdict import Verdict

AT_ONCE = 10
CLOSE_SECONDS = 5.0


class Together(msgspec.Struct, frozen=True, kw_only=True):
    """Some runs at once and their deployment: seconds until the last has ended, CPU seconds, MiB, and what was said."""

    seconds: float
    cpu_seconds: float
    pss_mib: float
    rss_mib: float
    said: Counter[str]


def rows(runs: int, *, at_once: int = AT_ONCE, close_seconds: float = CLOSE_SECONDS) -> Iterator[Row | str]:
    """Yield runs side by side against one alone: as from an address each, and all from one address."""
    cases = {
        "one run alone": (1, 1),
        f"{at_once} runs side by side, from an address each": (at_once, at_once),
        f"{at_once} runs side by side, from one address, whose limits they share": (at_once, 1),
    }
    found: dict[str, list[Together]] = {what: [] for what in cases}
    for _ in range(runs):
        for what, (count, addresses) in cases.items():
            found[what].append(_together(count, addresses, close_seconds))
    alone = tuple(each.seconds for each in found["one run alone"])
    for what, several in found.items():
        yield Row(
            part="side by side",
            what=f"{what}, until the last has ended",
            seconds=tuple(each.seconds for each in several),
            base="one run alone",
            base_seconds=alone,
        )
    for what, several in found.items():
        yield f"{what[0].upper()}{what[1:]}: {_used(several)}."


def _together(count: int, addresses: int, close_seconds: float) -> Together:
    environment()  # compiles the modules, which is no part of a run
    before = cpu_seconds_of_children()
    with memory_of_children() as memory, served_sandbox(close_seconds, addresses=addresses) as environ:
        began = time.monotonic()
        with ThreadPoolExecutor(count) as threads:
            played = list(threads.map(lambda _: play(environ), range(count)))
        seconds = time.monotonic() - began
    said = Counter(_said(run.verdict) for run in played)
    return Together(
        seconds=seconds,
        cpu_seconds=cpu_seconds_of_children() - before,
        pss_mib=memory.pss_mib,
        rss_mib=memory.rss_mib,
        said=said,
    )


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
