"""Every run ends in one place: however it ended it leaves the same files, and no two of them contradict each other."""

import json
import re
import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree.ElementTree import fromstring

import msgspec
import pytest
from suite_parts import Project, Ran, wait_for_file
from waits import HANG_SECONDS

from streampay_sandbox.stack import start_sandbox
from streampay_smoke.gate.policy import Decision
from streampay_smoke.gate.verdict import Verdict
from streampay_smoke.history.store import HistoryStore

FILES = {
    "journal.jsonl",
    "verdict.json",
    "decision.json",
    "junit",
    "ctrf.json",
    "cdevents.jsonl",
    "allure-results",
    "allure-report",
    "report.html",
    "summary.md",
}
READY = "--tags=@readiness"
CHECK = "    readiness.dependencies_are_healthy(context.scenario_context.readiness, context.scenario_context.expect)"
WITH_REPORT = {"SMOKE_REPORT": "1"}
"""The report is built in: no Node is looked for where there is no `report/node_modules`."""


class Told:
    """What each output of a run says, in its own words."""

    def __init__(self, ran: Ran, outputs: Path) -> None:
        self.folder, self.output, self.code = ran.folder, ran.output, ran.code
        self.verdict: Verdict = ran.verdict
        self.decision = msgspec.json.decode((ran.folder / "decision.json").read_bytes(), type=Decision)
        self.outputs = dict(line.split("=", 1) for line in outputs.read_text().splitlines() if "=" in line)

    def text(self, name: str) -> str:
        return (self.folder / name).read_text()

    def agrees(self) -> None:
        """Hold that all outputs name one verdict, one reason and one step."""
        verdict, decision = self.verdict, self.decision
        word, step = str(verdict.verdict), str(verdict.action)
        assert verdict.exit_code == self.code, self.output
        assert (decision.verdict, decision.reason_code) == (verdict.verdict, verdict.reason_code)
        assert decision.step.upper() == step
        expected = {
            "verdict": word,
            "action": step,
            "reason": verdict.reason_code,
            "exit_code": str(self.code),
            "decision": decision.step,
            "page": str(decision.page).lower(),
        }
        assert {name: self.outputs[name] for name in expected} == expected
        last = [line for line in self.output.splitlines() if re.match(rf"{word}  ", line)]
        assert last, self.output
        said = {"promote": "promote", "rollback": "roll back", "hold": "hold"}[decision.step]
        assert f"decision: {said}" in self.output
        self.never_asks_for_another_step(self.text("summary.md"), step)
        self.never_asks_for_another_step(self.output.split(last[-1])[1].split("evidence:")[0], step)
        self.never_asks_for_another_step(verdict.message + verdict.message_long, step)
        assert self.text("summary.md").startswith(f"# {word}")
        assert f"Verdict = {word} ({step})" in self.text("allure-results/environment.properties").replace("\\ ", " ")
        ctrf = json.loads(self.text("ctrf.json"))["results"]["summary"]["extra"]
        assert (ctrf["verdict"], ctrf["action"]) == (word, step)
        finished = json.loads(self.text("cdevents.jsonl").splitlines()[-1])["data"]["customData"]
        assert (finished["verdict"], finished["action"]) == (word, step)
        with HistoryStore.open(self.folder.parent / "history.sqlite") as store:
            (record,) = (run for run in store.runs() if run.run_id == self.folder.name)
        assert (record.verdict, record.reason_code, record.step) == (word, verdict.reason_code, decision.step)
        unhappy = list(fromstring(self.text("junit/streampay-smoke.xml")).iter("failure"))
        assert word != "PASS" or not unhappy or verdict.overrides  # an override hides nothing

    @staticmethod
    def never_asks_for_another_step(text: str, step: str) -> None:
        asks = {"PROMOTE": r"Promote the release", "ROLLBACK": r"\b[Rr]oll back to|-> roll back|Next: roll back"}
        for other, pattern in asks.items():
            assert other == step or not re.search(pattern, text), (step, text)

    def files(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()}


Play = Callable[[Project], Ran]


@pytest.fixture
def told(project: Project, tmp_path: Path) -> Callable[[Play], Told]:
    """Play in a project whose CI wants outputs and reports, and return what was told."""
    outputs = tmp_path / "ci-outputs"
    project.environ |= {**WITH_REPORT, "GITHUB_OUTPUT": str(outputs)}

    def tell(play: Play) -> Told:
        ran = play(project)
        return Told(ran, outputs)

    return tell


