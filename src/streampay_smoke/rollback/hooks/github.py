"""The engine is a workflow of GitHub Actions that rolls back: dispatched once, found by the intent's key, waited for.

GitHub keeps records of deployments, it does not know what is live: no release is told, and it is the workflow that has
to refuse when the live release is not its input `failed`. Where an environment is named, the rollback is recorded as a
deployment of it. A record that cannot be made does not undo a rollback: it is told in the hook's words.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.core.secret import Secret
from streampay_smoke.http.client import Client, Reply
from streampay_smoke.rollback.hook import HookFailed, Intent
from streampay_smoke.rollback.hooks.engine_api import (
    PASSING,
    REAL_CLOCK,
    REQUEST_SECONDS,
    TOKEN,
    Deadline,
    EngineApi,
    HookClock,
    NotYet,
    bearer,
    checked_address,
    retry_until_done,
)

_HEADERS = {"accept": "application/vnd.github+json", "x-github-api-version": "2022-11-28"}
_POLL_SECONDS = 3.0
_LOOKS_BEFORE_DISPATCHING_AGAIN = 5
"""After a dispatch whose answer was lost: a run appears in the list within seconds, if it was started."""

_SHOWN = 140  # the longest description a status may have


class GithubSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[rollback.github]`. `ref` is the branch or tag whose workflow file is run.

    `environment` gets the records, "" for none; `deployment_ref` is their git ref where releases are none themselves.
    """

    repository: str
    workflow: str
    ref: str
    environment: str = ""
    deployment_ref: str = ""
    api: str = "https://api.github.com"
    request_seconds: float = REQUEST_SECONDS

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", self.repository) or not re.fullmatch(r"[\w.-]+", self.workflow):
            raise ValueError("repository is OWNER/NAME and workflow the name of its file, such as rollback.yml")


