"""Is it the credential the operator supplied? The stable release and the deployment itself are shown it."""

from collections.abc import Sequence

from streampay_smoke.acceptance.run_context import RunContext
from streampay_smoke.evidence.events import Probed, Recorder
from streampay_smoke.gate.attribution import CREDENTIAL_PROBE, SHOWN_AGAIN_PROBE
from streampay_smoke.run.probes.deployments import at_candidate, at_stable, no_stable
from streampay_smoke.service.credentials import ANONYMOUS, SCRAPER, Credential
from streampay_smoke.service.deployment import Deployment
from streampay_smoke.service.exchange import REFUSED
from streampay_smoke.service.replay import ObservedRequest

SHOWN_AGAIN_TIMES = 4
"""How often a refused credential is shown again: one of two instances that accepts it is met 15 times in 16."""

_ACCEPTED = 200


def credential_probe(run_context: RunContext, asked: ObservedRequest | None, record: Recorder) -> Probed:
    """Show the stable release the credentials the operator supplied."""
    if not run_context.settings.baseline_url:
        return no_stable(CREDENTIAL_PROBE)
    credentials = _supplied(run_context, asked)
    if not credentials:
        return _nothing_supplied(CREDENTIAL_PROBE)
    with at_stable(run_context, record) as stable:
        statuses = [_status_for(stable, credential) for credential in credentials]
        return _probe_of(CREDENTIAL_PROBE, statuses, _status_of_nobody(stable, credentials[0], statuses))


def shown_again_probe(run_context: RunContext, asked: ObservedRequest | None, record: Recorder) -> Probed:
    """Show the deployment the credentials the operator supplied once more, until an instance of it accepts one.

    An old credential is refused however often it is shown, and one that instances disagree about is not old. Each
    time is over a connection of its own: kept ones stick to one instance.
    """
    credentials = _supplied(run_context, asked)
    if not credentials:
        return _nothing_supplied(SHOWN_AGAIN_PROBE)
    statuses: list[int] = []
    with at_candidate(run_context, record) as deployment:
        for credential in credentials * SHOWN_AGAIN_TIMES:
            with deployment.fresh() as instance:
                statuses.append(_status_for(instance, credential))
            if statuses[-1] == _ACCEPTED:
                break
        return _probe_of(SHOWN_AGAIN_PROBE, statuses, _status_of_nobody(deployment, credentials[0], statuses))


def _supplied(run_context: RunContext, asked: ObservedRequest | None) -> list[Credential]:
    """Return what the operator supplied: the scraper's token where that was shown last, else the user's, by slot."""
    shown = asked.credential if asked is not None else None
    if shown is not None and shown.kind == SCRAPER:
        return [shown]
    if run_context.settings.auth_mode == "wallet":
        return []
    return [user.supplied_credential() for user in run_context.user_by_slot]


def _nothing_supplied(name: str) -> Probed:
    return Probed(name=name, ok=None, detail="the synthetic user signs in: no credential is supplied")


def _status_for(deployment: Deployment, credential: Credential) -> int:
    """Return the status with which a deployment answers whoever shows this credential."""
    answer = deployment.metrics_answer if credential.kind == SCRAPER else deployment.refusal
    return answer(credential).status


def _status_of_nobody(deployment: Deployment, credential: Credential, statuses: Sequence[int]) -> int | None:
    """Return the status with which a deployment that accepted such a credential answers whoever shows none."""
    if _ACCEPTED not in statuses:
        return None
    if credential.kind == SCRAPER:
        return deployment.metrics_answer(None).status
    return deployment.refusal(ANONYMOUS).status


def _probe_of(name: str, statuses: Sequence[int], of_nobody: int | None = None) -> Probed:
    detail = f"it is answered {' and '.join(map(str, statuses))}"
    if of_nobody == _ACCEPTED:
        return Probed(name=name, ok=None, detail=f"{detail}, and so is no credential: that proves none")
    ok = True if _ACCEPTED in statuses else False if REFUSED.issuperset(statuses) else None
    return Probed(name=name, ok=ok, detail=detail)
