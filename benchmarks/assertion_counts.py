"""How many assertions each step makes at least: plays the suite in each way a run can be set up, and pins the fewest.

    python benchmarks/assertion_counts.py            plays (about two minutes) and writes features/manifest.jsonl
    python benchmarks/assertion_counts.py --check    plays, writes nothing, and ends with 1 when the numbers differ

What a step asserts must depend on the suite alone. Where it depends on the run (who signs in, how a settlement is
proved, which scenarios were played before), the fewest count: a run that asserts less than these is no evidence.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from streampay_smoke.run.embedded import start_sandbox
from streampay_smoke.run.pins import FILE
from streampay_smoke.runner import manifest
from streampay_smoke.runner.feature_lint import KNOWN_TAGS
from streampay_smoke.runner.plan import scenarios_below

ROOT = Path(__file__).resolve().parents[1]
FEATURES = ROOT / "features"

RELEASE = {"SMOKE_EXPECT_RELEASE": "sandbox"}
WAYS: Sequence[Mapping[str, str]] = (
    RELEASE,
    {},
    {**RELEASE, "SMOKE_SETTLEMENT_PROOF": "service"},
    {**RELEASE, "SMOKE_AUTH_MODE": "jwt"},
    {**RELEASE, "SMOKE_AUTH_MODE": "api-key"},
)


def tags_of_parts() -> Sequence[str]:
    """Return the tags that select a part of the suite: on-call plays one alone."""
    tags = {tag for item in scenarios_below(FEATURES) for tag in item.expected.tags if tag in KNOWN_TAGS}
    return sorted(f"@{tag}" for tag in tags)


def played(folder: Path, environ: Mapping[str, str], tags: str = "@smoke") -> Path:
    """Play a part of the suite against a sandbox of its own; returns the journal."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SMOKE_")}
    with start_sandbox("streampay-stream") as sandbox:
        settings = {**sandbox.ready_document()["env"], **environ, "SMOKE_ARTIFACTS": str(folder)}
        subprocess.run(
            [sys.executable, "-m", "streampay_smoke", "run", "--no-report", "--tags", tags],
            cwd=ROOT,
            env={**inherited, **settings},
            capture_output=True,
            timeout=120,
            check=False,  # a run that asserts less than was pinned is not PASS, and is what is looked for
        )
    (journal,) = (path for path in folder.glob("*/journal.jsonl") if not path.parent.is_symlink())
    return journal


def main(arguments: Sequence[str]) -> int:
    """Play and learn; with --check 1 when other numbers are pinned."""
    if arguments not in ([], ["--check"]):
        print(f"unknown: {' '.join(arguments)}; use nothing, or --check", file=sys.stderr)
        return 2
    path = FEATURES / FILE
    before = path.read_bytes()
    plays = [*((way, "@smoke") for way in WAYS), *((RELEASE, tags) for tags in tags_of_parts())]
    with tempfile.TemporaryDirectory() as scratch:
        journals = [played(Path(scratch) / str(at), way, tags) for at, (way, tags) in enumerate(plays)]
        manifest.learn(FEATURES, journals, anew=True)
    differs = path.read_bytes() != before
    if arguments:
        path.write_bytes(before)
    print(f"{len(plays)} runs; {'other numbers than were pinned' if differs else 'the numbers that were pinned'}")
    return int(bool(arguments) and differs)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
