"""The Kubernetes API, as far as a rollback needs it: read objects, change one on the condition that nobody else did."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from streampay_smoke.core import system_facts
from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.core.secret import Secret
from streampay_smoke.http.client import Client
from streampay_smoke.rollback.hook import HookFailed, Intent
from streampay_smoke.rollback.hooks.engine_api import (
    PASSING,
    REQUEST_SECONDS,
    TOKEN,
    Credentials,
    Deadline,
    EngineApi,
    EngineRequest,
    bearer,
    checked_address,
)
from streampay_smoke.rollback.hooks.images import Origin

KEY_ANNOTATION = "streampay.dev/rollback-key"
"""Holds the key of the last intent an object was put back by: a repeated one is recognised."""

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds its service account."""

CONFLICT = 409
Change = dict[str, Any]
"""One operation of a JSON patch (RFC 6902)."""

T = TypeVar("T")

_PAGE = "50"
_JSON_PATCH = {"content-type": "application/json-patch+json"}
_MERGE_PATCH = {"content-type": "application/merge-patch+json"}


class ClusterSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the cluster's API is. All of it may be left out in a pod of that cluster.

    `server` is its address, `ca_file` a PEM file of the authorities it is trusted by, `token_file` a file with a
    bearer token, read anew for each request because it is rotated. SMOKE_ROLLBACK_TOKEN wins over it.
    """

    namespace: str
    server: str = ""
    ca_file: str = ""
    token_file: str = ""
    request_seconds: float = REQUEST_SECONDS


class Meta(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`metadata` of an object."""

    name: str
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    owner_references: list[dict[str, Any]] = []

    def owned_by(self, uid: str) -> bool:
        """Say whether the object with `uid` controls this one."""
        return any(owner.get("uid") == uid and owner.get("controller") for owner in self.owner_references)


