"""One frozen `Settings` for a run, complete and validated before anything is sent."""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.core.networks import Network, allowed_network
from streampay_smoke.core.secret import Secret
from streampay_smoke.core.signing import SigningKey
from streampay_smoke.evidence.addresses import host_only, keys_in
from streampay_smoke.http.proxies import proxy_secrets, route_to
from streampay_smoke.http.trust import refuse_unusable_trust
from streampay_smoke.service.claims import refuse_expired, refuse_unfit
from streampay_smoke.settings.gathering import gather
from streampay_smoke.settings.place import Place, refuse_impossible
from streampay_smoke.settings.values import duration, one_of, require_url, secret_of
from streampay_smoke.settings.variables import (
    AUTH_MODES,
    CONTRACT_PROFILES,
    DIALECTS,
    ON_FAIL,
    ON_INCONCLUSIVE,
    PROOFS,
    SIGNING_KEY,
    slots_of,
)

_NOT_DUMPED = frozenset({"place", "network", "engine_secrets"})
"""What a dump leaves out: facts of the file, and what is the actuator's alone."""

_ADDRESSES = ("SMOKE_BASE_URL", "SMOKE_BASELINE_URL", "SMOKE_STELLAR_RPC_URL", "SMOKE_STELLAR_FRIENDBOT_URL")

_SHOWN_BY_HOST = ("rpc_url", "friendbot_url")
"""Addresses whose path may be a provider's key."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a run needs to know. Secrets are `Secret`; `dump()` is safe to print."""

    environment: str
    place: Place
    base_url: str
    baseline_url: str
    expect_release: str
    region: str
    tags: str
    deadline_seconds: float
    deadline_is_derived: bool
    bake_seconds: float
    on_inconclusive: str
    on_fail: str
    report: bool
    artifacts: Path
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
    engine_secrets: dict[str, Secret] = {}
    serve_token: Secret | None  # the service's own: a run only keeps it out of what it writes
    serve_token_b: Secret | None

    @property
    def embedded(self) -> bool:
        """Whether this run starts its own sandbox: the sandbox environment with no service named."""
        return self.place.service.simulated and not self.base_url

    @property
    def supplied_credentials(self) -> dict[str, Secret]:
        """The operator's credentials of this auth mode by their variable, slot A before slot B."""
        slots = {
            "jwt": (self.auth_jwt_secret, self.auth_jwt_secret_b),
            "bearer": (self.auth_token, self.auth_token_b),
            "api-key": (self.api_key, self.api_key_b),
        }.get(self.auth_mode, ())
        named = zip(slots_of(self.auth_mode), slots, strict=True)
        return {name: secret for name, secret in named if secret is not None}

    def secrets(self) -> tuple[str, ...]:
        """Return the value of every secret that was given."""
        held = (getattr(self, name) for name in self.__struct_fields__)
        secrets = [value for value in held if isinstance(value, Secret)]
        return tuple(secret.reveal() for secret in (*secrets, *self.engine_secrets.values()))

    def redacted(self) -> tuple[str, ...]:
        """Return everything that no text of a run may show: the secrets, and the keys in addresses and proxies."""
        keys = (*keys_in(self.rpc_url), *keys_in(self.friendbot_url))
        return (*self.secrets(), *keys, *proxy_secrets())

    def signer(self) -> SigningKey | None:
        """Return the key that signs verdicts, None where none was given."""
        return SigningKey.given(self.signing_key.reveal(), variable=SIGNING_KEY) if self.signing_key else None

    def dump(self) -> dict[str, str]:
        """Return all settings in words, secrets as `<secret>`."""
        shown = {name: getattr(self, name) for name in self.__struct_fields__ if name not in _NOT_DUMPED}
        worded = {"network": self.network.name} | {name: host_only(shown[name]) for name in _SHOWN_BY_HOST}
        return {name: str(value) for name, value in {**shown, **worded}.items()}


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
    gathered = gather(options, environ=environ, root=root)
    environment, place, values = gathered.environment, gathered.place, gathered.values
    _validate(environment, place, values)
    _require_ways(values, os.environ if environ is None else environ)
    if values[SIGNING_KEY]:  # a key that cannot sign is found before the run, never a verdict without a signature
        SigningKey.given(values[SIGNING_KEY], variable=SIGNING_KEY)
    network = allowed_network(values["SMOKE_STELLAR_NETWORK"])
    return Settings(
        environment=environment,
        place=place,
        base_url=values["SMOKE_BASE_URL"].rstrip("/"),
        baseline_url=values["SMOKE_BASELINE_URL"].rstrip("/"),
        expect_release=values["SMOKE_EXPECT_RELEASE"],
        region=values["SMOKE_REGION"],
        tags=values["SMOKE_TAGS"],
        deadline_seconds=gathered.deadline_seconds(),
        deadline_is_derived=gathered.deadline_is_derived,
        bake_seconds=duration("SMOKE_BAKE", values),
        on_inconclusive=one_of("SMOKE_ON_INCONCLUSIVE", values, ON_INCONCLUSIVE),
        on_fail=one_of("SMOKE_ON_FAIL", values, ON_FAIL),
        report=one_of("SMOKE_REPORT", values, ("0", "1")) == "1",
        artifacts=Path(values["SMOKE_ARTIFACTS"]).absolute(),
        deploy=values["SMOKE_DEPLOY"],
        dialect=one_of("SMOKE_DIALECT", values, DIALECTS),
        auth_mode=one_of("SMOKE_AUTH_MODE", values, tuple(AUTH_MODES)),
        auth_token=secret_of("SMOKE_AUTH_TOKEN", values),
        auth_jwt_secret=secret_of("SMOKE_AUTH_JWT_SECRET", values),
        api_key=secret_of("SMOKE_API_KEY", values),
        auth_token_b=secret_of("SMOKE_AUTH_TOKEN_B", values),
        auth_jwt_secret_b=secret_of("SMOKE_AUTH_JWT_SECRET_B", values),
        api_key_b=secret_of("SMOKE_API_KEY_B", values),
        metrics_token=secret_of("SMOKE_METRICS_TOKEN", values),
        network=network,
        rpc_url=values["SMOKE_STELLAR_RPC_URL"] or network.rpc_url,
        friendbot_url=values["SMOKE_STELLAR_FRIENDBOT_URL"] or network.friendbot_url,
        contract_id=values["SMOKE_CONTRACT_ID"],
        contract_profile=one_of("SMOKE_CONTRACT_PROFILE", values, CONTRACT_PROFILES),
        signer_seed=secret_of("SMOKE_SIGNER_SEED", values),
        recipient_seed=secret_of("SMOKE_RECIPIENT_SEED", values),
        token_contract_id=values["SMOKE_TOKEN_CONTRACT_ID"],
        settlement_proof=one_of("SMOKE_SETTLEMENT_PROOF", values, PROOFS),
        signing_key=secret_of("SMOKE_SIGNING_KEY", values),
        serve_token=secret_of("SMOKE_SERVE_TOKEN", values),
        serve_token_b=secret_of("SMOKE_SERVE_TOKEN_B", values),
        engine_secrets=gathered.engine_secrets(),
    )


