"""How fast the gate is, measured side by side in one run: start-up, whole runs, evidence, other clients.

    .venv/bin/python benchmarks/speed.py [--runs N] [--only PART...] [--with-other-tools] [--write]
    .venv/bin/python benchmarks/speed.py --check

Prints a table of medians, each with its ratio to a base that was measured beside it. `--write` writes docs/speed.md
(all parts: three quarters of an hour with 5 runs, for ledgers of 5 and 6 s take their time). `--with-other-tools`
installs what the API part is compared with into .benchmark-tools/. `--check` measures the cheap parts a few times and
ends with 1 where one has grown beyond a generous ratio; it says which. So does a part that cannot be measured, and the
others are measured all the same.
"""

import argparse
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

from speed_parts import clients, evidence, ledger_throughput, memory, start_up, ten_runs, told, whole_runs  # noqa: E402
from speed_parts.rows import Row, only_rows, section  # noqa: E402

from streampay_selftest.commits import commit_of  # noqa: E402

PAGE = ROOT / "docs" / "speed.md"
RUNS, CHECK_RUNS = 5, 2
NOT_MEASURED = "The rest was not measured"

WHY: Mapping[str, str] = {
    "`streampay-smoke run --tags @readiness`": (
        "CPU: the supervisor 0.12 s, Python and behave 0.12, runner and httpx 0.13, manifest, plan and steps 0.08, the "
        "run 0.06, verdict and reports 0.1; behave and httpx alone are beyond the target"
    ),
    "`behave --tags=@readiness`": "the same without the supervisor",
    "nothing listens": (
        "no fixed wait is left, all is CPU: 0.6 s until the first request, 0.4 for the evidence of 75 blocked checks, "
        "0.2 to judge and tell; with other work on the machine a multiple of that"
    ),
    "never ready": "as above",
    "sign-in answers": (
        "0.45 s until the first request, 0.4 for the evidence of blocked checks, 0.35 for stellar-sdk, which the "
        "control probe needs"
    ),
    "the whole smoke, instant": (
        "3.7 s of CPU in one process: 500 requests at 3.7 ms (the gate 1.6, the sandbox 2.1), start 0.6 s, stellar-sdk "
        "0.4, redacting 2,200 events 0.35, reports 0.3"
    ),
    "the same, each request": (
        "start 4 s, the longest lanes 38 s (42 requests between 6 closes), 8 s for rate limits, and what else is "
        "played when no lane is left"
    ),
    "ledgers of 5 s: lanes": (
        "lanes 7 x 19 MiB, 14 of each in pages that it has written to; the supervisor 17, the sandbox 65"
    ),
    "a stream created and settled, in": (
        "4.4 ms of CPU at best: stellar-sdk decodes and encodes XDR in Python, and nothing else stands out; the shares "
        "below the table are of this run"
    ),
    "a stream created and settled, over": (
        "as above, 0.8 ms of CPU for each HTTP request in the ledger's process, and the client's own, which waits for "
        "each answer"
    ),
}
"""Where the time of a missed target went, by how its row begins, as profiled when this was written."""

Part = Callable[[int], Iterator[Row | str]]
"""Measures so many times; a text among its rows is a remark about them."""

PARTS: Mapping[str, tuple[str, Part]] = {
    "start-up": ("Start-up by part, in seconds of CPU", start_up.rows),
    "told": ("How soon a release that cannot pass is told", told.rows),
    "api": ("The API part against other tools that make the same reads", clients.rows),
    "evidence": ("What evidence costs, in CPU for each scenario", evidence.rows),
    "memory": ("Memory, at its most", memory.rows),
    "ledger": ("The sandbox's ledger, from one client", ledger_throughput.rows),
    "whole-run": ("The whole smoke", whole_runs.rows),
    "ten-runs": ("Runs side by side against one deployment, ledgers of 5 s", ten_runs.rows),
}
CHECKED: Mapping[str, Part] = {
    "start-up": start_up.rows,
    "evidence": lambda runs: evidence.checked_rows(),
    "api": clients.checked_rows,
    "ledger": ledger_throughput.checked_rows,
    "whole-run": lambda runs: whole_runs.rows(1, ()),
}
"""The parts that are cheap enough for every change, as often as it takes: evidence has repeats of its own."""


def main(arguments: Sequence[str]) -> int:
    """Measure and print; 1 where a checked part grew."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=RUNS, help="how often each thing is measured")
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    parser.add_argument("--with-other-tools", action="store_true", help="install the tools of the part `api`")
    parser.add_argument("--check", action="store_true", help="look for regressions, in the cheap parts only")
    options = parser.parse_args(arguments)
    if options.check:
        return _check()
    if options.write and options.only:
        parser.error("a page has all parts: --write does not go with --only")
    load_before = os.getloadavg()[0]
    measures = {name: measure for name, (_, measure) in PARTS.items()}
    measures["api"] = partial(clients.rows, installs=options.with_other_tools)
    found: dict[str, Sequence[Row | str]] = {}
    for name in options.only or PARTS:
        print(f"## {PARTS[name][0]}", flush=True)
        found[name] = list(_as_far_as_possible(measures[name], options.runs))
        print(section(found[name]), flush=True)
    if options.write:
        PAGE.write_text(_page(found, options.runs, (load_before, os.getloadavg()[0])))
    return int(any(str(each).startswith(NOT_MEASURED) for rows in found.values() for each in rows))


def _as_far_as_possible(measure: Part, runs: int) -> Iterator[Row | str]:
    """Yield what a part yields, and why the rest of it could not be measured."""
    try:
        yield from measure(runs)
    except (RuntimeError, AssertionError, OSError, subprocess.SubprocessError) as problem:
        yield f"{NOT_MEASURED}: {problem}"


def _check() -> int:
    grew = []
    for name, measure in CHECKED.items():
        began = time.monotonic()
        for row in only_rows(measure(CHECK_RUNS)):
            said = f"{name}: {row.what}: {row.least_ratio:.2f} x {row.base}"
            if row.grew:
                grew.append(f"{said}, and may be {row.most:g} at most")
            print(said, flush=True)
        print(f"{name}: looked at in {time.monotonic() - began:.0f} s", flush=True)
    for line in grew:
        print(f"grew: {line}")
    return int(bool(grew))


def _page(found: Mapping[str, Sequence[Row | str]], runs: int, loads: tuple[float, float]) -> str:
    every = [row for rows in found.values() for row in only_rows(rows) if row.met is not None]
    missed = [row for row in every if not row.met]
    where = (
        f"{os.cpu_count()} cores (load {loads[0]:.1f} before, {loads[1]:.1f} after), Python {platform.python_version()}"
    )
    lines = [
        "# How fast it is",
        "",
        f"Written by `python benchmarks/speed.py --write --runs {runs}` at commit {commit_of(ROOT)}, on {where}.",
        "Each row was measured beside its base, on the same machine and in the same minutes: ratios can be compared",
        "between machines, seconds cannot.",
        "",
        f"Targets that are missed: {len(missed)} of {len(every)}.",
        *(f"- {row.what}: {row.ratio:.2f} times {row.base}, {row.target:.2f} wanted{_why(row)}" for row in missed),
    ]
    for name, rows in found.items():
        lines += ["", f"## {PARTS[name][0]}", "", section(rows)]
    return "\n".join(lines) + "\n"


def _why(row: Row) -> str:
    found = next((why for beginning, why in WHY.items() if row.what.startswith(beginning)), "")
    return f" ({found})" if found else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