class _Run(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    html_url: str
    display_title: str = ""
    status: str | None = None
    conclusion: str | None = None


class _Runs(msgspec.Struct, frozen=True, kw_only=True):
    workflow_runs: list[_Run]


class _Dispatched(msgspec.Struct, frozen=True, kw_only=True):
    workflow_run_id: int


class _Deployment(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    payload: Any = None


class _DeploymentStatus(msgspec.Struct, frozen=True, kw_only=True):
    state: str


class _DispatchedRun(msgspec.Struct, kw_only=True):
    """What is known of one intent's run within one call."""

    run_id: int | None = None
    looks_left: int = 0
    recorded: str = ""
    unrecorded: str = ""


class GithubHook:
    """Dispatches the workflow unless a run has the intent's key in its name, and waits until the run has ended."""

    def __init__(self, settings: GithubSettings, token: Secret, *, clock: HookClock = REAL_CLOCK) -> None:
        self._settings = settings
        self._clock = clock
        self._at = f"/repos/{settings.repository}"
        self._workflow = f"{self._at}/actions/workflows/{settings.workflow}"
        self._api = EngineApi(
            "the GitHub API",
            Client(
                base_url=checked_address("github.api", settings.api),
                timeout_seconds=settings.request_seconds,
                headers=_HEADERS,
            ),
            credentials=lambda request: bearer(token),
            passes=_passes,
            next_steps={
                401: f"give a token that has not ended, in {TOKEN}",
                403: "give the token actions: write, and deployments: write where an environment is named",
                404: "correct repository and workflow in [rollback.github], and see that the token reaches them",
                422: "let the workflow take the inputs target, failed and key, and exist on ref",
            },
        )

    @classmethod
    def made(cls, settings: GithubSettings, secrets: Mapping[str, Secret]) -> "GithubHook":
        """Return the hook; raises SettingsInvalid without a token."""
        if TOKEN not in secrets:
            raise SettingsInvalid(
                f"{TOKEN} is not set: no workflow can be dispatched",
                next_step="give the job a token with actions: write, such as the one of a GitHub App",
            )
        return cls(settings, secrets[TOKEN])

    def live_release(self) -> str | None:
        """Return None: GitHub knows what was recorded, not what is live."""
        return None

    def roll_back(self, intent: Intent) -> str:
        """Return once the run of this intent has succeeded; raises HookFailed when it ends in any other way."""
        dispatched = _DispatchedRun()
        return retry_until_done(
            lambda within: self._attempt(intent, dispatched, within), intent.deadline_seconds, self._clock
        )

    def _attempt(self, intent: Intent, dispatched: _DispatchedRun, within: Deadline) -> str:
        run = self._find(intent, dispatched, within)
        if run is None:
            self._dispatch(intent, dispatched, within)
            raise self._api.not_yet(
                f"no run of {self._settings.workflow} has the key of this intent in its name",
                next_step="let the workflow have run-name: Rollback to ${{ inputs.target }} (${{ inputs.key }})",
                pause_seconds=_POLL_SECONDS,
            )
        dispatched.run_id = run.id
        if run.status != "completed":
            self._record("in_progress", intent, run, dispatched, within)
            raise self._api.not_yet(
                f"run {run.html_url} is {run.status or 'unknown'}",
                next_step=f"see {run.html_url}",
                pause_seconds=_POLL_SECONDS,
            )
        if run.conclusion != "success":
            self._record("failure", intent, run, dispatched, within)
            raise self._api.failed(
                f"run {run.html_url} ended: {run.conclusion}{dispatched.unrecorded}",
                next_step="see why, run its jobs again there, and then this rollback: it takes up the same run",
            )
        self._record("success", intent, run, dispatched, within)
        return f"run {run.html_url} ended: success{dispatched.unrecorded}"

    def _find(self, intent: Intent, dispatched: _DispatchedRun, within: Deadline) -> _Run | None:
        if dispatched.run_id is not None:
            return self._api.read(f"{self._at}/actions/runs/{dispatched.run_id}", _Run, within=within)
        params = {"event": "workflow_dispatch", "branch": self._settings.ref, "per_page": "100"}
        runs = self._api.read(f"{self._workflow}/runs", _Runs, within=within, params=params).workflow_runs
        named = re.compile(rf"(?<![\w-]){re.escape(intent.key)}(?![\w-])")
        return next((run for run in runs if named.search(run.display_title)), None)

    def _dispatch(self, intent: Intent, dispatched: _DispatchedRun, within: Deadline) -> None:
        """Start a run, unless one was asked for a moment ago and may only not be listed yet."""
        if dispatched.looks_left:
            dispatched.looks_left -= 1
            return
        inputs = {"target": intent.target_release, "failed": intent.failed_release, "key": intent.key}
        body = {"ref": self._settings.ref, "inputs": inputs, "return_run_details": True}
        dispatched.looks_left = _LOOKS_BEFORE_DISPATCHING_AGAIN
        reply = self._api.ask("POST", f"{self._workflow}/dispatches", within=within, body=body)
        if reply.status == 200:  # servers that do not know return_run_details answer 204
            dispatched.run_id = self._api.shaped(reply, _Dispatched).workflow_run_id

    def _record(self, state: str, intent: Intent, run: _Run, dispatched: _DispatchedRun, within: Deadline) -> None:
        """Leave a deployment with this state in the environment, once; what fails of it is kept in the dispatched."""
        if not self._settings.environment or state == dispatched.recorded:
            return
        try:
            deployment = self._deployment(intent, within)
            known = self._api.read(
                f"{self._at}/deployments/{deployment}/statuses", list[_DeploymentStatus], within=within
            )
            if not any(status.state == state for status in known):
                self._api.ask(
                    "POST", f"{self._at}/deployments/{deployment}/statuses", within=within, body=_status(state, run)
                )
            dispatched.recorded, dispatched.unrecorded = state, ""
        except NotYet:
            raise
        except HookFailed as problem:
            dispatched.unrecorded = f"; not recorded as a deployment: {problem}"

    def _deployment(self, intent: Intent, within: Deadline) -> int:
        """Return the deployment that records this intent, made now unless there is one."""
        params = {"environment": self._settings.environment, "task": "rollback", "per_page": "100"}
        for found in self._api.read(f"{self._at}/deployments", list[_Deployment], within=within, params=params):
            if isinstance(found.payload, dict) and found.payload.get("key") == intent.key:
                return found.id
        body = {
            "ref": self._settings.deployment_ref or intent.target_release,
            "task": "rollback",
            "environment": self._settings.environment,
            "description": f"Rollback from {intent.failed_release} to {intent.target_release}"[:_SHOWN],
            "payload": {"key": intent.key, "target": intent.target_release, "failed": intent.failed_release},
            "auto_merge": False,  # the past is put back as it was
            "required_contexts": [],  # no check of a commit may stand in the way of a rollback
        }
        reply = self._api.ask("POST", f"{self._at}/deployments", within=within, body=body)
        return self._api.shaped(reply, _Deployment).id


def _status(state: str, run: _Run) -> dict[str, Any]:
    # GitHub sets earlier deployments of the environment inactive on success; not those of production environments.
    return {"state": state, "log_url": run.html_url, "description": "Rollback", "auto_inactive": state == "success"}


def _passes(reply: Reply) -> bool:
    # A secondary rate limit is a 403 that says when to come again.
    return reply.status in PASSING or (reply.status == 403 and bool(reply.header("retry-after")))
