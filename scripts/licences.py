"""Lists the licences of the packages a run installs, and refuses those that nobody has allowed.

`licences.py` names every package whose licence is not in ALLOWED, and a docs/licences.md that is out of date, and ends
with 1; `licences.py --write` writes the page. The packages are those of requirements/runtime.txt, their licences what
the installed packages say of themselves: run it with the Python of .venv or .venv-test.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK, PAGE = "requirements/runtime.txt", "docs/licences.md"

ALLOWED = frozenset({"Apache-2.0", "BSD", "BSD-2-Clause", "BSD-3-Clause", "MIT", "MIT-0", "MPL-2.0", "PSF-2.0"})
"""Licences under which a package may be installed beside MIT code, unchanged."""

CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
"""SPDX names of what older packages say by a classifier."""

UNKNOWN = "unknown"

FIELDS = ("License-Expression", "License")
"""Where a package says its licence, the newer way first."""


def locked(text: str) -> Iterator[str]:
    """Yield the names of the packages in a lock."""
    yield from re.findall(r"^([a-z0-9][\w.-]*)==", text, flags=re.MULTILINE)


def licence_of(about: metadata.PackageMetadata) -> str:
    """Return a package's licence as an SPDX expression, UNKNOWN where it tells none that can be read."""
    told = next((str(each) for field in FIELDS for each in about.get_all(field) or () if each), "")
    if told and re.fullmatch(r"[\w.()+ -]{2,60}", told):
        return CLASSIFIERS.get(told, told)
    classifiers = [each.rpartition(" :: ")[2] for each in about.get_all("Classifier") or () if "License ::" in each]
    return " AND ".join(CLASSIFIERS.get(each, UNKNOWN) for each in classifiers) or UNKNOWN


def allowed(expression: str) -> bool:
    """Whether an SPDX expression can be met by allowed licences alone."""
    choices = re.split(r"\s+OR\s+", expression.replace("(", "").replace(")", ""))
    return any(all(part in ALLOWED for part in re.split(r"\s+AND\s+", choice)) for choice in choices)


def licences(root: Path = ROOT) -> dict[str, str]:
    """Return the licence of each package in the lock by its name; UNKNOWN for one that is not installed."""
    found = {}
    for name in locked((root / LOCK).read_text(encoding="utf-8")):
        try:
            found[name] = licence_of(metadata.metadata(name))
        except metadata.PackageNotFoundError:
            found[name] = UNKNOWN
    return found


def page(found: Mapping[str, str]) -> str:
    """Return the page: each licence with its packages."""
    rows = "".join(
        f"| {licence} | {', '.join(name for name, each in sorted(found.items()) if each == licence)} |\n"
        for licence in sorted(set(found.values()))
    )
    return (
        "# Licences\n\n"
        f"What a run installs (`{LOCK}`), by what the packages say of themselves. Written by\n"
        "`.venv-test/bin/python scripts/licences.py --write`; a test refuses a licence that is not allowed there.\n"
        "`scripts/sbom.sh` writes the bill of materials with versions and licence texts (CycloneDX). The project's\n"
        "own licence is [MIT](../LICENSE). The extra `aws` adds botocore (Apache-2.0).\n\n"
        f"| licence | packages |\n|---|---|\n{rows}"
    )


def problems(found: Mapping[str, str], written: str) -> Iterator[str]:
    """Yield what is wrong with licences, and with a page about them."""
    for name, licence in sorted(found.items()):
        if not allowed(licence):
            yield f"{name} has the licence {licence!r}, which is not allowed: take another, or allow it"
    if written != page(found):
        yield f"{PAGE} is out of date; run scripts/licences.py --write"


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Check, or with --write write the page; 1 when something is wrong."""
    path, found = root / PAGE, licences(root)
    if arguments == ["--write"]:
        path.write_text(page(found), encoding="utf-8")
    wrong = list(problems(found, path.read_text(encoding="utf-8") if path.is_file() else ""))
    print("\n".join(wrong), end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