class TemplateSpec(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`spec` of what makes pods: a Deployment, a ReplicaSet, a Rollout."""

    selector: dict[str, Any] = {}
    template: dict[str, Any] = {}
    paused: bool = False
    replicas: int = 1


class ReplicaSet(msgspec.Struct, frozen=True, kw_only=True):
    """One pod template an owner had, as the cluster recorded it."""

    metadata: Meta
    spec: TemplateSpec

    def revision(self, annotation: str) -> int:
        """Return its place in the owner's history, 0 where that is not told."""
        revision = self.metadata.annotations.get(annotation, "")
        return int(revision) if revision.isdecimal() else 0


class _Page(msgspec.Struct, frozen=True, kw_only=True):
    items: list[ReplicaSet]
    metadata: dict[str, Any] = {}


class Cluster:
    """The objects of one namespace."""

    def __init__(self, settings: ClusterSettings, token: Secret | None) -> None:
        self._token = token
        self._token_file = Path(settings.token_file) if settings.token_file else ACCOUNT / "token"
        self._namespace = settings.namespace
        authority = settings.ca_file or ("" if settings.server else str(ACCOUNT / "ca.crt"))
        try:
            client = Client(
                base_url=_server(settings),
                timeout_seconds=settings.request_seconds,
                authority=Path(authority) if authority else None,
            )
        except OSError as error:
            raise SettingsInvalid(
                f"{authority}, the authorities of the Kubernetes API, cannot be read: {error.strerror or error}",
                next_step="set ca_file to a PEM file with the cluster's certificate authority",
            ) from error
        self.api = EngineApi(
            "the Kubernetes API",
            client,
            credentials=self._credentials,
            passes=lambda reply: reply.status in PASSING or reply.status == CONFLICT,
            next_steps={
                401: f"give a token of this cluster that has not ended, in {TOKEN} or token_file",
                403: "give the service account the role in docs/hooks.md",
                404: "correct namespace and names in the settings",
                422: "see which rule of the cluster the change breaks",
            },
        )

    def path(self, group: str, kind: str, name: str = "") -> str:
        """Return where objects of a kind (in the plural) are, or the one with this name."""
        return f"/{group}/namespaces/{self._namespace}/{kind}{f'/{name}' if name else ''}"

    def replica_sets(self, owner: Meta, selector: Mapping[str, Any], *, within: Deadline) -> Iterator[ReplicaSet]:
        """Yield the ReplicaSets that `owner` controls."""
        params = {"labelSelector": selector_text(selector), "limit": _PAGE}
        while True:
            page = self.api.read(self.path("apis/apps/v1", "replicasets"), _Page, within=within, params=params)
            yield from (found for found in page.items if found.metadata.owned_by(owner.uid))
            onward = page.metadata.get("continue")
            if not onward:
                return
            params["continue"] = onward

    def patch(self, path: str, read: Meta, changes: list[Change], shape: type[T], *, within: Deadline) -> T:
        """Change the object as it was read, and return it as it is now; raises NotYet (409) when anybody did before."""
        unchanged = replaced("/metadata/resourceVersion", read.resource_version)
        reply = self.api.ask("PATCH", path, within=within, body=[unchanged, *changes], headers=_JSON_PATCH)
        return self.api.shaped(reply, shape)

    def merge_status(self, path: str, read: Meta, status: Mapping[str, Any], *, within: Deadline) -> None:
        """Merge into an object's status subresource, as it was read; raises NotYet (409) as `patch` does."""
        body = {"metadata": {"resourceVersion": read.resource_version}, "status": status}
        self.api.ask("PATCH", f"{path}/status", within=within, body=body, headers=_MERGE_PATCH)

    def _credentials(self, request: EngineRequest) -> Credentials:
        del request
        if self._token is not None:
            return bearer(self._token)
        try:
            return bearer(Secret(self._token_file.read_text().strip()))
        except (OSError, ValueError) as error:
            raise HookFailed(
                f"{self._token_file}, the token for the Kubernetes API, cannot be read: {type(error).__name__}",
                next_step=f"set token_file, or give a token in {TOKEN}",
            ) from error


def replaced(path: str, value: Any) -> Change:
    """Return the change that puts another value where there is one."""
    return {"op": "replace", "path": path, "value": value}


def marked_with(key: str, read: Meta) -> Change:
    """Return the change that notes the intent's key on an object."""
    if not read.annotations:
        return {"op": "add", "path": "/metadata/annotations", "value": {KEY_ANNOTATION: key}}
    return {"op": "add", "path": f"/metadata/annotations/{KEY_ANNOTATION.replace('/', '~1')}", "value": key}


def recorded(candidates: Iterator[ReplicaSet], origin: Origin, intent: Intent, *, order: str, owner: str) -> ReplicaSet:
    """Return the latest ReplicaSet of the target, by the annotation `order`, its image by digest; raises HookFailed."""
    kept = {found.metadata.name: found for found in candidates}
    releases = {name: origin.release(found.spec.template) for name, found in kept.items()}
    matching = [kept[name] for name, release in releases.items() if release == intent.target_release]
    if not matching:
        known = ", ".join(sorted({release for release in releases.values() if release})) or "none"
        raise HookFailed(
            f"no ReplicaSet of {owner} has the release {intent.target_release}; those there have: {known}",
            next_step="deploy the target anew, and keep more of the past: revisionHistoryLimit",
        )
    latest = max(matching, key=lambda found: found.revision(order))
    origin.refuse_moving(latest.spec.template, f"ReplicaSet {latest.metadata.name}")
    return latest


def template_of(recorded: ReplicaSet, hash_label: str) -> dict[str, Any]:
    """Return a recorded pod template without the label its owner adds to it."""
    metadata = recorded.spec.template.get("metadata") or {}
    labels = {name: value for name, value in (metadata.get("labels") or {}).items() if name != hash_label}
    return {**recorded.spec.template, "metadata": {**metadata, "labels": labels}}


def selector_text(selector: Mapping[str, Any]) -> str:
    """Return a label selector object as the API's query writes it."""
    terms = [f"{label}={value}" for label, value in (selector.get("matchLabels") or {}).items()]
    for rule in selector.get("matchExpressions") or []:
        values = f"({','.join(rule.get('values') or [])})"
        written = {"In": f"{rule['key']} in {values}", "NotIn": f"{rule['key']} notin {values}"}
        written |= {"Exists": rule["key"], "DoesNotExist": f"!{rule['key']}"}
        terms.append(written[rule["operator"]])
    return ",".join(terms)


def _server(settings: ClusterSettings) -> str:
    if settings.server:
        return checked_address("server", settings.server)
    pod = system_facts.variables()
    host, port = pod.get("KUBERNETES_SERVICE_HOST", ""), pod.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise SettingsInvalid(
            "no Kubernetes API is named, and this is no pod of a cluster",
            next_step="set server and ca_file in the settings of the hook",
        )
    return checked_address("KUBERNETES_SERVICE_HOST", f"https://{f'[{host}]' if ':' in host else host}:{port}")
