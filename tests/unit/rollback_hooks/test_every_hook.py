"""What every hook keeps, whatever its engine: once for each intent, never over a newer release, never a secret."""

import logging
import re
import threading
from collections.abc import Iterator

import pytest
from engine_double import writes
from hook_cases import CASES, CONDITIONAL, KNOWING, Played
from waits import Stopwatch


@pytest.fixture(params=sorted(CASES))
def played(request: pytest.FixtureRequest) -> Iterator[Played]:
    with CASES[request.param]() as played:
        yield played


@pytest.fixture(params=sorted(CONDITIONAL))
def conditional(request: pytest.FixtureRequest) -> Iterator[Played]:
    with CONDITIONAL[request.param]() as played:
        yield played


@pytest.fixture(params=sorted(KNOWING))
def knowing(request: pytest.FixtureRequest) -> Iterator[Played]:
    with KNOWING[request.param]() as played:
        yield played


def test_a_release_is_put_back(played: Played) -> None:
    assert played.hook.roll_back(played.intent())
    assert played.live() == "v1"


def test_the_engine_tells_which_release_it_has(knowing: Played) -> None:
    assert knowing.hook.live_release() == knowing.release("v2")
    knowing.hook.roll_back(knowing.intent())
    assert knowing.hook.live_release() == knowing.release("v1")


def test_the_same_intent_acts_once(played: Played) -> None:
    played.hook.roll_back(played.intent())
    written = len(played.double.written())
    assert played.hook.roll_back(played.intent())
    assert len(played.double.written()) == written
    assert played.live() == "v1"


def test_a_release_that_is_neither_is_not_overwritten(knowing: Played) -> None:
    knowing.deploy("v3")
    before = knowing.live()
    assert "nothing was changed" in knowing.refused()
    assert knowing.double.written() == []
    assert knowing.live() == before


def test_a_target_the_engine_has_never_had_is_named(knowing: Played) -> None:
    target, before = knowing.release("v0"), knowing.live()
    assert target in knowing.refused(target_release=target)
    assert knowing.double.written() == []
    assert knowing.live() == before


def test_a_deploy_in_between_is_not_overwritten(conditional: Played) -> None:
    conditional.double.first(lambda: conditional.deploy("v3"), when=writes)
    v2, v3 = conditional.release("v2"), conditional.release("v3")
    assert f"has {v3}, not {v2}: nothing was changed" in conditional.refused()
    assert "v3" in conditional.live()


def test_what_passes_is_waited_out(played: Played) -> None:
    played.double.refuse(429, b"<html>busy</html>", headers={"retry-after": "3"})
    played.double.refuse(503, when=writes)
    played.hook.roll_back(played.intent())
    assert played.live() == "v1"
    assert 3 in played.pauses


def test_a_lost_answer_does_not_act_twice(played: Played) -> None:
    played.double.hang_up()
    played.double.act_and_hang_up(when=writes)
    played.hook.roll_back(played.intent())
    assert played.live() == "v1"
    acts = [(asked.path, asked.headers.get("x-amz-target")) for asked in played.double.written()]
    acts = [act for act in acts if not act[0].endswith("/statuses")]  # GitHub's record of one run has several
    assert len(set(acts)) == len(acts)


@pytest.mark.parametrize(("status", "asked"), [(403, "reads"), (422, "writes")])
def test_what_does_not_pass_is_final(played: Played, status: int, asked: str) -> None:
    (secret, *_), before = played.secrets, played.live()
    said = {"message": f"not with {secret}", "__type": "ValidationException"}
    played.double.refuse(status, said, when=writes if asked == "writes" else lambda asked: not writes(asked))
    words = played.refused()
    assert str(status) in words
    assert "not with <redacted>" in words
    assert played.live() == before


@pytest.mark.parametrize("answer", [b"<html>welcome</html>", b'{"metadata": 7, "name": {}}'])
def test_an_answer_that_is_none_changes_nothing(played: Played, answer: bytes) -> None:
    played.double.refuse(200, answer)
    assert "not what its interface documents" in played.refused()
    assert played.double.written() == []


def test_a_silent_engine_is_given_up_at_the_deadline(played: Played) -> None:
    released = threading.Event()
    played.double.never_answer(released)
    with Stopwatch() as watch:
        assert re.search("in time|no time left", played.refused(deadline_seconds=0.3))
    assert watch.seconds < watch.allows(4)
    released.set()


def test_a_busy_engine_is_not_waited_for_beyond_the_deadline(played: Played) -> None:
    played.double.refuse(503, headers={"retry-after": "600"})
    assert "(limit 60 s)" in played.refused()
    assert played.pauses == []


def test_no_request_is_begun_after_the_deadline(played: Played) -> None:
    def pass_time() -> None:
        played.pauses.append(61.0)

    played.double.first(pass_time)
    assert re.search("no time left|found in time", played.refused())
    assert len(played.double.asked) == 1


def test_nothing_is_printed_or_logged(
    played: Played, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    played.double.refuse(503)
    played.hook.roll_back(played.intent())
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")
    assert caplog.records == []
    assert [secret for secret in played.secrets if secret in caplog.text or secret in repr(vars(played.hook))] == []
