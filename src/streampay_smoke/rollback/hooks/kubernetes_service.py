"""The engine is a Service in front of two or more Deployments, blue and green: its selector is pointed back.

The pods of the target still run, so this is as quick as a rollback can be; it is refused while they do not.
"""

import msgspec

from streampay_smoke.core.secret import Secret
from streampay_smoke.rollback.hook import Intent
from streampay_smoke.rollback.hooks.cluster import (
    KEY_ANNOTATION,
    Cluster,
    ClusterSettings,
    Meta,
    TemplateSpec,
    marked_with,
    replaced,
)
from streampay_smoke.rollback.hooks.engine_api import (
    REAL_CLOCK,
    Deadline,
    EngineHook,
    HookClock,
)
from streampay_smoke.rollback.hooks.fence import refuse_other
from streampay_smoke.rollback.hooks.images import IMAGE_DIGEST, Origin


class KubernetesServiceSettings(ClusterSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[rollback.kubernetes-service]`. `slot_label` is the label whose value in the selector names the live slot."""

    service: str
    deployments: tuple[str, ...]
    slot_label: str
    release_told_by: str = IMAGE_DIGEST
    container: str = ""


class _ServiceSpec(msgspec.Struct, frozen=True, kw_only=True):
    selector: dict[str, str]


class _Service(msgspec.Struct, frozen=True, kw_only=True):
    metadata: Meta
    spec: _ServiceSpec


class _Availability(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    observed_generation: int = 0
    updated_replicas: int = 0
    available_replicas: int = 0


class _Slot(msgspec.Struct, frozen=True, kw_only=True):
    """A Deployment that traffic may be sent to."""

    metadata: Meta
    spec: TemplateSpec
    status: _Availability = _Availability()

    def labels(self) -> dict[str, str]:
        labels: dict[str, str] = (self.spec.template.get("metadata") or {}).get("labels") or {}
        return labels

    def unready(self) -> str:
        """Say what keeps it from taking all traffic, "" when nothing does."""
        if self.spec.replicas < 1:
            return "it is scaled to zero"
        if self.status.observed_generation < self.metadata.generation:
            return "its controller has not seen its latest change"
        ready = min(self.status.updated_replicas, self.status.available_replicas)
        return (
            f"{ready} of {self.spec.replicas} pods of its template are available" if ready < self.spec.replicas else ""
        )


class KubernetesServiceHook(EngineHook):
    """Changes one label of the selector on the condition that the Service is still what was looked at.

    The live release is that of the slot the selector points at; endpoints follow it within seconds.
    """

    def __init__(
        self, settings: KubernetesServiceSettings, token: Secret | None, *, clock: HookClock = REAL_CLOCK
    ) -> None:
        super().__init__(clock)
        self._cluster = Cluster(settings, token)
        self._origin = Origin(told_by=settings.release_told_by, container=settings.container)
        self._what = f"Service {settings.namespace}/{settings.service}"
        self._path = self._cluster.path("api/v1", "services", settings.service)
        self._label = settings.slot_label
        self._slots = {name: self._cluster.path("apis/apps/v1", "deployments", name) for name in settings.deployments}

    def _look(self, within: Deadline) -> str | None:
        return self._standing(self._read(within), self._read_slots(within))

    def _attempt(self, intent: Intent, within: Deadline) -> str:
        service, slots = self._read(within), self._read_slots(within)
        release = self._standing(service, slots)
        if release == intent.target_release:
            return f"{self._what} points at {release}"
        acted = service.metadata.annotations.get(KEY_ANNOTATION) == intent.key
        refuse_other(release, intent, acted=acted, what=self._what)
        target = self._slot_of(intent.target_release, service, slots)
        label = self._label.replace("~", "~0").replace("/", "~1")
        changes = [
            replaced(f"/spec/selector/{label}", target.labels()[self._label]),
            marked_with(intent.key, service.metadata),
        ]
        self._cluster.patch(self._path, service.metadata, changes, _Service, within=within)
        return f"{self._what} points at {self._label}={target.labels()[self._label]}, {target.metadata.name}"

    def _read(self, within: Deadline) -> _Service:
        return self._cluster.api.read(self._path, _Service, within=within)

    def _read_slots(self, within: Deadline) -> list[_Slot]:
        return [self._cluster.api.read(path, _Slot, within=within) for path in self._slots.values()]

    def _standing(self, service: _Service, slots: list[_Slot]) -> str | None:
        """Return the release of the one slot that the selector points at; raises HookFailed when it is not one."""
        selected = [slot for slot in slots if service.spec.selector.items() <= slot.labels().items()]
        if self._label not in service.spec.selector or len(selected) != 1:
            raise self._cluster.api.failed(
                f"{self._what} does not point at one of {', '.join(self._slots)} by its label {self._label}",
                next_step="correct slot_label and deployments in the settings of the hook",
            )
        return self._origin.release(selected[0].spec.template)

    def _slot_of(self, release: str, service: _Service, slots: list[_Slot]) -> _Slot:
        """Return the slot that runs `release`; raises HookFailed without one, NotYet while it is not ready."""
        rest = {name: value for name, value in service.spec.selector.items() if name != self._label}
        fitting = [slot for slot in slots if self._label in slot.labels() and rest.items() <= slot.labels().items()]
        running = [slot for slot in fitting if self._origin.release(slot.spec.template) == release]
        if len(running) != 1:
            known = ", ".join(sorted(str(self._origin.release(slot.spec.template)) for slot in fitting))
            raise self._cluster.api.failed(
                f"{len(running)} of {', '.join(self._slots)} have the release {release}; they have: {known}",
                next_step="keep the previous slot as it is until the next deploy, or deploy the target anew",
            )
        if unready := running[0].unready():
            raise self._cluster.api.not_yet(
                f"Deployment {running[0].metadata.name} cannot take the traffic: {unready}",
                next_step="scale the slot of the target up, and keep it up until the next deploy",
                pause_seconds=1.0,
            )
        return running[0]
