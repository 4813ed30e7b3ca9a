"""What is around the suite: behave's configuration, its manifest, the environment, the process, the clock, the disk."""

import random
import re
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from suite_parts import Project

from mutators.mutant import PART, Limits, Meddling, Mutant, Spoil
from mutators.steps import customized
from streampay_smoke.settings.variables import VARIABLES

DECISIVE = {
    "default_tags": "@nothing",
    "dry_run": "true",
    "exclude_re": "settlement",
    "format": "help",
    "include_re": "readiness",
    "lang": "de",
    "name": "ready",
    "paths": "features/readiness.feature",
    "runner": "behave.runner:Runner",
    "stage": "fake",
    "steps_catalog": "true",
    "stop": "true",
    "tag_expression_protocol": "v2",
    "tags": "@readiness",
    "use_nested_step_modules": "true",
    "wip": "true",
}
"""Keys of behave that decide what is played, each with a value that plays less, or nothing."""

QUESTIONS = {"format": "run"}
"""Keys by which behave is asked for help instead: it answers and ends with 0 before it loads anything of this project.

Only `streampay-smoke run`, which waits for evidence, can tell that nothing was played.
"""

HOME_TOML = """\
dry_run = true
stop = true
default_tags = ["@nothing"]
tags = ["@nothing"]
name = ["nothing"]
paths = ["elsewhere"]
format = ["help"]
runner = "behave.runner:Runner"
"""
HOME_FILES = ("behave.ini", ".behaverc", "setup.cfg", "tox.ini")
FAULTY = "ready-degraded-but-200"
"""What a mutant that may whitewash is played against: an answer that says ready and means degraded."""

FAULTY_BY_TAGS = {
    "@readiness": FAULTY,
    "@streams": "list-open",
    "@settlement": "settle-lies",
    "@chain": "contract-pays-less",
}


