"""One frozen `Settings` for a run, complete and validated before anything is sent."""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.core.networks import ALLOWED, Network
from streampay_smoke.core.secret import Secret
from streampay_smoke.core.signing import SigningKey
from streampay_smoke.evidence.addresses import host_only, keys_in
from streampay_smoke.http.proxies import proxy_secrets, route_to
from streampay_smoke.service.claims import refuse_expired, refuse_unfit
from streampay_smoke.service.strkey import native_token_contract, seed_bytes
from streampay_smoke.settings.environment import EnvironmentFacts, refuse_impossible
from streampay_smoke.settings.notification import WEBHOOK_SECRET, NotificationSettings
from streampay_smoke.settings.problems import Problems
from streampay_smoke.settings.reading import RawSettings, read, read_what_can_be
from streampay_smoke.settings.variables import AUTH_MODES, PROOFS, SIGNING_KEY, VARIABLES, slots_of

_NOT_DUMPED = frozenset({"facts", "network", "engine_secrets"})
"""What a dump leaves out: facts of the file, and what is the actuator's alone."""

_REACHED = ("SMOKE_BASE_URL", "SMOKE_BASELINE_URL", "SMOKE_STELLAR_RPC_URL", "SMOKE_STELLAR_FRIENDBOT_URL")

_SEEDS = ("SMOKE_SIGNER_SEED", "SMOKE_RECIPIENT_SEED")

_OWN_WAYS = ("SMOKE_BASELINE_URL", "SMOKE_BASE_HEADER", "SMOKE_BASELINE_HEADER")
"""What leads to one of two releases alone."""

_SHOWN_BY_HOST = ("rpc_url", "friendbot_url")
"""Addresses whose path may be a provider's key."""


class Settings(NotificationSettings, frozen=True, kw_only=True):
    """Everything a run needs to know. Secrets are `Secret`; `dump()` is safe to print."""

    environment: str
    facts: EnvironmentFacts
    base_url: str
    baseline_url: str
    base_header: dict[str, str]
    baseline_header: dict[str, str]
    canary_journeys: int
    canary_weight: float
    canary_fault: str
    expect_release: str
    region: str
    vantage: str
    tags: str
    deadline_seconds: float
    deadline_is_derived: bool
    bake_seconds: float
    on_inconclusive: str
    on_fail: str
    report: bool
    lanes: int
    keep_sign_in: bool
    artifacts: Path
    history: Path | None
    deploy: str
    dialect: str
    auth_mode: str
    auth_token: Secret | None
    auth_jwt_secret: Secret | None
    api_key: Secret | None
    auth_token_b: Secret | None
    auth_jwt_secret_b: Secret | None
    api_key_b: Secret | None
    metrics_token: Secret | None
    network: Network
    rpc_url: str
    friendbot_url: str
    contract_id: str
    contract_profile: str
    signer_seed: Secret | None
    recipient_seed: Secret | None
    token_contract_id: str
    settlement_proof: str
    signing_key: Secret | None
    engine_secrets: dict[str, Secret] = msgspec.field(default_factory=dict)
    serve_token: Secret | None  # the service's own: a run only keeps it out of what it writes
    serve_token_b: Secret | None
    rehearsal: bool  # whether this run started a sandbox of its own

    @property
    def embedded(self) -> bool:
        """Whether this run starts its own sandbox: the sandbox environment with no service named."""
        return self.facts.service.simulated and not self.base_url

    @property
    def canary_faults(self) -> tuple[str, ...]:
        """The faults of the candidate in a sandbox of this run's own."""
        return (self.canary_fault,) if self.canary_fault else ()

    @property
    def supplied_credentials(self) -> dict[str, Secret]:
        """The operator's credentials of this auth mode by their variable, slot A before slot B."""
        slots = {name: getattr(self, VARIABLES[name].attribute) for name in slots_of(self.auth_mode)}
        return {name: secret for name, secret in slots.items() if secret is not None}

    def redacted(self) -> tuple[str, ...]:
        """Return everything that no text of a run may show: the secrets, and the keys in addresses and proxies."""
        keys = (*keys_in(self.rpc_url), *keys_in(self.friendbot_url))
        return (*super().redacted(), *keys, *proxy_secrets())

    def signer(self) -> SigningKey | None:
        """Return the key that signs verdicts, None where none was given."""
        return _signer(self.signing_key)

    def dump(self) -> dict[str, str]:
        """Return all settings in words, secrets as `<secret>`."""
        shown = {name: getattr(self, name) for name in self.__struct_fields__ if name not in _NOT_DUMPED}
        worded = {"network": self.network.name} | {name: host_only(shown[name]) for name in _SHOWN_BY_HOST}
        return {name: str(value) for name, value in {**shown, **worded}.items()}


