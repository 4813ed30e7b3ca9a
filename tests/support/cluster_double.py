"""A Kubernetes API on loopback: objects with versions, patches that conflict, and controllers that follow them.

What is played is what the documentation of Kubernetes 1.3x says: JSON patches (RFC 6902) and merge patches (RFC 7396)
fail with 409 when they name another resourceVersion than the object has, with 422 when an operation does not apply;
the Deployment's controller takes up a ReplicaSet with the same template again and makes it the latest revision.
"""

import copy
import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

from engine_double import Answered, Asked

TOKEN = "service-account-token-for-tests"
NAMESPACE = "streampay"
Object = dict[str, Any]

_PATH = re.compile(
    rf"/(?P<group>api/v1|apis/[a-z.]+/v1\w*)/namespaces/{NAMESPACE}/(?P<kind>\w+)(/(?P<name>[\w.-]+)(?P<status>/status)?)?"
)
_REASONS = {401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "Conflict", 422: "Invalid"}


def digest(release: str) -> str:
    return f"sha256:{hashlib.sha256(release.encode()).hexdigest()}"


def image(release: str) -> str:
    return f"registry.example/streampay@{digest(release)}"


def pod_template(release: str, **labels: str) -> Object:
    """The pods of a release, with a helper container beside the release's own."""
    return {
        "metadata": {
            "labels": {"app": "streampay", **labels},
            "annotations": {"streampay.dev/release": release},
        },
        "spec": {
            "containers": [
                {"name": "web", "image": image(release), "env": [{"name": "CONFIG_OF", "value": release}]},
                {"name": "proxy", "image": "registry.example/proxy:1"},
            ]
        },
    }


def refusal(status: int, message: str) -> Answered:
    """A metav1.Status, as the API answers errors."""
    return Answered(
        status,
        {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": _REASONS.get(status, "InternalError"),
            "code": status,
        },
    )


class ClusterDouble:
    """The objects of one namespace. `controllers` run after every change, as they do in a cluster, only at once."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Object] = {}
        self.controllers: list[Callable[[], None]] = []
        self.token = TOKEN
        self._version = 1000
        self._uid = 0

    def put(self, kind: str, made: Object) -> Object:
        """Keep an object as created or changed by somebody."""
        metadata = made["metadata"]
        metadata.setdefault("namespace", NAMESPACE)
        if "uid" not in metadata:
            self._uid += 1
            metadata |= {"uid": f"00000000-0000-4000-8000-{self._uid:012}", "generation": 1}
        self._version += 1
        metadata["resourceVersion"] = str(self._version)
        self.objects[kind, metadata["name"]] = made
        return made

    def touch(self, kind: str, name: str) -> None:
        """Change nothing but the version, as a status update of a controller does."""
        self.put(kind, self.objects[kind, name])

    def answer(self, asked: Asked) -> Answered:
        if asked.headers.get("authorization") != f"Bearer {self.token}":
            return refusal(401, "Unauthorized")
        found = _PATH.fullmatch(asked.path)
        if found is None:
            return refusal(404, "the server could not find the requested resource")
        kind, name = found["kind"], found["name"]
        if name is None:
            return self._list(kind, asked.query)
        if (kind, name) not in self.objects:
            return refusal(404, f'{kind} "{name}" not found')
        if asked.method == "GET":
            return Answered(200, self.objects[kind, name])
        return self._patch(kind, name, asked, status=bool(found["status"]))

    def _list(self, kind: str, query: dict[str, str]) -> Answered:
        wanted = dict(term.split("=") for term in query.get("labelSelector", "").split(",") if term)
        items = [
            one
            for (its_kind, _), one in sorted(self.objects.items())
            if its_kind == kind and wanted.items() <= one["metadata"].get("labels", {}).items()
        ]
        start, limit = int(query.get("continue", "0")), int(query.get("limit", "500"))
        onward = {"continue": str(start + limit)} if len(items) > start + limit else {}
        metadata = {"resourceVersion": str(self._version), **onward}
        page = {"kind": "List", "apiVersion": "v1", "metadata": metadata, "items": items[start : start + limit]}
        return Answered(200, page)

    def _patch(self, kind: str, name: str, asked: Asked, *, status: bool) -> Answered:
        before = self.objects[kind, name]
        after = copy.deepcopy(before)
        try:
            if asked.headers["content-type"] == "application/json-patch+json":
                for change in asked.json:
                    _apply(after, change)
            elif asked.headers["content-type"] == "application/merge-patch+json":
                _merge(after, asked.json)
            else:
                return refusal(415, "the body of the request was in an unknown format")
        except (KeyError, TypeError) as error:
            return refusal(422, f"the server rejected our request due to an error in our request: {error}")
        if after["metadata"]["resourceVersion"] != before["metadata"]["resourceVersion"]:
            message = "the object has been modified; please apply your changes to the latest version and try again"
            return refusal(409, f'Operation cannot be fulfilled on {kind} "{name}": {message}')
        if status:  # a status subresource changes nothing else
            after = {**before, "status": after.get("status", {})}
        else:
            after["status"] = before.get("status", {})
            if after["spec"] != before["spec"]:
                after["metadata"]["generation"] += 1
        self.put(kind, after)
        for control in self.controllers:
            control()
        return Answered(200, self.objects[kind, name])


def _steps(path: str) -> list[str]:
    return [step.replace("~1", "/").replace("~0", "~") for step in path.split("/")[1:]]


def _apply(target: Object, change: dict[str, Any]) -> None:
    *parents, last = _steps(change["path"])
    for step in parents:
        target = target[step]
    if change["op"] == "replace":
        target[last]  # what is not there cannot be replaced
    elif change["op"] != "add":
        raise KeyError(change["op"])
    target[last] = change["value"]


def _merge(target: Object, patch: Object) -> None:
    for name, value in patch.items():
        if value is None:
            target.pop(name, None)
        elif isinstance(value, dict):
            _merge(target.setdefault(name, {}), value)
        else:
            target[name] = value


def template_hash(template: Object) -> str:
    return hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:10]


def replica_set(owner: Object, kind: str, template: Object, *, hash_label: str, revision: tuple[str, int]) -> Object:
    """The ReplicaSet an owner's controller records a template in."""
    its_hash = template_hash(template)
    template = copy.deepcopy(template)
    template["metadata"]["labels"][hash_label] = its_hash
    name = owner["metadata"]["name"]
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{name}-{its_hash}",
            "labels": template["metadata"]["labels"],
            "annotations": {revision[0]: str(revision[1])},
            "ownerReferences": [
                {
                    "apiVersion": owner["apiVersion"],
                    "kind": kind,
                    "name": name,
                    "uid": owner["metadata"]["uid"],
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "streampay", hash_label: its_hash}},
            "template": template,
        },
        "status": {"replicas": 2, "readyReplicas": 2},
    }


