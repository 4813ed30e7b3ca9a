"""Flagger: one tick of a canary after the other, as its scheduler takes them.

Written from reading pkg/controller/{scheduler,scheduler_hooks,webhook}.go of flagger at 15bd6ad5 (2026-07-21), and
client.go of go-retryablehttp 0.7.8.
"""

import json
from collections.abc import Mapping
from typing import Any

from engines.effects import Effect
from engines.files import seconds
from engines.line import Line, Unreachable

TICKS = 60
"""An hour of ticks: what has not ended by then waits."""


class Canary:
    """A canary with a new revision that has been scaled up; nothing else than the gate's hooks has a say."""

    def __init__(self, manifest: Mapping[str, Any], line: Line) -> None:
        self._name = manifest["metadata"]["name"]
        self._namespace = manifest["metadata"]["namespace"]
        self._analysis = manifest["spec"]["analysis"]
        self._line = line
        self.phase = "Progressing"
        self.weight = 0
        self.most_weight = 0
        self.iterations = 0
        self.failed_checks = 0

    def play(self) -> Effect:
        """Return what becomes of it."""
        assert seconds(self._analysis["interval"]) >= 10, "Flagger's shortest interval"
        for _ in range(TICKS):
            if self.phase in {"Promoting", "Failed"}:
                break
            self.tick()
        if self.phase == "Promoting":
            return Effect.PROMOTED
        if self.phase == "Failed":
            return Effect.ROLLED_BACK if self.most_weight else Effect.GIVEN_UP
        return Effect.HELD

    def tick(self) -> None:
        """Take one look, as advanceCanary does."""
        if self._any_passes("rollback"):  # upside down
            self._fail()
            return
        if self.failed_checks >= self._analysis.get("threshold", 1):
            self._fail()
            return
        if self.weight == 0 and self.iterations == 0:
            if not self._all_pass("pre-rollout"):
                self.failed_checks += 1
                return
        elif not self._all_pass("rollout"):
            self.failed_checks += 1
            return
        if self._analysis.get("iterations"):
            self._blue_green()
        else:
            self._progressive()

    def _blue_green(self) -> None:
        wanted = self._analysis["iterations"]
        if wanted > self.iterations:
            self.iterations += 1
            return
        if not self._confirmed():
            return
        if wanted == self.iterations:
            self.most_weight = 100
            self.iterations += 1
            return
        self.phase = "Promoting"

    def _progressive(self) -> None:
        if self.phase != "WaitingPromotion" and not self._all_pass("confirm-traffic-increase"):
            return
        if self.weight < self._analysis["maxWeight"]:
            self.weight += self._analysis["stepWeight"]
            self.most_weight = max(self.most_weight, self.weight)
            return
        if self._confirmed():
            self.phase = "Promoting"

    def _confirmed(self) -> bool:
        if self._all_pass("confirm-promotion"):
            return True
        if self.phase == "WaitingPromotion":
            self.iterations = self._analysis.get("iterations", 0) - 1
        self.phase = "WaitingPromotion"
        return False

    def _fail(self) -> None:
        self.phase = "Failed"
        self.weight = 0

    def _all_pass(self, kind: str) -> bool:
        return all(self._call(hook) for hook in self._hooks(kind))

    def _any_passes(self, kind: str) -> bool:
        return any(self._call(hook) for hook in self._hooks(kind))

    def _hooks(self, kind: str) -> list[Mapping[str, Any]]:
        return [hook for hook in self._analysis["webhooks"] if hook.get("type", "rollout") == kind]

    def _call(self, hook: Mapping[str, Any]) -> bool:
        """Whether a webhook passes: 202 or less. 5xx and 429 are tried again as often as `retries` says."""
        assert all(isinstance(value, str) for value in hook.get("metadata", {}).values())
        payload = {
            "name": self._name,
            "namespace": self._namespace,
            "phase": self.phase,
            "checksum": "6f5d4c3b2a",
            "metadata": hook.get("metadata", {}),
        }
        for _ in range(1 + hook.get("retries", 0)):
            try:
                headers = {"Content-Type": "application/json"}
                reply = self._line.request("POST", hook["url"], headers, json.dumps(payload).encode())
            except Unreachable:
                continue
            if reply.status == 429 or reply.status >= 500:
                continue
            return reply.status <= 202
        return False
