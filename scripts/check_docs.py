"""Keeps what is written in step with what is true.

`check_docs.py` names every difference and ends with 1; `check_docs.py --write` writes the generated files anew.
Generated: env.example, docs/modes.md, the table of settings in docs/configuration.md, docs/tags.md, docs/policy.md,
docs/schemas/*.json, and from docs/selftest/results.json what is beside it; those results must be about exactly the
corpus of the selftest. Read: README.md and docs/, which must name no variable, page or section that does not exist, as
many scenarios as there are, and every reason code in the runbook.
"""

import ast
import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from streampay_selftest.committed import committed_results, drift, write
from streampay_selftest.corpus import CORPUS
from streampay_smoke.evidence.bake import ERROR_BURN
from streampay_smoke.evidence.canary import CANARY_ERRORS
from streampay_smoke.evidence.policy import Policy
from streampay_smoke.gate import policy, verdict
from streampay_smoke.gate.canary import NO_WORSE, WORSE
from streampay_smoke.gate.objectives import MISSED
from streampay_smoke.gate.verdict import VerdictStatus
from streampay_smoke.run import pins
from streampay_smoke.runner.feature_lint import KNOWN_TAGS
from streampay_smoke.settings import pages as settings_pages
from streampay_smoke.settings.variables import VARIABLES

ROOT = Path(__file__).resolve().parents[1]
WRITE = "run scripts/check_docs.py --write and commit the result"


TABLE = ("<!-- the settings, generated -->\n", "<!-- end of the settings -->\n")


def with_table(page: str) -> str:
    """A page with the table of settings made anew between its two marks; at its end where it has none."""
    before, _, rest = page.partition(TABLE[0])
    return f"{before}{TABLE[0]}\n{settings_pages.table()}\n{TABLE[1]}{rest.partition(TABLE[1])[2]}"


def tags_page() -> str:
    """The list of tags, for those who select by them."""
    lines = "".join(f"- `@{tag}`: {meaning}\n" for tag, meaning in KNOWN_TAGS.items())
    return (
        "# Tags\n\n"
        "A feature may carry these tags and no others; "
        "`python -m streampay_smoke.runner.feature_lint` refuses the rest.\n"
        "Select with `behave --tags=@streams` or `scripts/smoke.sh --tags '@smoke and not @money'`.\n\n"
        f"{lines}"
    )


def verdict_schema() -> str:
    """The JSON Schema of verdict.json."""
    return json.dumps(verdict.schema(), indent=2, ensure_ascii=False) + "\n"


def decision_schema() -> str:
    """The JSON Schema of decision.json."""
    return json.dumps(policy.schema(), indent=2, ensure_ascii=False) + "\n"


_WHOLE = policy.Circumstances(whole_suite=True)

