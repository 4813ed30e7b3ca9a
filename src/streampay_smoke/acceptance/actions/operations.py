"""What operators request of the service."""

from streampay_smoke.core.secret import Secret
from streampay_smoke.service.credentials import metrics_credential
from streampay_smoke.service.deployment import Deployment
from streampay_smoke.service.exchange import Answer


def request_liveness(deployment: Deployment, *, times: int) -> tuple[Answer, ...]:
    """Ask the service `times` times whether it is alive."""
    return tuple(deployment.alive_answer() for _ in range(times))


def read_metrics(deployment: Deployment, token: Secret | None) -> Answer:
    """Ask for the service's metrics, with the token of those who may read them where there is one."""
    return deployment.metrics_answer(metrics_credential(token))


def index_cursors(deployment: Deployment, *, times: int = 2) -> tuple[int, ...]:
    """Ask the index of the ledger how far it is, one time after the other."""
    return tuple(deployment.index_cursor() for _ in range(times))