class SlotsDouble:
    """A Service before two Deployments, blue and green."""

    def __init__(self, cluster: ClusterDouble) -> None:
        self.cluster = cluster
        self.slots = {slot: DeploymentDouble(cluster, f"web-{slot}", slot=slot) for slot in ("blue", "green")}
        self.slots["blue"].deploy("v1")
        self.slots["green"].deploy("v2")
        spec = {"selector": {"app": "streampay", "slot": "green"}, "ports": [{"port": 80}]}
        made = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": spec}
        self.service = cluster.put("services", made)

    def deploy(self, release: str) -> None:
        """Let somebody deploy a release into the slot that gets no traffic, and switch to it."""
        idle = "green" if self._selected() == "blue" else "blue"
        self.slots[idle].deploy(release)
        service = self.cluster.objects["services", "web"]
        service["spec"]["selector"]["slot"] = idle
        self.cluster.put("services", service)

    def _selected(self) -> str:
        return str(self.cluster.objects["services", "web"]["spec"]["selector"]["slot"])

    def running(self) -> str:
        return self.slots[self._selected()].running()


class RolloutDouble:
    """A Rollout and its controller, as far as aborts, promotions and a change of the template go.

    `strategy` is "canary", which stops at its first step with 20 % of the traffic, or "blueGreen", which switches the
    active Service and analyses afterwards.
    """

    REVISION = "rollout.argoproj.io/revision"
    HASH_LABEL = "rollouts-pod-template-hash"

    def __init__(self, cluster: ClusterDouble, strategy: str) -> None:
        self.cluster = cluster
        self.strategy = strategy
        self.revision = 0
        self.active = ""
        self.weight = 0
        self.story: list[str] = []
        canary = {"steps": [{"setWeight": 20}, {"pause": {}}]}
        blue_green = {"activeService": "web", "previewService": "web-preview"}
        spec = {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "streampay"}},
            "strategy": {strategy: canary if strategy == "canary" else blue_green},
            "template": pod_template("v1"),
        }
        made = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "web"}, "spec": spec}
        cluster.put("rollouts", made | {"status": {}})
        self.reconcile()

    @property
    def object(self) -> Object:
        return self.cluster.objects["rollouts", "web"]

    def deploy(self, release: str) -> None:
        self.object["spec"]["template"] = pod_template(release)
        self.object["metadata"]["generation"] += 1
        self.cluster.put("rollouts", self.object)
        self.reconcile()

    def finish(self) -> None:
        """Let all steps and analyses end well."""
        self.object["status"]["stableRS"] = self.object["status"]["currentPodHash"]
        self.reconcile()

    def reconcile(self) -> None:
        """One round of the controller."""
        rollout, status = self.object, dict(self.object["status"])
        template = rollout["spec"]["template"]
        current = template_hash(template)
        if status.get("currentPodHash") != current:  # another template: a new update begins
            status |= {"currentPodHash": current, "abort": False, "promoteFull": False}
            self._record(rollout, template, current)
        status.setdefault("stableRS", current)
        if not rollout["spec"].get("paused"):
            self._progress(status, current)
        status["observedGeneration"] = str(rollout["metadata"]["generation"])
        if status != rollout["status"]:
            rollout["status"] = status
            self.cluster.put("rollouts", rollout)

    def _progress(self, status: Object, current: str) -> None:
        if status["stableRS"] == current:
            status |= {"abort": False, "promoteFull": False}
            self.active, self.weight = current, 0
        elif status["abort"]:
            self.story.append("aborted")
            self.active, self.weight = status["stableRS"], 0
        elif status["promoteFull"]:
            self.story.append("promoted fully")
            status |= {"stableRS": current, "promoteFull": False}
            self.active, self.weight = current, 0
        elif self.strategy == "blueGreen":
            self.active = current
        else:
            self.weight = 20

    def _record(self, rollout: Object, template: Object, its_hash: str) -> None:
        self.revision += 1
        recorded = self.cluster.objects.get(("replicasets", f"web-{its_hash}"))
        if recorded:
            recorded["metadata"]["annotations"][self.REVISION] = str(self.revision)
        else:
            revision = (self.REVISION, self.revision)
            recorded = replica_set(rollout, "Rollout", template, hash_label=self.HASH_LABEL, revision=revision)
        self.cluster.put("replicasets", recorded)

    def running(self) -> str:
        """The release users meet once the controller is through: one, or two while a canary has some of the traffic."""
        self.reconcile()
        status = self.object["status"]
        if self.strategy == "blueGreen":
            return self._release(self.active)
        stable = self._release(status["stableRS"])
        return f"{stable} and {self._release(status['currentPodHash'])}" if self.weight else stable

    def _release(self, its_hash: str) -> str:
        template = self.cluster.objects["replicasets", f"web-{its_hash}"]["spec"]["template"]
        return str(template["metadata"]["annotations"]["streampay.dev/release"])


