"""How to play a run again: the command, without any secret, and where the ledger can be looked at."""

import shlex

from streampay_smoke.core.networks import ALLOWED
from streampay_smoke.publish.report_model import RunReport

ALL_TAGS = "@smoke"

COMMAND = ("streampay-smoke", "run")

_OPTIONS = {"base_url": "--base-url", "expect_release": "--expect-release", "region": "--region", "tags": "--tags"}


def command(run: RunReport) -> str:
    """Return the command that plays this run again; credentials come from the environment, as before."""
    target = run.verdict.target
    words = [*COMMAND, *(["--env", target.environment] if target.environment else [])]
    words += ["--region", target.region] if run.verdict.regions else []
    settings = run.started.settings if run.started else {}
    for name, option in _OPTIONS.items():
        value = settings.get(name, "")
        if not value or value == "None" or (name == "tags" and value == ALL_TAGS):
            continue
        if name == "base_url" and target.rehearsal:  # the sandbox of this run is gone, the next one starts its own
            continue
        words += [option, value]
    return shlex.join(words)


def explorer_links(run: RunReport) -> dict[str, str]:
    """Return pages of a block explorer about the settlement and the contract, by their label; none for a simulation."""
    chain, settlement = run.verdict.chain, run.verdict.settlement
    network = ALLOWED.get(chain.network)
    if network is None or not network.explorer_url or chain.simulated:
        return {}
    pages = {
        "Settlement transaction": f"tx/{settlement.tx_hash}" if settlement.tx_hash else "",
        "Contract": f"contract/{chain.contract_id}" if chain.contract_id else "",
    }
    return {label: f"{network.explorer_url}/{page}" for label, page in pages.items() if page}
