"""What a run cost: its requests, and the transactions it signed with their fees and the money they locked."""

from collections.abc import Iterator, Sequence

import msgspec

from streampay_smoke.evidence import events
from streampay_smoke.evidence.journal import Entry
from streampay_smoke.gate.history import RunHistory
from streampay_smoke.gate.verdict import Cost, FeatureCost

_OF_NO_FEATURE = ""


class _Tally(msgspec.Struct, kw_only=True):
    """Counts while entries are read; `locked_stroops` is what is locked at the moment."""

    service_requests: int = 0
    ledger_requests: int = 0
    transactions: int = 0
    fees_stroops: int = 0
    locked_stroops: int = 0
    most_locked_stroops: int = 0

    def add(self, event: events.AnyEvent) -> None:
        match event:
            case events.Exchanged(peer="ledger", stands_for=requests):
                self.ledger_requests += requests
            case events.Exchanged(stands_for=requests):
                self.service_requests += requests
            case events.Watched(source="reads"):
                self.service_requests += 1
            case events.PairSampled():
                self.service_requests += 2
            case events.TransactionClosed():
                self.transactions += 1
                self.fees_stroops += event.fee_stroops
                self.locked_stroops += event.locked_stroops
                self.most_locked_stroops = max(self.most_locked_stroops, self.locked_stroops)


def cost_of(run: RunHistory, entries: Sequence[Entry]) -> Cost:
    """Return what a run cost, in all and by feature in the order of the plan; features that cost nothing are left out.

    Money is counted in the order of time, which need not be that of the journal.
    """
    whole = _Tally()
    features = dict.fromkeys(expected.feature for expected in run.planned.expected) if run.planned else {}
    tallies = {feature: _Tally() for feature in (*features, _OF_NO_FEATURE)}
    for feature, entry in sorted(_by_feature(run, entries), key=lambda each: each[1].at_ms):
        whole.add(entry.event)
        tallies.setdefault(feature, _Tally()).add(entry.event)
    nothing = _Tally()
    return Cost(
        **_amounts(whole),
        by_feature=tuple(
            FeatureCost(feature=feature, **_amounts(tally)) for feature, tally in tallies.items() if tally != nothing
        ),
    )


def _by_feature(run: RunHistory, entries: Sequence[Entry]) -> Iterator[tuple[str, Entry]]:
    """Yield each entry with the feature it belongs to: what is between a scenario's start and its end is the
    scenario's, or, where it never ended, what is before the run's clean-up.
    """
    features = {expected.id: expected.feature for expected in run.planned.expected} if run.planned else {}
    feature = _OF_NO_FEATURE
    for entry in entries:
        match entry.event:
            case events.ScenarioStarted(id=scenario_id):
                feature = features.get(scenario_id, scenario_id)
            case events.CleanUpStarted() | events.BakeStarted() | events.Interrupted() | events.RunFinished():
                feature = _OF_NO_FEATURE
        yield feature, entry
        if isinstance(entry.event, events.ScenarioFinished):
            feature = _OF_NO_FEATURE


def _amounts(tally: _Tally) -> dict[str, int]:
    return {name: value for name, value in msgspec.structs.asdict(tally).items() if name != "locked_stroops"}