class EvidenceSettings(NotificationSettings, frozen=True, kw_only=True):
    """What a run has to know in order to say that its settings are wrong: place, artifacts, who signs, who is told.

    `history` is None for the usual file in the artifacts folder.
    """

    environment: str
    region: str
    artifacts: Path
    history: Path | None
    report: bool
    signing_key: Secret | None

    def signer(self) -> SigningKey | None:
        """Return the key that signs verdicts, None where none was given."""
        return _signer(self.signing_key)


def load(
    options: Mapping[str, str] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    root: Path | None = None,
) -> Settings:
    """Return the settings of a run.

    `options` maps variable names to values from the command line. `root` holds `environments/` and `.env`.
    Raises SettingsInvalid or, for anything that points at the public network, GuardRefused.
    """
    return settings_of(read(options, environ=environ, root=root))


def load_evidence(
    options: Mapping[str, str] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    root: Path | None = None,
) -> EvidenceSettings:
    """Return where evidence goes and who signs it, whatever is wrong with these or other settings."""
    return read_what_can_be(EvidenceSettings, options, environ=environ, root=root)


def load_notifications(*, environ: Mapping[str, str] | None = None, root: Path | None = None) -> NotificationSettings:
    """Return who is told; raises as `load` does, for what is wrong with these settings alone."""
    raw, problems = read(environ=environ, root=root), Problems()
    values = raw.values_for(NotificationSettings, problems)
    with problems.collected():
        _refuse_unsigned_webhook(raw)
    problems.refuse()
    return NotificationSettings(**values)


def settings_of(raw: RawSettings) -> Settings:
    """Return the settings of a run that were given, all of them validated; raises as `load` does."""
    problems = Problems()
    values = raw.values_for(Settings, problems)
    for contradiction in CONTRADICTIONS:
        with problems.collected():
            contradiction(raw)
    with problems.collected():
        refuse_impossible(raw.environment, raw.facts)
    problems.refuse()
    network = values["network"]
    return Settings(
        **{
            **values,
            "environment": raw.environment,
            "facts": raw.facts,
            "baseline_url": values["baseline_url"] or _same_address(values),
            "rpc_url": values["rpc_url"] or network.rpc_url,
            "friendbot_url": values["friendbot_url"] or network.friendbot_url,
            "deadline_seconds": raw.deadline_seconds(),
            "rehearsal": bool(raw.sandbox),
            "deadline_is_derived": raw.deadline_is_derived,
            "engine_secrets": raw.engine_secrets(),
        }
    )


def _signer(key: Secret | None) -> SigningKey | None:
    return SigningKey.given(key.reveal(), variable=SIGNING_KEY) if key else None


def _refuse_no_address(raw: RawSettings) -> None:
    if not raw.facts.service.simulated and not raw.text("SMOKE_BASE_URL"):
        raise SettingsInvalid(
            f"{raw.environment} has no address: SMOKE_BASE_URL is not set",
            next_step="set SMOKE_BASE_URL or --base-url to the deployment's root",
        )


def _same_address(values: Mapping[str, Any]) -> str:
    """Return where the stable release is met by a header at the address of the other one, "" where it is not."""
    by_header = values["base_header"] or values["baseline_header"]
    return str(values["base_url"]) if by_header else ""


def _refuse_no_canary(raw: RawSettings) -> None:
    """Raise SettingsInvalid where nobody says how candidate and stable release are told apart."""
    embedded = raw.facts.service.simulated and not raw.text("SMOKE_BASE_URL")
    if raw.text("SMOKE_CANARY_FAULT") and not (embedded or raw.sandbox):
        raise SettingsInvalid(
            "SMOKE_CANARY_FAULT is for the candidate of a sandbox of this run's own, and a deployment is named",
            next_step="unset SMOKE_CANARY_FAULT (--canary-fault)",
        )
    if embedded or raw.text("SMOKE_CANARY_JOURNEYS") in {"", "0"}:
        return  # the sandbox knows its ways
    weight = raw.text("SMOKE_CANARY_WEIGHT")
    own_ways = [name for name in _OWN_WAYS if raw.text(name)]
    if weight and own_ways:
        raise SettingsInvalid(
            f"SMOKE_CANARY_WEIGHT says that one address leads to both releases, and {own_ways[0]} that each has a way",
            next_step=f"unset one of them: where there is a way to each release, {own_ways[0]} needs fewer requests",
        )
    if weight and not raw.text("SMOKE_EXPECT_RELEASE"):
        raise SettingsInvalid(
            "SMOKE_EXPECT_RELEASE is not set: nothing else tells which answers at a weighted address are whose",
            next_step="set SMOKE_EXPECT_RELEASE (--expect-release) to the candidate's release",
        )
    if not weight and not own_ways:
        raise SettingsInvalid(
            "SMOKE_CANARY_JOURNEYS is set, and nothing says where the stable release is",
            next_step="set SMOKE_BASELINE_URL, SMOKE_BASE_HEADER or SMOKE_CANARY_WEIGHT; see docs/canary.md",
        )


