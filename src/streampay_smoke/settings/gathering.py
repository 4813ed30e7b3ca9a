"""What was given for a place, from every source, by the order of precedence.

Highest first: option, environment variable, `.env`, `environments/NAME.toml`, default.
"""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec
from dotenv import dotenv_values

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.core.networks import PUBLIC_PASSPHRASE, allowed_network, folded, refuse_public_url
from streampay_smoke.core.secret import Secret
from streampay_smoke.settings.deadline import derived_deadline_seconds
from streampay_smoke.settings.place import Place, read_place, values_of
from streampay_smoke.settings.values import positive, secret_of
from streampay_smoke.settings.variables import ENGINE_PREFIX, PREFIX, VARIABLES, slots_of


class Gathered(msgspec.Struct, frozen=True, kw_only=True):
    """What was given for a place: every variable of the table by name, "" where nobody gave it."""

    environment: str
    place: Place
    values: dict[str, str]

    def secret(self, name: str) -> Secret | None:
        """Return a secret, None where it is not set; raises SettingsInvalid for one too short to be redacted."""
        return secret_of(name, self.values)

    def credentials(self, mode: str) -> dict[str, Secret]:
        """Return the operator's credentials of an auth mode by their variable, slot A before slot B."""
        return {name: secret for name in slots_of(mode) if (secret := self.secret(name)) is not None}

    @property
    def deadline_is_derived(self) -> bool:
        """Whether nobody set the deadline of a run."""
        return not self.values["SMOKE_DEADLINE_SECONDS"]

    def deadline_seconds(self) -> float:
        """Return the deadline that was set, else what a whole smoke takes on this network; raises SettingsInvalid."""
        if not self.deadline_is_derived:
            return positive("SMOKE_DEADLINE_SECONDS", self.values)
        return derived_deadline_seconds(
            ready_within_seconds=self.place.service.ready_within_seconds,
            seconds_per_ledger=allowed_network(self.values["SMOKE_STELLAR_NETWORK"]).seconds_per_ledger,
        )

    def engine_secrets(self) -> dict[str, Secret]:
        """Return the secrets of deployment engines that are set, by variable."""
        names = (name for name, variable in VARIABLES.items() if variable.secret and name.startswith(ENGINE_PREFIX))
        return {name: secret for name in names if (secret := self.secret(name)) is not None}


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
    place = read_place(root, environment)
    return Gathered(environment=environment, place=place, values={**_defaults(), **values_of(place), **given})


def project_root() -> Path:
    """Return the folder with `environments/`: the working directory or one above it, else the checkout's own."""
    here = Path.cwd()
    candidates = (here, *here.parents, Path(__file__).resolve().parents[3])
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


def _defaults() -> dict[str, str]:
    return {name: variable.default for name, variable in VARIABLES.items()}
