"""What a feature file must be before its scenarios may be trusted.

behave reads a misspelt keyword as free text, an empty file as nothing at all and an outline without rows as no
scenario, and exits 0 for each. A gate that runs such a file answers without having looked, so every rule here is
checked before a run (`problems`) and in CI (`python -m streampay_smoke.runner.feature_lint`).
"""

import difflib
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

from behave.model import Feature, Scenario, ScenarioOutline
from behave.parser import ParserError, parse_file

KNOWN_TAGS: Final[dict[str, str]] = {
    "smoke": "Part of the gate: runs after every deploy and decides the verdict.",
    "readiness": "The service and its dependencies are ready, and the expected release answers.",
    "streams": "The synthetic user lists their own streams, and nobody else does.",
    "settlement": "A synthetic stream is created, started and settled, and the recipient is paid once.",
    "settlement-keys": "Idempotency keys and receipts stand for one settlement, also where it failed.",
    "chain": "The ledger and the contract, checked without the service.",
    "access": "Unauthorized attempts are refused: keys, administration, sign-in, other users' streams, private data.",
    "webapp": "Browser requests are accepted from the web app (CORS, CSRF tokens), and from no other site.",
    "throttling": "Rate limits apply to each caller separately.",
    "throttling-evasion": "Rate limits cannot be evaded.",
    "api-v2-access": "API v2 refuses the credentials that API v1 refuses.",
    "events": "Live events of a stream reach its owner within seconds, and nobody else.",
    "webhooks": "Webhook events are accepted only with a valid signature.",
    "records": "Stream records are the same after repeated requests, in API v1 and v2, and on every replica.",
    "records-cancelled": "A cancelled stream is shown as cancelled in API v1 and API v2.",
    "operations": "The service answers every request, and can be monitored.",
    "money": "Moves test money: left out, by name, where an environment is read-only.",
    "expected-release": "Needs to know which release was deployed: left out, by name, where a run expects none.",
    "second-user": "Needs a second synthetic user, who must see nothing of the first.",
    "writes": "Tries to create or change a stream: left out, by name, where an environment is read-only.",
    "wallet": "Repeats the sign-in of a wallet: left out where the synthetic user signs in otherwise.",
    "own-wallet": "Acts in the name of the synthetic user's wallet: left out where a run does not know it.",
    "signing-secret": "Needs the secret tokens are signed with: left out where SMOKE_AUTH_JWT_SECRET is not set.",
    "app-origin": "Needs to know where the web app's pages come from: left out where an environment does not say.",
    "read-limit": "Uses up one caller's reads of a minute: left out where an environment does not name the limit.",
    "sign-in-limit": "Uses up an address's sign-ins of a minute: left out where an environment names no limit.",
    "live-events": "Listens to live events: left out, by name, where an environment does not say that there are any.",
    "canary": "Needs a stream that outlives releases: left out, by name, where an environment names none.",
    "metrics": "Reads the service's metrics: left out, by name, where an environment does not say that they can be.",
    "indexer": "Asks how far the index of the ledger is: left out, by name, where an environment has none.",
    "contract-admin": "Needs the contract's administrator: left out, by name, where an environment does not name one.",
    "blocker": "Allure severity: no release goes out with this broken.",
    "critical": "Allure severity: a main promise to users is broken.",
    "normal": "Allure severity: a promise is broken, with a way around it.",
    "minor": "Allure severity: noticed by few.",
}
"""Every tag a feature may carry, and what it selects. `docs/tags.md` prints this table."""

_KEYWORDS: Final = ("feature", "background", "scenario", "scenario outline", "examples", "rule")
_STEP_LIKE: Final = re.compile(r"(given|when|then|and|but)\b|\*\s", re.IGNORECASE)
_KEYWORD_LIKE: Final = re.compile(r"([A-Za-z][A-Za-z ]*?)\s*:")
_PLACEHOLDER: Final = re.compile(r"<([^<>]+)>")

# A bare number that is a usual status code counts as one unless a unit follows it.
_UNIT: Final = (
    r"\s*(?:%|(?:stroops?|xlm|m?s|(?:milli)?seconds?|minutes?|hours?|days?|streams?|ledgers?|times|pages?)\b)"
)
_STATUS: Final = r"(?:20[0-46]|30[1-478]|40[0-9]|41[0-5]|42[29]|50[0-4])"
_PLUMBING: Final = tuple(
    (what, re.compile(pattern))
    for what, pattern in (
        ("an address", r"(?i)\b[a-z][a-z0-9+.-]*://|\blocalhost\b|\b\d{1,3}(?:\.\d{1,3}){3}\b|\bURLs?\b"),
        ("a path", r"(?:^|[\s\"'(])/[\w-]+"),
        ("a wire format", r"(?i)\b(?:JSON|XDR|XML|YAML|base64)\b"),
        ("the protocol", r"\b(?i:HTTPS?|TCP|TLS)\b|\b(?:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS)\b"),
        ("a port", r"(?i)\bports?\b"),
        ("a header", r"(?i)\bheaders?\b|\bbearer\b|\bcookies?\b"),
        ("a status code", rf"(?i)\bstatus codes?\b|(?<![\d.,]){_STATUS}(?![\d.,]*\d)(?!{_UNIT})"),
    )
)
"""What a reader from product should never meet, and how it is recognised."""

