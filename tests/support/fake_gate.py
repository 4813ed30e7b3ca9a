"""A gate that says what it is told to: `fake_gate.py WORD ATTRIBUTION [CHECK...] [--exit N] [--silent] [--hang]`."""

import argparse
import sys
import time
from pathlib import Path

from msgspec.structs import replace

from streampay_smoke.evidence.journal import JournalRead
from streampay_smoke.gate.judge import judge
from streampay_smoke.gate.verdict import EXIT_CODES, Check, VerdictStatus, to_json

parser = argparse.ArgumentParser()
parser.add_argument("word", type=VerdictStatus)
parser.add_argument("attribution")
parser.add_argument("red", nargs="*")
parser.add_argument("--exit", type=int)
parser.add_argument("--silent", action="store_true")
parser.add_argument("--hang", action="store_true")
parser.add_argument("--tags", action="append", default=[])
chosen = parser.parse_args()
checks = tuple(
    Check(
        id=name,
        feature="",
        scenario=name,
        status="failed",
        attribution=chosen.attribution,
        assertions=1,
        duration_ms=1,
        attempts=(),
        hint="",
    )
    for name in chosen.red
)
if not chosen.silent:
    folder = Path("artifacts/run")
    folder.mkdir(parents=True)
    (folder.parent / "latest").symlink_to(folder.name)
    (folder / "journal.jsonl").write_text('{"event": "scenario_finished"}\n')
    verdict = replace(
        judge(JournalRead(entries=(), sha256="")),
        verdict=chosen.word,
        exit_code=EXIT_CODES[chosen.word],
        attribution=chosen.attribution,
        reason_code="told_so",
        message=f"selected {chosen.tags}",
        checks=checks,
    )
    (folder / "verdict.json").write_bytes(to_json(verdict))
print("the last words")
sys.stdout.flush()
if chosen.hang:
    time.sleep(300)
sys.exit(EXIT_CODES[chosen.word] if chosen.exit is None else chosen.exit)
