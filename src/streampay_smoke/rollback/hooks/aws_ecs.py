"""The engine is an Amazon ECS service: the deployment under way is rolled back, or another task definition is set.

Stopping a deployment with a rollback is what its strategy makes quick: in blue/green, traffic goes back at once. It
goes to the service revision before, so it is used only while that is the target. Anything else is an update of the
service to the latest task definition that holds the target, its image by digest.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from streampay_smoke.rollback.hook import Intent
from streampay_smoke.rollback.hooks.aws import ECS, Aws, AwsSettings
from streampay_smoke.rollback.hooks.engine_api import REAL_CLOCK, Deadline, EngineHook, HookClock
from streampay_smoke.rollback.hooks.fence import refuse_other
from streampay_smoke.rollback.hooks.images import IMAGE_DIGEST, Origin

_STOPPABLE = frozenset({"PENDING", "IN_PROGRESS"})
_GOING_BACK = frozenset({"ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS"})


class EcsSettings(AwsSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[rollback.aws-ecs]`. `release_told_by` label:NAME is a docker label of the container.

    `look_back` is how many task definitions of the family are looked through for the target, the latest first.
    """

    cluster: str
    service: str
    release_told_by: str = IMAGE_DIGEST
    container: str = ""
    look_back: int = 20


class _Container(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    name: str
    image: str
    docker_labels: dict[str, str] = {}


class _TaskDefinition(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    task_definition_arn: str
    family: str
    container_definitions: list[_Container]


class _DescribedTask(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    task_definition: _TaskDefinition


class _ListedTasks(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    task_definition_arns: list[str]


class _Controller(msgspec.Struct, frozen=True, kw_only=True):
    type: str = "ECS"


class _Service(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    service_arn: str
    task_definition: str
    deployment_controller: _Controller = _Controller()
    current_service_deployment: str = ""


class _DescribedServices(msgspec.Struct, frozen=True, kw_only=True):
    services: list[_Service]


class _Updated(msgspec.Struct, frozen=True, kw_only=True):
    service: _Service


class _RevisionName(msgspec.Struct, frozen=True, kw_only=True):
    arn: str


class _Deployment(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    service_deployment_arn: str
    status: str
    source_service_revisions: list[_RevisionName] = []
    target: _RevisionName | None = msgspec.field(default=None, name="targetServiceRevision")


class _DescribedDeployments(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    service_deployments: list[_Deployment]


class _Revision(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    service_revision_arn: str
    task_definition: str


class _DescribedRevisions(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    service_revisions: list[_Revision]


class _Stopped(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    service_deployment_arn: str


class TaskDefinitions:
    """Which release a task definition is."""

    def __init__(self, aws: Aws, origin: Origin) -> None:
        self._aws = aws
        self._origin = origin

    def described(self, arn: str, *, within: Deadline) -> _TaskDefinition:
        """Return a task definition by its ARN, or by family and revision."""
        given = {"taskDefinition": arn}
        return self._aws.act("DescribeTaskDefinition", given, _DescribedTask, within=within).task_definition

    def release(self, task: _TaskDefinition) -> str | None:
        """Return its release, None where it tells none."""
        return self._origin.release(_as_template(task, self._origin.container))

    def refuse_moving(self, task: _TaskDefinition) -> None:
        """Raise HookFailed when its image is named by a tag."""
        self._origin.refuse_moving(_as_template(task, self._origin.container), task.task_definition_arn)

    def earlier(self, family: str, most: int, *, within: Deadline) -> Iterator[_TaskDefinition]:
        """Yield the active task definitions of a family, the latest first."""
        given = {"familyPrefix": family, "status": "ACTIVE", "sort": "DESC", "maxResults": most}
        listed = self._aws.act("ListTaskDefinitions", given, _ListedTasks, within=within)
        yield from (self.described(arn, within=within) for arn in listed.task_definition_arns[:most])


class EcsHook(EngineHook):
    """Rolls an ECS service back. ECS takes no key: the service's own task definition is what is looked at instead.

    The live release is that of the service's task definition, or of the one it goes back to. A rollback is done once
    ECS has taken the change; tasks follow as the deployment's strategy says.
    """

    def __init__(self, settings: EcsSettings, *, clock: HookClock = REAL_CLOCK) -> None:
        super().__init__(clock)
        self._aws = Aws(
            ECS,
            settings,
            next_steps={
                "ClusterNotFoundException": "correct cluster in [rollback.aws-ecs]",
                "ServiceNotFoundException": "correct service in [rollback.aws-ecs]",
                "ServiceNotActiveException": "see why the service is being deleted",
            },
        )
        origin = Origin(told_by=settings.release_told_by, container=settings.container)
        self._tasks = TaskDefinitions(self._aws, origin)
        self._settings = settings
        self._at = {"cluster": settings.cluster, "service": settings.service}
        self._what = f"ECS service {settings.cluster}/{settings.service}"

    def _look(self, within: Deadline) -> str | None:
        service = self._service(within)
        deployment = self._under_way(service, within)
        if deployment is not None and deployment.status in _GOING_BACK:
            return self._tasks.release(self._tasks.described(self._tasks_of(deployment, within)[0], within=within))
        return self._tasks.release(self._standing(service, within))

    def _attempt(self, intent: Intent, within: Deadline) -> str:
        service = self._service(within)
        task = self._standing(service, within)
        release = self._tasks.release(task)
        if release == intent.target_release:
            return f"{self._what} has {task.task_definition_arn} with {release}"
        refuse_other(release, intent, acted=False, what=self._what)
        target = self._recorded(task, intent, within)
        deployment = self._under_way(service, within)
        if deployment is None or not self._leads(deployment, target, task, within):
            given = {**self._at, "taskDefinition": target.task_definition_arn}
            updated = self._aws.act("UpdateService", given, _Updated, within=within).service
            return f"{self._what} was updated to {updated.task_definition}"
        if deployment.status in _STOPPABLE:
            given = {"serviceDeploymentArn": deployment.service_deployment_arn, "stopType": "ROLLBACK"}
            self._aws.act("StopServiceDeployment", given, _Stopped, within=within)
        return f"{self._what} rolls back its deployment {deployment.service_deployment_arn}"

    def _service(self, within: Deadline) -> _Service:
        given = {"cluster": self._settings.cluster, "services": [self._settings.service]}
        found = self._aws.act("DescribeServices", given, _DescribedServices, within=within).services
        if len(found) != 1:
            raise self._aws.api.failed(
                f"{self._what} is not there", next_step="correct cluster and service in [rollback.aws-ecs]"
            )
        if found[0].deployment_controller.type != "ECS":
            raise self._aws.api.failed(
                f"{self._what} is deployed by {found[0].deployment_controller.type}: it takes no change from here",
                next_step="use the hook aws-codedeploy for a service of CODE_DEPLOY",
            )
        return found[0]

    def _standing(self, service: _Service, within: Deadline) -> _TaskDefinition:
        return self._tasks.described(service.task_definition, within=within)

    def _recorded(self, standing: _TaskDefinition, intent: Intent, within: Deadline) -> _TaskDefinition:
        """Return the latest task definition of the target; raises HookFailed without one."""
        known: dict[str, None] = {}
        for task in self._tasks.earlier(standing.family, self._settings.look_back, within=within):
            release = self._tasks.release(task)
            if release == intent.target_release:
                self._tasks.refuse_moving(task)
                return task
            known[str(release)] = None
        raise self._aws.api.failed(
            f"none of the last {self._settings.look_back} task definitions of {standing.family} has the release "
            f"{intent.target_release}; those there have: {', '.join(known)}",
            next_step="register the target's task definition anew, or raise look_back",
        )

    def _under_way(self, service: _Service, within: Deadline) -> _Deployment | None:
        """Return the deployment that goes on, or goes back, from one service revision to another."""
        if not service.current_service_deployment:
            return None
        given: dict[str, Any] = {"serviceDeploymentArns": [service.current_service_deployment]}
        found = self._aws.act("DescribeServiceDeployments", given, _DescribedDeployments, within=within)
        going = [one for one in found.service_deployments if one.status in _STOPPABLE | _GOING_BACK]
        return next((one for one in going if one.target and len(one.source_service_revisions) == 1), None)

    def _leads(
        self, deployment: _Deployment, before: _TaskDefinition, after: _TaskDefinition, within: Deadline
    ) -> bool:
        """Say whether a deployment leads from one task definition to the other: its rollback is what is wanted."""
        return self._tasks_of(deployment, within) == (before.task_definition_arn, after.task_definition_arn)

    def _tasks_of(self, deployment: _Deployment, within: Deadline) -> tuple[str, str]:
        """Return the task definitions that a deployment comes from and goes to."""
        revisions = [deployment.source_service_revisions[0].arn, deployment.target.arn if deployment.target else ""]
        given = {"serviceRevisionArns": revisions}
        found = self._aws.act("DescribeServiceRevisions", given, _DescribedRevisions, within=within)
        tasks = {one.service_revision_arn: one.task_definition for one in found.service_revisions}
        before, after = (tasks.get(revision, "") for revision in revisions)
        return before, after


def _as_template(task: _TaskDefinition, container: str) -> dict[str, Any]:
    """Return a task definition as `Origin` reads pods: the docker labels of the release's container are its labels."""
    chosen = [one for one in task.container_definitions if not container or one.name == container]
    labels = chosen[0].docker_labels if len(chosen) == 1 else {}
    containers = [{"name": one.name, "image": one.image} for one in task.container_definitions]
    return {"metadata": {"labels": labels}, "spec": {"containers": containers}}
