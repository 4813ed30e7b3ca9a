"""What is written down is read again, or its loss is said out loud."""

from pathlib import Path

import pytest

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.serve.attempts import Deploy, RunAttempt, RunOrder
from streampay_smoke.serve.store import Store


def attempt(name: str, *, number: int = 1, at_ms: int = 1) -> RunAttempt:
    deploy = Deploy(environment="staging", region="", name="d")
    return RunAttempt(id=name, number=number, order=RunOrder(deploy=deploy), supersedes="", asked_at_ms=at_ms)


def test_attempts_come_back_in_the_order_they_were_asked_for(tmp_path: Path) -> None:
    store = Store(tmp_path)
    kept = [attempt("b", at_ms=1), attempt("a", number=2, at_ms=2), attempt("c", number=3, at_ms=2)]
    for one in reversed(kept):
        store.keep(one)
    assert list(store.read()) == kept


def test_a_record_that_cannot_be_read_is_named_and_not_passed_over(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.keep(attempt("a"))
    (store.folder(attempt("a")) / "attempt.json").write_text("{")
    with pytest.raises(SettingsInvalid, match=r"a/attempt\.json cannot be read"):
        store.read()


def test_what_was_never_written_whole_was_never_told_and_goes(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (tmp_path / "attempts" / "half").mkdir()
    (tmp_path / "attempts" / "half" / ".attempt.json").write_text("{")
    assert store.read() == ()
    assert list((tmp_path / "attempts").iterdir()) == []


def test_one_service_works_in_a_folder(tmp_path: Path) -> None:
    first = Store(tmp_path)
    with pytest.raises(SettingsInvalid, match="another service"):
        Store(tmp_path)
    first.close()
    Store(tmp_path).close()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsInvalid, match="cannot be written"):
        Store(tmp_path / "file")


def test_nobody_else_may_look_into_the_attempts(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.keep(attempt("a"))
    assert store.folder(attempt("a")).stat().st_mode & 0o077 == 0
