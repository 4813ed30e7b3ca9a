"""On-call repeats a part of the suite: as quick as the first time, though sign-ins are limited."""

from pathlib import Path

import pytest
from suite_parts import Project, Ran
from waits import Stopwatch

from streampay_sandbox.stack import start_sandbox
from streampay_smoke.gate.verdict import VerdictStatus

TIMES = 6
SIGN_IN = ("POST", "/api/auth/wallet")


def sign_ins(ran: Ran) -> int:
    return sum((event.get("method"), event.get("target")) == SIGN_IN and "status" in event for event in ran.events)


def waited(ran: Ran) -> bool:
    return any(event["event"] == "rate_limit_wait" for event in ran.events)


def kept_tokens(project: Project) -> list[Path]:
    return sorted((project.folder / ".cache/streampay-smoke/sign-ins").glob("[!.]*"))


@pytest.fixture
def own(tmp_path: Path) -> Project:
    return Project(tmp_path, {"XDG_CACHE_HOME": ""})


def test_a_feature_is_repeated_six_times_and_never_waits_for_a_limit(own: Project) -> None:
    with start_sandbox() as sandbox, Stopwatch() as watch:
        own.environ |= sandbox.ready_document()["env"]
        runs = [own.smoke("--tags", "@streams") for _ in range(TIMES)]

    assert [run.verdict.verdict for run in runs] == [VerdictStatus.PASS] * TIMES, runs[-1].output
    assert [sign_ins(run) for run in runs] == [2, 0, 0, 0, 0, 0]
    assert not any(waited(run) for run in runs)
    longest_ms = max(run.verdict.timings.total_ms for run in runs)
    assert longest_ms < runs[0].verdict.timings.total_ms + 1000 * watch.allows(1)


def test_a_kept_sign_in_is_nobody_elses_and_in_no_evidence(own: Project) -> None:
    with start_sandbox() as sandbox:
        own.environ |= sandbox.ready_document()["env"]
        own.smoke("--tags", "@streams")
        again = own.smoke("--tags", "@streams")

    tokens = [path.read_text().split('"')[3] for path in kept_tokens(own)]
    assert len(tokens) == 2
    assert all(path.stat().st_mode & 0o077 == 0 for path in kept_tokens(own))
    for file in again.folder.rglob("*"):
        assert not file.is_file() or not any(token in file.read_text(errors="replace") for token in tokens), file
    assert not any(token in again.output for token in tokens)


def test_a_whole_suite_and_whoever_says_so_signs_in_anew(own: Project) -> None:
    with start_sandbox() as sandbox:
        own.environ |= sandbox.ready_document()["env"]
        assert sign_ins(own.smoke("--tags", "@streams")) == 2
        assert sign_ins(own.smoke("--tags", "@streams", SMOKE_KEEP_SIGN_IN="0")) == 2
    with start_sandbox() as sandbox:
        own.environ |= sandbox.ready_document()["env"]
        own.smoke("--tags", "@streams and not @second-user")
        whole = own.smoke()
    assert whole.verdict.verdict is VerdictStatus.PASS, whole.output
    assert sign_ins(whole) >= 5, "two users, and three attempts in vain"


def test_a_kept_sign_in_that_is_refused_is_made_anew(own: Project) -> None:
    with start_sandbox() as sandbox:
        environ, port = sandbox.ready_document()["env"], int(sandbox.base_url.rpartition(":")[2])
        own.smoke("--tags", "@streams", **environ)
    with start_sandbox(port=port) as sandbox:
        ran = own.smoke("--tags", "@streams", **sandbox.ready_document()["env"])
    assert ran.verdict.verdict is VerdictStatus.PASS, ran.output
    assert sign_ins(ran) == 2