EXAMPLES: Sequence[tuple[str, policy.VerdictSummary, policy.Circumstances]] = (
    (
        "PASS of the whole suite",
        policy.VerdictSummary(status=VerdictStatus.PASS, reason_code="all_promises_kept"),
        _WHOLE,
    ),
    (
        "PASS of a part of it",
        policy.VerdictSummary(status=VerdictStatus.PASS, reason_code="all_promises_kept"),
        policy.Circumstances(whole_suite=False),
    ),
    ("FAIL, a broken promise", policy.VerdictSummary(status=VerdictStatus.FAIL, reason_code="promise_broken"), _WHOLE),
    (
        "FAIL, replicas that disagree",
        policy.VerdictSummary(status=VerdictStatus.FAIL, reason_code="replicas_disagree"),
        _WHOLE,
    ),
    (
        "any answer of a rehearsal",
        policy.VerdictSummary(status=VerdictStatus.PASS, reason_code="all_promises_kept", rehearsal=True),
        _WHOLE,
    ),
    (
        "FAIL, the error budget burnt while it was watched",
        policy.VerdictSummary(status=VerdictStatus.FAIL, reason_code=MISSED, missed=(ERROR_BURN,)),
        _WHOLE,
    ),
    (
        "FAIL, the candidate proved worse than the stable release",
        policy.VerdictSummary(status=VerdictStatus.FAIL, reason_code=WORSE, missed=(CANARY_ERRORS,)),
        _WHOLE,
    ),
    (
        "PASS of a comparison alone",
        policy.VerdictSummary(status=VerdictStatus.PASS, reason_code=NO_WORSE),
        policy.Circumstances(whole_suite=False),
    ),
    (
        "FAIL of a comparison alone",
        policy.VerdictSummary(status=VerdictStatus.FAIL, reason_code=WORSE, missed=(CANARY_ERRORS,)),
        policy.Circumstances(whole_suite=False),
    ),
    (
        "FAIL, another gating objective missed",
        policy.VerdictSummary(status=VerdictStatus.FAIL, reason_code=MISSED, missed=("settlement_time",)),
        _WHOLE,
    ),
    (
        "FAIL, the expected release never answered",
        policy.VerdictSummary(status=VerdictStatus.FAIL, reason_code=policy.NOT_DEPLOYED),
        _WHOLE,
    ),
    (
        "FAIL of a part of the suite",
        policy.VerdictSummary(status=VerdictStatus.FAIL, reason_code="promise_broken"),
        policy.Circumstances(whole_suite=False),
    ),
    ("INCONCLUSIVE", policy.VerdictSummary(status=VerdictStatus.INCONCLUSIVE, reason_code="chain_unavailable"), _WHOLE),
    (
        "INCONCLUSIVE, and the two runs before it too",
        policy.VerdictSummary(status=VerdictStatus.INCONCLUSIVE, reason_code="chain_unavailable"),
        policy.Circumstances(whole_suite=True, inconclusive_before=2),
    ),
    ("CONFIG", policy.VerdictSummary(status=VerdictStatus.CONFIG, reason_code="settings_invalid"), _WHOLE),
    ("SAFETY", policy.VerdictSummary(status=VerdictStatus.SAFETY, reason_code="guard_refused"), _WHOLE),
)
"""One run of each kind, in words, for the page that shows what the policy makes of them."""


def policy_page() -> str:
    """What each answer leads to: the policy itself, asked about one run of each kind."""
    default = Policy()
    rows = "".join(
        f"| {said} | {decision.step} | {'yes' if decision.page else '-'} | {decision.because} |\n"
        for said, decision in ((said, policy.decide(answer, default, run, run_id="")) for said, answer, run in EXAMPLES)
    )
    return (
        "# What a verdict leads to\n\n"
        "Every run writes `decision.json` beside `verdict.json`, whose `action` is the same step.\n"
        "This is the default policy; `[policy]` of an environment file changes it "
        "([configuration](configuration.md)).\n\n"
        f"| a run that | step | pages | because |\n|---|---|---|---|\n{rows}\n"
        "The whole suite is every scenario of the smoke that this environment plans without tags or paths:\n"
        "what it leaves out by name, as a read-only production does, makes no part of it.\n\n"
        "`rollback` is what the decision asks of CD. The run itself starts it only with `--on-fail rollback`, and\n"
        "each of these alone keeps it from doing so ([rollback](rollback.md)):\n\n"
        + "".join(f"- {refusal.because}\n" for refusal in policy.ROLLBACK_OBSTACLES)
    )


GENERATED = {
    "env.example": settings_pages.env_example,
    "docs/modes.md": settings_pages.modes_page,
    "docs/tags.md": tags_page,
    "docs/policy.md": policy_page,
    "docs/schemas/verdict.schema.json": verdict_schema,
    "docs/schemas/decision.schema.json": decision_schema,
}


HAS_TABLE = "docs/configuration.md"


def stale_files(root: Path) -> Iterator[str]:
    """Generated files that are not what would be generated now."""
    for name, content in GENERATED.items():
        path = root / name
        if not path.is_file() or path.read_text(encoding="utf-8") != content():
            yield f"{name} is missing or out of date; {WRITE}"
    page = root / HAS_TABLE
    if not page.is_file() or page.read_text(encoding="utf-8") != with_table(page.read_text(encoding="utf-8")):
        yield f"{HAS_TABLE} is missing or its table of settings out of date; {WRITE}"


def unknown_variables(root: Path) -> Iterator[str]:
    """Variables on pages that do not exist."""
    pages = [root / "README.md", *sorted((root / "docs").rglob("*.md"))]
    texts = {page: page.read_text(encoding="utf-8") for page in pages if page.is_file()}
    for page, text in texts.items():
        for name in sorted(set(re.findall(r"SMOKE_[A-Z0-9_]*[A-Z0-9]", text)) - set(VARIABLES)):
            yield f"{page.relative_to(root)} names {name}, which does not exist; correct the page"


