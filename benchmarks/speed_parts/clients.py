"""Our API part beside other tools that make the same reads and check the same of each answer."""

import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from speed_parts import other_tools, reads
from speed_parts.gate import GateRun, play
from speed_parts.rows import Row
from streampay_sandbox.stack import start_sandbox

TAGS = "@readiness or @streams"
OURS = "our part"
BASE = "bash, curl and jq"
AMONG = " among {} requests, and all that it checks of them"
MOST_IN_HTTPX_TIMES = 20.0


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds of each client that made the same reads from one sandbox, and how many requests our part made."""

    seconds: dict[str, float]
    reads: int
    requests: int


def rows(runs: int, *, installs: bool = False) -> Iterator[Row | str]:
    """Yield our part and each tool against bash, curl and jq; for a tool that is not there, why it is left out.

    `installs` installs what can be installed. Raises RuntimeError where a tool finds an answer wrong.
    """
    lacks = {name: other_tools.missing(name, installs=installs) for name in other_tools.TOOLS}
    yield from (f"Left out: {name} ({why})." for name, why in lacks.items() if why)
    measured = [name for name, why in lacks.items() if not why]
    beside = [_beside(measured) for _ in range(runs)]
    seconds = {what: tuple(each.seconds[what] for each in beside) for what in beside[-1].seconds}
    base = BASE if BASE in seconds else measured[0]
    for what, each in seconds.items():
        yield Row(
            part="api",
            what=f"{what}: {beside[-1].reads} reads{AMONG.format(beside[-1].requests) if what == OURS else ''}",
            seconds=each,
            base=base,
            base_seconds=seconds[base],
        )


def _beside(tools: Sequence[str]) -> Beside:
    with start_sandbox() as sandbox, tempfile.TemporaryDirectory() as name:
        environ = {**sandbox.ready_document()["env"], "SMOKE_AUTH_MODE": "api-key"}
        played = play(environ, tags=TAGS, wanted="PASS")
        asked = {"BASE": sandbox.base_url, "KEY": environ["SMOKE_API_KEY"]}
        found = reads.reads_of(played.entries, base_url=asked["BASE"], key=asked["KEY"])
        files = reads.write(found, Path(name), asked)
        other_tools.copy_scripts(files)
        seconds = {OURS: played.seconds}
        for tool in tools:
            began = time.monotonic()
            other_tools.run(tool, files, asked)
            seconds[tool] = time.monotonic() - began
    return Beside(seconds=seconds, reads=len(found), requests=_requests(played))


def checked_rows(runs: int) -> Iterator[Row]:
    """Yield our part against plain httpx, which is always there: waits count here, and not only CPU."""
    beside = [_beside(("plain httpx",)) for _ in range(runs)]
    yield Row(
        part="api",
        what=f"{OURS}, which makes the reads of {TAGS}",
        seconds=tuple(each.seconds[OURS] for each in beside),
        base="plain httpx",
        base_seconds=tuple(each.seconds["plain httpx"] for each in beside),
        most=MOST_IN_HTTPX_TIMES,
    )


def _requests(played: GateRun) -> int:
    cost = played.verdict.cost
    return cost.service_requests + cost.ledger_requests if cost else 0