class DeploymentDouble:
    """A Deployment and the controller that keeps one ReplicaSet for each template it ever had."""

    REVISION = "deployment.kubernetes.io/revision"
    HASH_LABEL = "pod-template-hash"

    def __init__(self, cluster: ClusterDouble, name: str = "web", **labels: str) -> None:
        self.cluster = cluster
        self.name = name
        self.labels = labels
        self.revision = 0
        cluster.controllers.append(self.reconcile)

    @property
    def object(self) -> Object:
        return self.cluster.objects["deployments", self.name]

    def deploy(self, release: str) -> None:
        """Let somebody deploy a release."""
        template = pod_template(release, **self.labels)
        if ("deployments", self.name) not in self.cluster.objects:
            made = {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": self.name},
                "spec": {
                    "replicas": 2,
                    "selector": {"matchLabels": {"app": "streampay"}},
                    "template": template,
                },
                "status": {},
            }
            self.cluster.put("deployments", made)
        else:
            self.object["spec"]["template"] = template
            self.object["metadata"]["generation"] += 1
            self.cluster.put("deployments", self.object)
        self.reconcile()

    def reconcile(self) -> None:
        deployment = self.object
        if deployment["spec"].get("paused"):
            return
        template = deployment["spec"]["template"]
        name = f"{self.name}-{template_hash(template)}"
        recorded = self.cluster.objects.get(("replicasets", name))
        if recorded and recorded["metadata"]["annotations"][self.REVISION] == str(self.revision):
            return
        self.revision += 1
        if recorded:
            recorded["metadata"]["annotations"][self.REVISION] = str(self.revision)
        else:
            revision = (self.REVISION, self.revision)
            recorded = replica_set(deployment, "Deployment", template, hash_label=self.HASH_LABEL, revision=revision)
        self.cluster.put("replicasets", recorded)
        deployment["metadata"].setdefault("annotations", {})[self.REVISION] = str(self.revision)
        deployment["status"] = {
            "observedGeneration": deployment["metadata"]["generation"],
            "replicas": 2,
            "updatedReplicas": 2,
            "availableReplicas": 2,
        }
        self.cluster.put("deployments", deployment)

    def running(self) -> str:
        """The release of the latest revision's pods."""
        (latest,) = (
            one
            for (kind, name), one in self.cluster.objects.items()
            if kind == "replicasets" and name.startswith(f"{self.name}-")
            if one["metadata"]["annotations"][self.REVISION] == str(self.revision)
        )
        return str(latest["spec"]["template"]["metadata"]["annotations"]["streampay.dev/release"])
