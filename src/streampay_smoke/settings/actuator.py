"""What a rollback and the service need of the settings: less than a run, so that less can keep them from their work."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from streampay_smoke.core.networks import ALLOWED
from streampay_smoke.core.secret import Secret
from streampay_smoke.settings.environment import EnvironmentFacts
from streampay_smoke.settings.problems import Problems
from streampay_smoke.settings.reading import read

PROOF_ADDRESSES = ("SMOKE_ROLLBACK_BASE_URL", "SMOKE_BASE_URL")
"""Where a rollback's proof is looked for: the address users meet, which is not always the one a run judges."""


class RollbackSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One environment's rollbacks. `base_url` is where the proof is looked for, and `base_url_called` what to call it.

    What is only needed for the proof never keeps a rollback from being made: the ledger's address is not validated.
    """

    environment: str
    facts: EnvironmentFacts
    region: str
    deploy: str
    artifacts: Path
    rollback_log: str
    base_url: str
    base_url_called: str
    dialect: str
    auth_mode: str
    signer_seed: Secret | None
    credentials: dict[str, Secret]
    engine_secrets: dict[str, Secret]
    rpc_url: str


class ServeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the service needs to know beside what its runs read for themselves."""

    environment: str
    region: str
    base_url: str
    history: Path | None
    deadline_seconds: float
    bake_seconds: float
    serve_token: Secret
    serve_token_b: Secret | None
    serve_targets: tuple[str, ...]
    serve_report_url: str
    serve_valid_seconds: float
    serve_keep_runs: int


def load_rollback(
    options: Mapping[str, str] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    root: Path | None = None,
) -> RollbackSettings:
    """Return the settings of rollbacks; raises SettingsInvalid, GuardRefused for what points at the public network."""
    raw = read(options, environ=environ, root=root)
    problems = Problems()
    address = next((name for name in PROOF_ADDRESSES if raw.text(name)), PROOF_ADDRESSES[-1])
    values = raw.values_for(RollbackSettings, problems, without=("base_url", "rpc_url"))
    with problems.collected():
        values["base_url"] = raw.parsed(address)
    problems.refuse()
    network = ALLOWED.get(raw.text("SMOKE_STELLAR_NETWORK"))
    return RollbackSettings(
        **{
            **values,
            "environment": raw.environment,
            "facts": raw.facts,
            "base_url_called": address,
            "credentials": raw.credentials(values["auth_mode"]),
            "engine_secrets": raw.engine_secrets(),
            "rpc_url": raw.text("SMOKE_STELLAR_RPC_URL") or (network.rpc_url if network else ""),
        }
    )


def load_serve(environ: Mapping[str, str] | None = None, *, root: Path | None = None) -> ServeSettings:
    """Return the settings of the service; raises SettingsInvalid, for a missing token first of all."""
    raw = read(environ=environ, root=root)
    problems = Problems()
    if not raw.text("SMOKE_SERVE_TOKEN"):
        problems.add(
            "SMOKE_SERVE_TOKEN is not set: the service would answer to anybody",
            "set SMOKE_SERVE_TOKEN from your secret store, 24 characters or more",
        )
    values = raw.values_for(ServeSettings, problems)
    with problems.collected():
        values["deadline_seconds"] = raw.deadline_seconds()
    problems.refuse()
    return ServeSettings(**values)
