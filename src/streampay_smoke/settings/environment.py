"""An environment file: the facts of an environment, read and checked."""

import contextlib
import difflib
import functools
import operator
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.core.networks import DECLARED, allowed_network, refuse_public_url
from streampay_smoke.core.secret import quoted
from streampay_smoke.core.utf8 import text_of
from streampay_smoke.evidence.bake import Bake
from streampay_smoke.evidence.canary import Canary
from streampay_smoke.evidence.objectives import KINDS, Objective
from streampay_smoke.evidence.policy import Policy
from streampay_smoke.service.release import release_reader
from streampay_smoke.service.strkey import is_address
from streampay_smoke.settings import parsing
from streampay_smoke.settings.parsing import LONGEST_SECONDS
from streampay_smoke.settings.variables import PREFIX, VARIABLES

SHARED = Path(__file__).with_name("shared.toml")
"""What all environments share: what none of them says of itself."""

_NAME = re.compile(r"[\w.-]+")

ALL_REGIONS = "all"
"""The name that stands for every region of an environment."""

_REGION_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
"""It names folders, and stands before `/` and `@` in the ids of a merged verdict."""

_OF_REGION = ("base_url", "rpc_url", "friendbot_url", "contract_id")
"""What a region may say differently from its environment."""


_Above0 = Annotated[float, Meta(gt=0, le=LONGEST_SECONDS)]
_Seconds = Annotated[float, Meta(ge=0, le=LONGEST_SECONDS)]
_Count = Annotated[int, Meta(ge=0, le=1_000_000)]


class ServiceFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[service]` of an environment file.

    `cutover_seconds` is what a whole run waits out of silence after the service was ready. `replicas` is how many
    answer behind the address, 0 where nobody declares it; one stale replica of them is missed with at most
    `replica_miss_probability`. `replica_header` is the header in which each names itself. `app_origin` is where the
    web app's pages come from,
    `reads_per_minute` what one caller may read of each replica, `sign_ins_per_minute` how often one address may sign
    in at each, `canary_stream` a stream of the synthetic user that every release finds where the one before left it;
    "" and 0 where this place does not say. `writes_at_once` is how many writes it takes without one waiting for
    another's ledger. `metrics` says that they can be scraped, `indexer` that the service keeps an index of this place's
    ledger and tells how far it is, `live_events` that it tells users what happens to a stream while it happens.
    """

    network: str
    ready_within_seconds: _Seconds
    base_url: str = ""
    simulated: bool = False
    dialect: str
    auth_mode: str
    release_told_by: str
    cutover_seconds: _Seconds
    replicas: Annotated[int, Meta(ge=0, le=parsing.MOST_REPLICAS)]
    replica_miss_probability: Annotated[float, Meta(gt=0, lt=1)]
    replica_header: str = ""
    app_origin: str = ""
    reads_per_minute: _Count = 0
    sign_ins_per_minute: _Count = 0
    canary_stream: str = ""
    writes_at_once: Annotated[int, Meta(ge=1, le=100)] = 1
    metrics: bool = False
    indexer: bool = False
    live_events: bool = False

    def __post_init__(self) -> None:
        if self.network not in DECLARED:
            raise ValueError(f"network is {quoted(self.network)}, and a service is on one of: {', '.join(DECLARED)}")


class ChainFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[chain]` of an environment file.

    `contract_admin` is whom the contract must obey, "" where nobody says. `simulated_seconds_per_ledger` is the pace of
    the ledgers of simulated regions, 0 for a ledger for each transaction.
    """

    network: str
    contract_profile: str
    contract_id: str = ""
    contract_admin: str = ""
    rpc_url: str = ""
    friendbot_url: str = ""
    simulated_seconds_per_ledger: _Seconds = 0.0


class MoneyFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[money]` of an environment file. `max_stroops` caps what one run may move."""

    settles: bool
    proofs: tuple[str, ...]
    max_stroops: int
    settles_not_because: str = ""


