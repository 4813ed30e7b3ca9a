"""Google Cloud Deploy: a rollout's verification, and the automation that repairs it.

Written from "Verify your deployment" and "Use automation rules" of Google's documentation, and the API's own messages.
"""

import base64
import json
import subprocess
import urllib.request
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from serve_parts import Reply

from engines.effects import Effect, Situation
from engines.modules import loaded
from engines.shell import Checkout

ROLLOUT = "release-42-to-staging-0001"
ENVIRON = {
    "CLOUD_DEPLOY_PROJECT": "pay",
    "CLOUD_DEPLOY_LOCATION": "europe-west1",
    "CLOUD_DEPLOY_DELIVERY_PIPELINE": "streampay",
    "CLOUD_DEPLOY_TARGET": "staging",
    "CLOUD_DEPLOY_ROLLOUT": ROLLOUT,
}
"""What Cloud Deploy tells a container that verifies."""


class CloudDeploy:
    """A target with one rollout on it; `rollbacks` holds the ids of those that were asked for."""

    def __init__(self, checkout: Checkout, situation: Situation) -> None:
        self._checkout = checkout
        self._situation = situation
        self.rollbacks: list[str] = []
        self.secrets = {"projects/project/secrets/streampay-smoke-auth-token/versions/latest": "token-of-the-user"}
        self.bucket: dict[str, bytes] | None = {}

    def roll_out(self, skaffold: Mapping[str, Any], rules: Sequence[Mapping[str, Any]]) -> Effect:
        """Return what becomes of a rollout to a target that verifies."""
        verified = self._verified(skaffold)
        for rule in (rule["repairRolloutRule"] for rule in rules if "repairRolloutRule" in rule):
            for phase in rule["repairPhases"]:
                if not verified and "rollback" in phase:
                    return Effect.ROLLED_BACK
                for _ in range(phase.get("retry", {}).get("attempts", 0)):
                    verified = verified or self._verified(skaffold)
        if self.rollbacks:
            return Effect.ROLLED_BACK
        return Effect.PROMOTED if verified else Effect.HELD

    def _verified(self, skaffold: Mapping[str, Any]) -> bool:
        """Whether every container ended with 0. One that is over its time is ended, and failed."""
        if self._situation is Situation.SLOW:
            assert all(test["timeout"] for test in skaffold["verify"])
            return False
        codes = [self._container(test["container"]) for test in skaffold["verify"] for _ in range(self._times)]
        return set(codes) == {0}

    @property
    def _times(self) -> int:
        return 2 if self._situation is Situation.TWICE else 1

    def _container(self, container: Mapping[str, Any]) -> int:
        assert container["command"] == ["python", "/gate/verify.py"]
        told = {one["name"]: one["value"] for one in container["env"]}
        environ = {**ENVIRON, **told, "SMOKE_ARTIFACTS": str(self._checkout.folder / "artifacts")}
        module = loaded("google-cloud-deploy/verify.py", self._answer, environ)

        def run(
            command: list[str], *, check: bool, env: Mapping[str, str], input: bytes = b"", stdout: int | None = None
        ) -> "subprocess.CompletedProcess[bytes]":
            assert not check
            return self._checkout.answer(command, env, self._checkout.image_paths, input)

        vars(module)["subprocess"] = SimpleNamespace(run=run, PIPE=subprocess.PIPE)
        code: int = module.main()
        return code

    def _answer(self, request: urllib.request.Request) -> Reply:
        if request.full_url.endswith("/token"):
            assert request.get_header("Metadata-flavor") == "Google"
            return Reply(status=200, headers={}, body=b'{"access_token": "of-the-metadata-server"}')
        if ":access" in request.full_url:
            return self._secret(request)
        if request.full_url.startswith("https://storage.googleapis.com/upload/storage/v1/b/"):
            return self._object(request)
        if request.full_url.startswith("https://storage.googleapis.com/storage/v1/b/streampay-smoke-evidence/o/"):
            name = unquote(urlsplit(request.full_url).path.rpartition("/")[2])
            kept = (self.bucket or {}).get(name)
            return Reply(status=404 if kept is None else 200, headers={}, body=kept or b"{}")
        assert request.full_url == (
            "https://clouddeploy.googleapis.com/v1/projects/pay/locations/europe-west1/"
            "deliveryPipelines/streampay:rollbackTarget"
        )
        assert request.get_header("Authorization") == "Bearer of-the-metadata-server"
        assert isinstance(request.data, bytes)
        asked = json.loads(request.data)
        if asked["rolloutToRollBack"] != ROLLOUT:
            return Reply(status=400, headers={}, body=b"{}")
        if asked["rolloutId"] in self.rollbacks:
            return Reply(status=409, headers={}, body=b"{}")
        self.rollbacks.append(asked["rolloutId"])
        return Reply(status=200, headers={}, body=b"{}")

    def _secret(self, request: urllib.request.Request) -> Reply:
        resource = request.full_url.removeprefix("https://secretmanager.googleapis.com/v1/").removesuffix(":access")
        if resource not in self.secrets:
            return Reply(status=403, headers={}, body=b"{}")
        data = base64.b64encode(self.secrets[resource].encode()).decode()
        return Reply(status=200, headers={}, body=json.dumps({"payload": {"data": data}}).encode())

    def _object(self, request: urllib.request.Request) -> Reply:
        if self.bucket is None:
            return Reply(status=404, headers={}, body=b"{}")
        assert isinstance(request.data, bytes)
        (name,) = parse_qs(urlsplit(request.full_url).query)["name"]
        self.bucket[name] = request.data
        return Reply(status=200, headers={}, body=b"{}")
