"""Evidence that is cut, changed or replaced: while a run writes it, and when it is judged again."""

import json
import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from mutators.mutant import PART, Meddling, Mutant
from streampay_smoke.evidence import events
from streampay_smoke.evidence.events import AnyEvent
from streampay_smoke.evidence.journal import Journal, read
from streampay_smoke.evidence.redaction import Redactor

DURING_MOMENTS = 2

NEEDED = (
    events.RunStarted,
    events.RunPlanned,
    events.ScenarioStarted,
    events.StepStarted,
    events.StepFinished,
    events.ScenarioFinished,
    events.Settled,
    events.RunFinished,
)
"""Events without which something is not proved, each of them."""


class Forged(msgspec.Struct, frozen=True, kw_only=True):
    """A journal that is only judged: its bytes, made from a good one."""

    kind: str
    name: str
    content: bytes

    @property
    def id(self) -> str:
        return f"{self.kind}: {self.name}"


def during_mutants(journal_lines: int, foreign: Path, rng: random.Random) -> Iterator[Mutant]:
    """Yield what is done to the journal of a run that is under way. `foreign` is a good journal of another run."""
    deeds: dict[str, Callable[[Path], object]] = {
        "removed": lambda folder: (folder / "journal.jsonl").unlink(),
        "emptied": lambda folder: (folder / "journal.jsonl").write_bytes(b""),
        "cut in half": lambda folder: _halved(folder / "journal.jsonl"),
        "changed": lambda folder: _flipped(folder / "journal.jsonl"),
        "given a line of its own": lambda folder: _appended(folder / "journal.jsonl", b'{"seq":1}\n'),
        "replaced by a good one": lambda folder: _replaced(folder / "journal.jsonl", foreign),
        "overwritten with a good one": lambda folder: (folder / "journal.jsonl").write_bytes(foreign.read_bytes()),
        "removed with its folder": shutil.rmtree,
        "made a folder": lambda folder: _folder(folder / "journal.jsonl"),
    }
    for what, deed in deeds.items():
        for entry in ("behave", "run"):
            for at_line in sorted(rng.sample(range(2, journal_lines - 20), DURING_MOMENTS)):
                yield Mutant(
                    kind="the journal is spoilt while it is written",
                    name=f"{what}, {entry}, at line {at_line}",
                    entry=entry,
                    tags=PART,
                    meddling=Meddling(at_line=at_line, deed=deed),
                )


def after_mutants(journal: Path, rng: random.Random) -> Iterator[Forged]:
    """Yield a good journal, spoilt in every way, one line of each kind of event at a time."""
    lines = journal.read_bytes().splitlines(keepends=True)
    of_kind: dict[str, list[int]] = {}
    for at, line in enumerate(lines):
        of_kind.setdefault(json.loads(line)["event"]["event"], []).append(at)
    for kind, places in sorted(of_kind.items()):
        at = rng.choice(places)
        line, before, after = lines[at], lines[:at], lines[at + 1 :]
        changed = line.replace(b'"at_ms":1', b'"at_ms":2', 1)
        for what, content in {
            "a line is removed": [*before, *after],
            "a line is changed": [*before, changed, *after],
            "a line is written twice": [*before, line, line, *after],
            "it ends before a line": before,
            "it ends within a line": [*before, line[: len(line) // 2]],
            "a line is moved to the front": [line, *before, *after],
        }.items():
            joined = b"".join(content)
            if joined != b"".join(lines):
                yield Forged(
                    kind=f"of a journal that is judged again, {what}", name=f"line {at + 1}, {kind}", content=joined
                )
    for name, spoilt in (("emptied", b""), ("no text", b"\xff" * 99), ("its last newline", b"".join(lines)[:-1])):
        yield Forged(kind="a journal that is judged again is spoilt", name=name, content=spoilt)


def rechained_mutants(journal: Path, scratch: Path) -> Iterator[Forged]:
    """Yield a good journal without one event that proves something, its chain written anew."""
    entries = read(journal).entries
    for at, entry in enumerate(entries):
        if isinstance(entry.event, NEEDED):
            rest = [other.event for other in entries if other is not entry]
            name = f"line {at + 1}, {type(entry.event).__name__}"
            yield Forged(
                kind="evidence is left out and the chain written anew", name=name, content=_written(rest, scratch)
            )
    events = [entry.event for entry in entries]
    for at, event in enumerate(events):
        for change in _worse(event):
            other = [*events[:at], msgspec.structs.replace(event, **change), *events[at + 1 :]]
            name = f"line {at + 1}, {type(event).__name__}, {', '.join(change)}"
            yield Forged(
                kind="evidence says the contrary and the chain is written anew",
                name=name,
                content=_written(other, scratch),
            )


def _worse(event: AnyEvent) -> Sequence[dict[str, Any]]:
    """Return what would have been written had something not been well."""
    match event:
        case events.Checked():
            return [{"held": False}]
        case events.StepFinished():
            return [{"status": "failed"}]
        case events.ScenarioFinished():
            return [{"status": "failed"}]
        case events.Settled():
            return [{"proof": "service"}, {"tx_hash": ""}]
        case events.RunFinished():
            return [{"failed": True}, {"clock_moved_seconds": 99.0}, {"statuses": {}}]
        case events.RunPlanned():
            return [{"expected": ()}, {"problems": ("a misspelt keyword",)}]
        case events.RunStarted():
            return [{"proof": "service"}, {"release_expected": "another"}]
    return []


def _written(story: Sequence[AnyEvent], scratch: Path) -> bytes:
    path = scratch / "forged.jsonl"
    path.unlink(missing_ok=True)
    clock = iter(range(1_000, 10**9, 10))
    with Journal(path, Redactor(), now_ms=lambda: next(clock)) as journal:
        for event in story:
            journal.append(event)
    return path.read_bytes()


def _halved(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def _appended(path: Path, line: bytes) -> None:
    with path.open("ab") as journal:
        journal.write(line)


def _replaced(path: Path, foreign: Path) -> None:
    path.unlink()
    shutil.copy(foreign, path)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
