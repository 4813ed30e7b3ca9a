"""The verdict: the records of `verdict.json`, its schema and its one way to be written."""

from enum import StrEnum
from typing import Any

import msgspec

SCHEMA = "streampay.dev/gate-verdict/v1"

MESSAGE_LIMIT = 140
"""Engines show no more than this many characters (GitHub deployment statuses)."""


class Word(StrEnum):
    """The five answers."""

    PASS = "PASS"  # noqa: S105 - not a password
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    CONFIG = "CONFIG"
    SAFETY = "SAFETY"


class Action(StrEnum):
    """What the answer asks for; the judge itself does nothing."""

    PROMOTE = "PROMOTE"
    ROLLBACK = "ROLLBACK"
    HOLD = "HOLD"


EXIT_CODES = {Word.PASS: 0, Word.FAIL: 1, Word.CONFIG: 2, Word.INCONCLUSIVE: 3, Word.SAFETY: 4}

ACTIONS = {Word.PASS: Action.PROMOTE, Word.FAIL: Action.ROLLBACK}
"""Every other word holds."""

SIGNAL_EXIT_CODES = {"SIGINT": 130, "SIGTERM": 143}


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """The deployment that was judged, and whether it was a real one."""

    environment: str
    region: str
    base_url: str
    release_expected: str
    releases_observed: tuple[str, ...]
    simulated: bool


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """The ledger that was asked; ledger numbers are None when it never answered."""

    network: str
    simulated: bool
    contract_id: str
    ledger_start: int | None
    ledger_end: int | None


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One scenario. `status` is passed, failed (the release), broken (anything else), excluded or missing."""

    id: str
    feature: str
    scenario: str
    status: str
    attribution: str
    assertions: int
    duration_ms: int
    attempts: tuple[str, ...]
    hint: str
    rule: str = ""


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """The settlement that was proved; `proof` is "ledger", "service" or "none"."""

    stream_id: str
    tx_hash: str
    ledger: int | None
    proof: str


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What was promised to run, what did, and the digest of the journal it was computed from."""

    expected_ids: tuple[str, ...]
    executed_ids: tuple[str, ...]
    missing_ids: tuple[str, ...]
    excluded_ids: tuple[str, ...]
    assertions: int
    journal_sha256: str


class Cleanup(msgspec.Struct, frozen=True, kw_only=True):
    """Synthetic data: how much was made, brought to an end, and left behind."""

    created: int
    deleted: int
    leaked: int


class Timings(msgspec.Struct, frozen=True, kw_only=True):
    """When the run's evidence begins and ends (Unix milliseconds), and how long that is."""

    started_at_ms: int
    ended_at_ms: int
    total_ms: int


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """`verdict.json`."""

    schema: str
    run_id: str
    verdict: Word
    exit_code: int
    reason_code: str
    message: str
    attribution: str
    action: Action
    target: Target
    chain: Chain
    checks: tuple[Check, ...]
    settlement: Settlement
    objectives: tuple[dict[str, Any], ...]
    evidence: Evidence
    cleanup: Cleanup
    timings: Timings


def to_json(verdict: Verdict) -> bytes:
    """Return the bytes of `verdict.json`: the same verdict always gives the same bytes."""
    return msgspec.json.format(msgspec.json.encode(verdict), indent=2) + b"\n"


def from_json(content: bytes) -> Verdict:
    """Read `verdict.json`; raises msgspec.ValidationError or DecodeError when it is not one."""
    return msgspec.json.decode(content, type=Verdict)


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of `verdict.json`."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"https://{SCHEMA}",
        **msgspec.json.schema(Verdict),
    }
