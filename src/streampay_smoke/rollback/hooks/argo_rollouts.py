"""The engine is an Argo Rollout: aborted while it is under way, its template put back, its steps left out.

What the controller makes of it (argo-rollouts 1.8, read in its source):

- `status.abort` ends an update. Blue/green: the active Service points at the stable ReplicaSet again, at once when that
  was switched already. Canary: traffic weight and pods go back to the stable ReplicaSet. On a Rollout that is fully
  promoted it means nothing and is taken away. It does not touch `spec.template`: what ends the abort would try the
  failed release again, so the template is put back as well.
- A template that is the stable ReplicaSet's is promoted without steps or analysis. Any older one goes through all
  steps again, and through the very gate whose verdict is being carried out, unless `spec.rollbackWindow` reaches it or
  `status.promoteFull` is set. A change of the template takes `promoteFull` away: it is set once that was seen.
"""

from typing import Any

import msgspec

from streampay_smoke.core.secret import Secret
from streampay_smoke.rollback.hook import Intent
from streampay_smoke.rollback.hooks.cluster import (
    KEY_ANNOTATION,
    Cluster,
    ClusterSettings,
    Meta,
    ReplicaSet,
    TemplateSpec,
    marked_with,
    recorded,
    replaced,
    template_of,
)
from streampay_smoke.rollback.hooks.engine_api import (
    REAL_CLOCK,
    Deadline,
    EngineHook,
    HookClock,
)
from streampay_smoke.rollback.hooks.fence import refuse_other
from streampay_smoke.rollback.hooks.images import IMAGE_DIGEST, Origin

REVISION = "rollout.argoproj.io/revision"
HASH_LABEL = "rollouts-pod-template-hash"
_CONTROLLER_SECONDS = 0.5


class ArgoRolloutsSettings(ClusterSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[rollback.argo-rollouts]`. `container` is the release's own, where a pod has several."""

    rollout: str
    release_told_by: str = IMAGE_DIGEST
    container: str = ""


class _Spec(TemplateSpec, frozen=True, kw_only=True, rename="camel"):
    workload_ref: dict[str, Any] | None = None


class _Status(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    abort: bool = False
    promote_full: bool = False
    current_pod_hash: str = ""
    stable_rs: str = msgspec.field(default="", name="stableRS")
    observed_generation: str = ""


class _Rollout(msgspec.Struct, frozen=True, kw_only=True):
    metadata: Meta
    spec: _Spec
    status: _Status = _Status()

    def seen(self) -> bool:
        """Say whether the controller has taken up the latest spec."""
        observed = self.status.observed_generation
        return observed.isdecimal() and int(observed) >= self.metadata.generation

    def promoted(self) -> bool:
        """Say whether no update is under way."""
        return self.status.current_pod_hash == self.status.stable_rs


class ArgoRolloutsHook(EngineHook):
    """Aborts, puts the template back and promotes it, each on the condition that nobody else changed the Rollout.

    After an abort the stable release is the live one. A rollback is done when the target is stable, or when its full
    promotion was taken.
    """

    def __init__(self, settings: ArgoRolloutsSettings, token: Secret | None, *, clock: HookClock = REAL_CLOCK) -> None:
        super().__init__(clock)
        self._cluster = Cluster(settings, token)
        self._origin = Origin(told_by=settings.release_told_by, container=settings.container)
        self._what = f"Rollout {settings.namespace}/{settings.rollout}"
        self._path = self._cluster.path("apis/argoproj.io/v1alpha1", "rollouts", settings.rollout)

    def _look(self, within: Deadline) -> str | None:
        rollout = self._read(within)
        if rollout.status.abort and not rollout.promoted():
            return self._stable_release(rollout, within)
        return self._origin.release(rollout.spec.template)

    def _attempt(self, intent: Intent, within: Deadline) -> str:
        rollout = self._read(within)
        release = self._origin.release(rollout.spec.template)
        if release == intent.target_release and not rollout.spec.paused:
            return self._promote(rollout, within)
        if release != intent.target_release:
            acted = rollout.metadata.annotations.get(KEY_ANNOTATION) == intent.key
            refuse_other(release, intent, acted=acted, what=self._what)
        source = recorded(self._replica_sets(rollout, within), self._origin, intent, order=REVISION, owner=self._what)
        if self._is_stable(rollout, source) and not (rollout.promoted() or rollout.status.abort):
            self._cluster.merge_status(self._path, rollout.metadata, {"abort": True}, within=within)
            raise self._after_a_while("is aborted; its template is not put back yet", pause_seconds=0.0)
        changes = [
            replaced("/spec/template", template_of(source, HASH_LABEL)),
            marked_with(intent.key, rollout.metadata),
            *([replaced("/spec/paused", False)] if rollout.spec.paused else []),
        ]
        self._cluster.patch(self._path, rollout.metadata, changes, _Rollout, within=within)
        raise self._after_a_while("has the target's template; its controller has not taken it up yet")

    def _promote(self, rollout: _Rollout, within: Deadline) -> str:
        """See the target's template through; raises NotYet while the controller has not seen it."""
        if not rollout.seen():
            raise self._after_a_while("has the target's template; its controller has not taken it up yet")
        if rollout.promoted():
            return f"{self._what} has the target as its stable release, ReplicaSet hash {rollout.status.stable_rs}"
        if not rollout.status.promote_full:
            self._cluster.merge_status(self._path, rollout.metadata, {"promoteFull": True}, within=within)
        return f"{self._what} promotes the target fully, ReplicaSet hash {rollout.status.current_pod_hash}"

    def _read(self, within: Deadline) -> _Rollout:
        rollout = self._cluster.api.read(self._path, _Rollout, within=within)
        if rollout.spec.workload_ref is not None:
            raise self._cluster.api.failed(
                f"{self._what} takes its template from {rollout.spec.workload_ref.get('kind')} "
                f"{rollout.spec.workload_ref.get('name')} (spec.workloadRef), which this hook does not change",
                next_step="move the template into the Rollout, or put the release back with the command hook",
            )
        return rollout

    def _replica_sets(self, rollout: _Rollout, within: Deadline) -> Any:
        return self._cluster.replica_sets(rollout.metadata, rollout.spec.selector, within=within)

    def _is_stable(self, rollout: _Rollout, recorded: ReplicaSet) -> bool:
        return recorded.metadata.labels.get(HASH_LABEL) == rollout.status.stable_rs

    def _stable_release(self, rollout: _Rollout, within: Deadline) -> str | None:
        stable = (one for one in self._replica_sets(rollout, within) if self._is_stable(rollout, one))
        return next((self._origin.release(one.spec.template) for one in stable), None)

    def _after_a_while(self, what: str, pause_seconds: float = _CONTROLLER_SECONDS) -> Exception:
        return self._cluster.api.not_yet(
            f"{self._what} {what}", next_step="see the log of the argo-rollouts controller", pause_seconds=pause_seconds
        )
