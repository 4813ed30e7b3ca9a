"""`streampay-smoke sweep`: brings to an end what crashed runs left behind, and nothing of anybody else's."""

import datetime
import secrets
import sys
import time
from collections.abc import Callable, Iterable, Iterator

import msgspec

from streampay_smoke.acceptance.checks.readiness import refuse_real_money
from streampay_smoke.acceptance.observations.listing import records_of
from streampay_smoke.acceptance.resources.synthetic_streams import FINISHED, LEASE_SECONDS
from streampay_smoke.acceptance.run_context import RunContext
from streampay_smoke.core.errors import SettingsInvalid, SmokeError
from streampay_smoke.core.progress_line import Count, counted
from streampay_smoke.evidence.events import AnyEvent, Warned
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.gate.verdict import EXIT_CODES, VerdictStatus
from streampay_smoke.operations.left_on_contract import Fate, bring_to_end, fate_of, left_open
from streampay_smoke.service.lease import Lease
from streampay_smoke.service.orders import RATE, SCHEDULE
from streampay_smoke.service.records import StreamRecord
from streampay_smoke.settings import Settings


class Leftover(msgspec.Struct, frozen=True, kw_only=True):
    """A stream of the synthetic user that is due: its record, and in words why."""

    record: StreamRecord
    because: str


class SweepLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line about one stream: "ended", "stuck", "due", "lost" or "running", its name, and what is said of it."""

    fate: str
    name: str
    text: str


class Swept(msgspec.Struct, frozen=True, kw_only=True):
    """What a sweep did, by stream: brought to an end, could not be, only looked at, and nobody's to end any more."""

    ended: tuple[str, ...] = ()
    stuck: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


def sweep(
    run_context: RunContext,
    *,
    older_than_seconds: float | None,
    dry_run: bool,
    say: Callable[[str], None],
    now_seconds: Callable[[], float] = time.time,
    progress: Count | None = None,
) -> Swept:
    """Find the streams that are due and bring each to an end, with a line for each.

    A stream is due when its lease is over; one without a lease when it is this gate's own order,
    by its rate and schedule, and older than a lease. `older_than_seconds` replaces both times by an age. So are the
    streams that runs before left on the contract itself. Raises GuardRefused for a service on the public network,
    SettingsInvalid where this environment is read-only.
    """
    money = run_context.settings.facts.money
    if not money.settles:
        raise SettingsInvalid(
            f"nothing is swept here: {money.settles_not_because}",
            next_step="nothing to do: a run creates no stream in a read-only environment",
        )
    progress = progress or Count("streams")
    progress.doing = "looking at the service"
    refuse_real_money(run_context.readiness)
    lines: list[SweepLine] = []
    for found in (_of_the_service, _on_the_contract):
        for line in found(run_context, older_than_seconds, now_seconds(), dry_run, progress):
            progress.done += 1
            lines.append(line)
            say(f"{line.fate:<6} {line.text}")
    names = {
        fate: tuple(line.name for line in lines if line.fate == fate) for fate in ("ended", "stuck", "due", "lost")
    }
    return Swept(ended=names["ended"], stuck=names["stuck"], left=names["due"], lost=names["lost"])


def _of_the_service(
    run_context: RunContext, older_than_seconds: float | None, now_seconds: float, dry_run: bool, progress: Count
) -> Iterator[SweepLine]:
    progress.doing = "looking for what is due at the service"
    due = tuple(_due(run_context, older_than_seconds, now_seconds))
    progress.total += len(due)
    for leftover in due:
        stream = leftover.record
        progress.doing = f"ending {stream.id}"
        text = f"{stream.id} ({stream.status}, {leftover.because})"
        if dry_run:
            yield SweepLine(fate="due", name=stream.id, text=text)
            continue
        try:
            done, why = run_context.streams.end(stream.id, run_context.credential), "the service refused"
        except SmokeError as error:
            done, why = False, str(error)
        yield SweepLine(fate="ended" if done else "stuck", name=stream.id, text=text if done else f"{text}: {why}")


