"""docs/architecture.md: each place it sends a reader to is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
CHANGES = re.findall(r"^\| (.+?) \| (.+) \|$", PAGE.partition("## To change")[2].partition("\n## ")[0], re.MULTILINE)[
    2:
]
NAMED = sorted(set(re.findall(r"`((?:[\w-]+/)+(?:[\w.-]+\.(?:py|md|toml))?|[\w-]+\.(?:py|toml|ini))`", PAGE)))


def test_the_page_says_where_the_usual_changes_go() -> None:
    assert len(CHANGES) >= 12
    assert all("`" in place or "](" in place for _, place in CHANGES)


@pytest.mark.parametrize("place", NAMED)
def test_a_place_that_is_named_is_there(place: str) -> None:
    # In an installed wheel features and environments are in suite/, which no checkout has.
    folders = (ROOT, ROOT / "src/streampay_smoke", ROOT / "src/streampay_smoke/acceptance")
    assert place == "suite/" or any((folder / place).exists() for folder in folders)
