"""The engine is a Cloud Run service: all traffic goes to the revision that holds the target (Admin API v2).

A revision never changes and its image was resolved to a digest when it was made, so nothing is deployed. The service's
`etag` makes the change conditional: whoever changed the service in between is looked at first.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from streampay_smoke.core import system_facts
from streampay_smoke.core.secret import Secret
from streampay_smoke.http.client import Client, NoAnswer
from streampay_smoke.rollback.hook import HookFailed, Intent
from streampay_smoke.rollback.hooks.engine_api import (
    LOOK_SECONDS,
    PASSING,
    REAL_CLOCK,
    REQUEST_SECONDS,
    TOKEN,
    Credentials,
    Deadline,
    EngineApi,
    EngineRequest,
    HookClock,
    NotYet,
    bearer,
    checked_address,
    retry_until_done,
)
from streampay_smoke.rollback.hooks.fence import refuse_other
from streampay_smoke.rollback.hooks.images import IMAGE_DIGEST, Origin

BY_REVISION = "revision"
_CONFLICT = 409
_POLL_SECONDS = 1.0
_PAGE = "100"

_METADATA_HOST = "metadata.google.internal"
_METADATA_PATH = "/computeMetadata/v1/instance/service-accounts/default/token"
_METADATA_SECONDS = 3.0
_FLAVOR = {"metadata-flavor": "Google"}
_EARLY_SECONDS = 60.0
"""How long before its end a token is renewed."""


class CloudRunSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[rollback.cloud-run]`. `release_told_by` is of the revision; `revision` takes its own name as the release."""

    project: str
    region: str
    service: str
    release_told_by: str = IMAGE_DIGEST
    container: str = ""
    api: str = "https://run.googleapis.com"
    request_seconds: float = REQUEST_SECONDS


