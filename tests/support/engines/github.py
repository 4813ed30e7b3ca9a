"""GitHub Actions: which jobs of a workflow run, in what order, and what becomes of their steps.

Written from "Workflow syntax for GitHub Actions" and "Metadata syntax for GitHub Actions": `needs`, `if`, outputs,
`timeout-minutes`, artifacts, composite actions, and the files in which a step leaves outputs and additions to PATH.
A composite action tells its outputs after a failure, too (`CompositeActionHandler` of actions/runner).
"""

import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from engines.expressions import as_text, calls_status, evaluate, interpolated, truthy
from engines.files import DEPLOY, read_yaml

BASH = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c"]
"""What `shell: bash` is."""

ACTION = "streampay-org/streampay-smoke"
"""Where the files of deploy/github say that this repository is."""

ACTION_FILE = DEPLOY.parent / "action.yml"

Contexts = Mapping[str, Any]


class Machine(Protocol):
    """Where the steps of a workflow run: a working copy, and the checkout of the gate's action."""

    folder: Path
    action: Path

    def run(self, command: list[str], environ: Mapping[str, str], paths: Sequence[str] = ()) -> int:
        """Run a command with `paths` first on the PATH, and return its exit code."""


class JobState(msgspec.Struct, kw_only=True):
    """What the steps of one job know of each other; a composite action's steps have outputs of their own."""

    environ: Mapping[str, str]
    contexts: Contexts
    paths: list[str]
    outputs: dict[str, Any] = {}
    shell: str = ""
    failed: bool = False


