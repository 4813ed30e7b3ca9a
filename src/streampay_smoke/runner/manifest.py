"""The pinned manifest: the suite as somebody accepted it. A suite that differs from it is not played.

behave plays what it finds. A scenario that was deleted is not missed, a step that was emptied passes, a tag that was
misspelt selects nothing. So `features/manifest.jsonl` has a line for every scenario, and for every file that decides
what a scenario does; a change that is meant is accepted by writing it anew, and reviewed as its difference:

    python -m streampay_smoke.runner.manifest            names what differs, and ends with 1 then
    python -m streampay_smoke.runner.manifest --write    accepts the suite as it is
    python -m streampay_smoke.runner.manifest --learn JOURNAL...
                          pins how many assertions each step makes at least: the fewest in the scenarios that passed,
                          and never more than is pinned: a run of one kind does not know what the others assert
    python -m streampay_smoke.runner.manifest --relearn JOURNAL...
                          the same, and puts what these journals say in the place of what is pinned: give it runs of
                          every kind, as benchmarks/assertion_counts.py does

The digest of a file does not depend on its line endings: a checkout with CRLF is the same suite.
"""

import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from behave.model import Scenario, Step
from msgspec.structs import replace

from streampay_smoke import acceptance
from streampay_smoke.core.errors import SmokeError
from streampay_smoke.evidence.events import ExpectedScenario
from streampay_smoke.evidence.journal import read as read_journal
from streampay_smoke.gate.history import ScenarioHistory, fold
from streampay_smoke.run.pins import ACCEPT, FILE, Pin, PinnedFile, PinnedScenario, Pins, SuiteChanged, read
from streampay_smoke.runner.plan import PlannedScenario, scenarios_below

INI = "behave.ini"
"""What behave is told to do, read from the folder it is started in."""


def accepted(features: Path, ini: Path) -> Pins:
    """Return what was accepted of the suite at `features`; raises SuiteChanged when that is not what is there."""
    if features.resolve().parent != ini.resolve().parent:
        raise SuiteChanged(
            f"behave was started in {ini.resolve().parent} and does not read the {INI} of these features",
            next_step=f"start it in {features.resolve().parent}",
        )
    pins = read(features / FILE)
    refuse(differences(pins, pins_of(features, ini)))
    return pins


def refuse_unaccepted(pins: Pins, planned: Iterable[PlannedScenario]) -> None:
    """Raise SuiteChanged for a scenario that is about to be played and was not accepted, wherever it comes from."""
    refuse(differences(pins, {**pins, **_by_name(map(_pinned, planned))}))


def with_least_assertions(planned: Iterable[PlannedScenario], pins: Pins, *, proof: str) -> tuple[PlannedScenario, ...]:
    """Return the scenarios with the numbers of assertions that were pinned for runs of this settlement proof."""
    return tuple(
        replace(item, expected=replace(item.expected, at_least=_scenario(pins, item.expected.id).at_least_by(proof)))
        for item in planned
    )


def refuse(found: Iterable[str]) -> None:
    """Raise SuiteChanged when there are differences."""
    if differing := tuple(found):
        raise SuiteChanged.because(differing)


def pins_of(features: Path, ini: Path) -> Pins:
    """Return what is there: every scenario below `features`, and every file that decides what they do."""
    room = Path(acceptance.__file__).parent
    files = {
        **{f"features/{path.relative_to(features).as_posix()}": path for path in features.rglob("*.py")},
        **{f"streampay_smoke/acceptance/{path.relative_to(room).as_posix()}": path for path in room.rglob("*.py")},
        INI: ini,
    }
    pinned = [PinnedFile(name=name, sha256=_digest(path)) for name, path in files.items() if path.is_file()]
    return _by_name([*pinned, *map(_pinned, scenarios_below(features))])


def differences(before: Pins, now: Pins) -> Iterator[str]:
    """Yield in words what differs, in the order of names."""
    for name in sorted(before.keys() | now.keys()):
        if name not in now:
            yield f"{name} is gone"
        elif name not in before:
            yield f"{name} was added"
        elif _played(before[name]) != _played(now[name]):
            yield _difference(before[name], now[name])


def write(features: Path, ini: Path) -> None:
    """Accept the suite as it is, in sorted lines; scenarios with unchanged steps keep their numbers of assertions."""
    try:
        before = read(features / FILE)
    except SuiteChanged:
        before = {}
    _store(features / FILE, {name: _measured_as(before.get(name), pin) for name, pin in pins_of(features, ini).items()})


def learn(features: Path, journals: Sequence[Path], *, anew: bool = False) -> tuple[str, ...]:
    """Pin the fewest assertions that each step made in these journals, for every scenario that passed in one of them.

    What is pinned already counts among them, unless it is measured `anew`. What settlements are proved with decides how
    much there is to assert, so each kind of proof is counted apart. Returns in words where more was asserted than
    stays pinned. Raises SuiteChanged for a journal that is damaged, or of other scenarios than those below `features`.
    """
    known = {item.expected.id: item.expected.steps for item in scenarios_below(features)}
    pins = read(features / FILE)
    seen: dict[str, dict[str, tuple[int, ...]]] = {}
    for journal in journals:
        proof, counts = _counted_in(journal, known)
        for name, numbers in counts.items():
            of_scenario, under = seen.setdefault(name, {}), _scenario(pins, name).counted_under(proof)
            of_scenario[under] = _fewest(numbers, of_scenario.get(under))
    learned, more = {}, []
    for name, counts in seen.items():
        pin = _scenario(pins, name)
        floors = {
            proof: _fewest(numbers, None if anew else pin.at_least.get(proof)) for proof, numbers in counts.items()
        }
        more += [
            f"{name} asserted {counts[proof]} with proof {proof}, and {floors[proof]} stays pinned"
            for proof in floors
            if counts[proof] != floors[proof]
        ]
        learned[name] = replace(pin, at_least={**pin.at_least, **floors})
    _store(features / FILE, {**pins, **learned})
    return tuple(more)


