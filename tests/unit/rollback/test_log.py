"""The intent log: on the disk before anything is done, held by one, and no change to it goes unnoticed."""

import fcntl
import json
import multiprocessing
import os
from pathlib import Path

import pytest
from waits import HANG_SECONDS

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.core.secret_shapes import REDACTED
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.rollback.log import (
    AnyLogStep,
    EngineAccepted,
    EngineAsked,
    IntentLog,
    LogDamaged,
    RollbackIntended,
    RollbackProved,
    RollbackUnderWay,
    TargetRecorded,
    read_log,
)

RECORDED = TargetRecorded(deploy="d-1", release="v1", engine_release="v1", looks=3)
INTENDED = RollbackIntended(deploy="d-1", failed_release="v2", target_release="v1", key="k", seen="v2")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rollback" / "staging.jsonl"


def write(path: Path, *steps: AnyLogStep) -> None:
    with IntentLog.held(path, Redactor()) as log:
        for step in steps:
            log.append(step)


def test_what_is_written_is_read_back_by_deploy(path: Path) -> None:
    second = TargetRecorded(deploy="d-2", release="v2", engine_release="", looks=1)
    write(path, RECORDED, second)
    write(path, INTENDED, EngineAsked(deploy="d-1", attempt=1))
    read = read_log(path)
    assert list(read.deploys) == ["d-1", "d-2"]
    assert (read.of("d-1").recorded, read.of("d-1").intended, read.of("d-1").asked) == (RECORDED, INTENDED, 1)
    assert read.of("d-1").proved is None
    assert read.of("d-2").recorded == second
    assert read.of("d-2").intended is None
    assert read.newest == "d-2"
    assert read.of("d-3").last is None


def test_a_log_nobody_wrote_is_empty(path: Path) -> None:
    assert read_log(path).deploys == {}
    assert read_log(path).newest == ""
    assert not path.exists()


def test_the_first_record_that_names_a_release_stands(path: Path) -> None:
    nothing = TargetRecorded(deploy="d-1", release="", engine_release="", looks=1, because="silence")
    later = TargetRecorded(deploy="d-1", release="v2", engine_release="", looks=1)
    write(path, nothing)
    assert read_log(path).of("d-1").recorded == nothing
    write(path, RECORDED, later)
    assert read_log(path).of("d-1").recorded == RECORDED


def test_a_line_is_on_the_disk_before_append_returns(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []

    def fsync(file: int) -> None:
        synced.append(len(path.read_bytes().splitlines()) if path.exists() else 0)

    monkeypatch.setattr(os, "fsync", fsync)
    write(path, RECORDED, INTENDED)
    assert synced == [0, 1, 2]  # the folder first, for a new file's name is kept there


def test_the_file_is_for_its_owner_only(path: Path) -> None:
    write(path, RECORDED)
    assert path.stat().st_mode & 0o077 == 0


def test_a_half_written_last_line_was_never_acknowledged_and_is_cut_off(path: Path) -> None:
    write(path, RECORDED, INTENDED)
    whole = path.read_bytes()
    for length in range(len(whole.splitlines()[0]) + 2, len(whole)):
        path.write_bytes(whole[:length])
        assert read_log(path).of("d-1").intended is None
    write(path, EngineAsked(deploy="d-1", attempt=1))
    assert (read_log(path).of("d-1").intended, read_log(path).of("d-1").asked) == (None, 1)


def test_every_changed_byte_is_noticed(path: Path) -> None:
    write(path, RECORDED, INTENDED, EngineAccepted(deploy="d-1", said="ok"))
    whole = path.read_bytes()
    ends_at = len(b"\n".join(whole.splitlines()[:2]))
    unnoticed = []
    for at in range(ends_at):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        try:
            read_log(path)
            unnoticed.append(at)
        except LogDamaged:
            pass
    assert not unnoticed


def test_a_damaged_log_is_not_written_to(path: Path) -> None:
    write(path, RECORDED, INTENDED)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[1])
    with pytest.raises(LogDamaged, match="line 1 of"):
        write(path, EngineAsked(deploy="d-1", attempt=1))
    assert path.read_bytes() == lines[1]


def test_only_one_holds_it(path: Path) -> None:
    with (
        IntentLog.held(path, Redactor()),
        pytest.raises(RollbackUnderWay, match="another rollback holds"),
        IntentLog.held(path, Redactor()),
    ):
        pytest.fail("held twice")
    assert read_log(path).deploys == {}
    write(path, RECORDED)


def _hold_and_die(path: Path) -> None:
    with IntentLog.held(path, Redactor()) as log:
        log.append(RECORDED)
        os.kill(os.getpid(), 9)


def test_a_holder_that_is_killed_holds_nothing(path: Path) -> None:
    holder = multiprocessing.get_context("spawn").Process(target=_hold_and_die, args=(path,))
    holder.start()
    holder.join(HANG_SECONDS)
    assert holder.exitcode == -9
    write(path, INTENDED)
    assert read_log(path).of("d-1").recorded == RECORDED


def test_no_secret_is_kept(path: Path) -> None:
    redactor = Redactor()
    redactor.learn("an-engine-token")
    with IntentLog.held(path, redactor) as log:
        log.append(EngineAccepted(deploy="d-1", said="used an-engine-token and Bearer abcdef12345"))
    assert b"an-engine-token" not in path.read_bytes()
    (line,) = path.read_text().splitlines()
    assert json.loads(line)["step"] == {
        "step": "accepted",
        "deploy": "d-1",
        "said": f"used {REDACTED} and Bearer {REDACTED}",
    }


def test_a_log_that_cannot_be_written_is_said_before_anything_is_done(tmp_path: Path) -> None:
    (tmp_path / "a-file").write_text("")
    with (
        pytest.raises(SettingsInvalid, match="cannot be used: File exists") as caught,
        IntentLog.held(tmp_path / "a-file" / "x.jsonl", Redactor()),
    ):
        pytest.fail("held")
    assert "SMOKE_ROLLBACK_LOG" in caught.value.next_step
    with pytest.raises(SettingsInvalid, match="Is a directory"):
        read_log(tmp_path)


def test_a_full_disk_is_said(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: int) -> None:
        raise OSError(28, "No space left on device")

    with IntentLog.held(path, Redactor()) as log:
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(SettingsInvalid, match="No space left on device"):
            log.append(RECORDED)


def test_a_file_system_without_locks_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(file: int, how: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.raises(SettingsInvalid, match="Operation not supported"):
        write(path, RECORDED)


def test_a_proof_is_read_back(path: Path) -> None:
    proof = RollbackProved(deploy="d-1", release="v1", promises=("it is ready",), notes=("the ledger is down",))
    write(path, RECORDED, INTENDED, proof)
    assert read_log(path).of("d-1").proved == proof
    last = read_log(path).of("d-1").last
    assert last is not None
    assert last.step == proof