class Workflow:
    """A workflow that is dispatched.

    `artifacts` are this run's, `caches` those of the repository. `before` is told of each job before it runs, and may
    say how it is cut off.
    """

    def __init__(
        self,
        workflow: Mapping[str, Any],
        machine: Machine,
        contexts: Contexts,
        *,
        artifacts: Path,
        caches: Path | None = None,
        before: Callable[[str], str] = lambda job: "",
    ) -> None:
        self._workflow = workflow
        self._machine = machine
        self._contexts = contexts
        self._artifacts = artifacts
        self._caches = caches or artifacts.with_name("caches")
        self._before = before
        self.results: dict[str, dict[str, Any]] = {}
        self.cancelled = False

    def play(self) -> dict[str, str]:
        """Run every job whose turn comes; return each one's result."""
        jobs: dict[str, Any] = self._workflow["jobs"]
        while waiting := [name for name in jobs if name not in self.results]:
            name = next(name for name in waiting if set(self._needs(jobs[name])) <= self.results.keys())
            self.results[name] = self._job(name, jobs[name])
        return {name: job["result"] for name, job in self.results.items()}

    def _needs(self, job: Mapping[str, Any]) -> list[str]:
        needs = job.get("needs", [])
        return [needs] if isinstance(needs, str) else list(needs)

    def _ancestors(self, job: Mapping[str, Any]) -> set[str]:
        direct = self._needs(job)
        return {*direct, *(far for name in direct for far in self._ancestors(self._workflow["jobs"][name]))}

    def _job(self, name: str, job: Mapping[str, Any]) -> dict[str, Any]:
        contexts = {
            **self._contexts,
            "github": {**self._contexts["github"], "job": name},
            "needs": {need: self.results[need] for need in self._needs(job)},
        }
        # Secrets and variables of an environment reach the jobs that name it, and no other.
        if (environment := evaluate_text(job.get("environment", ""), contexts)) in self._contexts.get("protected", {}):
            own = self._contexts["protected"][environment]
            contexts |= {kind: {**contexts[kind], **own[kind]} for kind in ("vars", "secrets") if kind in own}
        assert "timeout-minutes" in job or "uses" in job, f"{name} may run for six hours"
        if not self._due(job, contexts):
            return {"result": "skipped", "outputs": {}}
        if "uses" in job:
            return self._called(job, contexts)
        if cut_off := self._before(name):
            return {"result": cut_off, "outputs": {}}
        for left in (self._machine.folder / "artifacts", self._temp):  # each job has a machine of its own
            shutil.rmtree(left, ignore_errors=True)
        state = JobState(
            environ=environ_of(contexts, self._workflow, job),
            contexts=contexts,
            paths=[],
            shell=self._workflow.get("defaults", {}).get("run", {}).get("shell", ""),
        )
        self._steps(job["steps"], state)
        told = {
            key: evaluate_text(value, {**contexts, "steps": state.outputs})
            for key, value in job.get("outputs", {}).items()
        }
        return {"result": "failure" if state.failed else "success", "outputs": {k: v for k, v in told.items() if v}}

    def _called(self, job: Mapping[str, Any], contexts: Contexts) -> dict[str, Any]:
        """Play a workflow of the same repository, with what it is given and, by `secrets: inherit`, all secrets."""
        (workflow,) = read_yaml(DEPLOY / "github" / Path(job["uses"]).name)
        call = workflow["on"]["workflow_call"]
        given = {name: evaluate_text(value, contexts) for name, value in job["with"].items()}
        assert given.keys() <= call["inputs"].keys(), "an input that the workflow does not have is an error"
        assert {name for name, told in call["inputs"].items() if told.get("required")} <= given.keys()
        assert job["secrets"] == "inherit"
        inside = Workflow(
            workflow, self._machine, {**self._contexts, "inputs": given}, artifacts=self._artifacts, before=self._before
        )
        failed = "failure" in inside.play().values()
        told = {
            name: evaluate_text(value["value"], {**contexts, "jobs": inside.results})
            for name, value in call["outputs"].items()
        }
        return {"result": "failure" if failed else "success", "outputs": {k: v for k, v in told.items() if v}}

    def _due(self, job: Mapping[str, Any], contexts: Contexts) -> bool:
        results = [self.results[name]["result"] for name in self._ancestors(job)]

        def success() -> bool:
            return not self.cancelled and all(result == "success" for result in results)

        return due(str(job.get("if", "success()")), contexts, succeeded=success(), failed="failure" in results)

    def _steps(self, steps: Sequence[Mapping[str, Any]], state: JobState) -> None:
        """Run the steps of a job or of a composite action, and note in the state whether one failed."""
        for step in steps:
            known = {**state.contexts, "steps": state.outputs}
            if not due(str(step.get("if", "success()")), known, succeeded=not state.failed, failed=state.failed):
                continue
            environ = {**state.environ, **environ_of(known, step)}
            if "run" in step:
                outputs, ok = self._script(step, environ, state)
            elif step["uses"].split("@")[0] == ACTION:
                outputs, ok = self._composite(step, environ, known, state)
            else:
                outputs, ok = {}, self._action(step, known)
            if "id" in step:
                state.outputs[step["id"]] = {"outputs": outputs}
            state.failed = state.failed or not ok

    def _script(
        self, step: Mapping[str, Any], environ: Mapping[str, str], state: JobState
    ) -> tuple[dict[str, str], bool]:
        assert step.get("shell", state.shell) == "bash", "without pipefail the first half of a pipe may fail unseen"
        assert "${{" not in step["run"], "an expression in a script is an injection"
        told, paths = self._machine.folder / "outputs", self._machine.folder / "paths"
        for file in (told, paths):
            file.write_text("")
        github = state.contexts["github"]
        given = {
            "GITHUB_RUN_ID": str(github.get("run_id", "1")),
            "GITHUB_RUN_ATTEMPT": str(github["run_attempt"]),
            "GITHUB_JOB": github["job"],
            "RUNNER_TEMP": str(self._temp),
            "GITHUB_OUTPUT": str(told),
            "GITHUB_PATH": str(paths),
            "GITHUB_STEP_SUMMARY": str(self._machine.folder / "summary.md"),
            "GITHUB_WORKSPACE": str(self._machine.folder),
        }
        if "action_path" in github:  # a step of a composite action
            given["GITHUB_ACTION_PATH"] = github["action_path"]
        code = self._machine.run([*BASH, step["run"]], {**environ, **given}, state.paths)
        state.paths[:0] = reversed(paths.read_text().splitlines())
        return outputs_in(told.read_text()), code == 0

    def _composite(
        self, step: Mapping[str, Any], environ: Mapping[str, str], contexts: Contexts, state: JobState
    ) -> tuple[dict[str, str], bool]:
        action = read_yaml(ACTION_FILE)[0]
        given = step.get("with", {})
        assert given.keys() <= action["inputs"].keys(), "an input that the action does not have is passed over"
        inputs = {
            name: evaluate_text(given.get(name, told.get("default", "")), contexts)
            for name, told in action["inputs"].items()
        }
        own = {**contexts, "inputs": inputs, "github": {**contexts["github"], "action_path": str(self._machine.action)}}
        for forbidden in ("secrets", "vars", "needs"):  # an action is given what it is given
            own.pop(forbidden, None)
        inside = JobState(environ=environ, contexts=own, paths=state.paths)
        self._steps(action["runs"]["steps"], inside)
        known = {**own, "steps": inside.outputs}
        outputs = {name: evaluate_text(told["value"], known) for name, told in action["outputs"].items()}
        return outputs, not inside.failed

    def _action(self, step: Mapping[str, Any], contexts: Contexts) -> bool:
        action = step["uses"].split("@")[0]
        given = {name: evaluate_text(as_text(value), contexts) for name, value in step.get("with", {}).items()}
        if action == "actions/checkout":
            return True
        path = self._machine.folder / given["path"]
        if action.startswith("actions/cache/"):
            return self._cached(action, path, given)
        kept = self._artifacts / given.get("name", given.get("pattern", ""))
        if action == "actions/upload-artifact":
            if not path.exists():
                return given.get("if-no-files-found") != "error"
            if kept.exists() and given.get("overwrite") != "true":
                return False  # 409: the run has an artifact of this name
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(path, kept)  # symbolic links are followed
            return True
        assert action == "actions/download-artifact", f"the model does not know {action}"
        if "*" in kept.name:
            assert given["merge-multiple"] == "true"
            for each in sorted(self._artifacts.glob(kept.name)):
                shutil.copytree(each, path, dirs_exist_ok=True)
            return True
        if not kept.exists():
            return "pattern" in given
        shutil.copytree(kept, path, dirs_exist_ok=True)
        return True

    @property
    def _temp(self) -> Path:
        return self._machine.folder.with_name("runner-temp")

    def _cached(self, action: str, path: Path, given: Mapping[str, str]) -> bool:
        """Restore the cache of this key, else the newest whose key begins like it; or save one that is not there."""
        if action == "actions/cache/save":
            if path.exists() and not (self._caches / given["key"]).exists():  # else it warns, and goes on
                shutil.copytree(path, self._caches / given["key"])
            return True
        assert action == "actions/cache/restore", f"the model does not know {action}"
        kept = list(self._caches.iterdir()) if self._caches.exists() else []
        for start in (given["key"], *given["restore-keys"].split()):
            if found := [one for one in kept if one.name.startswith(start)]:
                shutil.copytree(max(found, key=lambda one: one.stat().st_ctime_ns), path, dirs_exist_ok=True)
                break
        return True


