"""One frozen `Settings` for a run, complete and validated before anything is sent.

Precedence, highest first: option, environment variable, `.env`, `environments/NAME.toml`, default.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from dotenv import dotenv_values

from streampay_smoke.errors import SettingsInvalid
from streampay_smoke.evidence.bake import Bake
from streampay_smoke.evidence.objectives import Objective
from streampay_smoke.evidence.policy import Policy
from streampay_smoke.evidence.redaction import SHORTEST_SECRET
from streampay_smoke.networks import PUBLIC_PASSPHRASE, Network, allowed_network, folded, refuse_public_url
from streampay_smoke.secret import Secret
from streampay_smoke.service.claims import refuse_expired, refuse_unfit
from streampay_smoke.service.strkey import is_address
from streampay_smoke.signing import SigningKey

PREFIX = "SMOKE_"
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?")
SIGNING_KEY = "SMOKE_SIGNING_KEY"

ENGINE_PREFIX = "SMOKE_ROLLBACK_"
"""How the variables of the actuator begin, and with them every secret of a deployment engine."""


class Variable(msgspec.Struct, frozen=True, kw_only=True):
    """One setting a person can give. `option` is its name on the command line, "" where it has none."""

    name: str
    about: str
    option: str = ""
    default: str = ""
    secret: bool = False


VARIABLES = {
    variable.name: variable
    for variable in (
        Variable(
            name="SMOKE_ENV",
            option="--env",
            default="sandbox",
            about="The place to judge: a file environments/NAME.toml",
        ),
        Variable(
            name="SMOKE_BASE_URL",
            option="--base-url",
            about="Root of the deployment under test; the dialect adds paths",
        ),
        Variable(
            name="SMOKE_BASELINE_URL", option="--baseline-url", about="Root of the stable release, for control probes"
        ),
        Variable(
            name="SMOKE_EXPECT_RELEASE", option="--expect-release", about="The release that must answer; empty for any"
        ),
        Variable(name="SMOKE_REGION", option="--region", about="Region named in verdict and reports"),
        Variable(name="SMOKE_TAGS", option="--tags", default="@smoke", about="Tag expression of the scenarios to run"),
        Variable(
            name="SMOKE_DEADLINE_SECONDS", option="--deadline", default="120", about="Hard limit for the whole run"
        ),
        Variable(
            name="SMOKE_BAKE",
            option="--bake",
            default="0",
            about="How long the release is watched after the scenarios, such as 90s, 10m or 1h; 0 for not at all",
        ),
        Variable(
            name="SMOKE_ON_INCONCLUSIVE",
            option="--on-inconclusive",
            default="hold",
            about="hold, or fail for engines that know two states only",
        ),
        Variable(
            name="SMOKE_ON_FAIL",
            option="--on-fail",
            default="hold",
            about="hold, or rollback to put the recorded release back when the whole suite says FAIL",
        ),
        Variable(
            name="SMOKE_REPORT",
            option="--report",
            default="1",
            about="1 or 0: whether to build the HTML report at the end",
        ),
        Variable(name="SMOKE_ARTIFACTS", default="artifacts", about="Folder that gets one folder for each run"),
        Variable(
            name="SMOKE_DEPLOY",
            option="--deploy",
            about="The deployment system's own id of this deploy, by which it can be rolled back",
        ),
        Variable(
            name="SMOKE_ROLLBACK_BASE_URL",
            about="Root users meet, where a run judges a preview address; SMOKE_BASE_URL by default",
        ),
        Variable(
            name="SMOKE_ROLLBACK_LOG",
            about="The intent log of this environment's rollbacks, on a local disk that outlives the deploy",
        ),
        Variable(name="SMOKE_DIALECT", about="The API's shape: app-v1"),
        Variable(name="SMOKE_AUTH_MODE", about="How the synthetic user signs in: wallet, jwt, bearer or api-key"),
        Variable(name="SMOKE_AUTH_TOKEN", secret=True, about="The synthetic user's token, for auth mode bearer"),
        Variable(
            name="SMOKE_AUTH_JWT_SECRET", secret=True, about="Signs short-lived tokens (auth mode jwt, expired tokens)"
        ),
        Variable(name="SMOKE_API_KEY", secret=True, about="The synthetic user's API key, for auth mode api-key"),
        Variable(
            name="SMOKE_AUTH_TOKEN_B", secret=True, about="Slot B of SMOKE_AUTH_TOKEN, tried where slot A is refused"
        ),
        Variable(
            name="SMOKE_AUTH_JWT_SECRET_B",
            secret=True,
            about="Slot B of SMOKE_AUTH_JWT_SECRET, tried where slot A is refused",
        ),
        Variable(name="SMOKE_API_KEY_B", secret=True, about="Slot B of SMOKE_API_KEY, tried where slot A is refused"),
        Variable(
            name="SMOKE_METRICS_TOKEN",
            secret=True,
            about="Bearer token of the metrics a bake reads: the service's endpoint, or Prometheus",
        ),
        Variable(name="SMOKE_STELLAR_NETWORK", about="sandbox, local, futurenet or testnet; never the public network"),
        Variable(name="SMOKE_STELLAR_RPC_URL", about="Stellar RPC of that network"),
        Variable(name="SMOKE_STELLAR_FRIENDBOT_URL", about="Friendbot of that network"),
        Variable(name="SMOKE_CONTRACT_ID", about="The StreamPay contract (C...) money must be paid by"),
        Variable(
            name="SMOKE_CONTRACT_PROFILE", about="The contract's interface: streampay-stream or streampay-contracts"
        ),
        Variable(
            name="SMOKE_SIGNER_SEED", secret=True, about="Test-network seed (S...) of the synthetic user and payer"
        ),
        Variable(name="SMOKE_RECIPIENT_SEED", secret=True, about="Test-network seed (S...) of the recipient"),
        Variable(name="SMOKE_TOKEN_CONTRACT_ID", about="Token contract (C...) of the streams; native by default"),
        Variable(
            name="SMOKE_SETTLEMENT_PROOF",
            default="ledger",
            about="ledger, or service where the environment allows to take the service's word",
        ),
        Variable(
            name=SIGNING_KEY,
            secret=True,
            about="Ed25519 key that signs verdicts: base64 of a 32-byte seed, or PKCS#8 PEM",
        ),
        Variable(
            name="SMOKE_ROLLBACK_TOKEN",
            secret=True,
            about="Bearer token for the deployment engine a release is put back on: Kubernetes, GitHub, Cloud Run",
        ),
        Variable(
            name="SMOKE_ROLLBACK_WEBHOOK_SECRET",
            secret=True,
            about="Signs what is posted to a rollback webhook: whsec_ and base64 of 24 to 64 random bytes",
        ),
        Variable(
            name="SMOKE_SERVE_TOKEN",
            secret=True,
            about="Opens `streampay-smoke serve`, which does not start without it; 24 characters or more",
        ),
        Variable(name="SMOKE_SERVE_TOKEN_B", secret=True, about="Slot B of SMOKE_SERVE_TOKEN: both open the service"),
        Variable(
            name="SMOKE_SERVE_TARGETS",
            about="Addresses a caller of the service may have judged beside SMOKE_BASE_URL, separated by spaces",
        ),
        Variable(
            name="SMOKE_SERVE_REPORT_URL",
            about="Where reports can be read, with {run_id} for the run; told by the service as report_url",
        ),
        Variable(
            name="SMOKE_SERVE_VALID_SECONDS",
            default="3600",
            about="How long the service lets a verdict count; INCONCLUSIVE five minutes at most",
        ),
        Variable(
            name="SMOKE_SERVE_KEEP_RUNS",
            default="100",
            about="How many finished runs the service keeps; one whose verdict still counts is always kept",
        ),
    )
}
"""Every variable of the gate. A name outside this table is refused: a typo must not open the gate."""

AUTH_MODES = {
    "wallet": "",
    "jwt": "SMOKE_AUTH_JWT_SECRET",
    "bearer": "SMOKE_AUTH_TOKEN",
    "api-key": "SMOKE_API_KEY",
}
"""Auth modes and the variable each cannot do without."""

LONGEST_BAKE_SECONDS = 6 * 3600.0
"""Longer than that is monitoring, which keeps more than one run's evidence."""

