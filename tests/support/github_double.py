"""GitHub's REST API on loopback (2022-11-28): one workflow that rolls back, and an environment's deployments."""

import re
from collections.abc import Callable
from typing import Any

from engine_double import Answered, Asked

TOKEN = "github-installation-token-for-tests"
REPOSITORY = "/repos/streampay/web"
WORKFLOW = f"{REPOSITORY}/actions/workflows/rollback.yml"
INPUTS = {"target", "failed", "key"}
STATES = {"error", "failure", "inactive", "in_progress", "queued", "pending", "success"}


class GithubDouble:
    """A repository. Each look at a run takes it one step further through `course`; the last step is its conclusion."""

    def __init__(self) -> None:
        self.live = "v2"
        self.course = ["queued", "in_progress", "success"]
        self.runs: list[dict[str, Any]] = []
        self.deployments: list[dict[str, Any]] = []
        self.statuses: dict[int, list[dict[str, Any]]] = {}
        self.run_name = "Rollback to {target} ({key})"
        self.tells_run = True
        self.looks_until_listed = 0
        self.refs = {"main", "v1", "v2"}

    def deploy(self, release: str) -> None:
        self.live = release

    def answer(self, asked: Asked) -> Answered:
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            return Answered(401, {"message": "Bad credentials"})
        if asked.headers.get("x-github-api-version") != "2022-11-28":
            return Answered(400, {"message": "no such version"})
        routes: dict[tuple[str, str], Callable[..., Answered]] = {
            ("POST", f"{WORKFLOW}/dispatches"): self._dispatch,
            ("GET", f"{WORKFLOW}/runs"): self._list_runs,
            ("GET", rf"{REPOSITORY}/actions/runs/(\d+)"): self._get_run,
            ("GET", f"{REPOSITORY}/deployments"): self._list_deployments,
            ("POST", f"{REPOSITORY}/deployments"): self._create_deployment,
            ("GET", rf"{REPOSITORY}/deployments/(\d+)/statuses"): self._list_statuses,
            ("POST", rf"{REPOSITORY}/deployments/(\d+)/statuses"): self._create_status,
        }
        for (method, path), act in routes.items():
            found = re.fullmatch(path, asked.path)
            if found and method == asked.method:
                return act(asked, *found.groups())
        return Answered(404, {"message": "Not Found"})

    def _dispatch(self, asked: Asked) -> Answered:
        body = asked.json
        if body["ref"] not in self.refs:
            return Answered(422, {"message": f"No ref found for: {body['ref']}"})
        if unexpected := set(body["inputs"]) - INPUTS:
            return Answered(422, {"message": f"Unexpected inputs provided: {sorted(unexpected)}"})
        number = len(self.runs) + 1
        run = {
            "id": number,
            "name": "Rollback",
            "display_title": self.run_name.format(**body["inputs"]),
            "event": "workflow_dispatch",
            "head_branch": body["ref"],
            "html_url": f"https://github.example/streampay/web/actions/runs/{number}",
            "status": None,
            "conclusion": None,
        }
        self.runs.insert(0, run | {"inputs": body["inputs"], "left": list(self.course)})
        if not (self.tells_run and body.get("return_run_details")):
            return Answered(204)
        told = {"workflow_run_id": number, "run_url": "https://api.github.example", "html_url": run["html_url"]}
        return Answered(200, told)

    def _list_runs(self, asked: Asked) -> Answered:
        if self.looks_until_listed:
            self.looks_until_listed -= 1
            return Answered(200, {"total_count": 0, "workflow_runs": []})
        wanted = {"event": asked.query["event"], "head_branch": asked.query["branch"]}
        runs = [self._advance(run) for run in self.runs if wanted.items() <= run.items()]
        return Answered(200, {"total_count": len(runs), "workflow_runs": runs[: int(asked.query["per_page"])]})

    def _get_run(self, asked: Asked, number: str) -> Answered:
        del asked
        found = [self._advance(run) for run in self.runs if run["id"] == int(number)]
        return Answered(200, found[0]) if found else Answered(404, {"message": "Not Found"})

    def _advance(self, run: dict[str, Any]) -> dict[str, Any]:
        if run["left"]:
            step = run["left"].pop(0)
            run["status"] = step if run["left"] else "completed"
            run["conclusion"] = None if run["left"] else step
            if run["conclusion"] == "success" and self.live == run["inputs"]["failed"]:  # the workflow's own fence
                self.live = run["inputs"]["target"]
        return {name: value for name, value in run.items() if name not in {"inputs", "left"}}

    def _list_deployments(self, asked: Asked) -> Answered:
        wanted = {name: asked.query[name] for name in ("environment", "task")}
        return Answered(200, [one for one in self.deployments if wanted.items() <= one.items()])

    def _create_deployment(self, asked: Asked) -> Answered:
        body = asked.json
        if body["ref"] not in self.refs:
            return Answered(422, {"message": f"No ref found for: {body['ref']}"})
        if body.get("auto_merge", True):
            return Answered(409, {"message": "Conflict merging main"})
        if body.get("required_contexts") != []:
            return Answered(409, {"message": "Conflict: Commit status checks failed"})
        made = {"id": 100 + len(self.deployments), "sha": "0" * 40, **body}
        self.deployments.insert(0, made)
        self.statuses[made["id"]] = []
        return Answered(201, made)

    def _list_statuses(self, asked: Asked, number: str) -> Answered:
        del asked
        return Answered(200, self.statuses[int(number)])

    def _create_status(self, asked: Asked, number: str) -> Answered:
        body = asked.json
        if body["state"] not in STATES or len(body["description"]) > 140:
            return Answered(422, {"message": "Validation Failed"})
        self.statuses[int(number)].insert(0, body)
        return Answered(201, body)