class _Traffic(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    type: str = ""
    revision: str = ""
    percent: int = 0
    tag: str = ""


class _Condition(msgspec.Struct, frozen=True, kw_only=True):
    type: str = ""
    state: str = ""
    message: str = ""


class _Service(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    name: str
    etag: str = ""
    traffic: list[_Traffic] = []
    latest_ready_revision: str = ""
    reconciling: bool = False
    terminal_condition: _Condition = _Condition()

    def receiving(self) -> list[str]:
        """Return the names of the revisions with traffic, the latest ready one where nothing else is said."""
        named = [one.revision or self.latest_ready_revision for one in self.traffic if one.percent]
        return [_short(name) for name in named or [self.latest_ready_revision] if name]


class _Container(msgspec.Struct, frozen=True, kw_only=True):
    image: str = ""
    name: str = ""


class _ContainerStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    name: str = ""
    image_digest: str = ""


class _Revision(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    name: str
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    containers: list[_Container] = []
    container_statuses: list[_ContainerStatus] = []
    conditions: list[_Condition] = []

    def ready(self) -> bool:
        """Say whether it once came up."""
        return any(one.type == "Ready" and one.state == "CONDITION_SUCCEEDED" for one in self.conditions)

    def template(self) -> dict[str, Any]:
        """Return it as `Origin` reads pods, its images by the digests they were resolved to."""
        resolved = {status.name: status.image_digest for status in self.container_statuses if status.image_digest}
        containers = [{"name": one.name, "image": resolved.get(one.name, one.image)} for one in self.containers]
        metadata = {"labels": self.labels, "annotations": self.annotations}
        return {"metadata": metadata, "spec": {"containers": containers}}


class _Revisions(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    revisions: list[_Revision] = []
    next_page_token: str = ""


class _Error(msgspec.Struct, frozen=True, kw_only=True):
    message: str = ""


class _Operation(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    done: bool = False
    error: _Error | None = None


class _TrafficChange(msgspec.Struct, kw_only=True):
    """The operation that carries out one call's change, "" before it and after it has ended."""

    operation: str = ""


class CloudRunHook:
    """Sends all traffic to one revision."""

    def __init__(self, settings: CloudRunSettings, token: Secret | None, *, clock: HookClock = REAL_CLOCK) -> None:
        by_revision = settings.release_told_by == BY_REVISION
        self._origin = None if by_revision else Origin(told_by=settings.release_told_by, container=settings.container)
        self._path = f"/v2/projects/{settings.project}/locations/{settings.region}/services/{settings.service}"
        self._what = f"Cloud Run service {settings.service} in {settings.region}"
        self._clock = clock
        self._api = EngineApi(
            "the Cloud Run API",
            Client(base_url=checked_address("cloud-run.api", settings.api), timeout_seconds=settings.request_seconds),
            credentials=GoogleToken(token, clock),
            passes=lambda reply: reply.status in PASSING or reply.status == _CONFLICT,
            next_steps={
                401: f"give a token that has not ended, in {TOKEN}, or run where the job has a service account",
                403: "give the service account the permissions in docs/hooks.md",
                404: "correct project, region and service in [rollback.cloud-run]",
            },
        )

    def live_release(self) -> str | None:
        """Return the release with traffic; of several, that of the latest revision."""
        return retry_until_done(self._look, LOOK_SECONDS, self._clock)

    def roll_back(self, intent: Intent) -> str:
        """Return once the traffic has moved."""
        change = _TrafficChange()
        return retry_until_done(
            lambda within: self._attempt(intent, change, within), intent.deadline_seconds, self._clock
        )

    def _look(self, within: Deadline) -> str | None:
        receiving = self._read(within).receiving()
        latest = next((one for one in self._revisions(within) if _short(one.name) in receiving), None)
        return self._release(latest) if latest else None

    def _attempt(self, intent: Intent, change: _TrafficChange, within: Deadline) -> str:
        if change.operation:
            self._see_through(change, within)
        service = self._read(within)
        receiving, revisions = service.receiving(), list(self._revisions(within))
        releases = {_short(one.name): self._release(one) for one in revisions if _short(one.name) in receiving}
        standing = [releases.get(name) for name in receiving]
        if standing and all(release == intent.target_release for release in standing):
            return self._settled(service, receiving)
        for release in standing or [None]:
            if release != intent.target_release:
                refuse_other(release, intent, acted=False, what=self._what)
        target = _short(self._recorded(revisions, intent).name)
        tagged = [msgspec.structs.replace(one, percent=0) for one in service.traffic if one.tag]
        traffic = [_Traffic(type="TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", revision=target, percent=100), *tagged]
        body = {"name": service.name, "etag": service.etag, "traffic": traffic}
        reply = self._api.ask("PATCH", self._path, within=within, body=body, params={"updateMask": "traffic"})
        change.operation = self._api.shaped(reply, _Operation).name
        raise self._moving(change.operation)

    def _see_through(self, change: _TrafficChange, within: Deadline) -> None:
        """Return when the operation has ended well; raises NotYet before it has, HookFailed when it ended otherwise."""
        operation = self._api.read(f"/v2/{change.operation}", _Operation, within=within)
        if not operation.done:
            raise self._moving(operation.name)
        change.operation = ""
        if operation.error is not None:
            raise self._api.failed(
                f"{self._what} did not take the change: {operation.error.message}",
                next_step="see the conditions of the service and of the target's revision",
            )

    def _settled(self, service: _Service, receiving: list[str]) -> str:
        """Return the engine's words about a service that is set to the target; raises NotYet while it is not there."""
        if service.reconciling:
            raise self._moving(f"to {', '.join(receiving)}")
        if service.terminal_condition.state == "CONDITION_FAILED":
            raise self._api.failed(
                f"{self._what} is set to {', '.join(receiving)}, and not there: {service.terminal_condition.message}",
                next_step="see the conditions of the service and of the target's revision",
            )
        return f"{self._what} sends all traffic to {', '.join(receiving)}"

    def _moving(self, what: str) -> NotYet:
        return self._api.not_yet(
            f"{self._what} is moving its traffic ({what})",
            next_step="see the conditions of the service",
            pause_seconds=_POLL_SECONDS,
        )

    def _read(self, within: Deadline) -> _Service:
        return self._api.read(self._path, _Service, within=within)

    def _revisions(self, within: Deadline) -> Iterator[_Revision]:
        """Yield the service's revisions, the latest first."""
        params = {"pageSize": _PAGE}
        while True:
            page = self._api.read(f"{self._path}/revisions", _Revisions, within=within, params=params)
            yield from page.revisions
            if not page.next_page_token:
                return
            params["pageToken"] = page.next_page_token

    def _release(self, revision: _Revision) -> str | None:
        return self._origin.release(revision.template()) if self._origin else _short(revision.name)

    def _recorded(self, revisions: list[_Revision], intent: Intent) -> _Revision:
        """Return the latest revision of the target that once came up; raises HookFailed without one."""
        known: dict[str, None] = {}
        for revision in revisions:
            release = self._release(revision)
            if release == intent.target_release and revision.ready():
                return revision
            known[str(release)] = None
        raise self._api.failed(
            f"{self._what} has no revision of {intent.target_release} that came up; there are: {', '.join(known)}",
            next_step="deploy the target anew without traffic, or keep more revisions",
        )


class GoogleToken:
    """The token given, else that of the job's service account, which the metadata server hands out."""

    def __init__(self, token: Secret | None, clock: HookClock) -> None:
        self._token = token
        self._ends_at = float("inf")
        self._clock = clock

    def __call__(self, request: EngineRequest) -> Credentials:
        """Return the credentials for a request; raises NotYet where there is no metadata server to ask."""
        del request
        if self._token is None or self._clock.steady() > self._ends_at - _EARLY_SECONDS:
            self._token, self._ends_at = self._handed_out()
        return bearer(self._token)

    def _handed_out(self) -> tuple[Secret, float]:
        host = system_facts.variables().get(
            "GCE_METADATA_HOST", _METADATA_HOST
        )  # as every library of Google's reads it
        try:
            address = f"http://{host}"
            with Client(base_url=address, timeout_seconds=_METADATA_SECONDS, headers=_FLAVOR, direct=True) as client:
                reply = client.request("GET", _METADATA_PATH)
            body = msgspec.json.decode(reply.content)
            return Secret(str(body["access_token"])), self._clock.steady() + float(body["expires_in"])
        except (NoAnswer, msgspec.DecodeError, KeyError, TypeError, ValueError) as problem:
            raise HookFailed(
                f"no token for Google Cloud: {TOKEN} is not set, and no metadata server hands one out "
                f"({type(problem).__name__})",
                next_step=f"set {TOKEN} to an access token, or run where the job has a service account",
            ) from None


def _short(name: str) -> str:
    """Return the last part of a resource's name."""
    return name.rpartition("/")[2]
