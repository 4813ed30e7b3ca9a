"""GitLab CI: which jobs of a pipeline run, and what they find of the jobs before them.

Written from "CI/CD YAML syntax reference": `needs`, `when`, `allow_failure`, `artifacts:when`.
"""

import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

GLOBAL = {"stages", "variables", "default", "workflow", "include"}


class Image(Protocol):
    """Where jobs run: a working copy, in the gate's image."""

    folder: Path

    @property
    def image_paths(self) -> Sequence[str]:
        """Where the image has the gate's program."""

    def run(self, command: list[str], environ: Mapping[str, str], paths: Sequence[str] = ()) -> int:
        """Run a command with `paths` first on the PATH, and return its exit code."""


class Pipeline:
    """A pipeline. `before` is told of each job before it runs, and may say that it is cut off ("failed")."""

    def __init__(
        self,
        config: Mapping[str, Any],
        checkout: Image,
        variables: Mapping[str, str],
        *,
        artifacts: Path,
        before: Callable[[str], str] = lambda job: "",
    ) -> None:
        self._config = config
        self._checkout = checkout
        self._variables = variables
        self._artifacts = artifacts
        self._before = before
        self.results: dict[str, str] = {}

    def play(self) -> dict[str, str]:
        """Run every job, stage by stage; return each one's result."""
        jobs = {name: job for name, job in self._config.items() if name not in GLOBAL and not name.startswith(".")}
        for stage in self._config["stages"]:
            for name, job in jobs.items():
                if job["stage"] == stage:
                    self.results[name] = self._job(name, job)
        return self.results

    def _job(self, name: str, job: Mapping[str, Any]) -> str:
        assert "needs" in job or job["stage"] == self._config["stages"][0], f"{name} would wait for whole stages"
        before = [self.results[need] for need in job.get("needs", [])]
        due = {
            "on_success": all(result == "success" for result in before),
            # GitLab runs it when one of its needs failed; one that was skipped is no failure
            "on_failure": "failed" in before,
            "manual": False,
        }[job.get("when", "on_success")]
        if not due:
            return "manual" if job.get("when") == "manual" else "skipped"
        if cut_off := self._before(name):
            return cut_off
        self._fetch(job)
        cache = job.get("cache", {})
        for path in cache.get("paths", []):
            _copy(self._cache(cache) / path, self._checkout.folder / path)
        result = "success" if self._script(job) == 0 else "failed"
        if result == "success" or cache.get("when") == "always":
            for path in cache.get("paths", []):
                _copy(self._checkout.folder / path, self._cache(cache) / path)
        self._keep(name, job, result)
        return result

    def _cache(self, cache: Mapping[str, Any]) -> Path:
        """Return where the cache of a key is kept: it belongs to the project, not to a pipeline."""
        key = re.sub(r"\$(\w+)", lambda found: self._config["variables"].get(found[1], ""), cache["key"])
        return self._artifacts.with_name("caches") / key

    def _script(self, job: Mapping[str, Any]) -> int:
        # The runner stops at the first command that fails, as set -eo pipefail does.
        commands = [line for entry in job["script"] for line in ([entry] if isinstance(entry, str) else entry)]
        given = {**self._config["variables"], **job.get("variables", {})}
        environ = dict(self._variables)
        for name, value in given.items():
            environ[name] = re.sub(r"\$(\w+)", lambda found: environ.get(found[1], ""), value)
        return self._checkout.run(
            ["bash", "-eo", "pipefail", "-c", "\n".join(commands)], environ, self._checkout.image_paths
        )

    def _keep(self, name: str, job: Mapping[str, Any], result: str) -> None:
        kept = job.get("artifacts", {})
        if result == "success" or kept.get("when") in {"always", "on_failure"}:
            for path in kept.get("paths", []):
                _copy(self._checkout.folder / path, self._artifacts / name / path)

    def _fetch(self, job: Mapping[str, Any]) -> None:
        for left in ("gate", "artifacts", "history"):  # each job begins with a fresh copy
            shutil.rmtree(self._checkout.folder / left, ignore_errors=True)
        (self._checkout.folder / "candidate.env").unlink(missing_ok=True)
        for need in job.get("needs", []):
            found = self._artifacts / need
            if found.exists():
                shutil.copytree(found, self._checkout.folder, dirs_exist_ok=True)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target, symlinks=True)
    elif source.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