def stopped(project: Project, *command: str, number: signal.Signals) -> Ran:
    hanging = "    import time\n    open('hanging', 'w').close()\n    time.sleep(60)"
    project.edit("steps/readiness_steps.py", CHECK, hanging)
    with project.start(*command) as running:
        wait_for_file(project.folder / "hanging", running)
        running.send_signal(number)
        output, _ = running.communicate(timeout=HANG_SECONDS)
    return project.ran(running.returncode, output)


def killed(project: Project) -> Ran:
    project.edit("steps/readiness_steps.py", CHECK, "    import os, signal\n    os.kill(os.getpid(), signal.SIGKILL)")
    return project.smoke(READY)


def overridden(project: Project) -> Ran:
    return override(project, failing(project).folder)


def override(project: Project, folder: Path) -> Ran:
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    said = project.answer(
        *("override", str(folder), "--to", "PASS", "--who", "ada", "--why", "on purpose", "--until", until)
    )
    return project.ran(said.returncode, said.stdout + said.stderr)


def changed(project: Project) -> Ran:
    project.spoil("settlement.feature", "@money", "@money @slow")
    return project.smoke(READY)


def failing(project: Project) -> Ran:
    with start_sandbox(faults=["list-open"]) as broken:
        project.environ |= {**broken.ready_document()["env"], "SMOKE_AUTH_MODE": "jwt"}
        return project.smoke("--tags=@streams")


WAYS: dict[str, tuple[Play, str, str, str]] = {
    "run": (lambda project: project.smoke(READY), "PASS", "all_promises_kept", "hold"),
    "behave": (lambda project: project.behave(READY), "PASS", "all_promises_kept", "hold"),
    "refused": (
        lambda project: project.smoke(READY, "--deadline", "soon"),
        "CONFIG",
        "settings_invalid",
        "hold",
    ),
    "refused by behave": (
        lambda project: project.behave("--tags=@a @b"),
        "CONFIG",
        "settings_invalid",
        "hold",
    ),
    "a foreign runner": (
        lambda project: project.behave(READY, "--runner=behave.runner:Runner"),
        "CONFIG",
        "settings_invalid",
        "hold",
    ),
    "a changed suite": (
        changed,
        "CONFIG",
        "suite_changed",
        "hold",
    ),
    "SIGTERM": (
        lambda project: stopped(project, "streampay_smoke", "run", READY, number=signal.SIGTERM),
        "INCONCLUSIVE",
        "terminated",
        "hold",
    ),
    "SIGHUP to behave": (
        lambda project: stopped(project, "behave", READY, number=signal.SIGHUP),
        "INCONCLUSIVE",
        "terminated",
        "hold",
    ),
    "killed": (killed, "INCONCLUSIVE", "terminated", "hold"),
    "failing": (failing, "FAIL", "promise_broken", "hold"),
    "overridden": (overridden, "PASS", "overridden", "hold"),
    "public network": (
        lambda project: project.smoke(READY, SMOKE_STELLAR_NETWORK="pubnet"),
        "SAFETY",
        "guard_refused",
        "hold",
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_end_leaves_the_same_files_that_agree(told: Callable[[Play], Told], way: str) -> None:
    play, word, reason_code, step = WAYS[way]
    found = told(play)
    assert found.files() == FILES, found.output
    assert (found.verdict.verdict, found.verdict.reason_code, found.decision.step) == (word, reason_code, step)
    found.agrees()


def test_the_whole_suite_promotes_what_passes(told: Callable[[Play], Told]) -> None:
    found = told(lambda project: project.smoke())
    assert (found.verdict.verdict, found.decision.step) == ("PASS", "promote"), found.output
    found.agrees()


def test_the_whole_suite_rolls_back_what_fails_and_promotes_what_a_person_answers_for(
    told: Callable[[Play], Told], project: Project
) -> None:
    with start_sandbox(faults=["half-broken"]) as broken:
        project.environ |= broken.ready_document()["env"]
        found = told(lambda project: project.smoke())
    assert (found.verdict.verdict, found.decision.step) == ("FAIL", "rollback"), found.output
    found.agrees()
    again = told(lambda project: override(project, found.folder))
    assert (again.verdict.verdict, again.decision.step) == ("PASS", "promote")
    again.agrees()