def anchors(text: str) -> set[str]:
    """Return the anchors of a page: its headings, in the form that links to them have."""
    plain = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", plain, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(root: Path) -> Iterator[str]:
    """Links to another file that is not there, and to a section that a page does not have."""
    for page in [root / "README.md", root / "CHANGELOG.md", *sorted((root / "docs").rglob("*.md"))]:
        if not page.is_file():
            continue
        text = page.read_text(encoding="utf-8")
        for target, anchor in re.findall(r"\]\(([^)#:\s]*)(?:#([^)\s]*))?\)", text):
            path = page.parent / target if target else page
            if not path.exists():
                yield f"{page.relative_to(root)} points at {target}, which does not exist; correct the link"
            elif anchor and path.suffix == ".md" and anchor not in anchors(path.read_text(encoding="utf-8")):
                yield f"{page.relative_to(root)} points at {target}#{anchor}, a section it lacks; correct the link"


JUDGED = ("acceptance", "chain", "core", "evidence", "gate", "http", "run", "runner", "service", "settings")
"""The rooms whose failures become reason codes of verdicts; the actuator has words of its own."""

ANSWERS = "serve/run_processes.py"
"""Where the service says in its own reason codes why a run's verdict is none to act on."""


def reason_codes(package: Path) -> set[str]:
    """Return the reason codes that the source names: kinds of failures, and what findings and rules are given."""
    codes: set[str] = set()
    for path in (*package.glob(ANSWERS), *(path for room in JUDGED for path in sorted((package / room).rglob("*.py")))):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            codes |= _codes_of(node)
    return codes


def _codes_of(node: ast.AST) -> set[str]:
    match node:
        case ast.ClassDef():
            given = [each.value for each in node.body if isinstance(each, ast.Assign) and _names(each, "kind")]
        case ast.keyword(arg="reason_code"):
            given = [node.value]
        case ast.Call(func=ast.Name(id="unproved" | "_no_verdict"), args=[first, *_]):
            given = [first]
        case _:
            return set()
    return {each.value for each in given if isinstance(each, ast.Constant) and isinstance(each.value, str)} - {""}


def _names(assigned: ast.Assign, name: str) -> bool:
    return any(isinstance(target, ast.Name) and target.id == name for target in assigned.targets)


def unexplained(root: Path) -> Iterator[str]:
    """Reason codes without a section of the runbook."""
    runbook = root / "docs/runbook.md"
    known = anchors(runbook.read_text(encoding="utf-8")) if runbook.is_file() else set()
    for code in sorted(reason_codes(root / "src/streampay_smoke") - known):
        yield f"docs/runbook.md has no section {code}; write what on-call does about it"


def miscounted(root: Path) -> Iterator[str]:
    """What README.md and the sample run say of the suite, where the suite as accepted says something else."""
    accepted = pins.read(root / "features" / pins.FILE)
    scenarios = [pin.name for pin in accepted.values() if isinstance(pin, pins.PinnedScenario)]
    features = {name.split("/")[0] for name in scenarios}
    claim = f"{len(scenarios)} plain-language scenarios in {len(features)} features"
    if claim not in (root / "README.md").read_text(encoding="utf-8"):
        yield f"README.md does not say {claim!r}; correct its number"
    sample = "docs/sample-green-run.log"
    if f"\n{len(scenarios)} scenarios passed, 0 failed" not in (root / sample).read_text(encoding="utf-8"):
        yield f"{sample} is not of these {len(scenarios)} scenarios; show a newer run"


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Check, or with --write generate; 1 when something differs."""
    if arguments == ["--write"]:
        for name, content in GENERATED.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(content(), encoding="utf-8")
        page = root / HAS_TABLE
        page.write_text(with_table(page.read_text(encoding="utf-8") if page.exists() else ""), encoding="utf-8")
        if (measured := committed_results(root)) is not None:
            write(root, measured)
        return 0
    differences = [
        *stale_files(root),
        *unknown_variables(root),
        *broken_links(root),
        *unexplained(root),
        *miscounted(root),
        *drift(root, CORPUS),
    ]
    for difference in differences:
        print(difference)
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
