"""How a user listens to live events of their streams."""

from streampay_smoke.acceptance.actions.streams import new_draft
from streampay_smoke.acceptance.checks.live_events import HeardStart
from streampay_smoke.acceptance.observations.live_events import TENANT_UNKNOWN, Listener, heard_while
from streampay_smoke.acceptance.run_context import RunContext
from streampay_smoke.evidence.events import Recorder
from streampay_smoke.service.credentials import Credential
from streampay_smoke.service.deployment import Deployment

MOST_ROUNDS = 3
"""How often listeners listen anew: a release that has just gone live may still lose connections to the one before."""


def listen_to_a_start(run: RunContext, credential: Credential, idle_id: str) -> HeardStart:
    """Start a new stream while listening to it, and to another one that nothing happens to; once in a run."""
    if run.heard_start is None:
        run.heard_start = _start_while_listening(run, credential, new_draft(run).id, idle_id)
    return run.heard_start


def _start_while_listening(run: RunContext, credential: Credential, stream_id: str, idle_id: str) -> HeardStart:
    """Start a draft while listening, and end it again.

    Where a listener is cut off, both listen anew; a draft that was started by then is stopped instead. Raises what cut
    them off each time.
    """
    moved: list[str] = []

    def opens(record: Recorder) -> Deployment:
        return run.deployment_at(
            run.settings.base_url,
            record=record,
            timeout_seconds=run.settings.facts.ledger_step_seconds,
        )

    def move() -> None:
        act = run.deployment.stop if moved else run.deployment.start
        moved.append(act(credential, stream_id, run.new_key("move")).status)

    def listen() -> HeardStart:
        tenant = run.tenant or TENANT_UNKNOWN
        listeners = [Listener(opens, credential, each, tenant, run.record) for each in (stream_id, idle_id)]
        started, idle = heard_while(listeners, move, run.record)
        return HeardStart(status=moved[-1] if moved else "", started=started, idle=idle)

    heard = listen()
    for _ in range(MOST_ROUNDS - 1):
        if heard.cut_off is None or len(moved) > 1:
            break
        heard = listen()
    if heard.cut_off is not None:
        raise heard.cut_off
    run.streams.end(stream_id, credential)
    return heard