ON_INCONCLUSIVE = ("hold", "fail")
ON_FAIL = ("hold", "rollback")
DIALECTS = ("app-v1",)
PROOFS = ("ledger", "service")
CONTRACT_PROFILES = ("streampay-stream", "streampay-contracts")


class ServicePlace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[service]` of an environment file.

    `cutover_seconds` is what a whole run waits out of silence after the service was ready; one stale replica of
    `replicas` is missed with at most `replica_miss_probability`. `app_origin` is where the web app's pages come from,
    `reads_per_minute` what one caller may read of each replica, `canary_stream` a stream of the synthetic user that
    every release finds where the one before left it; "" and 0 where this place does not say. `metrics` says that they
    can be scraped, `indexer` that the service keeps an index of this place's ledger and tells how far it is.
    """

    network: str
    ready_within_seconds: float
    base_url: str = ""
    simulated: bool = False
    dialect: str = "app-v1"
    auth_mode: str = "wallet"
    release_told_by: str = "build-manifest"
    cutover_seconds: float = 15.0
    replicas: int = 1
    replica_miss_probability: float = 0.001
    app_origin: str = ""
    reads_per_minute: int = 0
    canary_stream: str = ""
    metrics: bool = False
    indexer: bool = False


class ChainPlace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[chain]` of an environment file. `contract_admin` is whom the contract must obey, "" where nobody says."""

    network: str
    contract_profile: str = "streampay-stream"
    contract_id: str = ""
    contract_admin: str = ""
    rpc_url: str = ""
    friendbot_url: str = ""


class MoneyPlace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[money]` of an environment file. `max_stroops` caps what one run may move."""

    settles: bool
    proofs: tuple[str, ...]
    max_stroops: int
    settles_not_because: str = ""


