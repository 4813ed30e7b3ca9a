"""Which replicas a run met, and how likely it is that it missed one."""

from collections.abc import Sequence

from streampay_smoke.evidence.fleet import disagreements
from streampay_smoke.gate.history import RunHistory
from streampay_smoke.gate.verdict import Fleet


def miss_probability(replicas: int, looks: int) -> float:
    """Return the most likely it is that one replica of so many was met by none of so many looks.

    The coupon collector's bound: a look misses a given one of N replicas with probability 1 - 1/N, all n looks with
    (1 - 1/N)^n, and one or more of N with at most N (1 - 1/N)^n, by the union bound (Motwani and Raghavan, Randomized
    Algorithms, 1995, section 3.6). It holds for a balancer that chooses evenly, and for each connection anew.
    """
    return min(1.0, replicas * (1 - 1 / replicas) ** looks) if replicas > 1 else 0.0


def fleet_of(run: RunHistory) -> Fleet | None:
    """Return the replicas that a run met, None where no release answered it at all."""
    seen = run.replicas_seen
    if not run.sightings:
        return None
    declared = (run.started.replicas if run.started else 0) or None
    names = tuple(sorted({each.replica for each in seen if each.replica}))
    looks = sum(each.fresh for each in seen)
    missed = _missed(declared, names, looks)
    return Fleet(
        declared=declared,
        looks=looks,
        replicas=names,
        miss_probability=missed,
        statement=_statement(declared, names, looks, missed),
        disagreements=disagreements(seen),
    )


def unreached(fleet: Fleet | None) -> Sequence[str]:
    """Return, in words, that replicas are known not to have been met, or that more answer than are declared."""
    if fleet is None or fleet.declared is None or len(fleet.replicas) in {0, fleet.declared}:
        return ()
    return (fleet.statement,)


def met_in_short(fleet: Fleet | None) -> Sequence[str]:
    """Return in a few words how many of several replicas were met; nothing where one or an unknown number is there."""
    if fleet is None or fleet.declared in {None, 1}:
        return ()
    if fleet.replicas:
        return (f"{len(fleet.replicas)} of {fleet.declared} replicas",)
    return (f"one of {fleet.declared} replicas missed with p <= {fleet.miss_probability:.2g}",)


def _missed(declared: int | None, names: Sequence[str], looks: int) -> float | None:
    if declared is None:
        return None
    if names:
        return float(len(names) < declared)
    return miss_probability(declared, looks)


def _statement(declared: int | None, names: Sequence[str], looks: int, missed: float | None) -> str:
    in_looks = f"in {looks} {'look' if looks == 1 else 'looks'} over connections of their own"
    named = f"{len(names)} {'replica' if len(names) == 1 else 'replicas'} answered {in_looks}"
    if declared is None:
        met = named if names else f"no replica named itself {in_looks}"
        return f"{met}; how many there are is not declared (service.replicas): whether one was missed is not known"
    if not names:
        if declared == 1:
            return "one replica is declared: whatever answered was it"
        return f"the probability that one of {declared} replicas was missed {in_looks} is at most {missed:.2g}"
    if len(names) > declared:
        return f"{named}, and {declared} {'is' if declared == 1 else 'are'} declared (service.replicas)"
    if len(names) < declared:
        return f"{named}, of {declared} that are declared: {declared - len(names)} not reached, and not judged"
    return f"{'all' if declared > 1 else 'the'} {declared} declared answered {in_looks}"
