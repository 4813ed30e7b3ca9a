"""The Cloud Run Admin API v2 on loopback: one service, its revisions, and operations that take a while."""

import re
from typing import Any

from cluster_double import digest
from engine_double import Answered, Asked

TOKEN = "google-access-token-for-tests"
SERVICE = "projects/pay/locations/europe-west1/services/web"
REVISION = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"
LATEST = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST"


def error(code: int, status: str, message: str) -> Answered:
    return Answered(code, {"error": {"code": code, "message": message, "status": status}})


class CloudRunDouble:
    """A service whose operations take some steps of `go_on`."""

    def __init__(self) -> None:
        self.token = TOKEN
        self.etag = 1
        self.revisions: list[dict[str, Any]] = []
        self.traffic: list[dict[str, Any]] = [{"type": LATEST, "percent": 100}]
        self.serving: list[str] = []
        self.steps = 2
        self.pending: list[dict[str, Any]] | None = None
        self.failure = ""
        self.operations: dict[str, int] = {}
        self.page = 100
        self.deploy("v1")
        self.deploy("v2")

    def deploy(self, release: str) -> None:
        """Deploy a release with a tag of its own, and send all traffic to it as it is the latest."""
        number = len(self.revisions) + 1
        self.revisions.insert(
            0,
            {
                "name": f"{SERVICE}/revisions/web-{number:05}",
                "labels": {"release": release},
                "containers": [{"name": "web", "image": "pay.example/web:latest"}],
                "containerStatuses": [{"name": "web", "imageDigest": f"pay.example/web@{digest(release)}"}],
                "conditions": [{"type": "Ready", "state": "CONDITION_SUCCEEDED"}],
            },
        )
        self.traffic = [{"type": LATEST, "percent": 100}, {"type": REVISION, "revision": "web-00001", "tag": "first"}]
        self.serving = [self.named(self.revisions[0])]
        self.etag += 1

    @staticmethod
    def named(revision: dict[str, Any]) -> str:
        return str(revision["name"].rpartition("/")[2])

    def running(self) -> str:
        """The releases users meet once what is under way is through."""
        while self.pending is not None:
            self.go_on()
        releases = {self.named(one): one["labels"]["release"] for one in self.revisions}
        return " and ".join(releases[name] for name in self.serving)

    def answer(self, asked: Asked) -> Answered:
        if asked.headers.get("authorization") != f"Bearer {self.token}":
            return error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        if asked.path == f"/v2/{SERVICE}":
            return Answered(200, self._service()) if asked.method == "GET" else self._patch(asked)
        if asked.path == f"/v2/{SERVICE}/revisions":
            return self._list(asked)
        if re.fullmatch(r"/v2/projects/pay/locations/europe-west1/operations/\d+", asked.path):
            return self._operation(asked.path.removeprefix("/v2/"))
        return error(404, "NOT_FOUND", f"Resource '{asked.path}' was not found")

    def _service(self) -> dict[str, Any]:
        state = "CONDITION_FAILED" if self.failure else "CONDITION_SUCCEEDED"
        return {
            "name": SERVICE,
            "etag": f'"{self.etag}"',
            "generation": str(self.etag),
            "traffic": self.traffic,
            "latestReadyRevision": self.revisions[0]["name"] if self.revisions else "",
            "reconciling": self.pending is not None,
            "terminalCondition": {"type": "Ready", "state": state, "message": self.failure},
        }

    def _list(self, asked: Asked) -> Answered:
        start = int(asked.query.get("pageToken", "0"))
        size = min(int(asked.query["pageSize"]), self.page)
        onward = {"nextPageToken": str(start + size)} if len(self.revisions) > start + size else {}
        return Answered(200, {"revisions": self.revisions[start : start + size], **onward})

    def _patch(self, asked: Asked) -> Answered:
        body = asked.json
        if asked.query.get("updateMask") != "traffic":
            return error(400, "INVALID_ARGUMENT", "the whole service would be replaced")
        if body.get("etag") != f'"{self.etag}"':
            return error(409, "ABORTED", "Conflict for resource 'web': version does not match.")
        known = {self.named(one) for one in self.revisions}
        if sum(one.get("percent", 0) for one in body["traffic"]) != 100:
            return error(400, "INVALID_ARGUMENT", "traffic percentages must add up to 100")
        if any(one["type"] == REVISION and one["revision"] not in known for one in body["traffic"]):
            return error(400, "INVALID_ARGUMENT", "no such revision")
        self.traffic = self.pending = body["traffic"]
        self.etag += 1
        name = f"projects/pay/locations/europe-west1/operations/{len(self.operations) + 1}"
        self.operations[name] = self.steps
        return Answered(200, {"name": name, "done": False, "metadata": {}})

    def go_on(self) -> None:
        """Take what is under way one step further."""
        if self.pending is None:
            return
        name = list(self.operations)[-1]
        self.operations[name] -= 1
        if self.operations[name] <= 0:
            if not self.failure:
                latest = self.named(self.revisions[0])
                self.serving = [one.get("revision", latest) for one in self.pending if one.get("percent")]
            self.pending = None

    def _operation(self, name: str) -> Answered:
        if name not in self.operations:
            return error(404, "NOT_FOUND", "no such operation")
        if self.operations[name] > 0:
            return Answered(200, {"name": name, "done": False})
        if self.failure:
            return Answered(200, {"name": name, "done": True, "error": {"code": 9, "message": self.failure}})
        return Answered(200, {"name": name, "done": True, "response": self._service()})
