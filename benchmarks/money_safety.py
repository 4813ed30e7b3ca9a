"""Looks for a configuration, an answer or an order of events that gets real money, or more than the cap, signed for.

    .venv/bin/python benchmarks/money_safety.py [--examples N] [--jobs N] [--seed N] [--write]

Draws examples (a million by default) for the properties in tests/support/money_properties.py and plays each on the
real code with real keys and real XDR, in processes side by side. `--write` writes docs/money-safety.md and .json.
Ends with 1 at the first example for which a property does not hold, after printing the smallest one like it.

What is watched:
- Every Ed25519 signature of the process, at the one function they all go through, whoever makes it. A message of 32
  bytes must be the hash of a transaction that went through the guard, computed anew from its XDR for an allowed
  network; any other 32 bytes, and that hash for the public network, end the search.
- The cap, by a count of its own: what everything that was signed can take if the RPC, the contract and everybody else
  are thieves. Of transactions with the same account and sequence number one can be applied, so the dearest counts.
- Names that are looked up and addresses that are connected to: only the configured ones, whatever a redirect says.
- Writes to a service: none before it named a test network, none after it named the public one.

What is drawn:
- Settings: networks, addresses and passphrases, right, public, and in twenty disguises (user info, upper case, dots at
  the end, full-width letters, other dots, soft hyphens, %-escapes, IPv6, look-alike letters), given as options, in the
  environment, in `.env` and in environment files, with caps from none to 2^62.
- Envelopes for any passphrase, changed after they were built, with other operations, wrapped in fee bumps, with trees
  of authorised calls and amounts down to -2^127.
- RPC answers: any passphrase, another one at the next call, two under one key, numbers of 400 digits, other types and
  ids, redirects; simulations that want more authorised; refusals, failures at negative fees and losses that are lies.
- DNS answers that change from one request to the next; services and replicas that change their word; challenges to
  sign that could be a transaction.
"""

import argparse
import json
import math
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from money_properties import PROPERTIES, tried  # noqa: E402

from streampay_selftest.commits import commit_of  # noqa: E402

PAGE, DATA = ROOT / "docs" / "money-safety.md", ROOT / "docs" / "money-safety.json"
BLOCK = 2_500
"""Examples drawn with one seed: hypothesis remembers what it drew, and grows slow and large beyond some thousands."""


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one block of examples."""

    name: str
    seed: int
    ends: dict[str, int]
    cpu_seconds: float


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What became of all examples of one property."""

    name: str
    about: str
    examples: int
    cpu_seconds: float
    ends: dict[str, int]

    @property
    def reached_a_key(self) -> int:
        return sum(count for end, count in self.ends.items() if end.startswith(("signed", "settled")))


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A whole search."""

    commit: str
    examples: int
    reached_a_key: int
    wall_seconds: float
    cpu_seconds: float
    jobs: int
    first_seed: int
    last_seed: int
    properties: list[Found]


def played(name: str, examples: int, seed: int) -> Block:
    began = time.process_time()
    ends = tried(name, examples=examples, seed=seed)
    return Block(name=name, seed=seed, ends=dict(ends), cpu_seconds=time.process_time() - began)


def orders(examples: int, seed: int) -> Iterator[tuple[str, int, int]]:
    """Yield the blocks: the property, how many examples, and the seed; the slow ones first."""
    for name, held in sorted(PROPERTIES.items(), key=lambda item: item[1].share):
        left = math.ceil(examples * held.share / 1000)
        while left > 0:
            yield name, min(left, BLOCK), seed
            left -= BLOCK
            seed += 1


def search(examples: int, jobs: int, seed: int) -> list[Block]:
    """Play all blocks, some at a time; raises what the first one raised for which a property does not hold."""
    blocks: list[Block] = []
    waiting = orders(examples, seed)
    with ProcessPoolExecutor(jobs) as pool:
        running: set[Future[Block]] = set()
        for order in waiting:
            running.add(pool.submit(played, *order))
            if len(running) <= jobs:
                continue
            done, running = wait(running, return_when=FIRST_COMPLETED)
            blocks += [future.result() for future in done]
            tell(blocks, examples)
        for future in running:
            blocks.append(future.result())
    return blocks


def tell(blocks: Sequence[Block], examples: int) -> None:
    so_far = sum(sum(block.ends.values()) for block in blocks)
    print(f"\r{so_far:,} of {examples:,}", end="", file=sys.stderr, flush=True)


def report_of(blocks: Sequence[Block], *, wall_seconds: float, jobs: int) -> Report:
    found = []
    for name, held in PROPERTIES.items():
        mine = [block for block in blocks if block.name == name]
        ends: Counter[str] = Counter()
        for block in mine:
            ends.update(block.ends)
        found.append(
            Found(
                name=name,
                about=held.about,
                examples=ends.total(),
                cpu_seconds=round(sum(block.cpu_seconds for block in mine), 1),
                ends=dict(ends.most_common()),
            )
        )
    return Report(
        commit=commit_of(ROOT),
        examples=sum(each.examples for each in found),
        reached_a_key=sum(each.reached_a_key for each in found),
        wall_seconds=round(wall_seconds, 1),
        cpu_seconds=round(sum(each.cpu_seconds for each in found), 1),
        jobs=jobs,
        first_seed=min(block.seed for block in blocks),
        last_seed=max(block.seed for block in blocks),
        properties=found,
    )


def page(report: Report) -> str:
    rows = "".join(
        f"| {each.name} | {each.about} | {each.examples:,} | {each.reached_a_key:,} | {each.cpu_seconds:,.0f} |\n"
        for each in report.properties
    )
    return f"""# Money safety, searched for holes

**No example out of {report.examples:,} led to a signature for the public network, for any network outside the list, or
beyond the cap.** {report.reached_a_key:,} of them reached a key and got something signed (or a stream
settled) on an allowed network, so that the search does get as far as the code that signs.

Made at commit `{report.commit}` by

```
.venv/bin/python benchmarks/money_safety.py --examples {report.examples} --seed {report.first_seed} --write
```

with seeds {report.first_seed} to {report.last_seed}, in {report.jobs} processes: {report.wall_seconds:,.0f} s on a
machine with other work to do, {report.cpu_seconds:,.0f} s of CPU. A sample with seeds of its own each time is
part of the tests (`tests/unit/chain/test_money_safety.py`), which also show that the search sees a guard with a hole.

| property | what is played | examples | reached a key | CPU s |
|---|---|---:|---:|---:|
{rows}
Watched are every signature of the process, a count of its own of what was signed, the names and addresses that are
connected to, and writes to a service. Drawn are settings, networks in twenty disguises, envelopes, answers of RPC, DNS
and services (`tests/support/money_properties.py`). TLS is left out: connections are played in memory.
[money-safety.json](money-safety.json) says of each property how many examples ended in which way.
"""


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=1_000_000, metavar="N")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the first block; the next have the next")
    parser.add_argument("--write", action="store_true")
    chosen = parser.parse_args(arguments)
    began = time.monotonic()
    try:
        blocks = search(chosen.examples, chosen.jobs, chosen.seed)
    except AssertionError as found:
        print(f"\nNOT SAFE: {found}\n" + "\n".join(getattr(found, "__notes__", ())), file=sys.stderr)
        return 1
    report = report_of(blocks, wall_seconds=time.monotonic() - began, jobs=chosen.jobs)
    print(f"\n{json.dumps(msgspec.to_builtins(report), indent=2, ensure_ascii=False)}")
    if chosen.write:
        PAGE.write_text(page(report), encoding="utf-8")
        DATA.write_text(json.dumps(msgspec.to_builtins(report), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
