"""Kills runs of the gate at random moments, and looks for wrong answers, money that is paid twice, and leaks.

    .venv/bin/python benchmarks/crash_and_leak.py [--kills N] [--jobs N] [--seed N] [--write]

All runs share one sandbox that lives as long as the search, and are played until N were killed: some end first. After
each kill (-9: of behave alone, of its supervisor alone, of the whole group, of behave without a supervisor) what is
left of the run is read, the next run is played against a healthy or a faulty release, and `sweep` is run; at the end
the whole ledger is audited. `--write` writes docs/crash-and-leak.md. Ends with 1 when something was found.
"""

import argparse
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from crashes import TAGS, Audit, Crash, Kill, Scene, broken, kills  # noqa: E402

from streampay_sandbox.proxy import DisturbingProxy  # noqa: E402
from streampay_sandbox.stack import start_sandbox  # noqa: E402
from streampay_selftest.commits import commit_of  # noqa: E402

PAGE = ROOT / "docs" / "crash-and-leak.md"


class Search:
    """Plays one planned kill after the other, from several threads, until as many runs as wanted were killed."""

    def __init__(self, planned: Iterator[Kill], *, wanted: int) -> None:
        self.crashes: list[Crash] = []
        self._planned = planned
        self._wanted = wanted
        self._lock = threading.Lock()

    def play(self, scene: Scene) -> None:
        """Play kills in one scene."""
        while (kill := self._next()) is not None:
            crash = scene.crash(kill)
            with self._lock:
                self.crashes.append(crash)
            said = "; ".join(crash.problems) or "well"
            print(f"{kill.number:>4} {kill.victim}, line {crash.lines}: {crash.left}; {said}", flush=True)

    def _next(self) -> Kill | None:
        with self._lock:
            enough = sum(crash.hit for crash in self.crashes) >= self._wanted
            return None if enough else next(self._planned)


def wrongs(crashes: Sequence[Crash], audit: Audit) -> Iterator[str]:
    """Yield everything that must not be."""
    for crash in crashes:
        yield from (f"kill {crash.kill.number} ({crash.kill.victim}): {problem}" for problem in crash.problems)
    yield from (f"stream {stream_id} was paid more than once" for stream_id in audit.paid_twice)
    yield from (f"the contract paid {transfer}, which nothing explains" for transfer in audit.unexplained_transfers)
    if audit.missing_stroops:
        yield f"the contract holds {-audit.missing_stroops} stroops more than its streams"
    for stream_id, status in (*audit.service_streams_left.items(), *audit.direct_streams_left.items()):
        yield f"stream {stream_id} is left, {status}"


def page(
    crashes: Sequence[Crash], audit: Audit, found: Sequence[str], *, wanted: int, seed: int, seconds: float
) -> str:
    hit = [crash for crash in crashes if crash.hit]
    left = Counter((crash.kill.victim, crash.left) for crash in crashes)
    rows = "".join(f"| {victim} | {what} | {count} |\n" for (victim, what), count in sorted(left.items()))
    healthy = _counted(crash.next_run for crash in crashes if not crash.kill.faulty)
    faulty = _counted(crash.next_run for crash in crashes if crash.kill.faulty)
    beside = _counted(crash.neighbour for crash in crashes if crash.kill.neighbour)
    summary = "Nothing was found." if not found else f"**{len(found)} things were found:**"
    listed = "".join(f"- {each}\n" for each in found) + "\n" if found else ""
    return f"""# Killed at any moment

{len(hit)} of {len(crashes)} runs were killed (`kill -9`) before they had ended; the others ended first. {summary}

{listed}Made at commit `{commit_of(ROOT)}` by

```
.venv/bin/python benchmarks/crash_and_leak.py --kills {wanted} --seed {seed} --write
```

in {seconds / 60:.0f} minutes, with runs of `{TAGS}`. Moments are told by how much of the journal is written (0
to all of its lines, and up to 1.5 s from the start), so that a slow machine kills at the same places. A few kills are
part of the tests (`tests/suite/test_crashes.py`).

## What a killed run left

| killed | left behind | runs |
|---|---|---:|
{rows}
A killed run is never a PASS: its folder has an INCONCLUSIVE verdict from its first moment on, and a run whose
supervisor is gone ends itself. Of a run that is killed after its last evidence was written the journal is what
counts.

## What came after

| | |
|---|---:|
| next runs against the healthy release | {healthy} |
| next runs against a faulty release | {faulty} |
| other runs that went on beside a killed one | {beside} |
| streams on the ledger | {audit.streams} |
| of them opened on the contract itself | {audit.direct_streams} |
| streams that paid their recipient | {audit.paid_streams} |
| streams that paid more than once | {len(audit.paid_twice)} |
| payments nothing explains | {len(audit.unexplained_transfers)} |
| stroops the contract lacks, or has too much | {audit.missing_stroops} |
| streams of the service left after the sweeps | {len(audit.service_streams_left)} |
| streams on the contract left after the sweeps | {len(audit.direct_streams_left)} |
| streams the service ended without paying: their escrow is the contract's, as StreamPay's stop has it \
| {audit.unpaid_and_ended_by_the_service} |

The audit reads the ledger by its own interface: every stream, every transfer of the contract, its balance.
"""


def _counted(words: Iterable[str]) -> str:
    return ", ".join(f"{count} {word}" for word, count in Counter(words).most_common()) or "none"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200, metavar="N")
    parser.add_argument("--jobs", type=int, default=2, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--write", action="store_true")
    chosen = parser.parse_args(arguments)
    began = time.monotonic()
    with (
        start_sandbox() as sandbox,
        DisturbingProxy(sandbox.base_url, behaviour=broken) as faulty,
        tempfile.TemporaryDirectory() as folder,
    ):
        scenes = []
        for number in range(chosen.jobs):
            (Path(folder) / str(number)).mkdir()
            scenes.append(Scene(sandbox, faulty.url, Path(folder) / str(number)))
        first = scenes[0].healthy("first")
        if first.code != 0:
            print(first.output, file=sys.stderr)
            return 2
        search = Search(kills(seed=chosen.seed, lines=len(first.events)), wanted=chosen.kills)
        with ThreadPoolExecutor(chosen.jobs) as pool:
            list(pool.map(search.play, scenes))
        crashes = sorted(search.crashes, key=lambda crash: crash.kill.number)
        audit = scenes[0].audit(range(len(crashes)))
        for scene in scenes[1:]:
            audit.service_streams_left.update(scene.left_at_the_service(range(len(crashes))))
    found = list(wrongs(crashes, audit))
    print(f"\n{audit}\n" + "\n".join(found or ["nothing was found"]))
    if chosen.write:
        text = page(crashes, audit, found, wanted=chosen.kills, seed=chosen.seed, seconds=time.monotonic() - began)
        PAGE.write_text(text, encoding="utf-8")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
