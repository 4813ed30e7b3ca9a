"""The pinned manifest: the suite as somebody accepted it. A suite that differs from it is not played.

behave plays what it finds. A scenario that was deleted is not missed, a step that was emptied passes, a tag that was
misspelt selects nothing. So `features/manifest.jsonl` has a line for every scenario, and for every file that decides
what a scenario does; a change that is meant is accepted by writing it anew, and reviewed as its difference:

    python -m streampay_smoke.runner.manifest            names what differs, and ends with 1 then
    python -m streampay_smoke.runner.manifest --write    accepts the suite as it is
"""

import hashlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
from behave.model import Scenario, Step

from streampay_smoke import promises
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


def refuse_strangers(pins: Pins, planned: Iterable[PlannedScenario]) -> None:
    """Raise SuiteChanged for a scenario that is about to be played and was not accepted, wherever it comes from."""
    refuse(differences(pins, {**pins, **_by_name(map(_pinned, planned))}))


def refuse(found: Iterable[str]) -> None:
    """Raise SuiteChanged when there are differences."""
    if told := tuple(found):
        raise SuiteChanged.because(told)


def pins_of(features: Path, ini: Path) -> Pins:
    """Return what is there: every scenario below `features`, and every file that decides what they do."""
    package = Path(promises.__file__).parent
    files = {
        **{f"features/{path.relative_to(features).as_posix()}": path for path in features.rglob("*.py")},
        **{f"streampay_smoke/promises/{path.relative_to(package).as_posix()}": path for path in package.rglob("*.py")},
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
        elif before[name] != now[name]:
            yield _difference(before[name], now[name])


def write(features: Path, ini: Path) -> None:
    """Accept the suite as it is: one line for each pin, sorted, so that changes of several people merge."""
    pins = pins_of(features, ini)
    lines = (msgspec.json.encode(pins[name]) + b"\n" for name in sorted(pins))
    (features / FILE).write_bytes(b"".join(lines))


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
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _digest_of_steps(scenario: Scenario) -> str:
    return hashlib.sha256(msgspec.json.encode([_told(step) for step in scenario.all_steps])).hexdigest()


def _told(step: Step) -> Sequence[str | Sequence[Sequence[str]]]:
    table = [step.table.headings, *(row.cells for row in step.table.rows)] if step.table is not None else []
    return (step.step_type, step.keyword, step.name, str(step.text or ""), table)


def main(arguments: Sequence[str]) -> int:
    """Compare the suite in this folder with its manifest, or with --write accept it; 1 when something differs."""
    features, ini = Path("features"), Path(INI)
    if arguments == ["--write"]:
        write(features, ini)
        return 0
    try:
        found = tuple(differences(read(features / FILE), pins_of(features, ini)))
    except SuiteChanged as error:
        found = (str(error),)
    for difference in found:
        print(difference)
    if found:
        print(f"undo it, or accept it and commit the difference: {ACCEPT}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
