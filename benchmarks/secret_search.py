"""Has a service and a ledger spill secrets in every shape, and searches all that runs leave, print and show for them.

    .venv/bin/python benchmarks/secret_search.py [--seed TEXT] [--write]

Plays a whole run, as a process, for each place where secrets can be spilled, with secrets of the operator in its
environment and `.env`; then one without redaction, which shows what the search can find. `--write` writes
docs/secret-search.md. Ends with 1 when a secret was found, or when the search missed one where nothing was redacted.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from spilled_secrets import DISGUISES, SPILLED  # noqa: E402
from spilling import PLACES, Searched, search, without_redaction  # noqa: E402

from streampay_sandbox.stack import start_sandbox  # noqa: E402
from streampay_selftest.commits import commit_of  # noqa: E402

PAGE = ROOT / "docs" / "secret-search.md"
UNPROTECTED = "errors, bodies, pages and redirects"


def wrongs(runs: Sequence[Searched], control: Searched) -> Iterator[str]:
    """Yield everything that must not be."""
    for run in runs:
        if run.exit_code != run.expected_exit_code:
            yield f"{run.place}: the run ended with {run.exit_code}, not {run.expected_exit_code}"
        if not run.arrived:
            yield f"{run.place}: nothing that was spilled arrived in the journal"
        yield from (f"{run.place}: {', '.join(shapes)} in {name}" for name, shapes in run.found.items())
    missed = set(SPILLED) - found_in(control)
    if missed:
        yield f"without redaction the search missed {', '.join(sorted(missed))}"


def found_in(run: Searched) -> set[str]:
    return {shape for shapes in run.found.values() for shape in shapes}


def page(runs: Sequence[Searched], control: Searched, found: Sequence[str], *, seed: str, seconds: float) -> str:
    rows = "".join(
        f"| {run.place} | {run.exit_code} | {run.answers} | {run.spilled} | {run.arrived} | {len(run.files)} "
        f"| {sum(run.files.values()):,} | {len(found_in(run))} |\n"
        for run in (*runs, control)
    )
    kinds = sorted({_kind(name) for run in runs for name in run.files} - {""})
    summary = "**No secret was found.**" if not found else f"**{len(found)} things were found:**"
    return f"""# Secrets, searched for

{summary} {len(SPILLED)} shapes of other people's secrets, and each of the operator's in {len(DISGUISES)} disguises,
were spilled by a service and a ledger in {len(runs)} runs; all that the runs left was searched, as it is and decoded.

{"".join(f"- {each}" + chr(10) for each in found) + chr(10) if found else ""}Made at commit `{commit_of(ROOT)}` by

```
.venv/bin/python benchmarks/secret_search.py --write
```

with seed {seed}, in {seconds:.0f} s. A sample is part of the tests (`tests/suite/test_secrets.py`); so is each shape by
itself, and what only looks like one and must stay (`tests/unit/evidence/test_secret_shapes.py`).

| spilled in | exit code | answers | spilled | in the journal | texts searched | letters | found |
|---|---:|---:|---:|---:|---:|---:|---:|
{rows}
The last row is a run without any redaction. The search finds {len(found_in(control) & set(SPILLED))} of the
{len(SPILLED)} shapes in it. That secrets arrived is told by a mark before each, which is no secret.

Searched are, besides the project's own files:
{", ".join(kinds)}.

A secret counts as found when twelve of its letters in a row can be read, as they are or with percent-escapes,
escapes of strings, HTML, hex, base64 or line breaks undone. The shapes and disguises stand in
`tests/support/spilled_secrets.py`.
"""


def _kind(name: str) -> str:
    parts = Path(name).parts
    if parts[0] in {"features", "environments", "behave.ini"}:
        return ""
    return f"`{parts[2]}`" if parts[0] == "artifacts" and len(parts) > 2 else name


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", default="1", metavar="TEXT")
    parser.add_argument("--write", action="store_true")
    chosen = parser.parse_args(arguments)
    began = time.monotonic()
    runs: list[Searched] = []
    with tempfile.TemporaryDirectory() as folder:
        for place in PLACES:
            with start_sandbox() as sandbox:
                runs.append(search(sandbox, Path(folder) / str(len(runs)), place, seed=chosen.seed))
            print(f"{place}: {runs[-1].arrived} arrived, found {sorted(found_in(runs[-1]))}", flush=True)
        with start_sandbox() as sandbox:
            off = without_redaction(Path(folder) / "off")
            control = search(sandbox, Path(folder) / "control", UNPROTECTED, seed=chosen.seed, **off)
    found = list(wrongs(runs, control))
    print("\n".join(found or ["nothing was found"]))
    if chosen.write:
        text = page(runs, control, found, seed=chosen.seed, seconds=time.monotonic() - began)
        PAGE.write_text(text, encoding="utf-8")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
