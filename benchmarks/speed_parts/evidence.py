"""What evidence costs as there is more of it: writing the journal, judging it, making every report of it."""

import gc
import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from speed_parts.rows import Row
from streampay_smoke.evidence import events, journal
from streampay_smoke.evidence.journal import Journal
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.gate.judge import judge
from streampay_smoke.publish.publish import publish
from streampay_smoke.publish.report_model import report_of

STEPS = ("Given the service is ready", "When the user asks for something", "Then it is what was promised")
BODY = '{"data":[' + ",".join(f'{{"id":"stream-{number:04d}","status":"active"}}' for number in range(20)) + "]}"
BASE = 100
LINEAR = 1.5
"""The most that a scenario may cost where there are many, in what it costs where there are BASE."""

MOST_GROWTH = 2.0
CHECKED_COUNTS = (BASE, 400)
MOST_IN_JSON_TIMES: Mapping[str, float] = {
    "writing the journal": 4.0,
    "reading and judging it": 3.0,
    "making every report": 18.0,
}
"""The generous limits of what evidence costs, in what reading and hashing its lines as JSON costs: thrice today's."""

REPEATS = 3


def rows(runs: int, counts: tuple[int, ...] = (BASE, 300, 1_000)) -> Iterator[Row | str]:
    """Yield, for each cost, what a scenario costs in runs of so many scenarios, and how many events a scenario has."""
    costs: dict[str, dict[int, list[float]]] = {}
    _measured(10)  # the imports of reports
    for _ in range(runs):
        for count in counts:
            for name, seconds in _measured(count).items():
                costs.setdefault(name, {}).setdefault(count, []).append(seconds / count)
    for name, by_count in costs.items():
        for count, each_seconds in by_count.items():
            yield Row(
                part="evidence",
                what=f"{name}, each of {count} scenarios",
                seconds=tuple(each_seconds),
                base=f"each of {BASE}",
                base_seconds=tuple(by_count[BASE]),
                target=LINEAR,
                most=MOST_GROWTH,
            )
    events_each = len(list(_story(_expected(2)))) - len(list(_story(_expected(1))))
    yield f"Each scenario here has {events_each} events in the journal: an event costs that part of the above."


def checked_rows() -> Iterator[Row]:
    """Yield what evidence costs where there is more of it, and against reading its lines with the standard library."""
    _measured(10)  # the imports of reports
    costs = {count: _measured(count) for count in CHECKED_COUNTS}
    base_seconds = _json_seconds(BASE)
    for name, seconds in costs[BASE].items():
        many = max(CHECKED_COUNTS)
        yield Row(
            part="evidence",
            what=f"{name}, each of {many} scenarios",
            seconds=(costs[many][name] / many,),
            base=f"each of {BASE}",
            base_seconds=(seconds / BASE,),
            most=MOST_GROWTH,
        )
        yield Row(
            part="evidence",
            what=f"{name} of {BASE} scenarios",
            seconds=(seconds,),
            base="reading its lines as JSON and hashing them",
            base_seconds=(base_seconds,),
            most=MOST_IN_JSON_TIMES[name],
        )


def _json_seconds(count: int) -> float:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "journal.jsonl"
        _write(path, count)
        return min(_timed(lambda: [_hashed(line) for line in path.read_bytes().splitlines()]) for _ in range(REPEATS))


def _hashed(line: bytes) -> bytes:
    return hashlib.sha256(json.dumps(json.loads(line)).encode()).digest()


def _measured(count: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / str(number) for number in range(REPEATS)]
        for folder in folders:
            folder.mkdir()
        written = _least(lambda folder: _write(folder / "journal.jsonl", count), folders)
        judged = _least(lambda folder: judge(journal.read(folder / "journal.jsonl")), folders)
        read = journal.read(folders[0] / "journal.jsonl")
        verdict = judge(read)
        published = _least(lambda folder: publish(folder, report_of(read.entries, verdict), environ={}), folders)
    return {"writing the journal": written, "reading and judging it": judged, "making every report": published}


def _least(work: Callable[[Path], object], folders: Sequence[Path]) -> float:
    """Return the least CPU time of some: what else the machine does only adds to it, and so does older garbage."""
    return min(_timed(partial(work, folder)) for folder in folders)


def _timed(work: Callable[[], object]) -> float:
    gc.collect()
    before = time.process_time()
    work()
    return time.process_time() - before


def _write(path: Path, count: int) -> None:
    with Journal(path, Redactor()) as written:
        for event in _story(_expected(count)):
            written.append(event)


def _expected(count: int) -> tuple[events.ExpectedScenario, ...]:
    return tuple(
        events.ExpectedScenario(
            id=f"feature_{number // 10}/scenario-{number}",
            feature=f"Feature {number // 10}",
            scenario=f"Scenario {number}",
            location=f"features/feature_{number // 10}.feature:{number}",
            tags=("smoke",),
            steps=STEPS,
            assertions=STEPS[-1:],
        )
        for number in range(count)
    )


def _story(expected: tuple[events.ExpectedScenario, ...]) -> Iterator[events.AnyEvent]:
    yield events.RunStarted(
        run_id="r",
        suite_version="0",
        environment="sandbox",
        region="",
        base_url="http://127.0.0.1:1",
        release_expected="",
        network="sandbox",
        contract_id="C",
        proof="ledger",
        on_inconclusive="hold",
        service_simulated=True,
        settings={},
    )
    yield events.RunPlanned(tags="@smoke", expected=expected)
    for scenario in expected:
        yield events.ScenarioStarted(id=scenario.id)
        for step in STEPS:
            yield events.StepStarted(text=step)
            yield events.Awaiting(peer="service", what="GET /api/streams")
            yield events.Exchanged(
                peer="service", method="GET", target="/api/streams", status=200, duration_ms=3, response=BODY
            )
            yield events.Checked(promise=step, held=True, expected="200", observed="200")
            yield events.StepFinished(text=step, status="passed", duration_ms=4)
        yield events.ScenarioFinished(id=scenario.id, status="passed", duration_ms=12)
    yield events.RunFinished(failed=False, hook_failures=0, statuses={scenario.id: "passed" for scenario in expected})
