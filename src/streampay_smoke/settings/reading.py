"""What was given, from every source, by the order of precedence.

Highest first: option, environment variable, `.env`, `environments/NAME.toml`, default.
"""

import difflib
import os
import re
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

import msgspec
from msgspec.structs import replace

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.core.networks import PUBLIC_NAMES, PUBLIC_PASSPHRASE, allowed_network, folded, refuse_public_url
from streampay_smoke.core.secret import Secret, quoted
from streampay_smoke.settings import parsing
from streampay_smoke.settings.deadline import derived_deadline_seconds
from streampay_smoke.settings.dotenv_file import FILE, read_dotenv
from streampay_smoke.settings.environment import ALL_REGIONS, EnvironmentFacts, read_environment, values_of
from streampay_smoke.settings.folders import environments_folder, project_root
from streampay_smoke.settings.problems import Problems
from streampay_smoke.settings.variables import BY_ATTRIBUTE, ENGINE_PREFIX, PREFIX, VARIABLES, slots_of

T = TypeVar("T", bound=msgspec.Struct)

ENVIRONMENT = "the environment"

_SERVICE_LINK = re.compile(r"(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)")
"""What Kubernetes adds to every container for each Service of its namespace, after the Service's name."""


class Given(NamedTuple):
    """A value somebody gave, and where: "the environment", ".env, line 3", "--env"."""

    value: str
    origin: str


class RawSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What was given for an environment, with nothing decided about what it is good for.

    `given` holds options, environment and `.env`, `system` the variables that are no settings, `sandbox` what an
    embedded sandbox says of itself: it counts where nobody gave anything.
    """

    environment: str
    facts: EnvironmentFacts
    given: dict[str, Given]
    system: dict[str, str] = {}
    sandbox: dict[str, str] = {}

    def over(self, sandbox: Mapping[str, str]) -> "RawSettings":
        """Return the same settings over what an embedded sandbox says of itself."""
        return msgspec.structs.replace(self, sandbox=dict(sandbox))

    def text(self, name: str) -> str:
        """Return a variable's text, its default where nobody gave it."""
        if name in self.given:
            return self.given[name].value
        return self.sandbox.get(name) or values_of(self.facts).get(name) or VARIABLES[name].default

    def called(self, name: str) -> str:
        """Return what to call a variable in a message: its name and where its value comes from."""
        if name in self.given:
            return _called(name, self.given[name].origin)
        if name not in self.sandbox and name in values_of(self.facts):
            return _called(name, f"environments/{self.environment}.toml: {VARIABLES[name].file_key}")
        return name

    def parsed(self, name: str) -> Any:
        """Return a variable's value; raises SettingsInvalid."""
        return VARIABLES[name].parse(self.called(name), self.text(name))

    def secret(self, name: str) -> Secret | None:
        """Return a secret, None where it is not set; raises SettingsInvalid for one too short to be redacted."""
        return cast("Secret | None", self.parsed(name))

    def credentials(self, mode: str) -> dict[str, Secret]:
        """Return the operator's credentials of an auth mode by their variable, slot A before slot B."""
        return {name: secret for name in slots_of(mode) if (secret := self.secret(name)) is not None}

    @property
    def deadline_is_derived(self) -> bool:
        """Whether nobody set the deadline of a run."""
        return not self.text("SMOKE_DEADLINE_SECONDS")

    def deadline_seconds(self) -> float:
        """Return the deadline that was set, else what a whole smoke takes on this network; raises SettingsInvalid."""
        return self.parsed("SMOKE_DEADLINE_SECONDS") or derived_deadline_seconds(
            ready_within_seconds=self.facts.service.ready_within_seconds,
            seconds_per_ledger=self.parsed("SMOKE_STELLAR_NETWORK").seconds_per_ledger,
        )

    def engine_secrets(self) -> dict[str, Secret]:
        """Return the secrets of deployment engines that are set, by variable."""
        names = (name for name, variable in VARIABLES.items() if name.startswith(ENGINE_PREFIX) and variable.secret)
        return {name: secret for name in names if (secret := self.secret(name)) is not None}

    def values_for(
        self, kind: type[msgspec.Struct], problems: Problems, *, without: Container[str] = ()
    ) -> dict[str, Any]:
        """Return the parsed value of every field of `kind` that is a variable's; what cannot be parsed is left out."""
        values: dict[str, Any] = {}
        for field in kind.__struct_fields__:
            if field in BY_ATTRIBUTE and field not in without:
                with problems.collected():
                    values[field] = self.parsed(BY_ATTRIBUTE[field].name)
        return values