class Place(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An environment file: the facts of a place on one screen, never a secret.

    `step_seconds` is how long a step may take, `ledger_step_seconds` one that waits for ledgers to close. `rollback`
    is read by the actuator alone (`streampay_smoke.rollback`): a gate judges without it.
    """

    description: str
    step_seconds: float = 30.0
    ledger_step_seconds: float = 90.0
    service: ServicePlace
    chain: ChainPlace
    money: MoneyPlace
    objectives: tuple[Objective, ...] = ()
    bake: Bake = Bake()
    policy: Policy = Policy()
    rollback: dict[str, Any] = {}

    def __post_init__(self) -> None:
        names = [objective.name for objective in self.objectives]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two objectives are named {twice[0]!r}")
        if sum(objective.kind == "read_comparison" for objective in self.objectives) > 1:
            raise ValueError("only one objective may be a read_comparison: its pairs are sampled once")


_NOT_DUMPED = frozenset({"place", "network", "engine_secrets"})
"""What a dump leaves out: facts of the file, and what is the actuator's alone."""


class Gathered(msgspec.Struct, frozen=True, kw_only=True):
    """What was given for a place: every variable of the table by name, "" where nobody gave it."""

    environment: str
    place: Place
    values: dict[str, str]

    def secret(self, name: str) -> Secret | None:
        """Return a secret, None where it is not set; raises SettingsInvalid for one too short to be redacted."""
        return _secret(name, self.values)

    def credentials(self, mode: str) -> dict[str, Secret]:
        """Return the operator's credentials of an auth mode by their variable, slot A before slot B."""
        slots = (AUTH_MODES[mode], f"{AUTH_MODES[mode]}_B") if AUTH_MODES[mode] else ()
        return {name: secret for name in slots if (secret := self.secret(name)) is not None}

    def engine_secrets(self) -> dict[str, Secret]:
        """Return the secrets of deployment engines that are set, by variable."""
        names = (name for name, variable in VARIABLES.items() if variable.secret and name.startswith(ENGINE_PREFIX))
        return {name: secret for name in names if (secret := self.secret(name)) is not None}


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
        names = (AUTH_MODES[self.auth_mode], f"{AUTH_MODES[self.auth_mode]}_B")
        return {name: secret for name, secret in zip(names, slots, strict=False) if secret is not None}

    def secrets(self) -> tuple[str, ...]:
        """Return every secret value, for the redactor."""
        held = (getattr(self, name) for name in self.__struct_fields__)
        secrets = [value for value in held if isinstance(value, Secret)]
        return tuple(secret.reveal() for secret in (*secrets, *self.engine_secrets.values()))

    def signer(self) -> SigningKey | None:
        """Return the key that signs verdicts, None where none was given."""
        return SigningKey.given(self.signing_key.reveal(), variable=SIGNING_KEY) if self.signing_key else None

    def dump(self) -> dict[str, str]:
        """Return all settings in words, secrets as `<secret>`."""
        shown = {name: getattr(self, name) for name in self.__struct_fields__ if name not in _NOT_DUMPED}
        return {name: str(value) for name, value in {**shown, "network": self.network.name}.items()}


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
        deadline_seconds=positive("SMOKE_DEADLINE_SECONDS", values),
        bake_seconds=duration("SMOKE_BAKE", values),
        on_inconclusive=one_of("SMOKE_ON_INCONCLUSIVE", values, ON_INCONCLUSIVE),
        on_fail=one_of("SMOKE_ON_FAIL", values, ON_FAIL),
        report=one_of("SMOKE_REPORT", values, ("0", "1")) == "1",
        artifacts=Path(values["SMOKE_ARTIFACTS"]).absolute(),
        deploy=values["SMOKE_DEPLOY"],
        dialect=one_of("SMOKE_DIALECT", values, DIALECTS),
        auth_mode=one_of("SMOKE_AUTH_MODE", values, tuple(AUTH_MODES)),
        auth_token=_secret("SMOKE_AUTH_TOKEN", values),
        auth_jwt_secret=_secret("SMOKE_AUTH_JWT_SECRET", values),
        api_key=_secret("SMOKE_API_KEY", values),
        auth_token_b=_secret("SMOKE_AUTH_TOKEN_B", values),
        auth_jwt_secret_b=_secret("SMOKE_AUTH_JWT_SECRET_B", values),
        api_key_b=_secret("SMOKE_API_KEY_B", values),
        metrics_token=_secret("SMOKE_METRICS_TOKEN", values),
        network=network,
        rpc_url=values["SMOKE_STELLAR_RPC_URL"] or network.rpc_url,
        friendbot_url=values["SMOKE_STELLAR_FRIENDBOT_URL"] or network.friendbot_url,
        contract_id=values["SMOKE_CONTRACT_ID"],
        contract_profile=one_of("SMOKE_CONTRACT_PROFILE", values, CONTRACT_PROFILES),
        signer_seed=_secret("SMOKE_SIGNER_SEED", values),
        recipient_seed=_secret("SMOKE_RECIPIENT_SEED", values),
        token_contract_id=values["SMOKE_TOKEN_CONTRACT_ID"],
        settlement_proof=one_of("SMOKE_SETTLEMENT_PROOF", values, PROOFS),
        signing_key=_secret("SMOKE_SIGNING_KEY", values),
        serve_token=_secret("SMOKE_SERVE_TOKEN", values),
        serve_token_b=_secret("SMOKE_SERVE_TOKEN_B", values),
        engine_secrets=gathered.engine_secrets(),
    )


