"""ECS and CodeDeploy on loopback, held to AWS's own models: botocore checks what is asked and what is answered."""

import functools
import json
from typing import Any

import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.validate import ParamValidator
from cluster_double import image
from engine_double import Answered, Asked

ACCESS_KEY = "AKIDFORTESTSONLY"
SECRET_KEY = "secret-access-key-for-tests"
SESSION_TOKEN = "session-token-for-tests"
REGION = "eu-central-1"
ACCOUNT = f"arn:aws:ecs:{REGION}:123456789012"
SERVICE = f"{ACCOUNT}:service/pay/web"


@functools.cache
def model(target: str) -> Any:
    name = {"AmazonEC2ContainerServiceV20141113": "ecs", "CodeDeploy_20141006": "codedeploy"}[target]
    return botocore.session.Session().get_service_model(name)


def error(kind: str, message: str, status: int = 400) -> Answered:
    return Answered(status, {"__type": f"com.amazonaws#{kind}", "message": message})


class AwsDouble:
    """The two services. Subclasses hold what they know of; an action is a method of its name."""

    def answer(self, asked: Asked) -> Answered:
        if not _signature_holds(asked):
            return error("InvalidSignatureException", "The request signature we calculated does not match")
        target, _, action = asked.headers["x-amz-target"].partition(".")
        operation = model(target).operation_model(action)
        wrong = ParamValidator().validate(asked.json, operation.input_shape)
        if wrong.has_errors():
            return error("InvalidParameterException", wrong.generate_report())
        answered: Answered = getattr(self, action)(**asked.json)
        if answered.status == 200:
            unlike = ParamValidator().validate(answered.body, operation.output_shape)
            assert not unlike.has_errors(), unlike.generate_report()
        return answered


def _signature_holds(asked: Asked) -> bool:
    """Compute the signature of what arrived, from the headers it says it covers."""
    authorization = asked.headers.get("authorization", "")
    if not authorization.startswith("AWS4-HMAC-SHA256 ") or asked.headers.get("x-amz-security-token") != SESSION_TOKEN:
        return False
    parts = dict(part.split("=", 1) for part in authorization.split(" ", 1)[1].split(", "))
    service = parts["Credential"].split("/")[3]
    headers = {name: asked.headers[name] for name in parts["SignedHeaders"].split(";")}
    url = f"http://{headers.pop('host')}{asked.path}"
    request = AWSRequest(method=asked.method, url=url, data=asked.body, headers=headers)
    request.context["timestamp"] = asked.headers["x-amz-date"]
    signer = SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY, SESSION_TOKEN), service, REGION)
    wanted = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    return bool(parts["Signature"] == wanted)


class TaskDefinitionsDouble(AwsDouble):
    """The task definitions of one family, v1 first."""

    def __init__(self) -> None:
        self.tasks: dict[str, dict[str, Any]] = {}

    def register(self, release: str) -> str:
        number = len(self.tasks) + 1
        arn = f"{ACCOUNT}:task-definition/web:{number}"
        web = {"name": "web", "image": image(release), "dockerLabels": {"release": release}}
        containers = [web, {"name": "proxy", "image": "proxy:1"}]
        self.tasks[arn] = {"taskDefinitionArn": arn, "family": "web", "containerDefinitions": containers}
        return arn

    def release_of(self, arn: str) -> str:
        return str(self.tasks[arn]["containerDefinitions"][0]["dockerLabels"]["release"])

    def DescribeTaskDefinition(self, taskDefinition: str) -> Answered:
        if taskDefinition not in self.tasks:
            return error("ClientException", "Unable to describe task definition.")
        return Answered(200, {"taskDefinition": self.tasks[taskDefinition], "tags": []})

    def ListTaskDefinitions(self, familyPrefix: str, status: str, sort: str, maxResults: int) -> Answered:
        assert (status, sort) == ("ACTIVE", "DESC")
        arns = [arn for arn, task in self.tasks.items() if task["family"] == familyPrefix]
        return Answered(200, {"taskDefinitionArns": arns[::-1][:maxResults]})


