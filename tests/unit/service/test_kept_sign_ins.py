"""Sign-ins that runs of a part share: readable for their owner only, for a few minutes, and never in the way."""

import os
import stat
import threading
import time
from pathlib import Path

import pytest

from streampay_smoke.service.kept_sign_ins import FIRST_LOOK_SECONDS, KEPT_SECONDS, KeptSignIns, folder_of_user

URL, USER, TOKEN = "https://staging.example", "GUSER", "tok_of_a_user"


@pytest.fixture
def now() -> list[float]:
    return [1000.0]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "sign-ins"


@pytest.fixture
def kept(folder: Path, now: list[float]) -> KeptSignIns:
    return KeptSignIns(folder, clock=lambda: now[0])


def test_what_is_kept_is_found_by_deployment_and_user_for_a_few_minutes(
    kept: KeptSignIns, folder: Path, now: list[float]
) -> None:
    kept.keep(URL, USER, TOKEN)
    assert kept.find(URL, USER) == TOKEN
    assert kept.find("https://other.example", USER) == kept.find(URL, "GOTHER") == ""
    now[0] += KEPT_SECONDS
    assert kept.find(URL, USER) == ""
    assert list(folder.iterdir()) == [], "an old token does not lie about"


def no_time(seconds: float) -> bool:
    return False


def test_a_run_that_waits_for_its_turn_finds_what_the_one_before_it_kept(kept: KeptSignIns) -> None:
    waiting, found = threading.Event(), []

    def wait(seconds: float) -> bool:
        waiting.set()
        time.sleep(seconds)
        return True

    def find() -> None:
        with kept.turn(URL, USER, wait):
            found.append(kept.find(URL, USER))

    other = threading.Thread(target=find)
    with kept.turn(URL, USER, no_time):
        other.start()
        waiting.wait()
        kept.keep(URL, USER, TOKEN)
    other.join()
    assert found == [TOKEN]


def test_nobody_waits_for_the_sign_in_of_another_user_or_at_another_deployment(kept: KeptSignIns) -> None:
    waits: list[float] = []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        return False

    with kept.turn(URL, USER, wait), kept.turn(URL, "GOTHER", wait), kept.turn("https://other.example", USER, wait):
        assert waits == []
        with kept.turn(URL, USER, wait):
            assert waits == [FIRST_LOOK_SECONDS], "without time, it goes on without its turn"


def test_where_nothing_can_be_kept_nobody_waits(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (None, tmp_path / "file" / "sign-ins"):
        kept = KeptSignIns(folder)
        with kept.turn(URL, USER, no_time), kept.turn(URL, USER, no_time):
            assert kept.find(URL, USER) == ""


def test_a_lock_that_nobody_needs_any_more_goes_away(kept: KeptSignIns, folder: Path, now: list[float]) -> None:
    with kept.turn(URL, USER, no_time):
        pass
    (lock,) = folder.iterdir()
    os.utime(lock, (now[0], now[0]))
    now[0] += KEPT_SECONDS
    kept.find(URL, USER)
    assert list(folder.iterdir()) == []


def test_a_token_of_the_future_is_not_used(kept: KeptSignIns, now: list[float]) -> None:
    kept.keep(URL, USER, TOKEN)
    now[0] -= 1
    assert kept.find(URL, USER) == ""


def test_only_its_owner_can_read_it(kept: KeptSignIns, folder: Path) -> None:
    kept.keep(URL, USER, TOKEN)
    (path,) = folder.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert TOKEN not in path.name
    assert USER not in path.name
    path.chmod(0o640)
    assert kept.find(URL, USER) == "", "who else could read it could have written it"


def test_a_link_and_junk_are_no_tokens(kept: KeptSignIns, folder: Path, tmp_path: Path) -> None:
    kept.keep(URL, USER, TOKEN)
    (path,) = folder.iterdir()
    elsewhere = tmp_path / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    assert kept.find(URL, USER) == ""
    kept.keep(URL, USER, TOKEN)
    path.write_bytes(b"\xff{")
    assert kept.find(URL, USER) == ""


@pytest.mark.parametrize("folder_named", [None, "/dev/null/sign-ins"])
def test_where_nothing_can_be_kept_nothing_is_found(folder_named: str | None) -> None:
    nowhere = KeptSignIns(Path(folder_named) if folder_named else None)
    nowhere.keep(URL, USER, TOKEN)
    assert nowhere.find(URL, USER) == ""


@pytest.mark.parametrize(
    ("system", "folder"),
    [
        ({"HOME": "/users/ada"}, "/users/ada/.cache/streampay-smoke/sign-ins"),
        ({"HOME": "/users/ada", "XDG_CACHE_HOME": "/cache"}, "/cache/streampay-smoke/sign-ins"),
        ({}, None),
        ({"HOME": ""}, None),
        ({"XDG_CACHE_HOME": "relative"}, None),
    ],
)
def test_the_folder_is_the_users_own(system: dict[str, str], folder: str | None) -> None:
    assert folder_of_user(system) == (Path(folder) if folder else None)


def test_a_file_of_somebody_else_is_no_token(kept: KeptSignIns, monkeypatch: pytest.MonkeyPatch) -> None:
    kept.keep(URL, USER, TOKEN)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert kept.find(URL, USER) == ""