Finding = tuple[int, str, str]
"""Line in the feature file, what is wrong, and the next step."""


def _parts(feature: Any) -> list[Any]:
    """The feature and its rules: what may hold scenarios and a background."""
    return [feature, *feature.iter_rules()]


def _scenarios(feature: Any) -> list[Any]:
    """Scenarios and outlines as written: not the scenarios an outline expands to, and no Rule."""
    return [item for part in _parts(feature) for item in part.run_items if isinstance(item, Scenario)]


def _outlines(feature: Any) -> list[Any]:
    return [item for item in _scenarios(feature) if isinstance(item, ScenarioOutline)]


def _backgrounds(feature: Any) -> list[Any]:
    return [part.background for part in _parts(feature) if part.background]


def _has_a_name(feature: Any) -> Iterator[Finding]:
    for item in (feature, *_scenarios(feature)):
        if not item.name.strip():
            yield item.line, f"this {item.keyword} has no name", "say in a few words what is promised"


def _has_a_description(feature: Any) -> Iterator[Finding]:
    if not feature.description:
        yield feature.line, "the feature has no description", "say below its name who is promised what, and why"


def _has_scenarios(feature: Any) -> Iterator[Finding]:
    if not _scenarios(feature):
        yield feature.line, "the feature has no scenario, so it proves nothing", "add a scenario or remove the file"


def _has_no_rule(feature: Any) -> Iterator[Finding]:
    for rule in feature.iter_rules():
        yield rule.line, f'Rule "{rule.name}": Allure drops the scenarios of a Rule', "use a feature file of its own"


def _looks_misspelt(text: str) -> bool:
    keyword = _KEYWORD_LIKE.match(text)
    return bool(keyword and difflib.get_close_matches(keyword[1].lower(), _KEYWORDS, n=1, cutoff=0.75))


def _description_hides_nothing(feature: Any) -> Iterator[Finding]:
    for text in feature.description:
        if _STEP_LIKE.match(text) or _looks_misspelt(text):
            yield (
                feature.line,
                f'"{text}" in the description reads like a keyword and is never run',
                "correct the keyword above or in it, or say it in other words",
            )


def _scenarios_hide_nothing(feature: Any) -> Iterator[Finding]:
    """A line before the first step that is no step: behave keeps it as description and runs nothing for it."""
    for owner in (*_backgrounds(feature), *_scenarios(feature)):
        for text in owner.description:
            yield (
                owner.line,
                f'"{text}" is read as description and is never run',
                "spell its keyword (Given, When, Then, And, But), or move the text to the feature's description",
            )


def _scenarios_have_steps(feature: Any) -> Iterator[Finding]:
    for scenario in _scenarios(feature):
        if not scenario.steps:
            yield scenario.line, f'"{scenario.name}" has no steps and would pass unrun', "write its steps or remove it"


def _scenarios_have_a_then(feature: Any) -> Iterator[Finding]:
    for scenario in _scenarios(feature):
        if scenario.steps and not any(step.step_type == "then" for step in scenario.steps):
            yield scenario.line, f'"{scenario.name}" has no Then, so it expects nothing', "say what must be true"


def _outlines_have_rows(feature: Any) -> Iterator[Finding]:
    for outline in _outlines(feature):
        if not outline.examples:
            yield outline.line, f'"{outline.name}" has no Examples, so it never runs', "add Examples with rows"
        for examples in outline.examples:
            if examples.table is None or not examples.table.rows:
                yield examples.line, f'the Examples of "{outline.name}" have no rows', "add rows or remove them"


def _placeholders_are_filled(feature: Any) -> Iterator[Finding]:
    for scenario in _scenarios(feature):
        tables = [examples.table for examples in getattr(scenario, "examples", ()) if examples.table is not None]
        for step in scenario.steps:
            for name in _PLACEHOLDER.findall(step.name):
                if not tables or any(name not in table.headings for table in tables):
                    yield step.line, f"<{name}> is in no Examples column", "add the column or write the value"


def _names_are_unique(feature: Any) -> Iterator[Finding]:
    first: dict[str, int] = {}
    for scenario in _scenarios(feature):
        line = first.setdefault(scenario.name, scenario.line)
        if line != scenario.line:
            yield (
                scenario.line,
                f'"{scenario.name}" is also the scenario in line {line}, and a verdict could not tell them apart',
                "rename one",
            )


