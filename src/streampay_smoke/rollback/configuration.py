"""What a rollback needs to know. Less than a run does: nothing of the ledger, and no credential that is still good.

What is only needed to prove the rollback never keeps it from being made: it is missed afterwards, and said.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.core.networks import ALLOWED
from streampay_smoke.core.secret import Secret
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.rollback.hook import Hook
from streampay_smoke.rollback.hooks import hook_named
from streampay_smoke.settings.gathering import Gathered
from streampay_smoke.settings.place import Place
from streampay_smoke.settings.values import one_of, require_url
from streampay_smoke.settings.variables import AUTH_MODES, DIALECTS

ADDRESSES = ("SMOKE_ROLLBACK_BASE_URL", "SMOKE_BASE_URL")
"""Where the proof is looked for: the address users meet, which is not always the one a run judges."""

_FILE_WORD = re.compile(r"[\w.-]+")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/+-]{0,199}")

_HOW = 'add [rollback] with hook = "command" and [rollback.command]; docs/rollback.md shows each engine'


class RollbackTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[rollback]` without the tables of the engines. `within_seconds` bounds a whole rollback, its proof included."""

    hook: str
    within_seconds: float = 120.0


class Actuation(msgspec.Struct, frozen=True, kw_only=True):
    """One environment's rollbacks: where they are written down, how they are made, where the proof is looked for."""

    environment: str
    region: str
    place: Place
    base_url: str
    dialect: str
    auth_mode: str
    credentials: dict[str, Secret]
    signer_seed: Secret | None
    ledger_rpc_url: str
    within_seconds: float
    log_path: Path
    hook: Hook

    @property
    def where(self) -> str:
        """The environment as people call it."""
        return f"{self.environment}, {self.region}" if self.region else self.environment


def log_path_of(gathered: Gathered) -> Path:
    """Return where an environment's intents are kept."""
    if gathered.values["SMOKE_ROLLBACK_LOG"]:
        return Path(gathered.values["SMOKE_ROLLBACK_LOG"]).absolute()
    region = gathered.values["SMOKE_REGION"]
    if region and not _FILE_WORD.fullmatch(region):
        raise SettingsInvalid(
            f"SMOKE_REGION is {region!r}: it cannot be part of the intent log's name",
            next_step="set SMOKE_ROLLBACK_LOG, or use letters, digits, dots and dashes",
        )
    name = f"{gathered.environment}-{region}" if region else gathered.environment
    return Path(gathered.values["SMOKE_ARTIFACTS"]).absolute() / "rollback" / f"{name}.jsonl"


def deploy_of(gathered: Gathered) -> str:
    """Return the deploy a rollback is about; raises SettingsInvalid where none is named."""
    deploy = gathered.values["SMOKE_DEPLOY"]
    if not deploy:
        raise SettingsInvalid(
            "no deploy is named: SMOKE_DEPLOY is not set",
            next_step="give --deploy the id your deployment system has for the deploy; --status shows those recorded",
        )
    return known_id(deploy, "SMOKE_DEPLOY")


def known_id(text: str, what: str) -> str:
    """Return the id of a release or deploy; raises SettingsInvalid for one that no engine should be handed."""
    if not _ID.fullmatch(text):
        raise SettingsInvalid(
            f"{what} is {text[:60]!r}, which is no id",
            next_step="use letters, digits and . _ : @ / + -, at most 200 of them",
        )
    return text


def actuation(gathered: Gathered, redactor: Redactor) -> Actuation:
    """Return what a rollback of the place needs; the redactor learns every secret first. Raises SettingsInvalid."""
    place, values, file = gathered.place, gathered.values, f"environments/{gathered.environment}.toml"
    auth_mode = one_of("SMOKE_AUTH_MODE", values, tuple(AUTH_MODES))
    credentials, engine_secrets = gathered.credentials(auth_mode), gathered.engine_secrets()
    signer_seed = gathered.secret("SMOKE_SIGNER_SEED")
    secrets = (*credentials.values(), *engine_secrets.values(), *([signer_seed] if signer_seed else []))
    redactor.learn(*(secret.reveal() for secret in secrets))
    base_url = _base_url(gathered)
    table, hooks = _table(place.rollback, file)
    return Actuation(
        environment=gathered.environment,
        region=values["SMOKE_REGION"],
        place=place,
        base_url=base_url,
        dialect=one_of("SMOKE_DIALECT", values, DIALECTS),
        auth_mode=auth_mode,
        credentials=credentials,
        signer_seed=signer_seed,
        ledger_rpc_url=_ledger_rpc_url(place, values),
        within_seconds=table.within_seconds,
        log_path=log_path_of(gathered),
        hook=hook_named(table.hook, hooks.get(table.hook, {}), engine_secrets, where=file),
    )


def _table(raw: Mapping[str, Any], file: str) -> tuple[RollbackTable, Mapping[str, Mapping[str, Any]]]:
    """Return `[rollback]` and the tables of engines in it. Only the table of the chosen engine may be there."""
    if not raw:
        raise SettingsInvalid(f"{file} has no [rollback]: nobody said how a release is put back here", next_step=_HOW)
    engines = {name: value for name, value in raw.items() if isinstance(value, dict)}
    try:
        table = msgspec.convert({name: value for name, value in raw.items() if name not in engines}, RollbackTable)
    except msgspec.ValidationError as error:
        raise SettingsInvalid(f"{file}: [rollback]: {error}", next_step=_HOW) from error
    others = sorted(set(engines) - {table.hook})
    if others:
        raise SettingsInvalid(
            f"{file}: [rollback.{others[0]}] stands beside hook = {table.hook!r}: which engine is meant?",
            next_step="leave one engine in the file",
        )
    if not 0 < table.within_seconds < float("inf"):
        raise SettingsInvalid(
            f"{file}: [rollback] within_seconds is {table.within_seconds:g}", next_step="use a number above 0"
        )
    return table, engines


def _base_url(gathered: Gathered) -> str:
    """Return where the proof is looked for; raises SettingsInvalid for none, and for one that would prove nothing."""
    name = next((name for name in ADDRESSES if gathered.values[name]), ADDRESSES[-1])
    url = gathered.values[name].rstrip("/")
    if not url:
        raise SettingsInvalid(
            f"{gathered.environment} has no address: {name} is not set, and a rollback nobody sees is none",
            next_step=f"set {name} or --base-url to the address users meet",
        )
    require_url(name, url)
    if gathered.place.service.network == "public" and not url.startswith("https://"):
        raise SettingsInvalid(
            f"{gathered.environment} is on the public network, and {name} is not an https address: "
            "who answers there could be anybody",
            next_step=f"set {name} to the https address users meet",
        )
    return url


def _ledger_rpc_url(place: Place, values: Mapping[str, str]) -> str:
    """Return the RPC of the service's ledger, "" where none is known here: the public one is never asked."""
    if place.service.network == "public":
        return ""
    network = ALLOWED.get(values["SMOKE_STELLAR_NETWORK"])
    return values["SMOKE_STELLAR_RPC_URL"] or (network.rpc_url if network else "")