def read(
    options: Mapping[str, str] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    root: Path | None = None,
) -> RawSettings:
    """Return what was given, by the order of precedence.

    Raises SettingsInvalid for what cannot be read and for a name or an environment nobody knows, GuardRefused for what
    points at the public network.
    """
    root = root or project_root()
    environ = os.environ if environ is None else environ
    problems = Problems()
    given = _given(options or {}, environ, root, problems)
    _refuse_public(given)
    problems.refuse()
    environment = given["SMOKE_ENV"].value if "SMOKE_ENV" in given else VARIABLES["SMOKE_ENV"].default
    system = {name: value for name, value in environ.items() if not name.startswith(PREFIX)}
    facts = read_environment(environments_folder(root), environment)
    region = given["SMOKE_REGION"].value if "SMOKE_REGION" in given else ""
    own = facts.of_region(region)
    if "SMOKE_REPLICAS" in given:
        value, origin = given["SMOKE_REPLICAS"]
        replicas = parsing.replicas(_called("SMOKE_REPLICAS", origin), value)
        own = replace(own, service=replace(own.service, replicas=replicas))
    return RawSettings(
        environment=environment,
        facts=own,
        given={**_of_region(environment, facts, region, system, given), **given},
        system=system,
    )


def _of_region(
    environment: str, facts: EnvironmentFacts, name: str, system: Mapping[str, str], given: Mapping[str, Given]
) -> dict[str, Given]:
    """Return the settings that a listed region gives a value to; nothing where no regions are listed.

    Raises SettingsInvalid for a region that is not listed, and for a credential whose variable is not set.
    """
    names = [region.name for region in facts.regions]
    if not names or name in {"", ALL_REGIONS}:
        return {}
    file = f"environments/{environment}.toml"
    if name not in names:
        nearest = difflib.get_close_matches(name, names, n=1)
        raise SettingsInvalid(
            f"SMOKE_REGION names {quoted(name)}, which {file} does not list"
            f"{f'; did you mean {nearest[0]}?' if nearest else ''}",
            next_step=f"use one of: {', '.join(names)}; or {ALL_REGIONS} for each of them",
        )
    region = facts.regions[names.index(name)]
    unset = [variable for variable in region.credentials.values() if not system.get(variable)]
    if unset:
        raise SettingsInvalid(
            f"{', '.join(unset)} is not set: {file} says that region {name} takes its credentials from it",
            next_step="set it from your secret store",
        )
    twice = [setting for setting in region.credentials if setting in given]
    if twice:
        raise SettingsInvalid(
            f"{', '.join(twice)} is set for every region, and {file} gives region {name} its own",
            next_step=f"unset it, and set {', '.join(region.credentials[each] for each in twice)} instead",
        )
    vantage = {"SMOKE_VANTAGE": Given(region.vantage, file)} if region.vantage else {}
    return {
        **vantage,
        **{setting: Given(system[variable], variable) for setting, variable in region.credentials.items()},
    }


def given_facts(
    options: Mapping[str, str],
    *,
    environ: Mapping[str, str] | None = None,
    root: Path | None = None,
) -> dict[str, str]:
    """Return what options, environment and `.env` say of what an environment file can say, by its key there.

    For an environment that has no file yet. Raises as `read` does.
    """
    problems = Problems()
    given = _given(options, os.environ if environ is None else environ, root or project_root(), problems)
    _refuse_public(given)
    problems.refuse()
    keys = {name: VARIABLES[name].file_key for name in given}
    return {key: given[name].value for name, key in keys.items() if key}


