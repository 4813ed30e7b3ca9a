"""The evidence manifest: which scenarios must run, computed before any of them does."""

import contextlib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path, PurePath

import msgspec
from behave.configuration import Configuration
from behave.model import Feature, Scenario
from behave.parser import ParserError, parse_file
from behave.runner import the_step_registry

from streampay_smoke.core.contract_profiles import PROFILES
from streampay_smoke.core.utf8 import text_of
from streampay_smoke.evidence.events import Exclusion, ExpectedScenario, RunPlanned
from streampay_smoke.gate.concerns import concern_of, proves_settlement
from streampay_smoke.runner.budget import waits_for_ledgers
from streampay_smoke.runner.feature_lint import problems_in, summary
from streampay_smoke.settings import Settings

ONE_USER_MODES = frozenset({"bearer", "api-key"})
"""Auth modes in which the operator supplies the only synthetic user there is."""


class ExclusionRule(msgspec.Struct, frozen=True, kw_only=True):
    """Scenarios of one tag that an environment leaves out, by name and with its reason."""

    tag: str
    applies: Callable[[Settings], bool]
    reason: Callable[[Settings], str]


EXCLUSION_RULES = (
    ExclusionRule(
        tag="money",
        applies=lambda settings: not settings.facts.money.settles,
        reason=lambda settings: settings.facts.money.settles_not_because,
    ),
    ExclusionRule(
        tag="writes",
        applies=lambda settings: not settings.facts.money.settles,
        reason=lambda settings: settings.facts.money.settles_not_because,
    ),
    ExclusionRule(
        tag="expected-release",
        applies=lambda settings: not settings.expect_release,
        reason=lambda settings: "no release is expected (SMOKE_EXPECT_RELEASE): any one release is judged",
    ),
    ExclusionRule(
        tag="second-user",
        applies=lambda settings: settings.auth_mode in ONE_USER_MODES,
        reason=lambda settings: f"auth mode {settings.auth_mode} has one synthetic user only",
    ),
    ExclusionRule(
        tag="wallet",
        applies=lambda settings: settings.auth_mode != "wallet",
        reason=lambda settings: f"nobody signs in with a wallet here: the auth mode is {settings.auth_mode}",
    ),
    ExclusionRule(
        tag="own-wallet",
        applies=lambda settings: settings.auth_mode in ONE_USER_MODES,
        reason=lambda settings: f"auth mode {settings.auth_mode} does not tell which wallet the synthetic user has",
    ),
    ExclusionRule(
        tag="signing-secret",
        applies=lambda settings: settings.auth_jwt_secret is None,
        reason=lambda settings: "SMOKE_AUTH_JWT_SECRET is not set: no token can be made that is good but for one thing",
    ),
    ExclusionRule(
        tag="app-origin",
        applies=lambda settings: not settings.facts.service.app_origin,
        reason=lambda settings: f"environments/{settings.environment}.toml names no app_origin",
    ),
    ExclusionRule(
        tag="read-limit",
        applies=lambda settings: not settings.facts.service.reads_per_minute,
        reason=lambda settings: f"environments/{settings.environment}.toml says nothing of reads_per_minute",
    ),
    ExclusionRule(
        tag="sign-in-limit",
        applies=lambda settings: not settings.facts.service.sign_ins_per_minute,
        reason=lambda settings: f"environments/{settings.environment}.toml says nothing of sign_ins_per_minute",
    ),
    ExclusionRule(
        tag="canary",
        applies=lambda settings: not settings.facts.service.canary_stream,
        reason=lambda settings: "this environment names no stream that outlives releases (service.canary_stream)",
    ),
    ExclusionRule(
        tag="metrics",
        applies=lambda settings: not settings.facts.service.metrics,
        reason=lambda settings: "this environment does not say that metrics can be scraped (service.metrics)",
    ),
    ExclusionRule(
        tag="indexer",
        applies=lambda settings: not settings.facts.service.indexer,
        reason=lambda settings: "this environment does not say that the service tells of its index (service.indexer)",
    ),
    ExclusionRule(
        tag="live-events",
        applies=lambda settings: not settings.facts.service.live_events,
        reason=lambda settings: "this environment does not say that there are live events (service.live_events)",
    ),
    ExclusionRule(
        tag="contract-admin",
        applies=lambda settings: not settings.facts.chain.contract_admin,
        reason=lambda settings: "this environment does not say who administers the contract (chain.contract_admin)",
    ),
    ExclusionRule(
        tag="contract-admin",
        applies=lambda settings: "set_paused" not in PROFILES[settings.contract_profile].operations,
        reason=lambda settings: f"contracts of profile {settings.contract_profile} have no administrator",
    ),
)


