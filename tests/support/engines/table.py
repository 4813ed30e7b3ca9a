"""The table of docs/engines.md: what every adapter was seen to do.

`PYTHONPATH=tests/support .venv-test/bin/python -m engines.table` plays them all and writes the table anew.
"""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from engines.adapters import ADAPTERS, Adapter
from engines.effects import Effect, Situation
from streampay_smoke.gate.verdict import VerdictStatus

PAGE = Path(__file__).parents[3] / "docs" / "engines.md"
BEGIN, END = "<!-- played: begin -->\n", "<!-- played: end -->\n"

HEAD = (
    f"| adapter | stage | {' | '.join(VerdictStatus)} | gate down | slow | called twice |\n"
    f"|---|---|{'---|' * len(VerdictStatus)}---|---|---|\n"
)

Seen = Mapping[tuple[VerdictStatus, Situation], Effect]


def played(adapter: Adapter, folder: Path) -> Seen:
    """Return what an adapter does at every status in every situation."""
    seen: dict[tuple[VerdictStatus, Situation], Effect] = {}
    for situation in Situation:
        for status in VerdictStatus:
            place = folder / f"{status}-{situation.name}"
            place.mkdir()
            seen[status, situation] = adapter.play(place, status, situation)
    return seen


def row(adapter: Adapter, seen: Seen) -> str:
    """Return an adapter's line."""
    normal = [seen[status, Situation.NORMAL] for status in VerdictStatus]
    others = [_among(seen, situation, normal) for situation in (Situation.DOWN, Situation.SLOW, Situation.TWICE)]
    name = f"{adapter.name} ([file](../deploy/{adapter.file}))"
    return f"| {' | '.join((name, adapter.stage, *normal, *others))} |\n"


def table_in(page: str) -> str:
    """Return the table of a page."""
    return page.split(BEGIN, 1)[1].split(END, 1)[0]


def _among(seen: Seen, situation: Situation, normal: list[Effect]) -> str:
    effects = [seen[status, situation] for status in VerdictStatus]
    if effects == normal:
        return "the same"
    return effects[0] if len(set(effects)) == 1 else ", ".join(effects)


def main() -> None:
    """Write the table anew."""
    os.fsync = lambda descriptor: None  # type: ignore[assignment]
    with tempfile.TemporaryDirectory() as folder:
        lines: list[str] = []
        for number, adapter in enumerate(ADAPTERS):
            place = Path(folder) / str(number)
            place.mkdir()
            lines.append(row(adapter, played(adapter, place)))
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(before + BEGIN + HEAD + "".join(lines) + END + rest.partition(END)[2])


if __name__ == "__main__":
    main()
