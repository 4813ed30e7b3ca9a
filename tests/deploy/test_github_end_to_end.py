"""deploy/github and action.yml, step by step: the gate, the actuator, its hook and a fleet are the real ones."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_double import Answered, Asked, serving
from engines.files import document
from engines.fleet_deployment import FleetMachine, commands
from engines.github import Workflow, evaluate_text
from github_double import REPOSITORY, TOKEN, GithubDouble
from waits import HANG_SECONDS

from streampay_sandbox import fleet as fleets
from streampay_sandbox.fleet import Fleet

ROLLBACK = """[rollback]
hook = "github"
within_seconds = 60

[rollback.github]
repository = "{repository}"
workflow = "rollback.yml"
ref = "main"
api = "{api}"
"""


NO_GREEN_RUN = "No earlier green run"


class PlayingGithub(GithubDouble):
    """GitHub's API over a repository with rollback.yml: a dispatch plays it on the fleet."""

    def __init__(self, folder: Path, fleet: Fleet) -> None:
        super().__init__()
        self._folder = folder
        self._fleet = fleet
        self.workflow = document("github/rollback.yml")
        self.played: dict[int, threading.Thread] = {}
        self.results: dict[int, str] = {}

    def _dispatch(self, asked: Asked) -> Answered:
        declared = self.workflow["on"]["workflow_dispatch"]["inputs"].keys()
        if asked.json["inputs"].keys() != declared:
            return Answered(422, {"message": f"the workflow takes {sorted(declared)}"})
        answered = super()._dispatch(asked)
        run = self.runs[0]
        run["display_title"] = evaluate_text(self.workflow["run-name"], {"inputs": run["inputs"]})
        self.played[run["id"]] = threading.Thread(target=self._play, args=(run["id"], run["inputs"]))
        self.played[run["id"]].start()
        return answered

    def _play(self, number: int, inputs: dict[str, str]) -> None:
        folder = self._folder / f"rollback-{number}"
        contexts = {
            "inputs": inputs,
            "github": {"run_attempt": 1},
            "vars": {},
            "secrets": {},
            "protected": {"staging": {"vars": commands(self._fleet)}},
        }
        machine = FleetMachine(folder, rollback="")
        played = Workflow(self.workflow, machine, contexts, artifacts=folder / "kept").play()
        self.results[number] = played["rollback"]

    def _advance(self, run: dict[str, Any]) -> dict[str, Any]:
        self.played[run["id"]].join(HANG_SECONDS)
        run |= {"status": "completed", "conclusion": self.results.get(run["id"], "failure"), "left": []}
        return super()._advance(run)


class Repository:
    """A repository that was empty: the two workflows, an environment file, and the settings the heads list."""

    def __init__(self, folder: Path, fleet: Fleet, api: str) -> None:
        self.folder = folder
        self.fleet = fleet
        self.api = api
        given = fleet.environ()
        passed = (
            "SMOKE_CONTRACT_ID",
            "SMOKE_TOKEN_CONTRACT_ID",
            "SMOKE_STELLAR_RPC_URL",
            "SMOKE_STELLAR_FRIENDBOT_URL",
        )
        self.own = {
            "vars": {**{name: given[name] for name in passed}, "SMOKE_BASE_URL": fleet.base_url, **commands(fleet)},
            "secrets": {name: given[name] for name in ("SMOKE_AUTH_JWT_SECRET", "SMOKE_API_KEY")}
            | {"SMOKE_ROLLBACK_TOKEN": TOKEN},
        }
        self.machine: FleetMachine

    def deploy(self, release: str, *, promote: str = "", **variables: str) -> dict[str, Any]:
        """Dispatch deploy.yml; return every job's result and outputs."""
        folder = self.folder / release
        self.machine = FleetMachine(
            folder, rollback=ROLLBACK.format(repository=REPOSITORY.removeprefix("/repos/"), api=self.api)
        )
        own = {**self.own, "vars": {**self.own["vars"], **variables}}
        workflow = Workflow(
            document("github/deploy.yml"),
            self.machine,
            {
                "inputs": {"environment": "sandbox", "release": release},
                "github": {"run_id": f"run-of-{release}", "run_attempt": 1},
                "vars": {},
                "secrets": {},
                "protected": {
                    "sandbox": own,
                    "sandbox-live": {"vars": {"PROMOTE_COMMAND": promote or commands(self.fleet)["PROMOTE_COMMAND"]}},
                },
            },
            artifacts=folder / "kept",
            caches=self.folder / "caches",
        )
        workflow.play()
        return workflow.results

    def kept(self, release: str) -> dict[str, Path]:
        return {path.name: path for path in (self.folder / release / "kept").iterdir()}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    folder = tmp_path_factory.mktemp("repository")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fleets, "PER_MINUTE_IN_A_FLEET", {**fleets.PER_MINUTE_IN_A_FLEET, "login": 100_000})
        with Fleet("v1") as fleet, serving(PlayingGithub(folder, fleet)) as github:
            yield Repository(folder, fleet, github.url)


