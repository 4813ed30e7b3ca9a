"""How long the runner of a run had no CPU while its requests were under way: time that is not the release's."""

from collections.abc import Collection, Sequence
from urllib.parse import urlsplit

from msgspec.structs import replace

from streampay_smoke.core.networks import is_loopback
from streampay_smoke.evidence import events
from streampay_smoke.evidence.journal import Entry
from streampay_smoke.evidence.objectives import samples_of
from streampay_smoke.gate.facts import target_of
from streampay_smoke.gate.history import RunHistory
from streampay_smoke.gate.objectives import measure

SHARED_MACHINE_SHARE = 0.25
"""Share of the time of its requests for which a runner had no CPU, from which on a server beside it had none either.

Measured with the sandbox on one overloaded core: 0.41 to 0.87 of reads; 0.001 of the reads of a slow release.
"""


def without_cpu_wait(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """Return a journal's entries with each request as long as it would have been on a runner with a free CPU."""
    return tuple(_without(entry) for entry in entries)


def _without(entry: Entry) -> Entry:
    event = entry.event
    if not isinstance(event, events.Exchanged) or not event.cpu_wait_ms:
        return entry
    return replace(entry, event=replace(event, duration_ms=max(0, event.duration_ms - event.cpu_wait_ms)))


def cpu_wait_share(kind: str, entries: Sequence[Entry], left_out: Collection[str]) -> float:
    """Return for which share of the time of a kind's samples, requests or none, the runner had no CPU."""
    whole_ms, kept_ms = _sum_ms(kind, entries, left_out), _sum_ms(kind, without_cpu_wait(entries), left_out)
    return 1 - kept_ms / whole_ms if whole_ms else 0.0


def _sum_ms(kind: str, entries: Sequence[Entry], left_out: Collection[str]) -> float:
    times = measure(entries, left_out).times[samples_of(kind)]
    return sum(times.warm) + sum(times.cold)


def shares_machine(run: RunHistory) -> bool:
    """Return whether the deployment is a simulated one on the runner's machine: its server waits for the same CPUs."""
    target = target_of(run)
    return target.simulated and is_loopback(urlsplit(target.base_url).hostname or "")
