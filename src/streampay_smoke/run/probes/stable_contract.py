"""Which contract does the stable release work with? Its own word, else a draft that it is asked for."""

from streampay_smoke.acceptance.run_context import RunContext
from streampay_smoke.chain.lag import shown_or_missing
from streampay_smoke.core.errors import SmokeError
from streampay_smoke.evidence.events import Probed
from streampay_smoke.gate.attribution import STABLE_CONTRACT_PROBE
from streampay_smoke.run.probes.deployments import as_stable, at_stable, no_stable
from streampay_smoke.service.identity import unowned_address
from streampay_smoke.service.orders import order_to


def stable_contract_probe(run_context: RunContext) -> Probed:
    """Find out which contract the stable release works with; ok for the expected one, not ok for another.

    Where it names none, it is asked for a stream that nobody starts, and the ledger for that stream: it waits for some
    ledgers, and is made where nothing else can tell a wrong setting from a wrong release.
    """
    if not run_context.settings.baseline_url:
        return no_stable(STABLE_CONTRACT_PROBE)
    try:
        found = _named(run_context) or _opened(run_context)
    except SmokeError as problem:
        return Probed(name=STABLE_CONTRACT_PROBE, ok=None, detail=str(problem))
    if not found:
        return Probed(name=STABLE_CONTRACT_PROBE, ok=None, detail="the ledger shows no stream of the stable release")
    expected = run_context.settings.contract_id in found
    return Probed(name=STABLE_CONTRACT_PROBE, ok=expected, detail=f"it works with {', '.join(sorted(found))}")


def _named(run_context: RunContext) -> frozenset[str]:
    with at_stable(run_context, lambda event: None) as stable:
        native = run_context.ledger.token_contract_id
        return frozenset(stable.readiness().contract_ids) - {native}


def _opened(run_context: RunContext) -> frozenset[str]:
    ledger, recipient = run_context.ledger, unowned_address()
    first_ledger = ledger.next_ledger()
    draft = run_context.streams_at_stable(as_stable(run_context.record)).create(
        order_to(recipient), run_context.new_key("stable")
    )

    def look() -> frozenset[str] | None:
        streams = (*ledger.created_to(recipient, first_ledger), *ledger.created_elsewhere(recipient, first_ledger))
        return frozenset(stream.contract_id for stream in streams) or None

    what = f"the draft {draft.id} of the stable release"
    return shown_or_missing(ledger.chain, look, what=what, record=run_context.record) or frozenset()
