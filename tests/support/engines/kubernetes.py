"""A Kubernetes Job: which exit codes end it, which are tried again.

Written from the API reference of batch/v1 Job (podFailurePolicy, backoffLimit, restartPolicy Never).
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from engines.effects import Situation
from engines.pods import Cluster, Waiting


class Job:
    """A Job that has been created; its name is what makes it one, so that creating it twice changes nothing."""

    def __init__(
        self,
        spec: Mapping[str, Any],
        cluster: Cluster,
        namespace: str,
        situation: Situation,
        args: Mapping[str, str] | None = None,
    ) -> None:
        text = re.sub(r"\{\{args\.([\w-]+)\}\}", lambda found: (args or {})[found[1]], json.dumps(spec))
        self._spec = json.loads(text)
        self._cluster = cluster
        self._namespace = namespace
        self._situation = situation
        self._condition = ""
        self.waits_for = ""

    def condition(self) -> str:
        """Return Complete, Failed, or Waiting for a Job whose pod cannot be started; then `waits_for` says why."""
        if self._situation is Situation.DOWN:
            self.waits_for = "ImagePullBackOff"
            return "Waiting"
        if self._situation is Situation.SLOW:
            assert self._spec["activeDeadlineSeconds"]
            return "Failed"  # reason DeadlineExceeded: its pods get SIGTERM
        try:
            for _ in range(2 if self._situation is Situation.TWICE else 1):
                self._condition = self._condition or self._run()
        except Waiting as waiting:
            self.waits_for = str(waiting)
            return "Waiting"
        return self._condition

    def _run(self) -> str:
        failures = 0
        while True:
            code = self._cluster.run(self._namespace, self._spec["template"]["spec"])
            if code == 0:
                return "Complete"
            action = self._action(code)
            if action == "FailJob":
                return "Failed"
            failures += action == "Count"
            if failures > self._spec.get("backoffLimit", 6):
                return "Failed"

    def _action(self, code: int) -> str:
        pod = self._spec["template"]["spec"]
        assert pod["restartPolicy"] == "Never", "podFailurePolicy needs it"
        for rule in self._spec.get("podFailurePolicy", {"rules": []})["rules"]:
            wanted = rule.get("onExitCodes")
            if wanted is None:
                continue
            assert 0 not in wanted["values"]
            if wanted["containerName"] == pod["containers"][0]["name"] and (
                (code in wanted["values"]) is (wanted["operator"] == "In")
            ):
                action: str = rule["action"]
                return action
        return "Count"
