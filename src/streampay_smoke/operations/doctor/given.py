"""Looks at the settings and what goes with them; nothing is sent."""

from collections import Counter
from collections.abc import Iterator

from streampay_smoke.core import system_facts
from streampay_smoke.evidence.addresses import host_only
from streampay_smoke.gate.policy import HOLD
from streampay_smoke.http.proxies import route_to
from streampay_smoke.http.trust import DIRECTORY_VARIABLE, FILE_VARIABLE, trusted
from streampay_smoke.notify.targets import targets_of
from streampay_smoke.operations.doctor.look import DoctorCheck, DoctorLook, ok, problem, warning
from streampay_smoke.operations.engine_files import unfilled, written_for
from streampay_smoke.rollback.hooks import HOOKS
from streampay_smoke.runner.plan import all_scenarios, exclusion_of
from streampay_smoke.service.claims import claims_of, seconds_left
from streampay_smoke.service.credentials import SLOT_B, VARIABLE_OF_MODE
from streampay_smoke.settings import Settings
from streampay_smoke.settings.folders import FEATURES, project_root, suite_root
from streampay_smoke.settings.variables import BY_ATTRIBUTE, slots_of

EXPIRY_WARNING_DAYS = 7

_DAY_SECONDS = 86_400


def _file(settings: Settings) -> Iterator[DoctorCheck]:
    yield ok("settings", f"environments/{settings.environment}.toml: {settings.facts.description}")


def _exclusions(settings: Settings) -> Iterator[DoctorCheck]:
    scenarios = all_scenarios(suite_root(project_root()) / FEATURES).values()
    reasons = Counter(reason for scenario in scenarios if (reason := exclusion_of(scenario.tags, settings)))
    if not reasons:
        yield ok("left out", f"none of {len(scenarios)} scenarios")
    for reason, count in reasons.items():
        yield ok("left out", f"{count} of {len(scenarios)} scenarios: {reason}")


def credentials(settings: Settings) -> Iterator[DoctorCheck]:
    """Look at the operator's credentials of the auth mode: whether there is one, and when it ends."""
    slots = settings.supplied_credentials
    if not slots:
        yield ok("credentials", "mode wallet signs in with a key of its own: there is nothing to expire")
    for variable, secret in slots.items():
        yield _expiry(variable, secret.reveal(), settings.auth_mode)


def _expiry(variable: str, token: str, mode: str) -> DoctorCheck:
    if mode == "jwt":
        return ok(variable, "set; tokens of ten minutes are minted with it")
    left_seconds = seconds_left(token)
    if left_seconds is None:
        opaque = "set; it does not say when it ends, or whose it is" if not claims_of(token) else "set; it has no end"
        return ok(variable, opaque)
    days = left_seconds / _DAY_SECONDS
    if days <= 0:
        return problem(variable, "has expired", f"issue a new credential and set {variable} to it")
    if days < EXPIRY_WARNING_DAYS:
        next_step = f"rotate: set {variable.removesuffix(SLOT_B)}{SLOT_B} to a new one, then replace slot A"
        return warning(variable, f"expires in {days:.1f} days", next_step)
    return ok(variable, f"set; good for {days:.0f} days")


def unused_credentials(settings: Settings) -> Iterator[DoctorCheck]:
    """Look for secrets that are set and that nothing here uses: the auth mode is wrong, or they can be taken away.

    A rehearsal's are its own sandbox's: nobody set them.
    """
    if settings.rehearsal:
        return
    for variable, because in _unused(settings):
        yield warning(variable, f"is set and not used: {because}", f"unset {variable}, or correct the setting")


def _unused(settings: Settings) -> Iterator[tuple[str, str]]:
    mode = settings.auth_mode
    in_use = {*slots_of(mode), VARIABLE_OF_MODE["jwt"]}  # every mode forges tokens with the signing secret
    of_modes = [name for other in VARIABLE_OF_MODE for name in slots_of(other)]
    held = {name: getattr(settings, attribute) for attribute, name in _attributes(of_modes)}
    for name, secret in held.items():
        if secret is not None and name not in in_use:
            yield name, f"the auth mode is {mode}"
    facts = settings.facts
    bake = facts.bake
    if settings.metrics_token is not None and not (facts.service.metrics or bake.counters or bake.query):
        yield "SMOKE_METRICS_TOKEN", "no metrics are read here (service.metrics, [bake])"
    hook = str(facts.rollback.get("hook", ""))
    for name in settings.engine_secrets:
        if hook not in HOOKS or name not in HOOKS[hook].secrets:
            yield name, f"the engine of [rollback] is {hook or 'none'}"


