"""Lambda of an AWS CodeDeploy lifecycle event (AfterAllowTestTraffic): asks the gate's service until it knows.

GATE_URL and GATE_TOKEN are the function's environment, RELEASE, BASE_URL and REGION may be; give the function a timeout
of 300 s. CodeDeploy knows two answers, and waits an hour where it gets none: what is not PASS when the time is over is
Failed. The replacement has no user's traffic then, so that Failed costs nobody anything.

What must exist: the gate's service, as for ecs_hook.py; this file as a function (Python 3.12, handler
codedeploy_hook.handler) whose role may codedeploy:PutLifecycleEventHookExecutionStatus; its ARN in appspec.yaml.
"""

import json
import os
import time
import urllib.error
import urllib.request

ASK_SECONDS = 10
ASK_AGAIN_SECONDS = 5
LEFT_SECONDS = 20
"""How much of the function's time is kept for telling CodeDeploy."""


def handler(event, context):
    """Ask the gate, and tell CodeDeploy."""
    import boto3

    tell(boto3.client("codedeploy"), event, verdict(event, context))


def tell(codedeploy, event, status):
    """Report a status for the hook that `event` names."""
    codedeploy.put_lifecycle_event_hook_execution_status(
        deploymentId=event["DeploymentId"],
        lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
        status=status,
    )


def verdict(event, context, sleep=time.sleep):
    """Return Succeeded at PASS, Failed at everything else and when the time is over."""
    order = {"deploy": event["DeploymentId"]}
    for name in ("release", "base_url", "region"):
        if os.environ.get(name.upper()):
            order[name] = os.environ[name.upper()]
    while context.get_remaining_time_in_millis() > (LEFT_SECONDS + ASK_SECONDS) * 1000:
        try:
            status = ask(order)["status"]
            if status:
                return "Succeeded" if status == "Succeeded" else "Failed"
        except (OSError, ValueError, KeyError, TypeError) as error:
            print(f"the gate gave no answer: {type(error).__name__}")
        sleep(ASK_AGAIN_SECONDS)
    return "Failed"


def ask(order):
    """Return the service's answer to an order; raises OSError, which an HTTP error is one of, or ValueError."""
    request = urllib.request.Request(
        os.environ["GATE_URL"].rstrip("/") + "/v1/codedeploy",
        data=json.dumps(order).encode(),
        headers={"Authorization": "Bearer " + os.environ["GATE_TOKEN"], "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=ASK_SECONDS) as response:
        return json.load(response)
