"""The pinned manifest: every change of what is checked is found, named and only accepted on purpose."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from behave.configuration import Configuration
from behave.parser import parse_feature
from gate_stories import planned, started

from streampay_smoke import acceptance
from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.evidence import events
from streampay_smoke.evidence.journal import Journal
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.run.pins import PinnedScenario, SuiteChanged, read
from streampay_smoke.runner.feature_lint import problems_in
from streampay_smoke.runner.manifest import (
    INI,
    accepted,
    learn,
    main,
    refuse_unaccepted,
    unmeasured,
    with_least_assertions,
    write,
)
from streampay_smoke.runner.plan import all_scenarios, plan, scenarios_below

ROOT = Path(__file__).parents[3]
ROOM = Path(acceptance.__file__).parent


@pytest.fixture(name="project")
def a_project(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "features", tmp_path / "features")
    shutil.copy(ROOT / INI, tmp_path)
    return tmp_path


def changed(project: Path) -> str:
    with pytest.raises(SuiteChanged) as refused:
        accepted(project / "features", project / INI)
    assert (refused.value.kind, refused.value.blame) == ("suite_changed", "config")
    assert refused.value.next_step
    return str(refused.value)


def edit(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(project: Path) -> None:
        path = project / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    return change


def test_the_suite_of_this_project_is_the_one_that_was_accepted() -> None:
    pins = accepted(ROOT / "features", ROOT / INI)
    assert {"behave.ini", "features/environment.py", "features/steps/ledger_steps.py"} < pins.keys()
    assert "settlement/a-settled-stream-pays-the-recipient-on-the-ledger" in pins
    assert {f"streampay_smoke/acceptance/{path.relative_to(ROOM)}" for path in ROOM.rglob("*.py")} < pins.keys()


def test_somebody_measured_how_much_every_scenario_asserts() -> None:
    pins = read(ROOT / "features" / "manifest.jsonl")
    assert unmeasured(pins) == ()
    scenarios = [pin for pin in pins.values() if isinstance(pin, PinnedScenario)]
    assert all(sum(map(bool, pin.at_least_by("ledger"))) >= pin.assertions for pin in scenarios)


CHANGES = {
    "a step that is gone": (
        edit("features/settlement.feature", "    And the service works on a test network\n", ""),
        "has other steps (11, 5 of them asserting; there were 12, 5 of them asserting)",
    ),
    "an assertion that is gone": (
        edit("features/readiness.feature", "    And every named dependency is healthy\n", ""),
        "has other steps (6, 5 of them asserting; there were 7, 6 of them asserting)",
    ),
    "another keyword": (edit("features/readiness.feature", "When the", "Given the"), "has other steps"),
    "another word": (edit("features/streams.feature", "least 2 streams", "least 1 stream"), "has other steps"),
    "a table": (
        edit("features/readiness.feature", "asked whether it is ready", "asked whether it is ready\n      | a |\n"),
        "has other steps",
    ),
    "a text": (
        edit("features/readiness.feature", "asked whether it is ready", 'asked whether it is ready\n"""\nx\n"""\n'),
        "has other steps",
    ),
    "a tag that is gone": (
        edit("features/ledger.feature", "@smoke @chain", "@chain"),
        "is tagged @blocker @chain, not @blocker @chain @smoke",
    ),
    "every tag is gone": (
        edit("features/readiness.feature", "@smoke @readiness @blocker\n", ""),
        "is tagged with nothing, not @blocker @readiness @smoke",
    ),
    "a scenario that is gone": (
        edit("features/streams.feature", "      | an unsigned token              |\n", ""),
        "streams/a-caller-with-an-unsigned-token-cannot-list-streams is gone",
    ),
    "a scenario with another name": (
        edit("features/ledger.feature", "healthy and closes ledgers", "healthy"),
        "ledger/the-ledger-network-is-healthy was added; ledger/the-ledger-network-is-healthy-and-closes",
    ),
    "a file that is no feature any more": (
        lambda project: (project / "features" / "readiness.feature").write_text("Then what\n"),
        "readiness/the-service-and-its-dependencies-are-ready is gone",
    ),
    "a feature file that is gone": (
        lambda project: (project / "features/readiness.feature").unlink(),
        "readiness/the-service-and-its-dependencies-are-ready is gone",
    ),
    "a step file": (
        edit("features/steps/ledger_steps.py", "ledger.network_is_healthy(", "str("),
        "features/steps/ledger_steps.py was changed",
    ),
    "one step file more": (
        lambda project: (project / "features/steps/new_steps.py").touch(),
        "features/steps/new_steps.py was added",
    ),
    "a module beside the steps": (lambda project: (project / "features/httpx.py").touch(), "httpx.py was added"),
    "no hooks": (lambda project: (project / "features/environment.py").unlink(), "features/environment.py is gone"),
    "another configuration": (edit("behave.ini", "stop = false", "stop = true"), "behave.ini was changed"),
    "no configuration": (lambda project: (project / INI).unlink(), "behave.ini is gone"),
    "no manifest": (lambda project: (project / "features/manifest.jsonl").unlink(), "manifest.jsonl cannot be read"),
    "an empty manifest": (
        lambda project: (project / "features/manifest.jsonl").write_text(""),
        "was added; access/",
    ),
    "a manifest after a bad merge": (
        edit("features/manifest.jsonl", "\n", "\n<<<<<<< ours\n"),
        "manifest.jsonl, line 2, cannot be read",
    ),
    "a manifest that is no text": (
        lambda project: (project / "features/manifest.jsonl").write_bytes(b"\xff\xfe"),
        "manifest.jsonl, line 1, cannot be read",
    ),
    "a manifest with a line twice": (
        lambda project: (project / "features/manifest.jsonl").write_text(
            (project / "features/manifest.jsonl").read_text() * 2
        ),
        "is there twice",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_named(project: Path, name: str) -> None:
    change, said = CHANGES[name]
    accepted(project / "features", project / INI)
    change(project)
    assert said in changed(project)


@pytest.mark.parametrize("name", [name for name in CHANGES if "manifest" not in name])
def test_a_change_that_is_accepted_is_no_change(project: Path, name: str) -> None:
    CHANGES[name][0](project)
    write(project / "features", project / INI)
    assert accepted(project / "features", project / INI)


def test_a_promise_that_was_changed(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = project / "acceptance"
    shutil.copytree(Path(acceptance.__file__).parent, package)
    monkeypatch.setattr(acceptance, "__file__", str(package / "__init__.py"))
    accepted(project / "features", project / INI)
    edit("acceptance/checks/readiness.py", "not failing, expected", "True, expected")(project)
    assert "streampay_smoke/acceptance/checks/readiness.py was changed" in changed(project)


def test_line_endings_are_no_change(project: Path) -> None:
    for path in project.rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert accepted(project / "features", project / INI)


NETWORK = "ledger/the-ledger-network-is-healthy-and-closes-ledgers"
MONEY = "settlement/a-repeated-settlement-does-not-pay-the-recipient-twice"


def journal_of(project: Path, *held: int, name: str = NETWORK, proof: str = "ledger", status: str = "passed") -> Path:
    """A journal in which the steps of one scenario make so many assertions."""
    expected = all_scenarios(project / "features")[name]
    path = project / f"{proof}-{'-'.join(map(str, held))}-{status}.jsonl"
    with Journal(path, Redactor()) as journal:
        journal.append(started(proof=proof))
        journal.append(planned(expected))
        journal.append(events.ScenarioStarted(id=name))
        for text, count in zip(expected.steps, held, strict=True):
            journal.append(events.StepStarted(text=text))
            for _ in range(count):
                journal.append(events.Checked(promise="it moves", held=True))
            journal.append(events.StepFinished(text=text, status=status, duration_ms=1))
        journal.append(events.ScenarioFinished(id=name, status=status, duration_ms=1))
    return path


def counted(project: Path, name: str = NETWORK) -> dict[str, tuple[int, ...]]:
    pin = read(project / "features" / "manifest.jsonl")[name]
    assert isinstance(pin, PinnedScenario)
    return pin.at_least


def test_the_fewest_assertions_of_good_runs_are_learned(project: Path) -> None:
    good = [journal_of(project, 0, 5), journal_of(project, 0, 4), journal_of(project, 0, 1, status="failed")]
    assert learn(project / "features", good, anew=True) == ()
    assert counted(project) == {"ledger": (0, 4)}
    assert learn(project / "features", [journal_of(project, 0, 6), journal_of(project, 0, 2, proof="service")]) == ()
    assert counted(project) == {"ledger": (0, 2)}, "no proof of a settlement is asserted here"


def test_a_run_that_asserts_more_raises_no_floor_unless_it_is_measured_anew(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    learn(project / "features", [journal_of(project, 0, 3)], anew=True)
    pinned = (project / "features/manifest.jsonl").read_bytes()
    assert main(["--learn", str(journal_of(project, 0, 6))]) == 0
    assert (project / "features/manifest.jsonl").read_bytes() == pinned
    told = capsys.readouterr().out
    assert f"{NETWORK} asserted (0, 6) with proof ledger, and (0, 3) stays pinned" in told
    assert "benchmarks/assertion_counts.py" in told
    assert main(["--relearn", str(journal_of(project, 0, 6))]) == 0
    assert counted(project) == {"ledger": (0, 6)}
    assert capsys.readouterr().out == ""


def test_each_step_keeps_its_own_floor(project: Path) -> None:
    learn(project / "features", [journal_of(project, 1, 3)], anew=True)
    assert len(learn(project / "features", [journal_of(project, 0, 6)])) == 1
    assert counted(project) == {"ledger": (0, 3)}


def test_a_scenario_that_moves_money_is_counted_for_each_proof(project: Path) -> None:
    steps = len(all_scenarios(project / "features")[MONEY].steps)
    by_ledger, by_service = (5,) * steps, (1,) * steps
    learn(project / "features", [journal_of(project, *by_ledger, name=MONEY)], anew=True)
    learn(project / "features", [journal_of(project, *by_service, name=MONEY, proof="service")], anew=True)
    assert counted(project, MONEY) == {"ledger": by_ledger, "service": by_service}
    pins = accepted(project / "features", project / INI)
    item = next(item for item in scenarios_below(project / "features") if item.expected.id == MONEY)
    for proof, counts in (("ledger", by_ledger), ("service", by_service), ("none", ())):
        assert [each.expected.at_least for each in with_least_assertions([item], pins, proof=proof)] == [counts]


def test_what_was_learned_is_announced_and_kept(project: Path) -> None:
    learn(project / "features", [journal_of(project, 0, 7)], anew=True)
    pins = accepted(project / "features", project / INI)
    network = [item for item in scenarios_below(project / "features") if item.expected.id == NETWORK]
    for proof in ("ledger", "service"):
        assert [item.expected.at_least for item in with_least_assertions(network, pins, proof=proof)] == [(0, 7)]
    edit("features/steps/ledger_steps.py", "ledger.network_is_healthy(", "str(")(project)
    write(project / "features", project / INI)
    assert counted(project)["ledger"] == (0, 7)


def test_a_scenario_with_other_steps_is_not_measured(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    edit("features/ledger.feature", "When the ledger network is observed", "When calls to the contract are simulated")(
        project
    )
    assert main(["--write"]) == 0
    assert f"not measured yet: {NETWORK}" in capsys.readouterr().out
    assert counted(project) == {}
    assert main(["--learn", str(journal_of(project, 0, 3))]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("what", ["cut off", "of other steps", "not there"])
def test_nothing_is_learned_from_a_journal_that_is(project: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    monkeypatch.chdir(project)
    journal = journal_of(project, 0, 1)
    if what == "cut off":
        journal.write_bytes(journal.read_bytes()[:-20])
    elif what == "of other steps":
        edit("features/ledger.feature", "When the ledger network is observed", "When the ledger is looked at")(project)
        write(project / "features", project / INI)
    else:
        journal.unlink()
    before = (project / "features/manifest.jsonl").read_bytes()
    assert main(["--learn", str(journal)]) == 1
    assert (project / "features/manifest.jsonl").read_bytes() == before


def test_numbers_of_other_steps_are_no_manifest(project: Path) -> None:
    edit("features/manifest.jsonl", '"ledger":[0,', '"ledger":[0,0,')(project)
    assert " steps, and at_least counts others" in changed(project)


def test_many_changes_are_counted(project: Path) -> None:
    edit("features/streams.feature", "    Given the service is ready\n", "")(project)
    told = changed(project)
    assert told.count("has other steps") == 3
    assert told.endswith("; and 8 more")


def test_prose_is_not_pinned(project: Path) -> None:
    edit("features/streams.feature", "and nobody else sees them.", "and only those.")(project)
    edit("features/ledger.feature", "Feature: Ledger and contract work without the service", "Feature: The ledger")(
        project
    )
    assert accepted(project / "features", project / INI)


def test_features_of_another_folder_are_told_where_to_start(project: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(ROOT / INI, elsewhere)
    with pytest.raises(SuiteChanged, match=r"does not read the behave\.ini of these features") as refused:
        accepted(project / "features", elsewhere / INI)
    assert refused.value.next_step == f"start it in {project}"


def test_a_scenario_from_elsewhere_is_a_stranger(project: Path) -> None:
    pins = accepted(project / "features", project / INI)
    config = Configuration(["--runner=behave.runner:Runner"], load_config=False)
    text = (project / "features" / "readiness.feature").read_text()
    refuse_unaccepted(pins, plan([parse_feature(text, filename="features/readiness.feature")], config))
    for name, given in (("readiness", text.replace("    And all replicas", "    # And all replicas")), ("x", text)):
        with pytest.raises(SuiteChanged, match=r"has other steps|was added"):
            refuse_unaccepted(pins, plan([parse_feature(given, filename=f"{name}.feature")], config))


def test_the_command_names_differences_and_accepts_them(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    before = (project / "features/manifest.jsonl").read_bytes()
    assert (main([]), capsys.readouterr().out) == (0, "")
    edit("features/ledger.feature", "@smoke ", "")(project)
    assert main([]) == 1
    said = capsys.readouterr().out
    assert said.count("is tagged @blocker @chain, not") == 4
    assert "--write" in said
    assert main(["--write"]) == 0
    assert main([]) == 0
    after = (project / "features/manifest.jsonl").read_bytes()
    lines = [*zip(before.splitlines(), after.splitlines(), strict=True)]
    assert sum(old != new for old, new in lines) == 5, "one line for each scenario"
    (project / "features/manifest.jsonl").write_text("{}\n")
    assert main([]) == 1
    assert "line 1" in capsys.readouterr().out


def test_a_feature_that_is_not_utf8_is_named(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    with (project / "features/ledger.feature").open("ab") as feature:
        feature.write(b"# f\xfcr uns\n")
    with pytest.raises(SettingsInvalid, match=r"features/ledger\.feature, line \d+ is not UTF-8"):
        accepted(project / "features", project / INI)
    assert main(["--write"]) == 1
    assert "features/ledger.feature, line" in capsys.readouterr().out
    assert "ledger.feature: is not UTF-8" in "".join(problems_in([project / "features"]))