def decided(results: dict[str, Any]) -> tuple[str, ...]:
    return tuple(results[job]["outputs"].get("decision", "") for job in ("gate", "gate-live"))


def done(results: dict[str, Any]) -> set[str]:
    return {name for name, job in results.items() if job["result"] == "success"}


def test_a_good_release_is_promoted_and_proved(repository: Repository) -> None:
    repository.fleet.start("good")
    results = repository.deploy("good")
    assert decided(results) == ("promote", "promote"), repository.machine.said
    assert done(results) == {"record", "candidate", "gate", "promote", "gate-live"}
    assert repository.fleet.engine.state().live == "good"
    kept = repository.kept("good")
    assert kept.keys() == {"deploy-record", "streampay-smoke-gate-1", "streampay-smoke-gate-live-1"}
    assert (kept["streampay-smoke-gate-1"] / "report.html").is_file()
    assert len(list(kept["streampay-smoke-gate-1"].rglob("verdict.json"))) == 1, "each file once"
    assert NO_GREEN_RUN not in (kept["streampay-smoke-gate-live-1"] / "summary.md").read_text(), (
        "the cache of another job"
    )


def test_a_broken_candidate_is_discarded_and_users_never_meet_it(repository: Repository) -> None:
    live = repository.fleet.engine.state().live
    repository.fleet.start("broken", faults=["half-broken"])
    results = repository.deploy("broken")
    assert decided(results) == ("rollback", ""), repository.machine.said
    assert done(results) == {"record", "candidate", "discard"}
    assert (repository.machine.folder / "discarded").read_text() == "broken\n"
    assert repository.fleet.engine.state().live == live


def test_a_release_that_breaks_after_its_promotion_is_rolled_back_and_the_rollback_is_proved(
    repository: Repository,
) -> None:
    live = repository.fleet.engine.state().live
    repository.fleet.start("late")
    promote = commands(repository.fleet)["PROMOTE_COMMAND"]
    breaks = promote.replace("/promote?release=$RELEASE", "/start?release=$RELEASE&fault=half-broken")
    results = repository.deploy("late", promote=f"{breaks}; {promote}")
    assert decided(results) == ("promote", "rollback"), repository.machine.said
    assert done(results) == {"record", "candidate", "gate", "promote", "rollback"}, repository.machine.said[-1]
    assert any(f"ROLLED BACK  sandbox: {live} is live again" in said for said in repository.machine.said)
    assert repository.fleet.engine.state().live == live


def test_a_ledger_that_is_down_holds_and_a_person_is_told(repository: Repository) -> None:
    live = repository.fleet.engine.state().live
    repository.fleet.start("unjudged")
    results = repository.deploy("unjudged", SMOKE_STELLAR_RPC_URL="http://127.0.0.1:9")
    assert decided(results) == ("hold", ""), repository.machine.said
    assert done(results) == {"record", "candidate"}
    assert results["gate"]["outputs"]["verdict"] == "INCONCLUSIVE"
    assert results["hold"]["result"] == "failure", "the workflow is red"
    assert "candidate INCONCLUSIVE" in repository.machine.said[-1]
    assert repository.fleet.engine.state().live == live
