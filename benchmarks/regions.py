"""How much longer several regions take side by side than the farthest one alone, on this machine and ledgers of 5 s.

    .venv/bin/python benchmarks/regions.py [--regions 1 4 10]

Plays `run --env sandbox-regions --region all` with so many of its regions, the farthest ones, and prints a row for
each: wall time, CPU of everything that was started, exit code. The first row is what the others are compared with.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from speed_parts.processes import cpu_seconds_of_children

ROOT = Path(__file__).resolve().parents[1]
FILE = "environments/sandbox-regions.toml"


def with_regions(text: str, count: int) -> str:
    """Return an environment file with so many of its regions, the farthest ones."""
    head, *regions = re.split(r"^(?=\[\[regions\]\]$)", text, flags=re.MULTILINE)
    by_distance = sorted(regions, key=lambda region: -int(region.rpartition("= ")[2]))
    return head + "".join(by_distance[:count])


def played(count: int) -> tuple[float, float, int]:
    """Play so many regions; return the seconds that it took, those of CPU, and the exit code."""
    with tempfile.TemporaryDirectory(prefix="regions-") as place:
        folder = Path(place)
        for name in ("features", "environments", "behave.ini"):
            source = ROOT / name
            (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
        (folder / FILE).write_text(with_regions((ROOT / FILE).read_text(), count))
        environ = {name: value for name, value in os.environ.items() if not name.startswith("SMOKE_")}
        command = [
            sys.executable,
            "-m",
            "streampay_smoke",
            "run",
            "--env",
            "sandbox-regions",
            "--region",
            "all",
            "--quiet",
        ]
        before_seconds, began = cpu_seconds_of_children(), time.monotonic()
        done = subprocess.run(command, cwd=folder, env=environ, stdout=subprocess.DEVNULL, check=False)
        return time.monotonic() - began, cpu_seconds_of_children() - before_seconds, done.returncode


def main(arguments: Sequence[str] | None = None) -> int:
    """Play and print; 1 where a run does not pass."""
    parser = argparse.ArgumentParser(description="Play several regions side by side, and compare.")
    parser.add_argument("--regions", type=int, nargs="+", default=[1, 4, 10], metavar="COUNT")
    counts = parser.parse_args(arguments).regions
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores\n")
    print("| regions | seconds | as many times as the first | CPU seconds | exit code |\n|---|---|---|---|---|")
    first, codes = 0.0, []
    for count in counts:
        seconds, cpu_seconds, code = played(count)
        first = first or seconds
        codes.append(code)
        print(f"| {count} | {seconds:.1f} | {seconds / first:.2f} | {cpu_seconds:.1f} | {code} |", flush=True)
    return 1 if any(codes) else 0


if __name__ == "__main__":
    sys.exit(main())
