"""The journal keeps every event in order, and notices every change to what was written."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streampay_smoke.core.secret_shapes import REDACTED
from streampay_smoke.evidence.events import AnyEvent, Checked, Interrupted, RunFinished
from streampay_smoke.evidence.journal import Entry, Journal, read
from streampay_smoke.evidence.redaction import Redactor

EVENTS: list[AnyEvent] = [
    Checked(promise="it is ready", held=True, expected="ready", observed="ready"),
    Checked(promise="it pays", held=False, expected="1", observed="2"),
    RunFinished(failed=True, hook_failures=0, statuses={"a/b": "failed"}),
]


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "journal.jsonl"
    with Journal(path, Redactor(), now_ms=lambda: 1_700_000_000_000) as journal:
        for event in EVENTS:
            journal.append(event)
    return path


def test_what_is_written_is_read_back(written: Path) -> None:
    journal = read(written)
    assert [entry.event for entry in journal.entries] == EVENTS
    assert [entry.seq for entry in journal.entries] == [1, 2, 3]
    assert not journal.truncated
    assert journal.tampered_at == 0


def test_the_file_is_for_its_owner_only(written: Path) -> None:
    assert written.stat().st_mode & 0o077 == 0


def test_an_event_is_on_disk_as_soon_as_it_is_appended(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path, Redactor())
    journal.append(EVENTS[0])
    assert len(read(path).entries) == 1
    journal.close()


def test_a_cut_off_last_line_is_left_out(written: Path) -> None:
    written.write_bytes(written.read_bytes()[:-5])
    journal = read(written)
    assert len(journal.entries) == 2
    assert journal.truncated
    assert journal.tampered_at == 0


def test_a_second_writer_goes_on_after_a_cut_off_line(written: Path) -> None:
    written.write_bytes(written.read_bytes()[:-5])
    with Journal(written, Redactor()) as journal:
        journal.append(Interrupted(reason="killed"))
    after = read(written)
    assert [entry.event for entry in after.entries] == [*EVENTS[:2], Interrupted(reason="killed")]
    assert after.tampered_at == 0


def test_any_changed_byte_is_noticed_or_cuts_the_evidence(written: Path) -> None:
    whole, genuine = written.read_bytes(), read(written)
    for position in range(len(whole)):
        changed = bytearray(whole)
        changed[position] ^= 1
        written.write_bytes(bytes(changed))
        journal = read(written)
        assert journal.tampered_at or journal.truncated, position
        assert journal.sha256 != genuine.sha256, position


def test_a_removed_line_is_noticed(written: Path) -> None:
    lines = written.read_bytes().splitlines(keepends=True)
    written.write_bytes(lines[0] + lines[2])
    assert read(written).tampered_at == 2


def test_swapped_lines_are_noticed(written: Path) -> None:
    lines = written.read_bytes().splitlines(keepends=True)
    written.write_bytes(lines[1] + lines[0] + lines[2])
    assert read(written).tampered_at == 1


def test_an_event_nobody_knows_is_noticed(written: Path) -> None:
    written.write_bytes(written.read_bytes().replace(b'"event":"checked"', b'"event":"praised"'))
    assert read(written).tampered_at == 1


def test_a_changed_last_line_is_noticed(written: Path) -> None:
    written.write_bytes(written.read_bytes().replace(b'"failed":true', b'"failed":false'))
    assert read(written).tampered_at == 3


def test_a_line_without_its_own_digest_is_noticed(written: Path) -> None:
    written.write_bytes(re.sub(rb',"sum":"[0-9a-f]*"\}\n$', b"}\n", written.read_bytes()))
    assert read(written).tampered_at == 3


@pytest.mark.parametrize(
    ("change", "stands"),
    [
        (lambda path: None, True),
        (lambda path: path.unlink(), False),
        (lambda path: path.write_bytes(b""), False),
        (lambda path: path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2])), False),
        (lambda path: path.write_bytes(path.read_bytes().replace(b"hook", b"Hook")), False),
    ],
    ids=["nothing", "removed", "emptied", "cut", "changed"],
)
def test_a_writer_knows_whether_its_lines_are_still_there(
    tmp_path: Path, change: Callable[[Path], object], stands: bool
) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path, Redactor()) as journal:
        for event in EVENTS:
            journal.append(event)
        change(path)
        assert journal.is_intact() is stands


def test_evidence_that_cannot_be_kept_is_an_error(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl", Redactor())
    os.close(journal._file)
    with pytest.raises(OSError, match="Bad file descriptor"):
        journal.append(EVENTS[0])


def test_secrets_are_redacted_on_the_way_in_and_the_chain_still_holds(tmp_path: Path) -> None:
    path, redactor = tmp_path / "journal.jsonl", Redactor()
    redactor.learn("correct horse battery")
    with Journal(path, redactor) as journal:
        journal.append(Checked(promise="said correct horse battery", held=True))
        journal.append(EVENTS[0])
    assert b"correct horse" not in path.read_bytes()
    assert read(path).entries[0].event == Checked(promise=f"said {REDACTED}", held=True)
    assert len(read(path).entries) == 2


@given(st.lists(st.text(), max_size=5), st.data())
def test_every_text_survives(tmp_path_factory: pytest.TempPathFactory, texts: list[str], data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    storable = [text.encode("utf-8", "ignore").decode() for text in texts]
    with Journal(path, Redactor()) as journal:
        for text in storable:
            journal.append(Interrupted(reason="x", detail=text))
    details = [msgspec.to_builtins(entry)["event"]["detail"] for entry in read(path).entries]
    assert details == [Redactor().text(text) for text in storable]
    assert all(isinstance(entry, Entry) for entry in read(path).entries)
