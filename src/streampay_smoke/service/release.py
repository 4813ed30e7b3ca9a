"""Which release answers: read from a header, a JSON field or the build's own manifest, as the environment file says."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import msgspec

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.service.exchange import Answer

Fetch = Callable[[str], Answer]
"""GETs a path."""

FORMS = "header:NAME, field:/PATH:/JSON/POINTER or build-manifest"

_BUILD_ID_SIGNS = (
    re.compile(r"<!DOCTYPE html><!--([A-Za-z0-9_-]+)-->", re.IGNORECASE),
    re.compile(r'"buildId"\s*:\s*"([A-Za-z0-9_-]+)"'),
    re.compile(r"/_next/static/([A-Za-z0-9_-]+)/_buildManifest\.js"),
)


class ReleaseSources(msgspec.Struct, frozen=True, kw_only=True):
    """What a teller may look at: a readiness answer just seen, other paths, the release there should be or ""."""

    readiness: Answer
    fetch: Fetch
    expected: str = ""


ReleaseReader = Callable[[ReleaseSources], str]
"""Returns the release that answers, "" when the deployment does not read."""


def header_of(told_by: str) -> str:
    """Return the header in which every answer tells its release, "" when only a look elsewhere tells it."""
    kind, _, name = told_by.partition(":")
    return name.lower() if kind == "header" else ""


def read_by(told_by: str) -> str:
    """Return in words what a `release_told_by` setting reads."""
    kind, _, rest = told_by.partition(":")
    if kind == "build-manifest":
        return "build-manifest: the build id that the start page names"
    return f"the header {rest}" if kind == "header" else f"the field {rest}"


def release_reader(told_by: str) -> ReleaseReader:
    """Return the teller for a `release_told_by` setting; raises SettingsInvalid for any other form."""
    kind, _, rest = told_by.partition(":")
    if kind == "header" and rest:
        return _by_header(rest)
    path, _, pointer = rest.partition(":")
    if kind == "field" and path.startswith("/") and pointer.startswith("/"):
        return _by_field(path, pointer)
    if told_by == "build-manifest":
        return _by_build_manifest
    raise SettingsInvalid(f"release_told_by is {told_by!r}", next_step=f"use {FORMS}")


def _by_header(name: str) -> ReleaseReader:
    def read(sources: ReleaseSources) -> str:
        return sources.readiness.headers.get(name.lower(), "")

    return read


def _by_field(path: str, pointer: str) -> ReleaseReader:
    def read(sources: ReleaseSources) -> str:
        answer = sources.readiness if sources.readiness.path == path else sources.fetch(path)
        value = _at(answer.json, pointer)
        return value if answer.status == 200 and isinstance(value, str) else ""

    return read


def _by_build_manifest(sources: ReleaseSources) -> str:
    """Tell by the build id the start page names, which for the expected one must have its manifest.

    That manifest alone proves little (old assets stay on CDNs), so it decides only where the
    page names no build. The page shows "-" as "_".
    """
    named = _build_id_of(sources.fetch("/"))
    if sources.expected and named in {"", sources.expected, sources.expected.replace("-", "_")}:
        return sources.expected if _has_manifest(sources.fetch, sources.expected) else ""
    return named


def _build_id_of(page: Answer) -> str:
    if page.status != 200:
        return ""
    return next((found.group(1) for sign in _BUILD_ID_SIGNS if (found := sign.search(page.body_text))), "")


def _has_manifest(fetch: Fetch, build_id: str) -> bool:
    answer = fetch(f"/_next/static/{quote(build_id, safe='')}/_buildManifest.js")
    is_script = "javascript" in answer.headers.get("content-type", "").lower()
    return answer.status == 200 and is_script and not answer.body_text.lstrip().startswith("<")


def _at(document: Any, pointer: str) -> Any:
    """Return what an RFC 6901 pointer names, None when nothing."""
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(document, dict):
            document = document.get(name)
        elif isinstance(document, list) and name.isdecimal() and int(name) < len(document):
            document = document[int(name)]
        else:
            return None
    return document