def _validate(environment: str, place: Place, values: Mapping[str, str]) -> None:
    if not place.service.simulated and not values["SMOKE_BASE_URL"]:
        raise SettingsInvalid(
            f"{environment} has no address: SMOKE_BASE_URL is not set",
            next_step="set SMOKE_BASE_URL or --base-url to the deployment's root",
        )
    for name in _ADDRESSES:
        require_url(name, values[name])
    _validate_auth(values)
    _validate_chain(values)
    proof = values["SMOKE_SETTLEMENT_PROOF"]
    if proof in PROOFS and proof not in place.money.proofs:
        raise SettingsInvalid(
            f"SMOKE_SETTLEMENT_PROOF={proof} is not allowed in {environment}",
            next_step=f"environments/{environment}.toml allows: {', '.join(place.money.proofs)}",
        )
    refuse_impossible(environment, place)


def _require_ways(values: Mapping[str, str], environ: Mapping[str, str]) -> None:
    """Raise SettingsInvalid where the runner's proxy or its certificates for an address cannot be used."""
    urls = [values[name] for name in _ADDRESSES]
    for url in urls:
        route_to(url, environ)
    if any(url.startswith("https:") for url in urls):
        refuse_unusable_trust(environ)


def _validate_auth(values: Mapping[str, str]) -> None:
    needed = AUTH_MODES.get(values["SMOKE_AUTH_MODE"], "")
    if needed and not values[needed]:
        raise SettingsInvalid(
            f"auth mode {values['SMOKE_AUTH_MODE']} needs {needed}, which is not set",
            next_step=f"set {needed} from your secret store, or choose another SMOKE_AUTH_MODE",
        )
    if values["SMOKE_AUTH_MODE"] in ("bearer", "api-key"):
        tokens = {name: values[name] for name in slots_of(values["SMOKE_AUTH_MODE"]) if values[name]}
        for name, token in tokens.items():
            refuse_unfit(name, token)
        refuse_expired(tokens)


def _validate_chain(values: Mapping[str, str]) -> None:
    embedded_ledger = values["SMOKE_STELLAR_NETWORK"] == "sandbox" and not values["SMOKE_BASE_URL"]
    if embedded_ledger:
        return
    needed = ["SMOKE_CONTRACT_ID"]
    if values["SMOKE_STELLAR_NETWORK"] == "sandbox":
        needed.append("SMOKE_STELLAR_RPC_URL")
    for name in needed:
        if not values[name]:
            raise SettingsInvalid(
                f"{name} is not set: without it nothing on the ledger can be checked",
                next_step=f"set {name}, in the environment or in environments/{values['SMOKE_ENV']}.toml",
            )
