"""A Kubernetes Job: which exit codes end it, which are tried again.

Written from the API reference of batch/v1 Job (podFailurePolicy, backoffLimit, restartPolicy Never).
"""

import json
import os
import re
import subprocess
from collections.abc import Mapping
from typing import Any

from fake_smoke import FakeSmoke

from engines.effects import Situation


class Job:
    """A Job that has been created; its name is what makes it one, so that creating it twice changes nothing."""

    def __init__(
        self, spec: Mapping[str, Any], fake: FakeSmoke, situation: Situation, args: Mapping[str, str] | None = None
    ) -> None:
        text = re.sub(r"\{\{args\.([\w-]+)\}\}", lambda found: (args or {})[found[1]], json.dumps(spec))
        self._spec = json.loads(text)
        self._fake = fake
        self._situation = situation
        self._condition = ""

    def condition(self) -> str:
        """Return Complete, Failed, or "no image" for a Job whose pod waits for an image that cannot be had."""
        if self._situation is Situation.DOWN:
            return "no image"
        if self._situation is Situation.SLOW:
            assert self._spec["activeDeadlineSeconds"]
            return "Failed"  # reason DeadlineExceeded: its pods get SIGTERM
        for _ in range(2 if self._situation is Situation.TWICE else 1):
            self._condition = self._condition or self._run()
        return self._condition

    def _run(self) -> str:
        failures = 0
        while True:
            code = self._pod()
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

    def _pod(self) -> int:
        """Run the container as the image would: its entry point is the gate."""
        (container,) = self._spec["template"]["spec"]["containers"]
        environ = {one["name"]: one["value"] for one in container.get("env", [])}
        environ["SMOKE_ARTIFACTS"] = str(self._fake.folder / "artifacts")  # /artifacts in the image
        return subprocess.run(
            [self._fake.program, *container["args"]],
            env={"PATH": os.environ["PATH"], **environ, **self._fake.environ},
            check=False,
        ).returncode
