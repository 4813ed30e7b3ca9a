"""Runs as a history knows them, for tests."""

from typing import Any

from streampay_smoke.gate.verdict import VerdictStatus
from streampay_smoke.history.record import CheckRecord, ObjectiveRecord, RunRecord


def run_record(number: int = 1, verdict: str = "PASS", **given: Any) -> RunRecord:
    """A run of the whole suite in staging, the later the higher its number."""
    values: dict[str, Any] = {
        "run_id": f"20260101T{number:06d}Z-abc",
        "recorded_at_ms": 1_000_000 + number,
        "environment": "staging",
        "verdict": VerdictStatus(verdict),
        "reason_code": "all_promises_kept" if verdict == "PASS" else "promise_broken",
        "whole_suite": True,
        "releases": ("v1",),
        "duration_ms": 40_000,
        "checks": (check("pays"),),
        "objectives": (latency(800.0),),
    }
    return RunRecord(**{**values, **given})


def check(name: str, status: str = "passed", *, flaky: bool = False) -> CheckRecord:
    """A check of a run."""
    return CheckRecord(id=f"id-{name}", scenario=name, status=status, flaky=flaky)


def latency(estimate: float, decision: str = "pass") -> ObjectiveRecord:
    """An objective of a run."""
    return ObjectiveRecord(name="reads", decision=decision, unit="ms", threshold=2000, estimate=estimate, gates=True)