def _refuse_no_way(raw: RawSettings) -> None:
    """Raise SettingsInvalid where the runner's proxy or its certificates for an address cannot be used."""
    urls = [url for name in _REACHED if (url := raw.text(name)) and _is_address(name, url)]
    for url in urls:
        route_to(url, raw.system)
    if any(url.startswith("https:") for url in urls):
        from streampay_smoke.http.trust import refuse_unusable_trust  # with TLS, which is for https only

        refuse_unusable_trust(raw.system)


def _is_address(name: str, url: str) -> bool:
    with contextlib.suppress(SettingsInvalid):
        VARIABLES[name].parse(name, url)
        return True
    return False


def _refuse_no_credential(raw: RawSettings) -> None:
    mode = raw.text("SMOKE_AUTH_MODE")
    needed = AUTH_MODES.get(mode, "")
    if needed and not raw.text(needed):
        raise SettingsInvalid(
            f"auth mode {mode} needs {needed}, which is not set",
            next_step=f"set {needed} from your secret store, or choose another SMOKE_AUTH_MODE",
        )
    if mode in ("bearer", "api-key"):
        tokens = {name: raw.text(name) for name in slots_of(mode) if raw.text(name)}
        for name, token in tokens.items():
            refuse_unfit(name, token)
        refuse_expired(tokens)


def _refuse_no_contract(raw: RawSettings) -> None:
    network = raw.text("SMOKE_STELLAR_NETWORK")
    sandbox = network == "sandbox"
    if network not in ALLOWED or (sandbox and not raw.text("SMOKE_BASE_URL")):
        return  # told already; and the embedded ledger names its own
    for name in ("SMOKE_CONTRACT_ID", *(["SMOKE_STELLAR_RPC_URL"] if sandbox else [])):
        if not raw.text(name):
            raise SettingsInvalid(
                f"{name} is not set: without it nothing on the ledger can be checked",
                next_step=f"set {name}, in the environment or in environments/{raw.environment}.toml",
            )


def _refuse_malformed_seed(raw: RawSettings) -> None:
    """Raise SettingsInvalid for a seed that is none. A rollback needs no seed, and is not held up by one."""
    for name in _SEEDS:
        if raw.text(name):
            seed_bytes(raw.text(name), name=name)


def _refuse_token(raw: RawSettings) -> None:
    token = raw.text("SMOKE_TOKEN_CONTRACT_ID")
    if token and token == raw.text("SMOKE_CONTRACT_ID"):
        raise SettingsInvalid(
            "SMOKE_TOKEN_CONTRACT_ID and SMOKE_CONTRACT_ID name the same contract",
            next_step="set SMOKE_TOKEN_CONTRACT_ID to the token's, or leave it out for the native token",
        )
    network = ALLOWED.get(raw.text("SMOKE_STELLAR_NETWORK"))
    native = native_token_contract(network.network_id) if network else token
    if token not in {"", native}:
        raise SettingsInvalid(
            f"SMOKE_TOKEN_CONTRACT_ID is {token}, and the native token of {raw.text('SMOKE_STELLAR_NETWORK')} is "
            f"{native}: an order names no other token, and payments in another one cannot be proved",
            next_step="leave SMOKE_TOKEN_CONTRACT_ID out",
        )


def _refuse_proof(raw: RawSettings) -> None:
    proof = raw.text("SMOKE_SETTLEMENT_PROOF")
    if proof in PROOFS and proof not in raw.facts.money.proofs:
        raise SettingsInvalid(
            f"SMOKE_SETTLEMENT_PROOF={proof} is not allowed in {raw.environment}",
            next_step=f"environments/{raw.environment}.toml allows: {', '.join(raw.facts.money.proofs)}",
        )


def _refuse_unsigned_webhook(raw: RawSettings) -> None:
    if raw.text("SMOKE_NOTIFY_WEBHOOK_URL") and not raw.text(WEBHOOK_SECRET):
        raise SettingsInvalid(
            f"SMOKE_NOTIFY_WEBHOOK_URL is set and {WEBHOOK_SECRET} is not: its receiver could trust nothing",
            next_step=f'set {WEBHOOK_SECRET} to the output of: printf "whsec_%s" "$(openssl rand -base64 32)"',
        )


CONTRADICTIONS = (
    _refuse_no_address,
    _refuse_no_canary,
    _refuse_no_way,
    _refuse_no_credential,
    _refuse_no_contract,
    _refuse_malformed_seed,
    _refuse_token,
    _refuse_proof,
    _refuse_unsigned_webhook,
)
"""What no single value can tell: each raises SettingsInvalid for settings that do not go together."""
