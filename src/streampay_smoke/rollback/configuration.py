"""What a rollback needs to know. Less than a run does: nothing of the ledger, and no credential that is still good.

What is only needed to prove the rollback never keeps it from being made: it is missed afterwards, and said.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.core.networks import PUBLIC
from streampay_smoke.core.secret import Secret, secrets_of
from streampay_smoke.evidence.addresses import keys_in
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.rollback.hook import Hook
from streampay_smoke.rollback.hooks import hook_named
from streampay_smoke.settings.actuator import RollbackSettings
from streampay_smoke.settings.environment import EnvironmentFacts

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
    facts: EnvironmentFacts
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


def log_path_of(settings: RollbackSettings) -> Path:
    """Return where an environment's intents are kept."""
    if settings.rollback_log:
        return Path(settings.rollback_log).absolute()
    region = settings.region
    if region and not _FILE_WORD.fullmatch(region):
        raise SettingsInvalid(
            f"SMOKE_REGION is {region!r}: it cannot be part of the intent log's name",
            next_step="set SMOKE_ROLLBACK_LOG, or use letters, digits, dots and dashes",
        )
    name = f"{settings.environment}-{region}" if region else settings.environment
    return settings.artifacts / "rollback" / f"{name}.jsonl"


def deploy_of(settings: RollbackSettings) -> str:
    """Return the deploy a rollback is about; raises SettingsInvalid where none is named."""
    if not settings.deploy:
        raise SettingsInvalid(
            "no deploy is named: SMOKE_DEPLOY is not set",
            next_step="give --deploy the id your deployment system has for the deploy; --status shows those recorded",
        )
    return known_id(settings.deploy, "SMOKE_DEPLOY")


def known_id(text: str, what: str) -> str:
    """Return the id of a release or deploy; raises SettingsInvalid for one that no engine should be handed."""
    if not _ID.fullmatch(text):
        raise SettingsInvalid(
            f"{what} is {text[:60]!r}, which is no id",
            next_step="use letters, digits and . _ : @ / + -, at most 200 of them",
        )
    return text


def actuation(settings: RollbackSettings, redactor: Redactor) -> Actuation:
    """Return what a rollback needs; the redactor learns every secret first. Raises SettingsInvalid."""
    facts, file = settings.facts, f"environments/{settings.environment}.toml"
    redactor.learn(*(secret.reveal() for secret in secrets_of(settings)), *keys_in(settings.rpc_url))
    base_url = _base_url(settings)
    table, hooks = _table(facts.rollback, file)
    return Actuation(
        environment=settings.environment,
        region=settings.region,
        facts=facts,
        base_url=base_url,
        dialect=settings.dialect,
        auth_mode=settings.auth_mode,
        credentials=settings.credentials,
        signer_seed=settings.signer_seed,
        # where the service's ledger is the public one, it is never asked
        ledger_rpc_url="" if facts.service.network == PUBLIC else settings.rpc_url,
        within_seconds=table.within_seconds,
        log_path=log_path_of(settings),
        hook=hook_named(table.hook, hooks.get(table.hook, {}), settings.engine_secrets, where=file),
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


def _base_url(settings: RollbackSettings) -> str:
    """Return where the proof is looked for; raises SettingsInvalid for none, and for one that would prove nothing."""
    name = settings.base_url_called
    if not settings.base_url:
        raise SettingsInvalid(
            f"{settings.environment} has no address: {name} is not set, and a rollback nobody sees is none",
            next_step=f"set {name} or --base-url to the address users meet",
        )
    if settings.facts.service.network == PUBLIC and not settings.base_url.startswith("https://"):
        raise SettingsInvalid(
            f"{settings.environment} is on the public network, and {name} is not an https address: "
            "who answers there could be anybody",
            next_step=f"set {name} to the https address users meet",
        )
    return settings.base_url