class PlannedScenario(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario of behave's model and its identity in the journal."""

    scenario: Scenario
    expected: ExpectedScenario


def plan(features: Sequence[Feature], config: Configuration) -> tuple[PlannedScenario, ...]:
    """Return the scenarios the paths and the tag expression select, in the order they will run."""
    return tuple(item for item in identified(features) if item.scenario.should_run(config))


READINESS = "readiness"
"""The feature that is played first, by the name of its file: what is not ready explains all that follows."""


def readiness_first(features: Sequence[Feature]) -> list[Feature]:
    """Return the features in the order they are played in, whichever way behave found them."""
    return sorted(features, key=lambda feature: PurePath(feature.filename).stem != READINESS)


def ledger_steps(planned: Iterable[PlannedScenario]) -> int:
    """Return how many steps of the plan wait for the ledger.

    behave's `step_registry.registry` is another one by then: it resets that after it has bound this one.
    """
    matches = (the_step_registry.find_match(step) for item in planned for step in item.scenario.all_steps)
    return sum(match is not None and waits_for_ledgers(match.func) for match in matches)


def identified(features: Sequence[Feature]) -> tuple[PlannedScenario, ...]:
    """Return every scenario with its identity, which does not depend on what is selected."""
    taken: set[str] = set()
    return tuple(
        PlannedScenario(scenario=scenario, expected=_expected(feature, scenario, taken))
        for feature in features
        for scenario in feature.walk_scenarios()
    )


def scenarios_below(folder: Path) -> tuple[PlannedScenario, ...]:
    """Return every scenario of the feature files below a folder, whatever is selected of them.

    Files that are no feature are left to the lint. Raises SettingsInvalid for one that is not UTF-8.
    """
    features = []
    for path in sorted(folder.rglob("*.feature")):
        with contextlib.suppress(OSError, ParserError):
            text_of(path.read_bytes(), f"features/{path.relative_to(folder).as_posix()}")
            features.append(parse_file(str(path)))
    return identified([feature for feature in features if feature is not None])


def all_scenarios(folder: Path) -> dict[str, ExpectedScenario]:
    """Return every scenario of the feature files below a folder by its id."""
    return {item.expected.id: item.expected for item in scenarios_below(folder)}


def tags_below(folder: Path) -> frozenset[str]:
    """Return every tag that a scenario of the feature files below a folder has."""
    return frozenset(tag for scenario in all_scenarios(folder).values() for tag in scenario.tags)


def announced(
    planned: Sequence[PlannedScenario],
    folder: Path,
    settings: Settings,
    tags: str,
    *,
    whole_suite: bool,
    by_path: bool,
    comparison_only: bool = False,
) -> RunPlanned:
    """Return the manifest as the journal keeps it; scenarios excluded here are marked to be skipped.

    The whole `folder` of feature files is linted, not what was selected of it: behave passes over an empty file.
    """
    return RunPlanned(
        tags=tags,
        expected=tuple(item.expected for item in planned),
        excluded=tuple(_exclusions(planned, settings)),
        problems=(*problems_in([folder]), *(_lacking(planned, settings) if whole_suite else ())),
        whole_suite=whole_suite,
        by_path=by_path,
        comparison_only=comparison_only,
    )


def _lacking(planned: Sequence[PlannedScenario], settings: Settings) -> Iterator[str]:
    """Yield what a whole suite lacks, although it was accepted: without it a PASS would prove nothing about money."""
    if settings.facts.money.settles and not any(
        proves_settlement(item.expected.id, item.expected.tags) for item in planned
    ):
        yield (
            f"{settings.environment} settles streams, and no scenario of the accepted suite proves a settlement; "
            "bring features/settlement.feature back"
        )


def _exclusions(planned: Sequence[PlannedScenario], settings: Settings) -> Iterator[Exclusion]:
    for item in planned:
        reason = exclusion_of(item.expected.tags, settings)
        if reason:
            item.scenario.skip(reason)
            yield Exclusion(id=item.expected.id, reason=reason)


def exclusion_of(tags: Collection[str], settings: Settings) -> str:
    """Return why scenarios with these tags are left out here, "" for those that are played."""
    return next((rule.reason(settings) for rule in EXCLUSION_RULES if rule.tag in tags and rule.applies(settings)), "")


def _expected(feature: Feature, scenario: Scenario, taken: set[str]) -> ExpectedScenario:
    stem = PurePath(feature.filename).stem
    name = re.sub(r"\s*-- @\d+\.\d+.*$", "", scenario.name)
    scenario_id = f"{stem}/{_slug(name)}"
    while scenario_id in taken:
        scenario_id = f"{scenario_id}-{scenario.line}"
    taken.add(scenario_id)
    return ExpectedScenario(
        id=scenario_id,
        feature=feature.name,
        scenario=name,
        location=f"{feature.filename}:{scenario.line}",
        tags=tuple(dict.fromkeys(str(tag) for tag in scenario.effective_tags)),
        steps=tuple(f"{step.keyword} {step.name}" for step in scenario.all_steps),
        assertions=tuple(f"{step.keyword} {step.name}" for step in scenario.all_steps if step.step_type == "then"),
        description=summary(feature),
        concern=concern_of(scenario_id),
    )


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
