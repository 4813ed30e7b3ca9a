"""Lambda of an Amazon ECS lifecycle hook (POST_TEST_TRAFFIC_SHIFT): asks the gate's service, and says what it says.

GATE_URL and GATE_TOKEN are the function's environment; take the token from Secrets Manager or Parameter Store. ECS
rolls back when a hook raises or answers anything it does not know, so whatever goes wrong here is IN_PROGRESS: ECS
asks again until the hook's timeoutConfiguration ends it. The hook's `hookDetails` may hold release, base_url, region.

What must exist: the gate's service, as gate-task-definition.json has it: each parameter that its `secrets` name, or the
line taken out (a task does not start without one; serve-token is needed, more of docs/notifications.md are lines like
these); the EFS access point of its volume, which keeps evidence and history; its log group and execution role. It is a
service of one task whose address the function reaches (GATE_URL, https or inside the VPC). Then this file as a function
(Python 3.12, handler ecs_hook.handler, a timeout of 15 s); a role that lets ECS invoke it; the hook of
ecs-deployment.json in your service, with its ARNs.
"""

import json
import os
import urllib.error
import urllib.request

ASK_SECONDS = 10
ASK_AGAIN_SECONDS = 15
KNOWN = {"SUCCEEDED", "FAILED", "IN_PROGRESS"}


def handler(event, context):
    """Return the hook's answer. In `event`, `hookDetails` are the service's, or those of the last answer."""
    details = event.get("hookDetails") or {}
    try:
        answer = ask(
            {
                "deploy": event.get("executionDetails", event)["targetServiceRevisionArn"],
                **{name: details[name] for name in ("release", "base_url", "region") if details.get(name)},
            }
        )
        if answer["hookStatus"] not in KNOWN:
            raise ValueError(answer["hookStatus"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"the gate gave no answer: {type(error).__name__}")
        answer = {"hookStatus": "IN_PROGRESS", "callBackDelay": ASK_AGAIN_SECONDS}
    # What is returned here is what ECS passes the next time: the order has to stay in it.
    return {**answer, "hookDetails": {**details, **answer.get("hookDetails", {})}}


def ask(order):
    """Return the service's answer to an order; raises OSError, which an HTTP error is one of, or ValueError."""
    request = urllib.request.Request(
        os.environ["GATE_URL"].rstrip("/") + "/v1/ecs",
        data=json.dumps(order).encode(),
        headers={"Authorization": "Bearer " + os.environ["GATE_TOKEN"], "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=ASK_SECONDS) as response:
        return json.load(response)
