"""The engine is a deployment group of AWS CodeDeploy: what is under way is stopped and rolled back, else redeployed.

Stopping with a rollback goes to the last revision that was deployed well, so it is used only while that is the target;
in ECS blue/green it sends traffic back to the original tasks. Otherwise the target's revision is deployed anew, with
the intent's key in its description: a deployment that has it is not made twice.
"""

import re
from typing import Any

import msgspec

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.rollback.hook import Intent
from streampay_smoke.rollback.hooks.aws import CODEDEPLOY, ECS, Aws, AwsSettings
from streampay_smoke.rollback.hooks.aws_ecs import TaskDefinitions
from streampay_smoke.rollback.hooks.engine_api import REAL_CLOCK, Deadline, EngineHook, HookClock
from streampay_smoke.rollback.hooks.fence import refuse_other
from streampay_smoke.rollback.hooks.images import Origin

_UNDER_WAY = frozenset({"Created", "Queued", "InProgress", "Baking", "Ready"})
_BATCH = 25  # the most BatchGetDeployments takes
_TASK_DEFINITION = re.compile(r"arn:aws[\w-]*:ecs:[\w-]+:\d+:task-definition/[\w-]+:\d+")
_LOCATIONS = {
    "commit": ("gitHubLocation", "commitId"),
    "s3-key": ("s3Location", "key"),
    "s3-version": ("s3Location", "version"),
}
"""Where a revision tells its release, by release_told_by; other ways are those of the task definition it deploys."""


class CodeDeploySettings(AwsSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[rollback.aws-codedeploy]`. `container` is the release's own, for ECS.

    `release_told_by` is commit, s3-key or s3-version of the revision; for ECS image-digest, or label:NAME, a docker
    label.
    """

    application: str
    deployment_group: str
    release_told_by: str
    container: str = ""


class _Listed(msgspec.Struct, frozen=True, kw_only=True):
    deployments: list[str]


class _Deployment(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    deployment_id: str
    status: str
    create_time: float = 0.0
    description: str = ""
    revision: dict[str, Any] = {}


class _Got(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    deployments_info: list[_Deployment]


class _Created(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    deployment_id: str


class _Stopped(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    status: str
    status_message: str = ""


class CodeDeployHook(EngineHook):
    """Rolls a deployment group back.

    The live release is that of the deployment under way, else of the last that succeeded. A rollback is done once
    CodeDeploy has taken the stop or the deployment; it goes on by itself.
    """

    def __init__(self, settings: CodeDeploySettings, *, clock: HookClock = REAL_CLOCK) -> None:
        super().__init__(clock)
        self._aws = Aws(
            CODEDEPLOY,
            settings,
            next_steps={
                "ApplicationDoesNotExistException": "correct application in [rollback.aws-codedeploy]",
                "DeploymentGroupDoesNotExistException": "correct deployment_group in [rollback.aws-codedeploy]",
                "DeploymentLimitExceededException": "see which deployment of this group is under way, and stop it",
            },
        )
        self._tasks: TaskDefinitions | None = None
        if settings.release_told_by not in _LOCATIONS:
            self._tasks = TaskDefinitions(Aws(ECS, settings, next_steps={}), _origin(settings))
        self._told_by = settings.release_told_by
        self._at = {"applicationName": settings.application, "deploymentGroupName": settings.deployment_group}
        self._what = f"CodeDeploy group {settings.application}/{settings.deployment_group}"

    def _look(self, within: Deadline) -> str | None:
        standing = _standing(self._deployments(within))
        return self._release(standing, within) if standing else None

    def _attempt(self, intent: Intent, within: Deadline) -> str:
        deployments = self._deployments(within)
        own = next((one for one in deployments if intent.key in one.description.split()), None)
        if own is not None and own.status in {"Failed", "Stopped"}:
            raise self._aws.api.failed(
                f"deployment {own.deployment_id} of this intent ended: {own.status}",
                next_step=f"see why {own.deployment_id} ended so, and deploy the target by hand",
            )
        standing = _standing(deployments)
        release = self._release(standing, within) if standing else None
        if standing is not None and release == intent.target_release:
            return f"{self._what} has {release} by deployment {standing.deployment_id}, {standing.status}"
        refuse_other(release, intent, acted=own is not None, what=self._what)
        succeeded = [one for one in deployments if one.status == "Succeeded"]
        target = self._recorded(succeeded, intent, within)
        if standing is not None and standing.status in _UNDER_WAY and target is succeeded[0]:
            given = {"deploymentId": standing.deployment_id, "autoRollbackEnabled": True}
            stopped = self._aws.act("StopDeployment", given, _Stopped, within=within)
            return f"{self._what} stops and rolls back {standing.deployment_id}: {stopped.status}"
        description = f"Rollback from {intent.failed_release} to {intent.target_release}, key {intent.key}"
        given = {**self._at, "revision": target.revision, "description": description}
        created = self._aws.act("CreateDeployment", given, _Created, within=within)
        return f"{self._what} deploys {intent.target_release} by {created.deployment_id}"

    def _deployments(self, within: Deadline) -> list[_Deployment]:
        """Return the group's latest deployments, the latest first."""
        listed = self._aws.act("ListDeployments", self._at, _Listed, within=within).deployments
        found: list[_Deployment] = []
        for start in range(0, len(listed), _BATCH):
            given = {"deploymentIds": listed[start : start + _BATCH]}
            found += self._aws.act("BatchGetDeployments", given, _Got, within=within).deployments_info
        return sorted(found, key=lambda one: one.create_time, reverse=True)

    def _recorded(self, succeeded: list[_Deployment], intent: Intent, within: Deadline) -> _Deployment:
        """Return the latest deployment of the target that succeeded; raises HookFailed without one."""
        known: dict[str, None] = {}
        for deployment in succeeded:
            release = self._release(deployment, within)
            if release == intent.target_release:
                return deployment
            known[str(release)] = None
        raise self._aws.api.failed(
            f"{self._what} has no deployment of {intent.target_release} that succeeded; there are: "
            f"{', '.join(known) or 'none'}",
            next_step="deploy the target by hand",
        )

    def _release(self, deployment: _Deployment, within: Deadline) -> str | None:
        if self._tasks is None:
            location, field = _LOCATIONS[self._told_by]
            release = (deployment.revision.get(location) or {}).get(field)
            return str(release) if release else None
        content = (deployment.revision.get("appSpecContent") or deployment.revision.get("string") or {}).get("content")
        named = _TASK_DEFINITION.search(content or "")
        return self._tasks.release(self._tasks.described(named[0], within=within)) if named else None


def _standing(deployments: list[_Deployment]) -> _Deployment | None:
    """Return the deployment that makes the group what it is: the one under way, else the last that succeeded."""
    under_way = [one for one in deployments if one.status in _UNDER_WAY]
    succeeded = [one for one in deployments if one.status == "Succeeded"]
    return next(iter(under_way + succeeded), None)


def _origin(settings: CodeDeploySettings) -> Origin:
    try:
        return Origin(told_by=settings.release_told_by, container=settings.container)
    except SettingsInvalid:
        raise SettingsInvalid(
            f"[rollback.aws-codedeploy] release_told_by is {settings.release_told_by!r}",
            next_step=f"use {', '.join(_LOCATIONS)}, or for ECS image-digest or label:NAME, a docker label",
        ) from None