def _attributes(names: list[str]) -> Iterator[tuple[str, str]]:
    attributes = {variable.name: attribute for attribute, variable in BY_ATTRIBUTE.items()}
    return ((attributes[name], name) for name in names)


def _routes(settings: Settings) -> Iterator[DoctorCheck]:
    """Look at which addresses are reached by a proxy; nothing is said where none is set."""
    ways = {name: route_to(url).description for name, url in _addresses(settings).items()}
    text = "; ".join(f"{name} {way}" for name, way in ways.items() if way)
    if text:
        yield ok("proxy", text)


def _trust(settings: Settings) -> Iterator[DoctorCheck]:
    """Look at what certificates are verified with; nothing is said where no address needs any."""
    names = [name for name, url in _addresses(settings).items() if url.startswith("https:")]
    if not names:
        return
    count = trusted().cert_store_stats()["x509_ca"]
    environ = system_facts.variables()
    own = [
        f"{variable} {environ[variable]}" for variable in (FILE_VARIABLE, DIRECTORY_VARIABLE) if environ.get(variable)
    ]
    added = f", with those of {' and '.join(own)}" if own else ""
    yield ok("trust store", f"{count} authorities for {', '.join(names)}: the public ones and this machine's{added}")


def _addresses(settings: Settings) -> dict[str, str]:
    addresses = {
        "service": settings.base_url,
        "stable release": settings.baseline_url,
        "RPC": settings.rpc_url,
        "friendbot": settings.friendbot_url,
    }
    return {name: url for name, url in addresses.items() if url}


def _asked_rollback(settings: Settings) -> Iterator[DoctorCheck]:
    """Look at a rollback that was asked for where none can be made."""
    if settings.on_fail != HOLD and not settings.facts.rollback:
        yield problem(
            "on FAIL",
            f"a rollback is asked for, and environments/{settings.environment}.toml has no [rollback]",
            "add [rollback], or leave --on-fail out; docs/rollback.md shows each engine",
        )
    elif settings.on_fail != HOLD and not (settings.deploy and settings.expect_release):
        yield warning(
            "on FAIL",
            "a rollback is asked for, and a run without SMOKE_DEPLOY and SMOKE_EXPECT_RELEASE makes none",
            "give --deploy and --expect-release, as the deploy job does",
        )


def engine_files_filled_in(settings: Settings) -> Iterator[DoctorCheck]:
    """Look for what is still to be filled in in an engine's files of this environment."""
    files = written_for(project_root(), settings.environment)
    left = {path: missing for path, text in files.items() if (missing := unfilled({path: text}))}
    if left:
        text = "; ".join(f"{path} lacks {', '.join(missing)}" for path, missing in left.items())
        yield warning("engine files", text, "fill it in, or make the files anew: init --engine ... --force")
    elif files:
        yield ok("engine files", f"{len(files)} of this environment, all filled in; their heads list what must exist")
    else:
        yield ok("engine files", "none of this environment are here; init --engine writes them")


def _notifications(settings: Settings) -> Iterator[DoctorCheck]:
    """Look at who is told; nothing is sent."""
    told = "; ".join(
        f"{target.name}{' for pages' if target.pages else ''} ({host_only(target.address.reveal())})"
        for target in targets_of(settings)
    )
    verdicts = ", ".join(settings.facts.policy.notify) or "overrides only"
    text = f"{told} (verdicts: {verdicts}); try it: streampay-smoke notify --test"
    yield ok("notifications", text if told else "nobody is told: no SMOKE_NOTIFY_ or SMOKE_PAGE_ variable is set")


SETTINGS: tuple[DoctorLook[Settings], ...] = (
    DoctorLook("settings", _file),
    DoctorLook("left out", _exclusions),
    DoctorLook("credentials", credentials),
    DoctorLook("credentials", unused_credentials),
    DoctorLook("proxy", _routes),
    DoctorLook("trust store", _trust),
    DoctorLook("on FAIL", _asked_rollback),
    DoctorLook("engine files", engine_files_filled_in),
    DoctorLook("notifications", _notifications),
)
