"""A sample of `benchmarks/secret_search.py`: what a service spills is in nothing that a run leaves, prints or shows."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from spilled_secrets import SPILLED
from spilling import search, without_redaction

from streampay_sandbox.stack import Sandbox, start_sandbox

SHORT = "@readiness or @streams or @access"
BROKEN = "errors, bodies, pages and redirects"


@pytest.fixture(scope="module")
def spilled_upon() -> Iterator[Sandbox]:
    with start_sandbox() as running:
        yield running


@pytest.mark.parametrize("place", ["headers of good answers", BROKEN])
def test_nothing_spilled_is_in_anything_a_run_leaves(spilled_upon: Sandbox, tmp_path: Path, place: str) -> None:
    searched = search(spilled_upon, tmp_path / "project", place, seed=place, tags=SHORT)
    assert searched.exit_code == searched.expected_exit_code, searched.output
    assert searched.arrived >= len(SPILLED), "the journal must show that the secrets arrived"
    assert not searched.found
    names = " ".join(searched.files)
    for made in ("journal.jsonl", "verdict.json", "verdict.dsse.json", "summary.md", "ctrf.json", "cdevents.jsonl"):
        assert made in names
    for made in ("junit/", "allure-results/", "allure-report/", "github_summary", "output of doctor", "command lines"):
        assert made in names
    assert searched.command_lines >= 2


def test_the_search_finds_what_a_run_without_redaction_leaves(spilled_upon: Sandbox, tmp_path: Path) -> None:
    off = without_redaction(tmp_path / "off")
    searched = search(spilled_upon, tmp_path / "project", BROKEN, seed="planted", tags=SHORT, **off)
    found = {shape for shapes in searched.found.values() for shape in shapes}
    assert found >= set(SPILLED)
    assert any("journal.jsonl" in name for name in searched.found)
    assert any("allure-report" in name for name in searched.found)
