"""Holds the sandbox's models of contracts to the real Soroban host, and writes docs/host.md.

    .venv-test/bin/python benchmarks/host.py [--sequences N] [--seed N] [--contract FILE.wasm] [--write]

Generated calls are simulated and applied on the models and in the real host (scripts/host.sh builds it); results,
errors, events, footprints, authorisations, entries and times to live are compared. `--contract` compares the model of
the stream contract with real code too: without it only the native asset's contract is compared. Ends with 1 where
something differs.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from two_engines import Call, Difference, TwoEngines, calls, stream_calls  # noqa: E402

from streampay_sandbox.ledger.real_host import RealHost, built_program  # noqa: E402
from streampay_selftest.commits import commit_of  # noqa: E402

PAGE = ROOT / "docs" / "host.md"
SEQUENCE_CALLS = (8, 25)


class Compared(msgspec.Struct, kw_only=True):
    """What was compared of one contract: sequences, calls by how they ended, and every difference."""

    contract: str
    sequences: int = 0
    calls: Counter[str] = msgspec.field(default_factory=Counter)
    differences: list[Difference] = []


def compare(
    contract: str, host: RealHost, strategy: st.SearchStrategy[Call], code: bytes | None, *, sequences: int, draw: int
) -> Compared:
    """Play generated sequences on both engines."""
    compared = Compared(contract=contract)

    @settings(max_examples=sequences, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @seed(draw)
    @given(st.lists(strategy, min_size=SEQUENCE_CALLS[0], max_size=SEQUENCE_CALLS[1]))
    def play(sequence: list[Call]) -> None:
        both = TwoEngines(host, code)
        compared.sequences += 1
        for call in sequence:
            compared.calls[call.function] += 1
            compared.differences += both.play(call)

    play()
    return compared


def page(compared: Sequence[Compared], *, draw: int, seconds: float) -> str:
    """Return docs/host.md."""
    rows = "".join(
        f"| {each.contract} | {each.sequences} | {each.calls.total():,} "
        f"| {len(each.calls)} | {len(each.differences)} |\n"
        for each in compared
    )
    return TEMPLATE.format(rows=rows, draw=draw, seconds=seconds, commit=commit_of(ROOT))


TEMPLATE = """# The real host

The sandbox runs contracts as models in Python. Where Rust is installed it can run them in the host that Stellar's
validators run (the crate `soroban-env-host` 30.0.0), as a program of its own in `engine/`:

```
scripts/host.sh
streampay-smoke sandbox --engine host --contract FILE.wasm
```

The first builds the program. The second serves a sandbox whose stream contract is the code in FILE: every call of
it and of the asset contract runs in the real host, with its errors, events, footprints, instructions and times to
live. So a release of the contract can be accepted before it is deployed: run the whole smoke against that sandbox.
Uploading may take 100 million instructions, as on a network.

The ledger, its RPC, consensus and fees (`fees.py`) stay the sandbox's own; a simulation is the host's recording mode.

## Models held to the host
```
.venv-test/bin/python benchmarks/host.py --contract FILE.wasm --write
```

simulates and applies generated calls (good ones, and ones that must be refused: too much, unsigned, expired, by others)
on both, and compares results, error codes, events, footprints, authorisations, entries and times to live:

| contract | sequences | calls | functions | differences |
|---|---|---|---|---|
{rows}
Random seed {draw}, {seconds:.0f} s, at {commit}. Not compared: instructions (models count their own), texts of
diagnostic events, and the code that a contract's instance names. Rent and the fee for events follow from what is
compared.

The streams were compared with the public `streampay-stream` contract, built from its own source (to be uploaded it
needs `wasm-opt -Oz` and no comments in its interface: 60 million instructions). The whole smoke is PASS on that
contract and on the one below, and FAIL on one that pays a stroop too little.

## A contract from source
`engine/contract` is a stream contract of this project's own, written from the interface in
`core/contract_profiles.py`. It needs the target `wasm32v1-none`; where Rust has it,
`cargo build --release --target wasm32v1-none` in that folder builds it. Where Rust comes without it and cannot fetch
it, Debian's packages rustc-web, rust-web-src and libllvm22 have a compiler and the sources of `core` and `alloc` for it
(`-Zbuild-std=core,alloc` with `RUSTC_BOOTSTRAP=1`, and rustup's rust-lld as the linker).
"""


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sequences", type=int, default=200, metavar="N", help="sequences of each contract")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--contract", type=Path, metavar="FILE.wasm", help="code of a stream contract to compare")
    parser.add_argument("--write", action="store_true", help="write docs/host.md")
    chosen = parser.parse_args(arguments)
    began = time.monotonic()
    options = {"sequences": chosen.sequences, "draw": chosen.seed}
    with RealHost(built_program()) as host:
        birth = TwoEngines(host).birth
        compared = [compare("native asset", host, calls(birth), None, **options)]
        if chosen.contract is not None:
            code = chosen.contract.read_bytes()
            compared.append(compare("streams", host, stream_calls(birth), code, **options))
    differences = [difference for each in compared for difference in each.differences]
    for line in _described(differences):
        print(line)
    text = page(compared, draw=chosen.seed, seconds=time.monotonic() - began)
    if chosen.write:
        PAGE.write_text(text)
    for each in compared:
        print(f"{each.contract}: {each.calls.total()} calls, {len(each.differences)} differences")
    return 1 if differences else 0


def _described(differences: Iterable[Difference]) -> Iterable[str]:
    first: dict[tuple[str, str, str], Difference] = {}
    counts: Counter[tuple[str, str, str]] = Counter()
    for difference in differences:
        kind = (difference.call.partition("(")[0], difference.step, difference.what)
        counts[kind] += 1
        first.setdefault(kind, difference)
    for kind, difference in first.items():
        yield f"{counts[kind]} times in {difference.step}, {difference.what}: {difference.call}"
        yield f"    model: {difference.model}"
        yield f"    host:  {difference.real}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