def configuration_mutants() -> Iterator[Mutant]:
    """Yield changes of the project's behave.ini, and habits that somebody keeps in the home folder."""
    for key, value in DECISIVE.items():
        yield Mutant(
            kind="a key of behave.ini is changed",
            name=f"{key} = {value}",
            spoil=_ini(key, value),
            entry=QUESTIONS.get(key, ""),
        )
        yield Mutant(
            kind="a key of behave.ini is gone, and the home folder has it",
            name=f"{key} = {value}",
            spoil=_both(_ini(key, None), _home("behave.ini", f"[behave]\n{key} = {value}\n")),
            environ={"HOME": "home"},
            entry=QUESTIONS.get(key, ""),
        )
    deeds: dict[str, Callable[[Path], object]] = {
        "gone": lambda path: path.unlink(),
        "emptied": lambda path: path.write_text(""),
        "its section is misspelt": lambda path: path.write_text(path.read_text().replace("[behave]", "[behav]")),
        "cut in half": lambda path: path.write_text(path.read_text()[: len(path.read_text()) // 2]),
    }
    for what, deed in deeds.items():
        yield Mutant(kind="behave.ini is spoilt", name=what, spoil=_on("behave.ini", deed))
    for file in HOME_FILES:
        for tags, fault in FAULTY_BY_TAGS.items():
            text = "[behave]\n" + "".join(f"{key} = {value}\n" for key, value in DECISIVE.items())
            yield Mutant(
                kind="the home folder has habits",
                name=f"{file}, {tags}",
                spoil=_home(file, text),
                environ={"HOME": "home"},
                tags=tags,
                against=fault,
            )
    for tags, fault in FAULTY_BY_TAGS.items():
        yield Mutant(
            kind="the home folder has habits",
            name=f"pyproject.toml, {tags}",
            spoil=_home("pyproject.toml", f"[tool.behave]\n{HOME_TOML}"),
            environ={"HOME": "home"},
            tags=tags,
            against=fault,
        )


def manifest_mutants(manifest: Path) -> Iterator[Mutant]:
    """Yield changes of the manifest itself: a suite nobody knows is not played."""
    lines = manifest.read_bytes().splitlines(keepends=True)
    for at, line in enumerate(lines):
        rest = b"".join([*lines[:at], *lines[at + 1 :]])
        other = re.sub(rb'"sha256":"(.)', lambda found: b'"sha256":"' + (b"0" if found[1] != b"0" else b"1"), line)
        changed = b"".join([*lines[:at], other, *lines[at + 1 :]])
        yield Mutant(kind="a line of the manifest is gone", name=f"line {at + 1}", spoil=_manifest(rest))
        yield Mutant(kind="a digest of the manifest is changed", name=f"line {at + 1}", spoil=_manifest(changed))
    whole = b"".join(lines)
    for name, content in (
        ("emptied", b""),
        ("cut off", whole[: len(whole) // 2]),
        ("twice", whole * 2),
        ("no text", b"\xff"),
    ):
        yield Mutant(kind="the manifest is spoilt", name=name, spoil=_manifest(content))
    yield Mutant(
        kind="the manifest is spoilt", name="gone", spoil=lambda project: (project.features / "manifest.jsonl").unlink()
    )


WRONG: Mapping[str, Mapping[str, str]] = {
    "no token secret": {"SMOKE_AUTH_MODE": "jwt", "SMOKE_AUTH_JWT_SECRET": ""},
    "no token": {"SMOKE_AUTH_MODE": "bearer"},
    "no API key": {"SMOKE_AUTH_MODE": "api-key", "SMOKE_API_KEY": ""},
    "a wrong token secret": {"SMOKE_AUTH_MODE": "jwt", "SMOKE_AUTH_JWT_SECRET": "not-the-one-of-this-sandbox-0123"},
    "a wrong API key": {"SMOKE_AUTH_MODE": "api-key", "SMOKE_API_KEY": "an-api-key-of-nobody"},
    "no contract in staging": {"SMOKE_ENV": "staging", "SMOKE_STELLAR_NETWORK": "testnet", "SMOKE_CONTRACT_ID": ""},
    "no address in staging": {"SMOKE_ENV": "staging", "SMOKE_BASE_URL": "", "SMOKE_STELLAR_NETWORK": "testnet"},
    "no address in production": {"SMOKE_ENV": "production", "SMOKE_BASE_URL": ""},
    "no such place": {"SMOKE_ENV": "nowhere"},
    "the public network": {"SMOKE_STELLAR_NETWORK": "public"},
    "no such dialect": {"SMOKE_DIALECT": "app-v9"},
    "no such proof": {"SMOKE_SETTLEMENT_PROOF": "hope"},
    "a deadline of no length": {"SMOKE_DEADLINE_SECONDS": "0"},
    "a seed that is none": {"SMOKE_SIGNER_SEED": "SNONE"},
    "a signing key that is none": {"SMOKE_SIGNING_KEY": "none"},
    "another contract": {"SMOKE_CONTRACT_ID": "CAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAD2KM"},
    "a ledger that is not there": {"SMOKE_STELLAR_RPC_URL": "http://127.0.0.1:9"},
    "a service that is not there": {"SMOKE_BASE_URL": "http://127.0.0.1:9"},
    "a release that is not there": {"SMOKE_EXPECT_RELEASE": "another"},
}


def environment_mutants() -> Iterator[Mutant]:
    """Yield settings that are missing, wrong or misspelt."""
    for name, environ in WRONG.items():
        yield Mutant(kind="a setting is missing or wrong", name=name, environ=environ)
    for name in VARIABLES:
        yield Mutant(kind="a setting is misspelt", name=name[:-1], environ={name[:-1]: "1"})
    for tags in ("@smok", "not @smoke", "@readiness and @chain", "@smoke and @nothing", "@SMOKE"):
        yield Mutant(kind="the selection is empty", name=tags, tags=tags)


def process_mutants(journal_bytes: int) -> Iterator[Mutant]:
    """Yield processes that start with less than they need: no assertions, no streams, no room, another clock."""
    for level in ("1", "2"):
        for tags, fault in FAULTY_BY_TAGS.items():
            yield Mutant(
                kind="assertions are stripped",
                name=f"PYTHONOPTIMIZE={level}, {tags}",
                environ={"PYTHONOPTIMIZE": level},
                tags=tags,
                against=fault,
            )
    for closed in ((0,), (1,), (2,), (0, 1), (1, 2), (0, 1, 2)):
        for entry in ("behave", "run"):
            yield Mutant(
                kind="standard streams are closed",
                name=f"{closed}, {entry}",
                limits=Limits(closed=closed),
                entry=entry,
                tags="@readiness",
                against=FAULTY,
            )
    for share in (0, 2, 10, 25, 50, 70, 80, 90):
        for entry in ("behave", "run"):
            yield Mutant(
                kind="the disk is full",
                name=f"at {share} % of the journal, {entry}",
                limits=Limits(file_bytes=journal_bytes * share // 100),
                entry=entry,
                tags=PART,
            )


CLOCK = """\
import datetime as calendar, time
began, real, real_ns = time.monotonic(), time.time, time.time_ns

def offset():
    return {seconds} if time.monotonic() - began >= {after} else 0

time.time = lambda: real() + offset()
time.time_ns = lambda: real_ns() + offset() * 10**9

class Moved(calendar.datetime):
    @classmethod
    def now(cls, tz=None):
        return super().fromtimestamp(time.time(), tz)

calendar.datetime = Moved
"""


def clock_mutants() -> Iterator[Mutant]:
    """Yield clocks that are wrong from the start, or are set in the middle of a run."""
    for seconds in (-400 * 86_400, -86_400, -3_600, -600, 600, 3_600, 86_400, 400 * 86_400):
        for after, what in ((0, "from the start"), (1.3, "after 1.3 s")):
            yield Mutant(
                kind="the clock is moved",
                name=f"by {seconds} s {what}",
                spoil=customized(CLOCK.format(seconds=seconds, after=after)),
                environ={"PYTHONPATH": "custom"},
                tags=PART,
            )


MOMENTS = 5


def signal_mutants(journal_lines: int, rng: random.Random) -> Iterator[Mutant]:
    """Yield signals at random moments of a run, to behave itself and to its supervisor."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
        for entry, to in (("behave", "behave"), ("run", "behave"), ("run", "supervisor")):
            for at_line in sorted(rng.sample(range(1, journal_lines - 20), MOMENTS)):
                yield Mutant(
                    kind=f"{number.name} to {'the ' if to == 'supervisor' else ''}{to}",
                    name=f"{entry}, at line {at_line} of the journal",
                    entry=entry,
                    tags=PART,
                    meddling=Meddling(at_line=at_line, to=to, number=number),
                )


def _ini(key: str, value: str | None) -> Spoil:
    def change(path: Path) -> None:
        text = path.read_text()
        line = "" if value is None else f"{key} = {value}\n"
        changed, count = re.subn(rf"(?m)^{key} =.*\n", line, text)
        if count != 1:
            raise ValueError(f"{key} is not in behave.ini")
        path.write_text(changed)

    return _on("behave.ini", change)


def _on(name: str, deed: Callable[[Path], object]) -> Spoil:
    def spoil(project: Project) -> None:
        deed(project.folder / name)

    return spoil


def _home(name: str, text: str) -> Spoil:
    def spoil(project: Project) -> None:
        home = project.folder / "home"
        home.mkdir(exist_ok=True)
        (home / name).write_text(text)

    return spoil


def _both(*spoils: Spoil) -> Spoil:
    def spoil(project: Project) -> None:
        for each in spoils:
            each(project)

    return spoil


def _manifest(content: bytes) -> Spoil:
    def spoil(project: Project) -> None:
        (project.features / "manifest.jsonl").write_bytes(content)

    return spoil