def due(condition: str, contexts: Contexts, *, succeeded: bool, failed: bool) -> bool:
    """Return whether a job or a step runs, by its condition and what became of those before it."""
    functions = {
        "success": lambda: succeeded,
        "always": lambda: True,
        "failure": lambda: failed,
        "cancelled": lambda: False,
    }
    if not calls_status(condition) and not succeeded:
        return False
    return truthy(evaluate(condition, contexts, functions))


def environ_of(contexts: Contexts, *levels: Mapping[str, Any]) -> dict[str, str]:
    """Return the variables that a workflow, a job or a step sets; later ones win."""
    return {name: evaluate_text(value, contexts) for level in levels for name, value in level.get("env", {}).items()}


def outputs_in(text: str) -> dict[str, str]:
    """Return what a step wrote into $GITHUB_OUTPUT: lines NAME=VALUE, and values of several lines in a delimiter."""
    several = r"^(?P<several>\w+)<<(?P<end>.+)\n(?P<lines>(?:.*\n)*?)(?P=end)$"
    return {
        one["several"] or one["name"]: one["lines"].rstrip("\n") if one["several"] else one["value"]
        for one in re.finditer(rf"{several}|^(?P<name>\w+)=(?P<value>.*)$", text, re.MULTILINE)
    }


def evaluate_text(value: Any, contexts: Contexts) -> str:
    """Return a value of the workflow with its expressions replaced."""
    return interpolated(as_text(value), contexts)
