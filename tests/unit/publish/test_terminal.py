import io
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from streampay_smoke.gate.verdict import Action, Override, VerdictStatus
from streampay_smoke.publish import terminal, wording
from streampay_smoke.publish.terminal import (
    CONSOLE_LINES,
    Width,
    console_answer,
    console_block,
    paint_for,
    plain,
    width_of,
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_console_block_names_every_check_and_ends_with_what_next(sample: Callable[[str], Any]) -> None:
    block = console_block(sample("failing").report, plain)
    assert "\n  passed   The service is ready within 30 seconds  900 ms\n" in block
    assert '\n  failed   A caller with <junk> & "more" is refused (the release)  900 ms\n' in block
    assert "\nFAIL  The release broke a promise.\n" in block
    assert block.splitlines()[-1].startswith("Next: Roll back")
    assert "\033" not in block


def test_the_console_block_says_what_was_simulated(any_run: Any) -> None:
    assert f"On:   {wording.against(any_run.verdict)}" in console_block(any_run.report, plain)


@pytest.mark.parametrize("count", [1, 5, 8, 40])
@pytest.mark.parametrize("name", ["passing", "failing", "refused"])
def test_the_console_block_stays_short(many: Callable[[str, int], Any], name: str, count: int) -> None:
    assert len(console_block(many(name, count), plain).splitlines()) <= CONSOLE_LINES


def test_features_that_passed_whole_are_folded_when_there_are_many_checks(many: Callable[[str, int], Any]) -> None:
    lines = console_block(many("failing", 8), plain).splitlines()
    assert "Service is ready: 8 of 8 passed" in lines
    assert sum(line.startswith("  failed") for line in lines) == 8


def test_only_what_went_wrong_is_shown_when_there_is_too_much_of_it(many: Callable[[str, int], Any]) -> None:
    lines = console_block(many("failing", 40), plain).splitlines()
    assert "more: 80 passed, 40 failed in all" in "\n".join(lines)
    assert not any(line.startswith("  passed") for line in lines)


def test_where_nothing_went_wrong_and_room_is_short_the_checks_are_counted(
    many: Callable[[str, int], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "CONSOLE_LINES", 0)
    lines = console_block(many("passing", 2), plain).splitlines()
    assert "  6 passed in all" in lines
    assert not any("more: " in line for line in lines)


def test_long_lines_are_cut(sample: Callable[[str], Any]) -> None:
    run = sample("failing").report
    check = msgspec.structs.replace(run.scenarios[1].check, scenario="long " * 100)
    block = console_block(
        msgspec.structs.replace(run, scenarios=(msgspec.structs.replace(run.scenarios[1], check=check),)), plain
    )
    assert max(len(line) for line in block.splitlines()) <= 160
    assert "..." in block


def test_evidence_cannot_command_the_terminal(sample: Callable[[str], Any]) -> None:
    run = sample("ledger_down")
    verdict = msgspec.structs.replace(run.verdict, message_long="\x1b[2J\x9b31m\x07 gone\n  passed  all")
    block = console_block(msgspec.structs.replace(run, verdict=verdict).report, plain)
    assert "\nWhy:  [2J 31m gone passed all\n" in block


def test_neither_can_what_to_do_next_nor_a_direction_of_writing(sample: Callable[[str], Any]) -> None:
    run = sample("failing")
    override = Override(who="ana", why="drill", until="\x1b[2J\u202e2027", from_="CONFIG", to=VerdictStatus.PASS)
    verdict = msgspec.structs.replace(run.verdict, overrides=(override,), action=Action.PROMOTE)
    block = console_block(msgspec.structs.replace(run, verdict=verdict).report, plain)
    assert "see to its cause before [2J 2027." in block.splitlines()[-1]
    assert all(letter.isprintable() or letter == "\n" for letter in block)


@pytest.mark.parametrize(
    ("stream", "environ", "coloured"),
    [
        (Terminal(), {"TERM": "xterm"}, True),
        (Terminal(), {"TERM": "xterm", "NO_COLOR": ""}, True),
        (Terminal(), {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {"TERM": "xterm"}, False),
    ],
)
def test_colour_is_for_terminals_that_want_it(
    stream: io.StringIO, environ: dict[str, str], coloured: bool, sample: Callable[[str], Any]
) -> None:
    block = console_block(sample("failing").report, paint_for(stream, environ))
    assert ("\033[" in block) == coloured


def test_a_reason_the_verdict_had_to_cut_off_is_told_whole(sample: Callable[[str], Any]) -> None:
    run = sample("failing")
    assert "…" in run.verdict.message
    assert "Next: look at the release's authentication middleware." in wording.reason(run.verdict)
    assert "Next: look at the release's authentication middleware." in console_block(run.report, plain)


def test_an_endless_reason_takes_three_lines(sample: Callable[[str], Any]) -> None:
    run = sample("ledger_down")
    verdict = msgspec.structs.replace(run.verdict, message_long="so it is " * 200)
    lines = console_block(msgspec.structs.replace(run, verdict=verdict).report, plain).splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("Why:  "))
    assert lines[first + 2].endswith(" ...")
    assert lines[first + 3].startswith("On:   ")


def test_a_reason_that_is_too_long_still_says_what_to_do_next(sample: Callable[[str], Any]) -> None:
    run = sample("ledger_down")
    verdict = msgspec.structs.replace(run.verdict, message_long=f"{'so it is ' * 200}. Next: look at the ledger first.")
    report = msgspec.structs.replace(run, verdict=verdict).report
    for width in (Width(), Width(check=50, sentence=50)):
        assert "      Next: look at the ledger first.\n" in console_block(report, plain, width)


@pytest.mark.parametrize("name", ["passing", "failing", "refused"])
@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_block_is_as_wide_as_its_terminal_but_for_what_to_do_next(
    sample: Callable[[str], Any], name: str, columns: int
) -> None:
    lines = console_block(sample(name).report, plain, Width(check=columns, sentence=columns)).splitlines()
    assert all(len(line) <= columns for line in lines if "Next: " not in line and not line.startswith("Code: "))


@pytest.mark.parametrize("name", ["passing", "failing", "refused"])
def test_an_answer_has_five_lines(sample: Callable[[str], Any], name: str) -> None:
    run = sample(name)
    lines = console_answer(run.report, plain).splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["Why:", "On:", "Paid:", "Next:"]
    assert lines[-1].startswith(f"Next: {wording.next_step(run.verdict)}")


def test_a_broken_promise_is_explained_in_parts(sample: Callable[[str], Any]) -> None:
    lines = console_block(sample("failing").report, plain).splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("Why:  "))
    assert lines[at : at + 5] == [
        'Why:  A caller with <junk> & "more" is refused: the answer is a refusal',
        "      expected 401 or 403",
        "      seen     200 with 3 streams",
        "      The release did not keep its promise, and no control probe explains it otherwise.",
        "      Next: look at the release's authentication middleware.",
    ]


def test_the_width_is_that_of_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "72")
    assert width_of(Terminal()) == Width(check=72, sentence=72)
    assert width_of(io.StringIO()) == Width()