class EcsDouble(TaskDefinitionsDouble):
    """A service of ECS. With `under_way`, the last deployment has not ended."""

    def __init__(self, *, under_way: bool) -> None:
        super().__init__()
        self.under_way = under_way
        self.controller = "ECS"
        self.deployments: list[dict[str, Any]] = []
        self.revisions: dict[str, str] = {}
        self.task = self.register("v1")
        self.revision = self._revise(self.task)
        self.serving = self.task
        self.deploy("v2")

    def deploy(self, release: str) -> None:
        self._start(self.register(release))

    def running(self) -> str:
        return self.release_of(self.serving)

    def _revise(self, task: str) -> str:
        arn = f"{ACCOUNT}:service-revision/pay/web/{len(self.revisions) + 1}"
        self.revisions[arn] = task
        return arn

    def _start(self, task: str) -> None:
        before, self.revision = self.revision, self._revise(task)
        self.task = self.serving = task
        self.deployments.append(
            {
                "serviceDeploymentArn": f"{ACCOUNT}:service-deployment/pay/web/{len(self.deployments) + 1}",
                "sourceServiceRevisions": [{"arn": before, "requestedTaskCount": 2}],
                "targetServiceRevision": {"arn": self.revision, "requestedTaskCount": 2},
                "status": "IN_PROGRESS" if self.under_way else "SUCCESSFUL",
                "createdAt": 1_764_000_000.5,
            }
        )

    def DescribeServices(self, cluster: str, services: list[str]) -> Answered:
        if cluster != "pay":
            return error("ClusterNotFoundException", "Cluster not found.")
        if services != ["web"]:
            missing = [{"arn": f"{ACCOUNT}:service/pay/{services[0]}", "reason": "MISSING"}]
            return Answered(200, {"services": [], "failures": missing})
        service = {
            "serviceArn": SERVICE,
            "status": "ACTIVE",
            "taskDefinition": self.task,
            "deploymentController": {"type": self.controller},
        }
        if self.deployments:
            service["currentServiceDeployment"] = self.deployments[-1]["serviceDeploymentArn"]
        return Answered(200, {"services": [service], "failures": []})

    def DescribeServiceDeployments(self, serviceDeploymentArns: list[str]) -> Answered:
        found = [one for one in self.deployments if one["serviceDeploymentArn"] in serviceDeploymentArns]
        return Answered(200, {"serviceDeployments": found, "failures": []})

    def DescribeServiceRevisions(self, serviceRevisionArns: list[str]) -> Answered:
        found = [
            {"serviceRevisionArn": arn, "taskDefinition": self.revisions[arn], "serviceArn": SERVICE}
            for arn in serviceRevisionArns
            if arn in self.revisions
        ]
        return Answered(200, {"serviceRevisions": found, "failures": []})

    def StopServiceDeployment(self, serviceDeploymentArn: str, stopType: str) -> Answered:
        (deployment,) = (one for one in self.deployments if one["serviceDeploymentArn"] == serviceDeploymentArn)
        if deployment["status"] not in {"PENDING", "IN_PROGRESS"} or stopType != "ROLLBACK":
            return error("ConflictException", "The service deployment has already ended.")
        deployment["status"] = "ROLLBACK_REQUESTED"
        self.serving = self.revisions[deployment["sourceServiceRevisions"][0]["arn"]]
        return Answered(200, {"serviceDeploymentArn": serviceDeploymentArn})

    def go_on(self) -> None:
        """Let a rollback that was requested begin: the service names the task definition it goes back to."""
        self.deployments[-1]["status"] = "ROLLBACK_IN_PROGRESS"
        self.task = self.serving

    def UpdateService(self, cluster: str, service: str, taskDefinition: str) -> Answered:
        assert (cluster, service) == ("pay", "web")
        if self.controller != "ECS":
            return error("InvalidParameterException", "Unable to update task definition: use AWS CodeDeploy")
        self._start(taskDefinition)
        return Answered(200, {"service": {"serviceArn": SERVICE, "taskDefinition": self.task}})