def _on_the_contract(
    run_context: RunContext, older_than_seconds: float | None, now_seconds: float, dry_run: bool, progress: Count
) -> Iterator[SweepLine]:
    progress.doing = "looking for what runs left on the contract"
    left = tuple(left_open(run_context, older_than_seconds=older_than_seconds, now_seconds=now_seconds))
    progress.total += len(left)
    for stream in left:
        name = str(stream)
        progress.doing = f"looking at {name}"
        try:
            fate = fate_of(run_context, stream)
            if fate.is_due and not dry_run:
                bring_to_end(run_context, stream, fate)
        except SmokeError as error:
            yield SweepLine(fate="stuck", name=name, text=f"{name}: {error}")
            continue
        if fate.is_due:
            yield SweepLine(fate="due" if dry_run else "ended", name=name, text=name)
        elif fate is not Fate.OVER:
            yield SweepLine(fate=fate, name=name, text=f"{name}: {fate.because}")


def sweep_environment(
    settings: Settings, redactor: Redactor, *, older_than_seconds: float | None, dry_run: bool
) -> int:
    """Sweep the environment the settings name, say what was done, and return the exit code. Raises SmokeError."""
    if settings.embedded:
        print("a run's own sandbox ends with the run: there is nothing to sweep")
        return 0
    redactor.learn(*settings.redacted())
    run_id = f"sweep-{secrets.token_hex(3)}"  # its payer is its own, as a run's
    run_context = RunContext(settings, record=_warn, learn_secret=redactor.learn, run_id=run_id)
    progress = Count("streams")
    try:
        with counted(progress):
            swept = sweep(
                run_context, older_than_seconds=older_than_seconds, dry_run=dry_run, say=print, progress=progress
            )
    finally:
        run_context.close()
    stuck = f", {len(swept.stuck)} could not be" if swept.stuck else ""
    due = f", {len(swept.left)} due and left alone (dry run)" if dry_run else ""
    lost = f", {len(swept.lost)} lost" if swept.lost else ""
    print(f"sweep: {len(swept.ended)} brought to an end{stuck}{lost}{due}")
    return EXIT_CODES[VerdictStatus.INCONCLUSIVE] if swept.stuck else 0


def _warn(event: AnyEvent) -> None:
    """Say the warnings; a sweep judges nothing and keeps no evidence."""
    if isinstance(event, Warned):
        print(f"warning: {event.text}", file=sys.stderr)


def _due(run_context: RunContext, older_than_seconds: float | None, now_seconds: float) -> Iterator[Leftover]:
    """Yield what is due; the lists are read to their end first, for ending a stream moves the pages."""
    for stream in _unfinished(run_context):
        mark = run_context.streams.lease_of(stream.id, run_context.credential)
        because = _because(stream, mark, older_than_seconds, now_seconds)
        if because:
            yield Leftover(record=stream, because=because)


def _unfinished(run_context: RunContext) -> Iterable[StreamRecord]:
    """Return what is unfinished on any replica: one with a memory of its own lists what it was told itself."""
    found: dict[str, StreamRecord] = {}
    for _ in range(run_context.looks_needed):
        with run_context.deployment.fresh() as replica:
            listed = records_of(replica, run_context.credential)
        found.update((stream.id, stream) for stream in listed if stream.status not in FINISHED)
    return found.values()


def _because(stream: StreamRecord, lease: Lease | None, older_than_seconds: float | None, now_seconds: float) -> str:
    """Return why a stream is due, "" when it is not, or is nobody's we know of."""
    if lease is None and (stream.rate, stream.schedule) != (RATE, SCHEDULE):
        return ""
    whose = f"of run {lease.run_id}" if lease else "without a mark"
    if lease is not None and older_than_seconds is None:
        over_seconds = now_seconds - lease.lease_until_seconds
        return f"{whose}, its lease ended {over_seconds:.0f} s ago" if over_seconds > 0 else ""
    age_seconds = _age_seconds(stream, now_seconds)
    needed_seconds = LEASE_SECONDS if older_than_seconds is None else older_than_seconds
    if age_seconds is None or age_seconds < needed_seconds:
        return ""
    return f"{whose}, {age_seconds:.0f} s old"


def _age_seconds(stream: StreamRecord, now_seconds: float) -> float | None:
    """Return how old a stream is by the service's own clock, None when it does not say."""
    try:
        made = datetime.datetime.fromisoformat(stream.created_at)
    except ValueError:
        return None
    made = made if made.tzinfo else made.replace(tzinfo=datetime.UTC)
    return max(0.0, now_seconds - made.timestamp())