def _fewest(numbers: tuple[int, ...], others: tuple[int, ...] | None) -> tuple[int, ...]:
    return numbers if others is None else tuple(map(min, numbers, others))


def unmeasured(pins: Pins) -> tuple[str, ...]:
    """Return the scenarios of which nobody has measured how much they assert."""
    return tuple(name for name, pin in pins.items() if isinstance(pin, PinnedScenario) and not pin.at_least)


def _store(path: Path, pins: Pins) -> None:
    path.write_bytes(b"".join(msgspec.json.encode(pins[name]) + b"\n" for name in sorted(pins)))


def _counted_in(journal: Path, known: Mapping[str, Sequence[str]]) -> tuple[str, Mapping[str, tuple[int, ...]]]:
    """Return the settlement proof of a run, and how many assertions the steps of its passed scenarios made."""
    chain = read_journal(journal)
    run = fold(chain.entries)
    if chain.truncated or chain.tampered_at or run.started is None or run.planned is None:
        raise SuiteChanged(f"{journal} is no whole journal", next_step="play the suite again and learn from that run")
    for expected in run.planned.expected:
        if known.get(expected.id) != expected.steps:
            raise SuiteChanged(
                f"{journal} is of another suite: {expected.id} differs",
                next_step="play the suite as it is now and learn from that run",
            )
    passed = {
        expected.id: tuple(step.checks_held for step in history.steps)
        for expected in run.planned.expected
        if (history := run.scenarios.get(expected.id)) is not None and _passed(expected, history)
    }
    return run.started.proof, passed


def _passed(expected: ExpectedScenario, history: ScenarioHistory) -> bool:
    steps = tuple(step.text for step in history.steps if step.status == "passed")
    held = all(check.held for check in history.checks)
    return history.finished is not None and history.finished.status == "passed" and held and steps == expected.steps


def _scenario(pins: Pins, name: str) -> PinnedScenario:
    """Return a scenario's pin; raises SuiteChanged where there is none."""
    pin = pins.get(name)
    if not isinstance(pin, PinnedScenario):
        raise SuiteChanged.because([f"{name} was added"])
    return pin


def _measured_as(before: Pin | None, now: Pin) -> Pin:
    if isinstance(before, PinnedScenario) and isinstance(now, PinnedScenario) and before.sha256 == now.sha256:
        return replace(now, at_least=before.at_least)
    return now


def _played(pin: Pin) -> Pin:
    """Return what of a pin can be seen without playing it."""
    return replace(pin, at_least={}) if isinstance(pin, PinnedScenario) else pin


def _difference(before: Pin, now: Pin) -> str:
    if not (isinstance(before, PinnedScenario) and isinstance(now, PinnedScenario)):
        return f"{now.name} was changed"
    if before.tags != now.tags:
        return f"{now.name} is tagged {_tagged(now)}, not {_tagged(before)}"
    return f"{now.name} has other steps ({_counted(now)}; there were {_counted(before)})"


def _tagged(pin: PinnedScenario) -> str:
    return " ".join(f"@{tag}" for tag in pin.tags) or "with nothing"


def _counted(pin: PinnedScenario) -> str:
    return f"{pin.steps}, {pin.assertions} of them asserting"


def _pinned(item: PlannedScenario) -> PinnedScenario:
    return PinnedScenario(
        name=item.expected.id,
        tags=tuple(sorted(item.expected.tags)),
        steps=len(item.expected.steps),
        assertions=len(item.expected.assertions),
        sha256=_digest_of_steps(item.scenario),
    )


def _by_name(pins: Iterable[Pin]) -> dict[str, Pin]:
    return {pin.name: pin for pin in pins}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def _digest_of_steps(scenario: Scenario) -> str:
    return hashlib.sha256(msgspec.json.encode([_step_content(step) for step in scenario.all_steps])).hexdigest()


def _step_content(step: Step) -> Sequence[str | Sequence[Sequence[str]]]:
    table = [step.table.headings, *(row.cells for row in step.table.rows)] if step.table is not None else []
    return (step.step_type, step.keyword, step.name, str(step.text or ""), table)


def main(arguments: Sequence[str]) -> int:
    """Compare the suite in this folder with its manifest, or accept or measure it; 1 when something differs."""
    features, ini = Path("features"), Path(INI)
    try:
        match arguments:
            case []:
                found = tuple(differences(read(features / FILE), pins_of(features, ini)))
            case ["--write"]:
                write(features, ini)
                found = ()
            case ["--learn" | "--relearn" as how, *journals] if journals:
                more = learn(features, [Path(journal) for journal in journals], anew=how == "--relearn")
                if more:
                    print("\n".join(more))
                    print("to pin more, play each kind of run: python benchmarks/assertion_counts.py")
                found = ()
            case _:
                print(
                    "usage: python -m streampay_smoke.runner.manifest [--write | (--learn | --relearn) JOURNAL...]",
                    file=sys.stderr,
                )
                return 2
        if not found and (names := unmeasured(read(features / FILE))):
            print(f"not measured yet: {', '.join(names)}; play them, then --learn that run's journal.jsonl")
    except (SmokeError, OSError) as error:
        found = (str(error),)
    for difference in found:
        print(difference)
    if found:
        print(f"undo it, or accept it and commit the difference: {ACCEPT}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
