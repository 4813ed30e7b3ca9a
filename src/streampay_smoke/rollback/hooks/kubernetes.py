"""The engine is a Deployment: its pod template is made that of the ReplicaSet which ran the target, by digest.

Never `kubectl rollout undo`: it goes to the revision before, so a second one goes back to the bad release.
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

REVISION = "deployment.kubernetes.io/revision"
HASH_LABEL = "pod-template-hash"


class KubernetesSettings(ClusterSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[rollback.kubernetes]`. `container` is the release's own, where a pod has several."""

    deployment: str
    release_told_by: str = IMAGE_DIGEST
    container: str = ""


class KubernetesDeployment(msgspec.Struct, frozen=True, kw_only=True):
    """A Deployment, as far as it is read."""

    metadata: Meta
    spec: TemplateSpec


class KubernetesHook(EngineHook):
    """Replaces the pod template on the condition that the Deployment is still what was looked at.

    A rollback is done when the API has taken the change; pods follow as the strategy says.
    """

    def __init__(self, settings: KubernetesSettings, token: Secret | None, *, clock: HookClock = REAL_CLOCK) -> None:
        super().__init__(clock)
        self._cluster = Cluster(settings, token)
        self._origin = Origin(told_by=settings.release_told_by, container=settings.container)
        self._what = f"Deployment {settings.namespace}/{settings.deployment}"
        self._path = self._cluster.path("apis/apps/v1", "deployments", settings.deployment)

    def _look(self, within: Deadline) -> str | None:
        return self._origin.release(self._read(within).spec.template)

    def _attempt(self, intent: Intent, within: Deadline) -> str:
        found = self._read(within)
        release = self._origin.release(found.spec.template)
        acted = found.metadata.annotations.get(KEY_ANNOTATION) == intent.key
        if release == intent.target_release and not found.spec.paused:
            return (
                f"{self._what} has {release} in its pod template{' since this intent was first met' if acted else ''}"
            )
        if release != intent.target_release:
            refuse_other(release, intent, acted=acted, what=self._what)
        source = recorded(
            self._cluster.replica_sets(found.metadata, found.spec.selector, within=within),
            self._origin,
            intent,
            order=REVISION,
            owner=self._what,
        )
        changes = [
            replaced("/spec/template", template_of(source, HASH_LABEL)),
            marked_with(intent.key, found.metadata),
            *([replaced("/spec/paused", False)] if found.spec.paused else []),  # a paused one changes no pod
        ]
        now = self._cluster.patch(self._path, found.metadata, changes, KubernetesDeployment, within=within)
        return self._taken(now, source.metadata.name, intent)

    def _read(self, within: Deadline) -> KubernetesDeployment:
        return self._cluster.api.read(self._path, KubernetesDeployment, within=within)

    def _taken(self, now: KubernetesDeployment, source: str, intent: Intent) -> str:
        """Return the engine's words; raises HookFailed when something in the cluster wrote another template."""
        release = self._origin.release(now.spec.template)
        if release != intent.target_release:
            raise self._cluster.api.failed(
                f"{self._what} was given {intent.target_release} and has {release or 'no release'}",
                next_step="see which admission webhook or controller of the cluster changes its pod template",
            )
        return f"{self._what} took the pod template of {source}, generation {now.metadata.generation}"
