"""The history's file: merged in any order, written by many processes at once, and whole after one was killed."""

import itertools
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from history_parts import run_record
from waits import HANG_SECONDS

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.history.record import Line, RunMark, from_line, lines_in, to_line
from streampay_smoke.history.store import HistoryStore, HistoryUnusable

MARK = RunMark(run_id=run_record().run_id, mark="false-alarm", why="the ledger was late", who="Ada", at_ms=5)

WRITER = """
import sys
from pathlib import Path
from history_parts import run_record
from streampay_smoke.history.store import HistoryStore
first = int(sys.argv[2])
for number in range(first, first + 5):
    with HistoryStore.open(Path(sys.argv[1]), busy_seconds=60) as store:
        store.put([run_record(number)])
"""

KILLED = """
import sys
from pathlib import Path
from history_parts import run_record
from streampay_smoke.history.store import HistoryStore
def lines():
    for number in range(100, 200):
        yield run_record(number, message="x" * 50_000)  # more than the cache holds: the file itself is half-way
    print("in the middle", flush=True)
    sys.stdin.read()
with HistoryStore.open(Path(sys.argv[1])) as store:
    store.put(lines())
"""


def process(script: str, *arguments: str) -> "subprocess.Popen[str]":
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parents[2] / 'support')!r})\n{script}"
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_runs_come_back_the_newest_first_and_without_those_that_began_later(tmp_path: Path) -> None:
    runs = [run_record(number) for number in (2, 1, 3)]
    with HistoryStore.open(tmp_path / "new" / "history.sqlite") as store:
        assert store.put(runs) == 3
        assert [run.recorded_at_ms - 1_000_000 for run in store.runs()] == [3, 2, 1]
        assert list(store.runs(before=runs[0].run_id)) == [runs[1]]
        assert store.known() == {run.run_id for run in runs}


def test_lines_of_several_machines_merge_alike_in_any_order_and_any_number_of_times(tmp_path: Path) -> None:
    before, after = run_record(1, "INCONCLUSIVE"), run_record(1, "PASS", recorded_at_ms=2_000_000, overridden=True)
    lines: list[Line] = [before, after, run_record(2), MARK, MARK]
    for number, order in enumerate(itertools.permutations(lines[:4])):
        with HistoryStore.open(tmp_path / f"{number}.sqlite") as store:
            store.put(order)
            assert store.put(lines) == 0
            assert (list(store.runs()), list(store.marks())) == ([run_record(2), after], [MARK])


def test_ten_processes_write_at_once_and_nothing_is_lost(tmp_path: Path) -> None:
    file = tmp_path / "history.sqlite"
    writers = [process(WRITER, str(file), str(number * 10)) for number in range(10)]
    for writer in writers:
        writer.communicate(timeout=HANG_SECONDS)
    assert [writer.returncode for writer in writers] == [0] * 10
    with HistoryStore.open(file) as store:
        assert len(list(store.runs())) == 50


def test_a_writer_killed_in_the_middle_leaves_what_was_there_before(tmp_path: Path) -> None:
    file = tmp_path / "history.sqlite"
    with HistoryStore.open(file) as store:
        store.put([run_record(1)])
    writer = process(KILLED, str(file))
    assert writer.stdout is not None
    assert writer.stdout.readline() == "in the middle\n"
    with pytest.raises(HistoryUnusable, match="locked"), HistoryStore.open(file, busy_seconds=0.01) as store:
        store.put([run_record(2)])
    writer.send_signal(signal.SIGKILL)
    writer.communicate(timeout=HANG_SECONDS)
    assert file.with_name("history.sqlite-journal").stat().st_size > 0
    with HistoryStore.open(file) as store:
        assert store.put([run_record(2)]) == 1
        assert [run.run_id for run in store.runs()] == [run_record(2).run_id, run_record(1).run_id]


@pytest.mark.parametrize("content", [b"not a database at all, " * 100, b"SQLite format 3\0" + bytes(84) + b"x" * 4000])
def test_a_file_that_is_no_history_is_named_and_left_alone(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "history.sqlite"
    file.write_bytes(content)
    with pytest.raises(HistoryUnusable, match=r"history\.sqlite cannot be used") as raised, HistoryStore.open(file):
        pass
    assert "history import" in raised.value.next_step
    assert file.read_bytes() == content


def test_a_folder_a_newer_version_and_a_damaged_line_are_named(tmp_path: Path) -> None:
    with pytest.raises(HistoryUnusable, match="unable to open"), HistoryStore.open(tmp_path):
        pass
    file = tmp_path / "history.sqlite"
    with HistoryStore.open(file) as store:
        store.put([run_record(1)])
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE runs SET line = '{}'")
        connection.commit()
    with HistoryStore.open(file) as store, pytest.raises(HistoryUnusable, match="kind"):
        list(store.runs())
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(HistoryUnusable, match="newer version"), HistoryStore.open(file):
        pass


def test_a_transaction_that_fails_keeps_none_of_its_lines(tmp_path: Path) -> None:
    with HistoryStore.open(tmp_path / "history.sqlite") as store:

        def lines() -> Iterator[Line]:
            yield run_record(1)
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            store.put(lines())
        assert store.known() == frozenset()


@pytest.mark.parametrize("line", [run_record(1), run_record(2, "FAIL", region="eu", whole_suite=None), MARK])
def test_a_line_comes_back_as_it_was(line: Line) -> None:
    assert from_line(to_line(line)) == line
    assert "\n" not in to_line(line)


@pytest.mark.parametrize(
    "spoilt",
    [
        {"run_id": "no/run id"},
        {"verdict": "MAYBE"},
        {"recorded_at_ms": -1},
        {"kind": "other"},
        {"environment": None},
        {"duration_ms": "soon"},
    ],
)
def test_a_line_that_is_none_is_refused_with_its_number(spoilt: dict[str, object]) -> None:
    good = to_line(run_record()).encode()
    bad = msgspec.json.encode({**msgspec.json.decode(good), **spoilt})
    with pytest.raises(SettingsInvalid, match="bucket, line 3: ") as raised:
        lines_in([good, b"", bad, good], "bucket")
    assert "nothing was imported" in raised.value.next_step


def test_many_bad_lines_are_counted() -> None:
    with pytest.raises(SettingsInvalid, match=r"line 5: .*\(and 3 more lines\)"):
        lines_in([b"\xff"] * 8, "bucket")