def gather(
    options: Mapping[str, str] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    root: Path | None = None,
) -> Gathered:
    """Return what was given, by the order of precedence, with nothing decided about what it is good for.

    Raises SettingsInvalid for a name or a place nobody knows, GuardRefused for what points at the public network.
    """
    root = root or project_root()
    environ = os.environ if environ is None else environ
    given = _given(options or {}, environ, _dotenv(root))
    _refuse_public(given)
    environment = given.get("SMOKE_ENV", VARIABLES["SMOKE_ENV"].default)
    place = _place(root, environment)
    return Gathered(environment=environment, place=place, values={**_defaults(), **_of_place(place), **given})


def project_root() -> Path:
    """Return the folder with `environments/`: the working directory or one above it, else the checkout's own."""
    here = Path.cwd()
    candidates = (here, *here.parents, Path(__file__).resolve().parents[2])
    return next((folder for folder in candidates if (folder / "environments").is_dir()), here)


def _given(options: Mapping[str, str], environ: Mapping[str, str], dotenv: Mapping[str, str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for source, values in ((".env", dotenv), ("the environment", environ), ("the options", options)):
        for name, value in values.items():
            if name.startswith(PREFIX):
                _refuse_unknown(name, source)
                given[name] = value.strip()
    return {name: value for name, value in given.items() if value}


def _refuse_unknown(name: str, source: str) -> None:
    if name in VARIABLES:
        return
    nearest = difflib.get_close_matches(name, VARIABLES, n=1, cutoff=0.0)[0]
    raise SettingsInvalid(
        f"{name} (from {source}) is not a setting; did you mean {nearest}?",
        next_step="correct or unset it: a typo must not open the gate",
    )


def _dotenv(root: Path) -> dict[str, str]:
    return {name: value or "" for name, value in dotenv_values(root / ".env").items()}


def _refuse_public(given: Mapping[str, str]) -> None:
    """Refuse the public network by name, address or passphrase, whichever variable it came in."""
    if "SMOKE_STELLAR_NETWORK" in given:
        allowed_network(given["SMOKE_STELLAR_NETWORK"])
    for name in ("SMOKE_STELLAR_RPC_URL", "SMOKE_STELLAR_FRIENDBOT_URL"):
        refuse_public_url(name, given.get(name, ""))
    for name, value in given.items():
        if folded(PUBLIC_PASSPHRASE) in folded(value):
            refuse_public_url(name, "pubnet")


def _place(root: Path, environment: str) -> Place:
    path = root / "environments" / f"{environment}.toml"
    known = sorted(found.stem for found in path.parent.glob("*.toml"))
    if environment not in known:
        raise SettingsInvalid(
            f"SMOKE_ENV names {environment!r}, but there is no environments/{environment}.toml",
            next_step=f"use one of: {', '.join(known) or 'none found'}",
        )
    try:
        place = msgspec.convert(tomllib.loads(path.read_text()), Place)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise SettingsInvalid(f"environments/{environment}.toml: {error}", next_step="correct the file") from error
    allowed_network(place.chain.network)
    refuse_public_url(f"environments/{environment}.toml: rpc_url", place.chain.rpc_url)
    refuse_public_url(f"environments/{environment}.toml: friendbot_url", place.chain.friendbot_url)
    return place


def _defaults() -> dict[str, str]:
    return {name: variable.default for name, variable in VARIABLES.items()}


def _of_place(place: Place) -> dict[str, str]:
    values = {
        "SMOKE_BASE_URL": place.service.base_url,
        "SMOKE_DIALECT": place.service.dialect,
        "SMOKE_AUTH_MODE": place.service.auth_mode,
        "SMOKE_STELLAR_NETWORK": place.chain.network,
        "SMOKE_STELLAR_RPC_URL": place.chain.rpc_url,
        "SMOKE_STELLAR_FRIENDBOT_URL": place.chain.friendbot_url,
        "SMOKE_CONTRACT_ID": place.chain.contract_id,
        "SMOKE_CONTRACT_PROFILE": place.chain.contract_profile,
    }
    return {name: value for name, value in values.items() if value}


def _validate(environment: str, place: Place, values: Mapping[str, str]) -> None:
    if not place.service.simulated and not values["SMOKE_BASE_URL"]:
        raise SettingsInvalid(
            f"{environment} has no address: SMOKE_BASE_URL is not set",
            next_step="set SMOKE_BASE_URL or --base-url to the deployment's root",
        )
    for name in ("SMOKE_BASE_URL", "SMOKE_BASELINE_URL", "SMOKE_STELLAR_RPC_URL", "SMOKE_STELLAR_FRIENDBOT_URL"):
        require_url(name, values[name])
    _validate_auth(values)
    _validate_chain(values)
    proof = values["SMOKE_SETTLEMENT_PROOF"]
    if proof in PROOFS and proof not in place.money.proofs:
        raise SettingsInvalid(
            f"SMOKE_SETTLEMENT_PROOF={proof} is not allowed in {environment}",
            next_step=f"environments/{environment}.toml allows: {', '.join(place.money.proofs)}",
        )
    service = place.service
    _validate_numbers(environment, service)
    if service.app_origin and not _ORIGIN.fullmatch(service.app_origin):
        raise SettingsInvalid(
            f"environments/{environment}.toml: app_origin is not what a browser calls an origin",
            next_step="use scheme://host or scheme://host:port in lower case, without a path or a slash at the end",
        )
    if place.chain.contract_admin and not is_address(place.chain.contract_admin):
        raise SettingsInvalid(
            f"environments/{environment}.toml: chain.contract_admin is no Stellar address",
            next_step="give the administrator's address (56 characters that begin with G), or leave it out",
        )
    if not (place.step_seconds > 0 and place.ledger_step_seconds > 0):
        raise SettingsInvalid(
            f"environments/{environment}.toml: a step has no time",
            next_step="use step_seconds and ledger_step_seconds above 0",
        )
    if not place.money.settles and not place.money.settles_not_because:
        raise SettingsInvalid(
            f"environments/{environment}.toml moves no money but does not say why",
            next_step="set money.settles_not_because: every exclusion is shown with its reason",
        )


def _validate_numbers(environment: str, service: ServicePlace) -> None:
    possible = (
        service.cutover_seconds >= 0,
        service.replicas >= 1,
        0 < service.replica_miss_probability < 1,
        service.reads_per_minute >= 0,
    )
    if not all(possible):
        raise SettingsInvalid(
            f"environments/{environment}.toml: [service] has a number that cannot be",
            next_step="use cutover_seconds and reads_per_minute >= 0, replicas >= 1, 0 < replica_miss_probability < 1",
        )


def _validate_auth(values: Mapping[str, str]) -> None:
    needed = AUTH_MODES.get(values["SMOKE_AUTH_MODE"], "")
    if needed and not values[needed]:
        raise SettingsInvalid(
            f"auth mode {values['SMOKE_AUTH_MODE']} needs {needed}, which is not set",
            next_step=f"set {needed} from your secret store, or choose another SMOKE_AUTH_MODE",
        )
    if values["SMOKE_AUTH_MODE"] in ("bearer", "api-key"):
        tokens = {name: values[name] for name in (needed, f"{needed}_B") if values[name]}
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


def require_url(name: str, value: str) -> None:
    """Raise SettingsInvalid for a value that is neither empty nor an http(s) address without credentials."""
    if not value:
        return
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise SettingsInvalid(f"{name} is not an http(s) address", next_step=f"set {name} to http(s)://host[:port]")
    if parts.username or parts.password:
        raise SettingsInvalid(
            f"{name} carries credentials in the address",
            next_step="give credentials through SMOKE_AUTH_TOKEN, SMOKE_API_KEY or SMOKE_AUTH_JWT_SECRET",
        )


def one_of(name: str, values: Mapping[str, str], allowed: tuple[str, ...]) -> str:
    """Return a variable's value; raises SettingsInvalid when it is none of those allowed."""
    value = values[name]
    if value not in allowed:
        raise SettingsInvalid(f"{name} is {value!r}", next_step=f"use one of: {', '.join(allowed)}")
    return value


def positive(name: str, values: Mapping[str, str]) -> float:
    """Return a variable that is a number above 0; raises SettingsInvalid."""
    try:
        seconds = float(values[name])
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise SettingsInvalid(f"{name} is {values[name]!r}", next_step="use a number above 0")
    return seconds


def duration(name: str, values: Mapping[str, str]) -> float:
    """Return seconds for a number with s, m or h, or without any for seconds."""
    number, unit = re.fullmatch(r"(.*?)([smh]?)", values[name], re.DOTALL).groups()  # type: ignore[union-attr]
    try:
        seconds = float(number) * {"": 1, "s": 1, "m": 60, "h": 3600}[unit]
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= LONGEST_BAKE_SECONDS:
        raise SettingsInvalid(
            f"{name} is {values[name]!r}",
            next_step=f"use a time such as 90s, 10m or 1h, {LONGEST_BAKE_SECONDS / 3600:g}h at most, or 0",
        )
    return seconds


def _secret(name: str, values: Mapping[str, str]) -> Secret | None:
    value = values[name]
    if not value:
        return None
    if len(value) < SHORTEST_SECRET:
        raise SettingsInvalid(
            f"{name} is shorter than {SHORTEST_SECRET} characters",
            next_step=f"set {name} to the real secret",
        )
    return Secret(value)
