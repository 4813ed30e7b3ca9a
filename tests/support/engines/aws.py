"""Amazon ECS and AWS CodeDeploy: what becomes of a hook's answer.

Written from the developer guides (ECS lifecycle hooks; CodeDeploy AppSpec hooks) and the API's own shapes.
"""

import json
import urllib.request
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from serve_parts import TOKEN, Reply

from engines.effects import Effect
from engines.line import ServiceLink
from engines.modules import loaded

GATE = "http://gate.internal:8780"
REVISION = "arn:aws:ecs:eu-west-1:111122223333:service-revision/pay/streampay/8423948239"


def lambda_of(name: str, line: ServiceLink) -> ModuleType:
    """Return a Lambda of deploy/aws, whose requests go over the line."""

    def answer(request: urllib.request.Request) -> Reply:
        assert isinstance(request.data, bytes)
        return line.request(request.get_method(), request.full_url, dict(request.header_items()), request.data)

    return loaded(f"aws/{name}.py", answer, {"GATE_URL": GATE, "GATE_TOKEN": TOKEN})


def ecs(deployment: Mapping[str, Any], line: ServiceLink) -> Effect:
    """Return what becomes of a blue/green deployment whose hook stands before production traffic."""
    (hook,) = deployment["deploymentConfiguration"]["lifecycleHooks"]
    assert hook["lifecycleStages"] == ["POST_TEST_TRAFFIC_SHIFT"]
    handler = lambda_of("ecs_hook", line).handler
    details, passed_seconds = dict(hook["hookDetails"]), 0
    limit_seconds = hook["timeoutConfiguration"]["timeoutInMinutes"] * 60
    while passed_seconds < limit_seconds:
        event = {
            "executionDetails": {"serviceArn": "arn", "targetServiceRevisionArn": REVISION},
            "lifecycleStage": "POST_TEST_TRAFFIC_SHIFT",
            "hookDetails": details,
        }
        try:
            answer = json.loads(json.dumps(handler(event, None)))
        except Exception:  # noqa: BLE001 - whatever a function raises rolls back
            return Effect.GIVEN_UP
        if answer.get("hookStatus") == "SUCCEEDED":
            return Effect.PROMOTED
        if answer.get("hookStatus") != "IN_PROGRESS":
            return Effect.GIVEN_UP
        details = answer.get("hookDetails", {})
        passed_seconds += answer.get("callBackDelay", 30)
    return Effect.GIVEN_UP if hook["timeoutConfiguration"]["action"] == "ROLLBACK" else Effect.PROMOTED


class Clock:
    """A Lambda's context: the time it has left, which passes when it sleeps."""

    def __init__(self, seconds: float) -> None:
        self._left_ms = seconds * 1000

    def get_remaining_time_in_millis(self) -> float:
        return self._left_ms

    def sleep(self, seconds: float) -> None:
        self._left_ms -= seconds * 1000


def codedeploy(line: ServiceLink) -> Effect:
    """Return what becomes of a deployment whose hook stands before production traffic."""
    module = lambda_of("codedeploy_hook", line)
    event = {"DeploymentId": "d-ABCDEF", "LifecycleEventHookExecutionId": "hook"}
    clock = Clock(300)
    told: list[str] = []

    class CodeDeploy:
        def put_lifecycle_event_hook_execution_status(self, *, status: str, **named: str) -> None:
            assert named == {"deploymentId": "d-ABCDEF", "lifecycleEventHookExecutionId": "hook"}
            told.append(status)

    module.tell(CodeDeploy(), event, module.verdict(event, clock, sleep=clock.sleep))
    assert clock.get_remaining_time_in_millis() > 0, "a function that is cut off tells nobody"
    (status,) = told
    return {"Succeeded": Effect.PROMOTED, "Failed": Effect.GIVEN_UP}[status]
