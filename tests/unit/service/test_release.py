"""Which release answers: each way of telling, shown to tell and to keep silent."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.service.exchange import Answer, parsed
from streampay_smoke.service.release import ReleaseSources, release_reader


def answer(path: str, *, status: int = 200, body: str = "", headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(
        method="GET",
        path=path,
        status=status,
        headers=dict(headers or {}),
        body_text=body,
        json=parsed(body),
        request_id="r",
        release="",
        simulated=False,
        duration_ms=1,
    )


READY = answer("/api/readyz", body=json.dumps({"status": "ok", "build": {"id": "r7"}}), headers={"x-release": "r7"})


def told(told_by: str, *pages: Answer, expected: str = "") -> str:
    by_path = {page.path: page for page in pages}
    return release_reader(told_by)(
        ReleaseSources(
            readiness=READY,
            fetch=lambda path: by_path.get(path, answer(path, status=404, body="<html>404</html>")),
            expected=expected,
        )
    )


def test_a_header_tells() -> None:
    assert told("header:X-Release") == "r7"
    assert told("header:x-version") == ""


@pytest.mark.parametrize(
    ("pointer", "document", "release"),
    [
        ("/version", {"version": "1.2"}, "1.2"),
        ("/a~1b/c~0d", {"a/b": {"c~d": "1.2"}}, "1.2"),
        ("/builds/1", {"builds": ["old", "new"]}, "new"),
        ("/builds/2", {"builds": ["old", "new"]}, ""),
        ("/builds/x", {"builds": ["old", "new"]}, ""),
        ("/version", {"version": 12}, ""),
        ("/version", {}, ""),
        ("/version/deep", {"version": "1"}, ""),
    ],
)
def test_a_field_of_another_page_tells(pointer: str, document: Any, release: str) -> None:
    assert told(f"field:/api/version:{pointer}", answer("/api/version", body=json.dumps(document))) == release


def test_a_field_of_the_readiness_answer_needs_no_other_request() -> None:
    assert told("field:/api/readyz:/build/id") == "r7"


def test_a_field_of_a_failed_answer_tells_nothing() -> None:
    assert told("field:/v:/id", answer("/v", status=500, body='{"id": "r7"}')) == ""
    assert told("field:/v:/id", answer("/v", body="<html>")) == ""


def page(build_id: str) -> Answer:
    return answer("/", body=f"<!DOCTYPE html><!--{build_id}--><html><head></head></html>")


def manifest(build_id: str, *, kind: str = "application/javascript; charset=UTF-8", body: str = "self.x=1") -> Answer:
    return answer(f"/_next/static/{build_id}/_buildManifest.js", body=body, headers={"content-type": kind})


@pytest.mark.parametrize(
    ("pages", "expected", "release"),
    [
        ([page("b1")], "", "b1"),
        ([page("b1"), manifest("b1")], "b1", "b1"),
        ([page("b_1"), manifest("b-1")], "b-1", "b-1"),
        ([page("b1"), manifest("b1"), manifest("b2")], "b2", "b1"),
        ([page("b2")], "b2", ""),
        ([page("b2"), manifest("b2", kind="text/html")], "b2", ""),
        ([page("b2"), manifest("b2", body="<!DOCTYPE html>")], "b2", ""),
        ([manifest("b2")], "b2", "b2"),
        ([answer("/", body='<script>{"buildId":"b3"}</script>')], "", "b3"),
        ([answer("/", body='<script src="/_next/static/b4/_buildManifest.js">')], "", "b4"),
        ([answer("/", body="<html>welcome</html>")], "", ""),
        ([answer("/", status=500, body="<!DOCTYPE html><!--b1-->")], "", ""),
        ([], "", ""),
    ],
    ids=[
        "the page names it",
        "the expected one is live",
        "the page shows - as _",
        "the old one is live beside the new one's assets",
        "its manifest is missing",
        "its manifest is a page",
        "its manifest is a page that calls itself a script",
        "the page is silent",
        "in the page's data",
        "in the page's scripts",
        "the page names none",
        "the page failed",
        "there is no page",
    ],
)
def test_the_build_manifest_tells(pages: list[Answer], expected: str, release: str) -> None:
    assert told("build-manifest", *pages, expected=expected) == release


@pytest.mark.parametrize("told_by", ["", "header:", "field:", "field:/x", "field:x:/y", "field:/x:y", "guess"])
def test_any_other_way_is_refused(told_by: str) -> None:
    with pytest.raises(SettingsInvalid, match="release_told_by is"):
        release_reader(told_by)
