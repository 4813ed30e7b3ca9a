"""Cloud Run: all traffic to the revision that holds the target, on the condition that the service did not change."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from cloud_run_double import LATEST, REVISION, TOKEN, CloudRunDouble
from cluster_double import digest
from engine_double import Answered, Asked, serving, writes
from hook_cases import Played, cloud_run
from hook_clock import noted

from streampay_smoke.core.secret import Secret
from streampay_smoke.rollback.hook import HookFailed
from streampay_smoke.rollback.hooks import HOOKS
from streampay_smoke.rollback.hooks.cloud_run import CloudRunHook, CloudRunSettings


@pytest.fixture
def played() -> Iterator[Played]:
    with cloud_run() as played:
        yield played


def engine(played: Played) -> CloudRunDouble:
    assert isinstance(played.double.engine, CloudRunDouble)
    return played.double.engine


def test_all_traffic_goes_to_one_revision_and_tags_stay(played: Played) -> None:
    words = played.hook.roll_back(played.intent())
    assert words == "Cloud Run service web in europe-west1 sends all traffic to web-00001"
    (asked,) = played.double.written()
    assert asked.query == {"updateMask": "traffic"}
    assert asked.json["etag"] == '"3"'
    assert asked.json["traffic"] == [
        {"type": REVISION, "revision": "web-00001", "percent": 100},
        {"type": REVISION, "revision": "web-00001", "tag": "first"},
    ]
    assert played.pauses == [1.0, 1.0]


def test_a_change_in_between_is_looked_at_and_passed_over(played: Played) -> None:
    def annotate() -> None:
        engine(played).etag += 1

    played.double.first(annotate, when=writes)
    played.hook.roll_back(played.intent())
    assert played.live() == "v1"
    assert len(played.double.written()) == 2


def test_a_canary_is_taken_back(played: Played) -> None:
    engine(played).traffic = [
        {"type": LATEST, "percent": 10},
        {"type": REVISION, "revision": "web-00001", "percent": 90},
    ]
    assert played.hook.live_release() == digest("v2")
    played.hook.roll_back(played.intent())
    assert played.live() == "v1"


def test_a_service_that_says_nothing_of_traffic_sends_it_to_the_latest(played: Played) -> None:
    engine(played).traffic = []
    assert played.hook.live_release() == digest("v2")
    played.hook.roll_back(played.intent())
    assert played.live() == "v1"


def test_a_service_without_a_revision_has_no_release(played: Played) -> None:
    engine(played).revisions.clear()
    assert played.hook.live_release() is None
    assert "has an unknown release" in played.refused()


def test_an_operation_that_fails_is_told_with_its_reason(played: Played) -> None:
    engine(played).failure = "Revision 'web-00001' is not ready."
    assert "did not take the change: Revision 'web-00001' is not ready." in played.refused()
    assert "is set to web-00001, and not there: Revision 'web-00001' is not ready." in played.refused()
    assert len(played.double.written()) == 1


def test_an_operation_that_takes_too_long_is_named_at_the_deadline(played: Played) -> None:
    engine(played).steps = 1000
    assert "is moving its traffic (projects/pay/" in played.refused(deadline_seconds=5.0)
    assert "is moving its traffic (to web-00001)" in played.refused(deadline_seconds=5.0)
    assert len(played.double.written()) == 1


def test_a_revision_that_never_came_up_gets_no_traffic(played: Played) -> None:
    engine(played).revisions[-1]["conditions"] = [{"type": "Ready", "state": "CONDITION_FAILED"}]
    assert "has no revision of" in played.refused()
    assert played.double.written() == []


def test_of_two_revisions_of_the_target_the_latest_is_taken(played: Played) -> None:
    played.deploy("v1")
    played.deploy("v2")
    assert "all traffic to web-00003" in played.hook.roll_back(played.intent())


def test_a_long_history_is_read_to_its_end(played: Played) -> None:
    engine(played).page = 2
    for number in range(5):
        played.deploy(f"other-{number}")
    played.deploy("v2")
    played.hook.roll_back(played.intent())
    assert played.live() == "v1"


@pytest.mark.parametrize(
    ("told_by", "v1", "v2"), [("revision", "web-00001", "web-00002"), ("label:release", "v1", "v2")]
)
def test_a_release_may_be_told_by_other_things_than_its_image(told_by: str, v1: str, v2: str) -> None:
    with cloud_run(release_told_by=told_by) as played:
        assert played.hook.live_release() == v2
        played.hook.roll_back(played.intent(failed_release=v2, target_release=v1))
        assert played.live() == "v1"


class MetadataServer:
    """What hands out tokens inside Google Cloud."""

    def __init__(self) -> None:
        self.handed_out = 0
        self.lives_seconds = 3599

    def answer(self, asked: Asked) -> Answered:
        if asked.headers.get("metadata-flavor") != "Google":
            return Answered(403)
        self.handed_out += 1
        return Answered(200, {"access_token": TOKEN, "expires_in": self.lives_seconds, "token_type": "Bearer"})


def test_a_job_with_a_service_account_needs_no_token(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    server = MetadataServer()
    settings = CloudRunSettings(project="pay", region="europe-west1", service="web", api=played.double.url)
    with serving(server) as metadata:
        monkeypatch.setenv("GCE_METADATA_HOST", urlsplit(metadata.url).netloc)
        pauses: list[float] = []
        hook = CloudRunHook(settings, None, clock=noted(pauses))
        assert hook.live_release() == digest("v2")
        assert server.handed_out == 1
        pauses.append(3590.0)  # the token has nearly ended
        assert hook.live_release() == digest("v2")
        assert server.handed_out == 2


@pytest.mark.parametrize("answer", [b"<html>", b"{}", b"[]", b'{"access_token": "t", "expires_in": "soon"}'])
def test_an_environment_without_a_service_account_says_so(answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = CloudRunSettings(project="pay", region="europe-west1", service="web")
    with serving(MetadataServer()) as metadata:
        monkeypatch.setenv("GCE_METADATA_HOST", urlsplit(metadata.url).netloc)
        metadata.refuse(200, answer)
        with pytest.raises(HookFailed, match="no metadata server hands one out"):
            CloudRunHook(settings, None).live_release()


def test_nobody_at_the_metadata_address_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GCE_METADATA_HOST", "127.0.0.1:1")
    settings = CloudRunSettings(project="pay", region="europe-west1", service="web")
    with pytest.raises(HookFailed, match="NoAnswer") as caught:
        CloudRunHook(settings, None).live_release()
    assert "SMOKE_ROLLBACK_TOKEN" in caught.value.next_step


def test_a_token_that_was_given_is_used_as_it_is(played: Played) -> None:
    engine(played).token = "another-token-altogether"
    settings = CloudRunSettings(project="pay", region="europe-west1", service="web", api=played.double.url)
    hook = HOOKS["cloud-run"].make(settings, {"SMOKE_ROLLBACK_TOKEN": Secret("another-token-altogether")})
    assert hook.live_release() == digest("v2")
    with pytest.raises(HookFailed, match="401: Request had invalid authentication credentials"):
        played.hook.live_release()
