"""Where the time of a run went that had too little of it: by feature, and by what was waited for."""

from collections import Counter
from collections.abc import Sequence

from streampay_smoke.evidence import events
from streampay_smoke.evidence.journal import Entry
from streampay_smoke.gate.history import RunHistory

MOST_NAMED = 3
"""How many features, and how many kinds of waits, are named."""

LEAST_MS = 500
"""What took less is not named."""

LEDGER = "ledgers"
_WAITS = {
    "the rate limit": "rate limits",
    "the cutover": "a service that was silent",
    "the service to say that it is ready": "readiness",
}
"""What a wait is for, by how it begins; all others are for the ledger."""


def description(run: RunHistory, entries: Sequence[Entry]) -> str:
    """Return e.g. "spent: The ledger itself 34 s, ...; of it waiting for ledgers 40 s, ...", "" for no time at all."""
    features = _most(_by_feature(run))
    waits = _most(_by_wait(entries))
    if not features:
        return ""
    return f"spent: {features}" + (f"; of it waiting for {waits}" if waits else "")


def _by_feature(run: RunHistory) -> Counter[str]:
    """Return the milliseconds of each feature's scenarios; one that was cut off lasts until the run's clean-up."""
    spent: Counter[str] = Counter()
    names = {expected.id: expected.feature for expected in run.planned.expected} if run.planned else {}
    cut_off_at_ms = run.clean_up_at_ms or run.ended_at_ms
    for scenario_id, history in run.scenarios.items():
        ended = history.finished
        spent[names.get(scenario_id, scenario_id)] += (
            ended.duration_ms if ended else cut_off_at_ms - history.started_at_ms
        )
    return spent


def _by_wait(entries: Sequence[Entry]) -> Counter[str]:
    """Return the milliseconds of each kind of wait, the one that was cut off among them."""
    spent: Counter[str] = Counter()
    begun: dict[str, int] = {}
    for entry in entries:
        match entry.event:
            case events.Awaiting(peer="", what=what):
                begun.setdefault(what, entry.at_ms)
            case events.Waited(what=what, waited_seconds=waited_seconds):
                begun.pop(what, None)
                spent[_kind(what)] += round(waited_seconds * 1000)
            case events.CleanUpStarted() | events.Interrupted():
                for what, at_ms in begun.items():
                    spent[_kind(what)] += entry.at_ms - at_ms
                break
    return spent


def _kind(what: str) -> str:
    return next((kind for beginning, kind in _WAITS.items() if what.startswith(beginning)), LEDGER)


def _most(spent: Counter[str]) -> str:
    named = [(name, ms) for name, ms in spent.most_common(MOST_NAMED) if ms >= LEAST_MS]
    return ", ".join(f"{name} {ms / 1000:.0f} s" for name, ms in named)