class CodeDeployDouble(TaskDefinitionsDouble):
    """A deployment group. `kind` is what its revisions are: ECS (an AppSpec), GitHub or S3."""

    def __init__(self, kind: str = "ECS", *, under_way: bool = False) -> None:
        super().__init__()
        self.kind = kind
        self.made: list[dict[str, Any]] = []
        self.live = ""
        self.deploy("v1")
        self.deploy("v2", status="InProgress" if under_way else "Succeeded")

    def deploy(self, release: str, status: str = "Succeeded") -> None:
        for one in self.made:
            if one["status"] == "InProgress":
                one["status"] = "Stopped"
        self._make(self._revision(release), "", status)

    def running(self) -> str:
        return self.live

    def _revision(self, release: str) -> dict[str, Any]:
        if self.kind == "GitHub":
            return {"revisionType": "GitHub", "gitHubLocation": {"repository": "streampay/web", "commitId": release}}
        if self.kind == "S3":
            location = {"bucket": "releases", "key": f"{release}.zip", "bundleType": "zip", "version": release}
            return {"revisionType": "S3", "s3Location": location}
        target = {"Type": "AWS::ECS::Service", "Properties": {"TaskDefinition": self.register(release)}}
        content = json.dumps({"version": 0.0, "Resources": [{"TargetService": target}]})
        return {"revisionType": "AppSpecContent", "appSpecContent": {"content": content, "sha256": "0" * 64}}

    def _make(self, revision: dict[str, Any], description: str, status: str) -> str:
        number = f"d-{len(self.made):08}"
        told = {"description": description} if description else {}
        made = {"deploymentId": number, "status": status, "revision": revision, "createTime": 1_764_000_000.0}
        self.made.append(made | told | {"createTime": 1_764_000_000.0 + len(self.made)})
        self._serve(revision)
        return number

    def _serve(self, revision: dict[str, Any]) -> None:
        if self.kind == "ECS":
            content = json.loads(revision["appSpecContent"]["content"])
            task = content["Resources"][0]["TargetService"]["Properties"]["TaskDefinition"]
            self.live = self.release_of(task)
        elif self.kind == "S3":
            self.live = revision["s3Location"]["version"]
        else:
            self.live = revision["gitHubLocation"]["commitId"]

    def ListDeployments(self, applicationName: str, deploymentGroupName: str) -> Answered:
        if applicationName != "pay":
            return error("ApplicationDoesNotExistException", f"No application found for name: {applicationName}")
        assert deploymentGroupName == "web"
        return Answered(200, {"deployments": [one["deploymentId"] for one in self.made]})

    def BatchGetDeployments(self, deploymentIds: list[str]) -> Answered:
        if len(deploymentIds) > 25:
            return error("BatchLimitExceededException", "The maximum number of names or IDs allowed is 25.")
        found = [one for one in self.made if one["deploymentId"] in deploymentIds]
        return Answered(200, {"deploymentsInfo": found})

    def StopDeployment(self, deploymentId: str, autoRollbackEnabled: bool) -> Answered:
        (stopped,) = (one for one in self.made if one["deploymentId"] == deploymentId)
        if stopped["status"] != "InProgress":
            return error("DeploymentAlreadyCompletedException", "The deployment is already complete.")
        stopped["status"] = "Stopped"
        if autoRollbackEnabled:
            self._serve(next(one["revision"] for one in reversed(self.made) if one["status"] == "Succeeded"))
        return Answered(200, {"status": "Succeeded", "statusMessage": "Stopped and rolled back"})

    def CreateDeployment(
        self, applicationName: str, deploymentGroupName: str, revision: dict[str, Any], description: str
    ) -> Answered:
        assert (applicationName, deploymentGroupName) == ("pay", "web")
        if any(one["status"] == "InProgress" for one in self.made):
            return error("DeploymentLimitExceededException", "The deployment group already has an active deployment")
        return Answered(200, {"deploymentId": self._make(revision, description, "Succeeded")})
