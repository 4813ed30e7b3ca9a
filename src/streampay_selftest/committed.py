"""The results that are in the repository, and whether they are still about this corpus."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from streampay_selftest.case import Case
from streampay_selftest.case_selection import unknown
from streampay_selftest.page import FILES
from streampay_selftest.results import CaseResult, Results, from_json, to_json
from streampay_smoke.core.files import replace_file

FOLDER = Path("docs/selftest")
RESULTS = "results.json"


def committed_results(root: Path) -> Results | None:
    """Return the results in the repository at `root`, None where there are none that can be read."""
    try:
        return from_json((root / FOLDER / RESULTS).read_bytes())
    except (OSError, msgspec.DecodeError):
        return None


def write(root: Path, results: Results) -> None:
    """Write results, and the files that are made of them."""
    replace_file(root / FOLDER / RESULTS, to_json(results))
    for name, made in FILES.items():
        replace_file(root / FOLDER / name, made(results).encode())


def drift(root: Path, corpus: Mapping[str, Case]) -> Iterator[str]:
    """Yield how the repository's results differ from the corpus, and its files from the results."""
    results = committed_results(root)
    if results is None:
        yield f"{FOLDER / RESULTS} is missing or cannot be read; run streampay-smoke selftest --every-case --write"
        return
    yield from _of_cases(results.by_name, corpus)
    for name, made in FILES.items():
        path = root / FOLDER / name
        if not path.is_file() or path.read_text(encoding="utf-8") != made(results):
            yield f"{FOLDER / name} is not what {RESULTS} makes of it; run scripts/check_docs.py --write"


def _of_cases(results: Mapping[str, CaseResult], corpus: Mapping[str, Case]) -> Iterator[str]:
    for name in sorted(unknown(corpus, results)):
        yield f"{name!r} is new, or not what it was when it was played; {_play(name)}"
    for name in results.keys() - corpus.keys():
        yield f"{FOLDER / RESULTS} has {name!r}, which is in the corpus no more; {_play(next(iter(corpus)))}"


def _play(name: str) -> str:
    return f"run streampay-smoke selftest --full --write --only {name!r}"