class Region(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of `[[regions]]`: a deployment of its own on the environment's network. "" takes what the environment says.

    `vantage` names where it is played from. `credentials` gives settings that are secrets to this region alone: the
    setting's name, and the name of the variable that holds its value. `simulated_latency_ms` is how far away a region
    of the sandbox is, `simulated_faults` what is wrong with its release.
    """

    name: str
    base_url: str = ""
    rpc_url: str = ""
    friendbot_url: str = ""
    contract_id: str = ""
    vantage: str = ""
    credentials: dict[str, str] = {}
    simulated_latency_ms: Annotated[int, Meta(ge=0, le=60_000)] = 0
    simulated_faults: tuple[str, ...] = ()


class EnvironmentFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An environment file: the facts of an environment on one screen, never a secret.

    What has no default here has it in `shared.toml`, unless an environment must say it.

    `deadline_seconds` limits a whole run, 0 for what its waits for ledgers add up to. `step_seconds` is how long a step
    may take, `ledger_step_seconds` one that waits for ledgers to close. `rollback`
    is read by the actuator alone (`streampay_smoke.rollback`): a gate judges without it.
    """

    description: str
    deadline_seconds: _Seconds = 0.0
    step_seconds: _Above0
    ledger_step_seconds: _Above0
    service: ServiceFacts
    chain: ChainFacts
    money: MoneyFacts
    objectives: tuple[Objective, ...] = ()
    bake: Bake = Bake()
    canary: Canary = Canary()
    policy: Policy = Policy()
    rollback: dict[str, Any] = {}
    regions: tuple[Region, ...] = ()

    def __post_init__(self) -> None:
        self._refuse_regions()
        names = [objective.name for objective in self.objectives]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two objectives are named {twice[0]!r}")
        if sum(objective.kind == "read_comparison" for objective in self.objectives) > 1:
            raise ValueError("only one objective may be a read_comparison: its pairs are sampled once")

    def _refuse_regions(self) -> None:
        names = [region.name for region in self.regions]
        twice = next((name for name in names if names.count(name) > 1), "")
        if twice:
            raise ValueError(f"two regions are named {twice!r}")
        bad = next((name for name in names if name == ALL_REGIONS or not _REGION_NAME.fullmatch(name)), None)
        if bad is not None:
            raise ValueError(
                f"no region can be named {bad!r}: {ALL_REGIONS!r} stands for all of them, and a name is made of "
                "letters, digits, '.', '_' and '-'"
            )
        for name in ("simulated_latency_ms", "simulated_faults"):
            if not self.service.simulated and any(getattr(region, name) for region in self.regions):
                raise ValueError(f"{name} of a region is for a service that is simulated")
        for region in self.regions:
            for setting, variable in region.credentials.items():
                known = VARIABLES.get(setting)
                if known is None or not known.secret:
                    raise ValueError(f"region {region.name}: {setting} is no setting that is a secret")
                if variable.upper().startswith(PREFIX):
                    raise ValueError(f"region {region.name}: {variable} must not begin with {PREFIX}: it is no setting")

    def of_region(self, name: str) -> "EnvironmentFacts":
        """Return what is true of one of the regions; the same without any. Each may move its share of the spend cap.

        One network has one budget: what the regions may move together is what one run of the environment may.
        """
        region = next((each for each in self.regions if each.name == name), None)
        if region is None:
            return self
        given = {key: value for key in _OF_REGION if (value := getattr(region, key))}
        return msgspec.structs.replace(
            self,
            service=msgspec.structs.replace(
                self.service, **{key: value for key, value in given.items() if key == "base_url"}
            ),
            chain=msgspec.structs.replace(
                self.chain, **{key: value for key, value in given.items() if key != "base_url"}
            ),
            money=msgspec.structs.replace(self.money, max_stroops=self.money.max_stroops // len(self.regions)),
        )


def read_environment(folder: Path, environment: str) -> EnvironmentFacts:
    """Return what `NAME.toml` in the folder of environments says, over what all environments share.

    Raises SettingsInvalid, GuardRefused for the public network.
    """
    path = folder / f"{environment}.toml"
    known = sorted(found.stem for found in folder.glob("*.toml") if _NAME.fullmatch(found.stem))
    if environment not in known:
        nearest = difflib.get_close_matches(environment, known, n=1)
        raise SettingsInvalid(
            f"SMOKE_ENV names {quoted(environment)}, but there is no {_file(environment)}"
            f"{f'; did you mean {nearest[0]}?' if nearest else ''}",
            next_step=f"use one of: {', '.join(known) or 'none found'} (read from {folder})",
        )
    file = _file(environment)
    try:
        text = text_of(path.read_bytes(), file)
    except OSError as error:
        raise SettingsInvalid(f"{file} cannot be read: {error.strerror}", next_step="make it readable") from error
    return facts_in(text, file)


def facts_in(text: str, file: str) -> EnvironmentFacts:
    """Return what the text of an environment file says, over what all environments share; raises as reading it does."""
    try:
        facts = msgspec.convert(_over_shared(tomllib.loads(text)), EnvironmentFacts)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, RecursionError) as error:
        raise SettingsInvalid(f"{file}: {error}", next_step="correct the file") from error
    with _in(file):
        allowed_network(facts.chain.network)
    refuse_public_url(f"{file}: rpc_url", facts.chain.rpc_url)
    refuse_public_url(f"{file}: friendbot_url", facts.chain.friendbot_url)
    for region in facts.regions:
        refuse_public_url(f"{file}: rpc_url of region {region.name}", region.rpc_url)
        refuse_public_url(f"{file}: friendbot_url of region {region.name}", region.friendbot_url)
    return facts


def _file(environment: str) -> str:
    return f"environments/{environment if _NAME.fullmatch(environment) else 'NAME'}.toml"


@functools.cache
def _shared() -> dict[str, Any]:
    return tomllib.loads(SHARED.read_bytes().decode())


def _over_shared(own: dict[str, Any]) -> dict[str, Any]:
    """Return an environment file over the shared defaults; an objective by the same name is changed, not repeated."""
    objectives = own.get("objectives", [])
    together = _over(_shared(), {name: value for name, value in own.items() if name != "objectives"})
    if not isinstance(objectives, list):
        return {**together, "objectives": objectives}
    money = own.get("money")
    settles = not isinstance(money, dict) or money.get("settles") is not False
    shared = {item["name"]: item for item in _shared()["objectives"] if settles or not KINDS[item["kind"]].needs_ledger}
    names = [item.get("name") if isinstance(item, dict) else None for item in objectives]
    changed = [
        {**shared[name], **item} if isinstance(name, str) and name in shared else item
        for name, item in zip(names, objectives, strict=True)
    ]
    return {**together, "objectives": [*(item for name, item in shared.items() if name not in names), *changed]}


def _over(shared: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    both_tables = {
        name: _over(shared[name], value)
        for name, value in own.items()
        if isinstance(value, dict) and isinstance(shared.get(name), dict)
    }
    return {**shared, **own, **both_tables}


def values_of(facts: EnvironmentFacts) -> dict[str, str]:
    """Return the variables that an environment gives a value to."""
    keys = {name: operator.attrgetter(variable.file_key) for name, variable in VARIABLES.items() if variable.file_key}
    values = {name: value_at(facts) for name, value_at in keys.items()}
    return {name: f"{value:g}" if isinstance(value, float | int) else value for name, value in values.items() if value}


@contextlib.contextmanager
def _in(file: str) -> Iterator[None]:
    """Name the file in whatever is wrong with its settings."""
    try:
        yield
    except SettingsInvalid as error:
        raise SettingsInvalid(f"{file}: {error}", next_step=f"correct the file: {error.next_step}") from error


def refuse_impossible(environment: str, facts: EnvironmentFacts) -> None:
    """Raise SettingsInvalid for what no environment can be like, naming the file."""
    service = facts.service
    parsing.origin(f"environments/{environment}.toml: app_origin", service.app_origin)
    if facts.chain.contract_admin and not is_address(facts.chain.contract_admin):
        raise SettingsInvalid(
            f"environments/{environment}.toml: chain.contract_admin is no Stellar address",
            next_step="give the administrator's address (56 characters that begin with G), or leave it out",
        )
    with _in(f"environments/{environment}.toml"):
        release_reader(service.release_told_by)
    if not facts.money.settles and not facts.money.settles_not_because:
        raise SettingsInvalid(
            f"environments/{environment}.toml moves no money but does not say why",
            next_step="set money.settles_not_because: every exclusion is shown with its reason",
        )
