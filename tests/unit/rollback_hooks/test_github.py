"""A workflow of GitHub Actions: dispatched once, found again by its key, waited for, recorded as a deployment."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from engine_double import writes
from github_double import GithubDouble
from hook_cases import Played, github

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.rollback.hooks.github import GithubHook, GithubSettings


@pytest.fixture
def played() -> Iterator[Played]:
    with github(environment="staging") as played:
        yield played


def engine(played: Played) -> GithubDouble:
    assert isinstance(played.double.engine, GithubDouble)
    return played.double.engine


def dispatches(played: Played) -> list[Any]:
    return [asked.json for asked in played.double.written() if asked.path.endswith("/dispatches")]


def states(played: Played) -> list[str]:
    """States of the one deployment, the oldest first."""
    (deployment,) = engine(played).deployments
    return [status["state"] for status in reversed(engine(played).statuses[deployment["id"]])]


def test_the_workflow_gets_target_failed_release_and_key(played: Played) -> None:
    words = played.hook.roll_back(played.intent())
    assert words.endswith("/streampay/web/actions/runs/1 ended: success")
    inputs = {"target": "v1", "failed": "v2", "key": played.intent().key}
    assert dispatches(played) == [{"ref": "main", "inputs": inputs, "return_run_details": True}]


def test_the_rollback_is_recorded_without_waiting_for_checks_of_a_commit(played: Played) -> None:
    played.hook.roll_back(played.intent())
    (deployment,) = engine(played).deployments
    assert deployment["ref"] == "v1"
    assert deployment["required_contexts"] == []
    assert deployment["auto_merge"] is False
    assert deployment["payload"] == {"key": played.intent().key, "target": "v1", "failed": "v2"}
    assert states(played) == ["in_progress", "success"]
    latest = engine(played).statuses[deployment["id"]][0]
    assert latest["log_url"].endswith("/actions/runs/1")
    assert latest["auto_inactive"] is True


def test_without_an_environment_nothing_is_recorded() -> None:
    with github() as played:
        played.hook.roll_back(played.intent())
        assert engine(played).deployments == []


def test_releases_that_are_no_refs_are_recorded_with_a_ref_of_the_settings(played: Played) -> None:
    digest = "sha256:" + "a" * 64
    words = played.hook.roll_back(played.intent(target_release=digest))
    assert "ended: success; not recorded as a deployment:" in words
    assert "No ref found" in words
    with github(environment="staging", deployment_ref="main") as other:
        assert "not recorded" not in other.hook.roll_back(other.intent(target_release=digest))
        assert engine(other).deployments[0]["ref"] == "main"


def test_a_run_of_another_key_is_not_taken_for_this_one(played: Played) -> None:
    played.hook.roll_back(played.intent(key="rollback-12"))
    engine(played).live = "v2"
    played.hook.roll_back(played.intent(key="rollback-1"))
    played.hook.roll_back(played.intent(key="rollback-12"))
    assert [asked["inputs"]["key"] for asked in dispatches(played)] == ["rollback-12", "rollback-1"]


def test_a_run_that_was_started_before_a_crash_is_taken_up(played: Played) -> None:
    played.double.refuse(401, when=lambda asked: "/actions/runs/" in asked.path)
    played.refused()
    assert played.hook.roll_back(played.intent()).endswith("ended: success")
    assert len(dispatches(played)) == 1


def test_a_server_that_does_not_tell_the_run_lists_it_after_a_while(played: Played) -> None:
    engine(played).tells_run = False
    engine(played).looks_until_listed = 4
    assert played.hook.roll_back(played.intent()).endswith("ended: success")
    assert len(dispatches(played)) == 1


def test_a_dispatch_that_never_arrived_is_made_again_after_some_looks(played: Played) -> None:
    played.double.hang_up(when=writes)
    played.hook.roll_back(played.intent())
    assert len(dispatches(played)) == 2
    assert len(engine(played).runs) == 1
    assert played.pauses[:6] == [0.25, 3.0, 3.0, 3.0, 3.0, 3.0]


def test_a_workflow_whose_runs_do_not_name_the_key_says_how_to() -> None:
    with github() as played:
        engine(played).tells_run = False
        engine(played).run_name = "Rollback"
        assert "${{ inputs.key }}" in played.refused()


@pytest.mark.parametrize("conclusion", ["failure", "cancelled", "skipped", "timed_out", "action_required", "neutral"])
def test_a_run_that_ends_in_any_other_way_is_no_rollback(played: Played, conclusion: str) -> None:
    engine(played).course = ["queued", conclusion]
    assert f"/actions/runs/1 ended: {conclusion}" in played.refused()
    assert states(played) == ["in_progress", "failure"]
    assert played.live() == "v2"


def test_a_failed_run_is_not_started_anew_but_may_be_run_again_on_github(played: Played) -> None:
    engine(played).course = ["failure"]
    played.refused()
    played.refused()
    assert len(dispatches(played)) == 1
    engine(played).runs[0]["left"] = ["in_progress", "success"]
    assert played.hook.roll_back(played.intent()).endswith("ended: success")
    assert states(played) == ["failure", "in_progress", "success"]


def test_a_run_that_waits_for_approval_is_named_at_the_deadline(played: Played) -> None:
    engine(played).course = ["waiting"] * 50 + ["success"]
    assert "/actions/runs/1 is waiting; given up" in played.refused()


def test_a_record_that_cannot_be_made_does_not_undo_the_rollback(played: Played) -> None:
    played.double.refuse(403, {"message": "Resource not accessible"}, when=lambda a: "/deployments" in a.path, times=9)
    words = played.hook.roll_back(played.intent())
    assert "ended: success; not recorded as a deployment:" in words
    assert "Resource not accessible" in words
    assert played.live() == "v1"


def test_a_secondary_rate_limit_is_waited_out_and_a_missing_permission_is_not(played: Played) -> None:
    played.double.refuse(403, {"message": "You have exceeded a secondary rate limit"}, headers={"retry-after": "4"})
    played.hook.roll_back(played.intent())
    assert 4 in played.pauses
    played.double.refuse(403, {"message": "Resource not accessible by integration"})
    assert "actions: write" in played.refused(key="another")


def test_a_payload_that_is_text_is_somebody_elses(played: Played) -> None:
    engine(played).deployments.append({"id": 7, "payload": "text", "environment": "staging", "task": "rollback"})
    played.hook.roll_back(played.intent())
    assert len(engine(played).deployments) == 2


def test_a_busy_record_is_made_a_little_later(played: Played) -> None:
    played.double.refuse(503, when=lambda asked: asked.path.endswith("/deployments"))
    assert played.hook.roll_back(played.intent()).endswith("ended: success")
    assert states(played) == ["in_progress", "success"]


def test_no_release_is_told(played: Played) -> None:
    assert played.hook.live_release() is None


def test_without_a_token_there_is_no_hook() -> None:
    settings = GithubSettings(repository="streampay/web", workflow="rollback.yml", ref="main")
    with pytest.raises(SettingsInvalid, match="SMOKE_ROLLBACK_TOKEN is not set"):
        GithubHook.made(settings, {})


@pytest.mark.parametrize("wrong", [{"repository": "streampay"}, {"workflow": "../other.yml"}, {"repository": "a/b/c"}])
def test_names_that_are_none_are_refused(wrong: dict[str, str]) -> None:
    given = {"repository": "streampay/web", "workflow": "rollback.yml", "ref": "main", **wrong}
    with pytest.raises(msgspec.ValidationError, match="OWNER/NAME"):
        msgspec.convert(given, GithubSettings)
