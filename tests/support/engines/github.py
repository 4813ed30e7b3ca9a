"""GitHub Actions: which jobs of a workflow run, in what order, and what becomes of their steps.

Written from "Workflow syntax for GitHub Actions": `needs`, `if`, outputs, `timeout-minutes`, artifacts.
"""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from engines.expressions import as_text, calls_status, evaluate, interpolated, truthy
from engines.shell import Checkout

BASH = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c"]
"""What `shell: bash` is."""


class Workflow:
    """A workflow that is dispatched. `before` is told of each job before it runs, and may say how it is cut off."""

    def __init__(
        self,
        workflow: Mapping[str, Any],
        checkout: Checkout,
        contexts: Mapping[str, Any],
        *,
        artifacts: Path,
        before: Callable[[str], str] = lambda job: "",
    ) -> None:
        self._workflow = workflow
        self._checkout = checkout
        self._contexts = contexts
        self._artifacts = artifacts
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
            "needs": {need: self.results[need] for need in self._needs(job)},
        }
        assert "timeout-minutes" in job, f"{name} may run for six hours"
        if not self._due(job, contexts):
            return {"result": "skipped", "outputs": {}}
        if cut_off := self._before(name):
            return {"result": cut_off, "outputs": {}}
        outputs: dict[str, dict[str, Any]] = {}
        failed = self._steps(job, contexts, outputs)
        told = {
            key: evaluate_text(value, {**contexts, "steps": outputs}) for key, value in job.get("outputs", {}).items()
        }
        return {"result": "failure" if failed else "success", "outputs": {k: v for k, v in told.items() if v}}

    def _due(self, job: Mapping[str, Any], contexts: Mapping[str, Any]) -> bool:
        results = [self.results[name]["result"] for name in self._ancestors(job)]

        def success() -> bool:
            return not self.cancelled and all(result == "success" for result in results)

        functions = {
            "success": success,
            "always": lambda: True,
            "failure": lambda: "failure" in results,
            "cancelled": lambda: self.cancelled,
        }
        condition = str(job.get("if", "success()"))
        if not calls_status(condition) and not success():
            return False
        return truthy(evaluate(condition, contexts, functions))

    def _steps(self, job: Mapping[str, Any], contexts: Mapping[str, Any], outputs: dict[str, Any]) -> bool:
        shutil.rmtree(self._checkout.folder / "artifacts", ignore_errors=True)  # each job has a machine of its own
        failed = False
        for step in job["steps"]:
            always = str(step.get("if", "")) == "always()"
            assert always or "if" not in step, "the model knows always() at a step"
            if failed and not always:
                continue
            ok = self._action(step, contexts) if "uses" in step else self._script(step, job, contexts, outputs)
            failed = failed or not ok
        return failed

    def _script(
        self, step: Mapping[str, Any], job: Mapping[str, Any], contexts: Mapping[str, Any], outputs: dict[str, Any]
    ) -> bool:
        shell = step.get("shell", self._workflow.get("defaults", {}).get("run", {}).get("shell"))
        assert shell == "bash", "without pipefail the first half of a pipe may fail unseen"
        assert "${{" not in step["run"], "an expression in a script is an injection"
        told = self._checkout.folder / "outputs"
        told.write_text("")
        environ = {
            name: evaluate_text(value, contexts)
            for level in (self._workflow, job, step)
            for name, value in level.get("env", {}).items()
        }
        environ |= {"GITHUB_OUTPUT": str(told), "GITHUB_STEP_SUMMARY": str(self._checkout.folder / "summary.md")}
        code = self._checkout.run([*BASH, step["run"]], environ)
        if "id" in step:
            lines = [line.split("=", 1) for line in told.read_text().splitlines() if "=" in line]
            outputs[step["id"]] = {"outputs": dict(lines)}
        return code == 0

    def _action(self, step: Mapping[str, Any], contexts: Mapping[str, Any]) -> bool:
        action = step["uses"].split("@")[0]
        given = {name: interpolated(as_text(value), contexts) for name, value in step.get("with", {}).items()}
        if action == "actions/checkout":
            return True
        path = self._checkout.folder / given["path"]
        kept = self._artifacts / given.get("name", given.get("pattern", ""))
        if action == "actions/upload-artifact":
            if not path.exists():
                return given.get("if-no-files-found") != "error"
            if kept.exists() and given.get("overwrite") != "true":
                return False  # 409: the run has an artifact of this name
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(path, kept, symlinks=True)
            return True
        assert action == "actions/download-artifact", f"the model does not know {action}"
        if not kept.exists():
            return "pattern" in given
        shutil.copytree(kept, path, dirs_exist_ok=True)
        return True


def evaluate_text(value: Any, contexts: Mapping[str, Any]) -> str:
    """Return a value of the workflow with its expressions replaced."""
    return interpolated(str(value), contexts)
