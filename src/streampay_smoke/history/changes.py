"""What is different from the last green run, in words."""

from collections.abc import Iterable, Iterator, Sequence

from streampay_smoke.history.record import ObjectiveRecord, RunRecord

_MUCH = 0.25
"""By which share a time has to change before it is worth a word."""

_LEAST_MS = 5_000
_NAMED = 3
_RED = frozenset({"failed", "broken", "missing"})


def last_green(newest_first: Iterable[RunRecord], environment: str, region: str) -> RunRecord | None:
    """Return the newest run of the whole suite in this place in which every promise was kept."""
    return next(
        (run for run in newest_first if run.is_green and (run.environment, run.region) == (environment, region)), None
    )


def changes(green: RunRecord, run: RunRecord) -> Iterator[str]:
    """Yield each thing that a run differs in from the green one before it."""
    if green.releases != run.releases and run.releases:
        yield f"release {_joined(run.releases)} in place of {_joined(green.releases)}"
    for name in ("network", "contract_id"):
        before, now = getattr(green, name), getattr(run, name)
        if now and before != now:
            yield f"{name.removesuffix('_id')} {now} in place of {before or 'none'}"
    if run.whole_suite:
        yield from _scenarios(green, run)
    passed = {check.id for check in green.checks if check.status == "passed"}
    red = [check.scenario for check in run.checks if check.status in _RED and check.id in passed]
    if red:
        yield f"no longer passed: {_named(red)}"
    if run.whole_suite:
        yield from _objectives(green, run)
    if run.whole_suite and abs(run.duration_ms - green.duration_ms) >= max(_LEAST_MS, _MUCH * green.duration_ms):
        yield f"it took {run.duration_ms / 1000:.0f} s in place of {green.duration_ms / 1000:.0f} s"


def since_green(green: RunRecord | None, run: RunRecord) -> str:
    """Return in one sentence what changed since the last green run."""
    if green is None:
        return "No earlier green run of the whole suite is known here."
    found = list(changes(green, run)) or ["nothing that is recorded changed"]
    return f"{green.run_id}: {'; '.join(found)}."


def _scenarios(green: RunRecord, run: RunRecord) -> Iterator[str]:
    before = {check.id: check.scenario for check in green.checks if check.status != "excluded"}
    now = {check.id: check.scenario for check in run.checks if check.status != "excluded"}
    new = [name for each, name in now.items() if each not in before]
    gone = [name for each, name in before.items() if each not in now]
    if new:
        yield f"{len(new)} scenarios more ({_named(new)})"
    if gone:
        yield f"{len(gone)} scenarios less ({_named(gone)})"


def _objectives(green: RunRecord, run: RunRecord) -> Iterator[str]:
    before = {objective.name: objective for objective in green.objectives}
    for objective in run.objectives:
        earlier = before.get(objective.name)
        if earlier is not None and _differs(earlier, objective):
            yield f"{objective.name} {measured(objective)} in place of {measured(earlier)}"


def _differs(earlier: ObjectiveRecord, now: ObjectiveRecord) -> bool:
    if earlier.decision != now.decision and now.decision == "fail":
        return True
    if earlier.estimate is None or now.estimate is None or earlier.unit != now.unit:
        return False
    return abs(now.estimate - earlier.estimate) > _MUCH * max(abs(earlier.estimate), _MUCH * abs(now.threshold))


def measured(objective: ObjectiveRecord) -> str:
    """Return an objective's estimate with its unit."""
    return "unmeasured" if objective.estimate is None else f"{objective.estimate:.4g} {objective.unit}".rstrip()


def _joined(releases: Sequence[str]) -> str:
    return " and ".join(releases) or "one that is not stated"


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(f'"{name}"' for name in names[:_NAMED]) + more
