"""An environment file: the facts of a place, read and checked."""

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.core.networks import allowed_network, refuse_public_url
from streampay_smoke.evidence.bake import Bake
from streampay_smoke.evidence.objectives import Objective
from streampay_smoke.evidence.policy import Policy
from streampay_smoke.service.strkey import is_address

_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?")


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

    `deadline_seconds` limits a whole run, 0 for what its waits for ledgers add up to. `step_seconds` is how long a step
    may take, `ledger_step_seconds` one that waits for ledgers to close. `rollback`
    is read by the actuator alone (`streampay_smoke.rollback`): a gate judges without it.
    """

    description: str
    deadline_seconds: float = 0.0
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


def read_place(root: Path, environment: str) -> Place:
    """Return what `environments/NAME.toml` says; raises SettingsInvalid, GuardRefused for the public network."""
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


def values_of(place: Place) -> dict[str, str]:
    """Return the variables that a place gives a value to."""
    values = {
        "SMOKE_BASE_URL": place.service.base_url,
        "SMOKE_DIALECT": place.service.dialect,
        "SMOKE_AUTH_MODE": place.service.auth_mode,
        "SMOKE_STELLAR_NETWORK": place.chain.network,
        "SMOKE_STELLAR_RPC_URL": place.chain.rpc_url,
        "SMOKE_STELLAR_FRIENDBOT_URL": place.chain.friendbot_url,
        "SMOKE_CONTRACT_ID": place.chain.contract_id,
        "SMOKE_CONTRACT_PROFILE": place.chain.contract_profile,
        "SMOKE_DEADLINE_SECONDS": f"{place.deadline_seconds:g}" if place.deadline_seconds else "",
    }
    return {name: value for name, value in values.items() if value}


def refuse_impossible(environment: str, place: Place) -> None:
    """Raise SettingsInvalid for what no place can be like, naming the file."""
    service = place.service
    _refuse_impossible_numbers(environment, service)
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


def _refuse_impossible_numbers(environment: str, service: ServicePlace) -> None:
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