def _tags_are_known(feature: Any) -> Iterator[Finding]:
    tagged = [*_parts(feature), *_scenarios(feature)]
    tagged += [examples for outline in _outlines(feature) for examples in outline.examples]
    for item in tagged:
        for tag in item.tags:
            if tag not in KNOWN_TAGS:
                near = difflib.get_close_matches(tag, KNOWN_TAGS, n=1)
                meant = f"write @{near[0]}" if near else "use one of docs/tags.md"
                yield item.line, f"@{tag} is not a known tag, so it selects nothing", meant


SPECIFICATION: Final = "SPECIFICATION"
"""Begins the part of a feature's description that defines its terms, and may name statuses."""


def summary(feature: Any) -> str:
    """Return a feature's description without its specification."""
    return " ".join(takewhile(lambda text: not text.startswith(SPECIFICATION), feature.description))


def _texts(feature: Any) -> Iterator[tuple[int, str]]:
    """Every text a reader sees, with its line; a specification is written for those who look terms up."""
    yield feature.line, feature.name
    yield feature.line, summary(feature)
    for item in (*_backgrounds(feature), *_scenarios(feature)):
        yield item.line, item.name
        for step in item.steps:
            yield step.line, step.name
            yield from ((step.line, text) for text in (step.text or "").splitlines())
            if step.table is not None:
                yield from _cells(step.table)
        for examples in getattr(item, "examples", ()):
            yield examples.line, examples.name
            if examples.table is not None:
                yield from _cells(examples.table)


def _cells(table: Any) -> Iterator[tuple[int, str]]:
    yield from ((table.line, heading) for heading in table.headings)
    yield from ((row.line, cell) for row in table.rows for cell in row.cells)


def _speaks_product_language(feature: Any) -> Iterator[Finding]:
    for line, text in _texts(feature):
        for what, pattern in _PLUMBING:
            if found := pattern.search(text):
                yield (
                    line,
                    f'"{found[0].strip()}" is {what}',
                    "say it in the words of a user; plumbing belongs in the step",
                )
                break


RULES: Final[tuple[Callable[[Any], Iterator[Finding]], ...]] = (
    _has_a_name,
    _has_a_description,
    _has_scenarios,
    _has_no_rule,
    _description_hides_nothing,
    _scenarios_hide_nothing,
    _scenarios_have_steps,
    _scenarios_have_a_then,
    _outlines_have_rows,
    _placeholders_are_filled,
    _names_are_unique,
    _tags_are_known,
    _speaks_product_language,
)


def problems(features: Sequence[Feature]) -> tuple[str, ...]:
    """Everything wrong with parsed features, as `file:line: what; next step`, in file and line order.

    Checks the features as written, not what a tag expression selects of them. An empty file is no `Feature` at
    all: only `problems_in` can see it.
    """
    found: list[str] = []
    where: dict[str, str] = {}
    for feature in features:
        shown = feature.filename  # as behave has it: relative to the current folder
        findings = [finding for rule in RULES for finding in rule(feature)]
        found += (f"{shown}:{line}: {what}; {next_step}" for line, what, next_step in sorted(findings))
        other = where.setdefault(feature.name, shown)
        if other != shown:
            found.append(f'{shown}:{feature.line}: "{feature.name}" is also the feature of {other}; rename one')
    return tuple(found)


def problems_in(paths: Sequence[Path]) -> tuple[str, ...]:
    """`problems` of feature files, and of every feature file below the folders, in `paths`.

    A file that is empty, cannot be parsed or is not there, and a folder without feature files, are problems too.
    """
    found: list[str] = []
    features: list[Feature] = []
    for path in paths:
        files = sorted(path.rglob("*.feature")) if path.is_dir() else [path]
        if not files:
            found.append(f"{path}: no feature file below this folder; name the folder that has them")
        for file in files:
            try:
                feature = parse_file(str(file))
            except OSError as error:
                found.append(f"{file}: cannot be read: {error.strerror}; check the path")
            except UnicodeDecodeError:
                found.append(f"{file}: is not UTF-8; save it as UTF-8")
            except ParserError as error:
                found.append(f"{file}:{error.line}: is no Gherkin: {' '.join(str(error).split())}; correct the line")
            else:
                if feature is None:
                    found.append(f"{file}:1: the file has no feature and would be left out; write one or remove it")
                else:
                    features.append(feature)
    return (*found, *problems(features))


def main(arguments: Sequence[str]) -> int:
    """Lint `arguments` (files or folders, `features` when there are none): 1 when there is anything to mend."""
    found = problems_in([Path(argument) for argument in arguments or ["features"]])
    for problem in found:
        print(problem)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
