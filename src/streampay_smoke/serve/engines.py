"""A deploy's status in each engine's terms. What is not in a table holds: it neither promotes nor rolls back."""

from typing import Final

from streampay_smoke.serve.attempts import DeployStatus

APPROVAL: Final = {DeployStatus.PASS: 200, DeployStatus.FAIL: 412}
"""Flagger waits at everything else (confirm-promotion), or counts a failed check (pre-rollout).

Never 5xx or 429 for a verdict: those it would send again, and lose the reason.
"""

ROLLBACK: Final = {DeployStatus.FAIL: 200}
"""Flagger rolls back at 2xx, and only there."""

WAIT: Final = 409
NO_ROLLBACK: Final = 403

ECS: Final = {DeployStatus.PASS: "SUCCEEDED", DeployStatus.FAIL: "FAILED"}
"""Amazon ECS asks again at IN_PROGRESS, rolls back at FAILED and at anything it does not know."""

ECS_HOLD: Final = "IN_PROGRESS"
ECS_ASK_AGAIN_SECONDS: Final = 15

CODEDEPLOY: Final = {DeployStatus.PASS: "Succeeded"}
"""CodeDeploy knows two answers, and its hooks stand before the traffic: what is not proved is not let through."""

CODEDEPLOY_NO: Final = "Failed"

UNDER_WAY: Final = frozenset({DeployStatus.QUEUED, DeployStatus.RUNNING})
"""A run is still to answer."""