def read_what_can_be(
    kind: type[T],
    options: Mapping[str, str] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    root: Path | None = None,
) -> T:
    """Return the settings of `kind`, whatever is wrong with others: those that cannot be read are the defaults.

    For what a run has to know in order to say that its settings are wrong. Environment files give none of them.
    """
    ignored = Problems()
    given: dict[str, Given] = {}
    with ignored.collected():
        given = _given(options or {}, os.environ if environ is None else environ, root or project_root(), ignored)
    values: dict[str, Any] = {}
    for field in kind.__struct_fields__:
        variable = BY_ATTRIBUTE[field]
        values[field] = variable.parse(variable.name, variable.default)
        if variable.name in given:
            with ignored.collected():
                values[field] = variable.parse(variable.name, given[variable.name].value)
    return kind(**values)


def _given(options: Mapping[str, str], environ: Mapping[str, str], root: Path, problems: Problems) -> dict[str, Given]:
    """Return what is set, the highest source last; an option alone may not be empty."""
    sources = [
        *((line.name, line.value, f"{FILE}, line {line.number}") for line in read_dotenv(root, problems)),
        *((name, value, ENVIRONMENT) for name, value in environ.items() if name.upper().startswith(PREFIX)),
        *((name, value, _option(name)) for name, value in options.items()),
    ]
    links = sorted(name for name, _, origin in sources if origin == ENVIRONMENT and _is_service_link(name))
    if links:
        problems.add(
            f"{', '.join(links)}: Kubernetes links of a Service, and no settings",
            "say enableServiceLinks: false in the pod's spec, or give that Service another name",
        )
    empty = [_option(name) for name, value in options.items() if not value.strip()]
    if empty:
        problems.add(
            f"given with nothing in it: {', '.join(empty)}; the variable it is made of may not be set",
            "give it a value, or leave it out",
        )
    given: dict[str, Given] = {}
    for name, value, origin in sources:
        if name in links or not _is_ours(name, origin):
            continue
        with problems.collected():
            _refuse_unknown(name, origin)
            found = _readable(_called(name, origin), value).strip()
            given.pop(name, None)  # what is empty is unset, and hides what a lower source says
            if found:
                given[name] = Given(found, origin)
    return given


def _option(name: str) -> str:
    """Return the origin of a value that came as an option."""
    return (VARIABLES[name].option if name in VARIABLES else "") or "the options"


def _is_ours(name: str, origin: str) -> bool:
    """Whether a name is meant for the gate: one that is written in lower case counts in a file of our own."""
    if name.startswith(PREFIX):
        return True
    upper = name.upper()
    return upper.startswith(PREFIX) and (upper in VARIABLES or origin.startswith(FILE))


def _is_service_link(name: str) -> bool:
    return (
        name not in VARIABLES
        and name.startswith(PREFIX)
        and _SERVICE_LINK.fullmatch(name.removeprefix(PREFIX)) is not None
    )


def _refuse_unknown(name: str, origin: str) -> None:
    if name in VARIABLES:
        return
    nearest = difflib.get_close_matches(name.upper(), VARIABLES, n=1, cutoff=0.0)[0]
    raise SettingsInvalid(
        f"{ascii(name)[1:-1]} (from {origin}) is not a setting; did you mean {nearest}?",
        next_step="correct or unset it: a typo must not open the gate",
    )


def _readable(called: str, value: str) -> str:
    """Return a value; raises SettingsInvalid where its bytes are no text."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise SettingsInvalid(f"{called} is not UTF-8", next_step="give it in UTF-8") from error
    return value


def _called(name: str, origin: str) -> str:
    return name if origin == ENVIRONMENT else f"{name} (from {origin})"


def _refuse_public(given: Mapping[str, Given]) -> None:
    """Refuse the public network by name, address or passphrase, whichever variable it came in."""
    if "SMOKE_STELLAR_NETWORK" in given and folded(given["SMOKE_STELLAR_NETWORK"].value).strip() in PUBLIC_NAMES:
        allowed_network(given["SMOKE_STELLAR_NETWORK"].value)
    for name in ("SMOKE_STELLAR_RPC_URL", "SMOKE_STELLAR_FRIENDBOT_URL"):
        if name in given:
            refuse_public_url(name, given[name].value)
    for name, (value, _) in given.items():
        if folded(PUBLIC_PASSPHRASE) in folded(value):
            refuse_public_url(name, "pubnet")
