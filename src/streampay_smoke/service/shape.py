"""Promised shapes as data, and every deviation from them in words."""

import re
import zlib
from collections.abc import Iterable
from typing import Any

import msgspec

from streampay_smoke.core.errors import PromiseBroken, UnfitAnswer
from streampay_smoke.core.http_statuses import CLIENT_ERROR, REDIRECTION
from streampay_smoke.core.secret_shapes import shortened
from streampay_smoke.service.exchange import Answer

JSON, EVENTS = "application/json", "text/event-stream"
"""What contents are called."""

_WORDS = {str: "a text", int: "a whole number", bool: "true or false", dict: "an object", list: "a list"}
_PAGE = "an HTML page"
_MAX_SHOWN = 60
_MAX_NAMED = 12
_TITLE = re.compile(r"<title[^>]*>([^<]+)</title>", re.IGNORECASE)
_HTML = re.compile(r"<(!doctype )?html", re.IGNORECASE)


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One promised field. An optional one may be absent or null; `allowed`, when given, are its only values.

    A required text must not be empty.
    """

    name: str
    kind: type
    required: bool = True
    allowed: tuple[str, ...] = ()


def deviations(value: Any, fields: Iterable[Field], *, where: str) -> list[str]:
    """Return every way in which `value` is not an object with these fields; more fields are fine."""
    if not isinstance(value, dict):
        return [f"{where} is {value_description(value)}, not an object"]
    return [text for field in fields if (text := _deviation(value, field, f"{where}.{field.name}"))]


def _deviation(value: dict[str, Any], field: Field, where: str) -> str:
    found = value.get(field.name)
    if found is None:
        return f"{where} is {'null' if field.name in value else 'missing'}" if field.required else ""
    if not isinstance(found, field.kind) or (isinstance(found, bool) and field.kind is not bool):
        return f"{where} is {value_description(found)}, not {_WORDS[field.kind]}"
    if field.required and found == "":
        return f"{where} is empty"
    if field.allowed and found not in field.allowed:
        return f"{where} is {value_description(found)}, not one of {', '.join(field.allowed)}"
    return ""


def keep_promise(answer: Answer, what: str, found: list[str], *, media_type: str = JSON) -> None:
    """Raise PromiseBroken naming all deviations, if there are any; that content is called something else is one too."""
    found = [*_misnamed(answer, media_type), *found]
    if not found:
        return
    named = "; ".join(found[:_MAX_NAMED])
    more = f"; and {len(found) - _MAX_NAMED} more" if len(found) > _MAX_NAMED else ""
    raise PromiseBroken(
        f"{answer.asked} answered {answer.status}, but not {what}: {named}{more} (request id {answer.request_id})",
        next_step=f"compare the answer in the journal with what the dialect promises for {answer.asked}",
    ).about(unfit_answer(answer))


def _misnamed(answer: Answer, media_type: str) -> list[str]:
    """Return what is wrong with the name an answer gives its content; one that names none is left to its content."""
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in {"", media_type} or (media_type == JSON and kind.endswith("+json")):
        return []
    return [f"its content type is {kind[:_MAX_SHOWN]}, not {media_type}"]


def value_description(value: Any) -> str:
    """Return a JSON value in words, short enough for a message."""
    if value is None:
        return "null"
    if isinstance(value, bool | int | float):
        return str(value).lower() if isinstance(value, bool) else str(value)
    if isinstance(value, str):
        kept = shortened(value, _MAX_SHOWN, mark="")
        return f"{kept!r}{'' if kept == value else '…'}"
    return "an object" if isinstance(value, dict) else f"a list of {len(value)}"


def body_description(answer: Answer) -> str:
    """Return what kind of thing a body is: an HTML page with its title, an empty body, a JSON list, plain text."""
    text = answer.body_text.strip()
    if not text:
        return "an empty body"
    if answer.json is not None:
        return f"JSON that is {value_description(answer.json)}"
    if titled := _TITLE.search(text):
        return f"{_PAGE} titled {value_description(titled.group(1).strip())}"
    if _HTML.search(text):
        return _PAGE
    return "plain text"


def outcome_description(answer: Answer) -> str:
    """Return what a check saw of an answer that is no refusal: its status, and what else it shows, in short."""
    if answer.status >= CLIENT_ERROR:
        return answer.outcome
    target = _target(answer)
    shown = f"pointing at {shortened(target, _MAX_SHOWN)}" if target else body_description(answer)
    return f"status {answer.status}, {shown} (request {answer.request_id})"


def unfit_answer(answer: Answer, *, entitled: bool = True) -> UnfitAnswer:
    """Return an answer as the one that a failure is about; two that are alike are answers of one kind to everybody.

    A success is alike only where its body is the same one. That of a write, a page apart, may have done what was asked
    for, and is like no other.
    """
    shown, is_page = "", False
    if REDIRECTION <= answer.status < CLIENT_ERROR:
        shown, is_page = _target(answer), True
    elif answer.status < REDIRECTION:
        is_page = body_description(answer).startswith(_PAGE)
        own = "" if answer.method == "GET" or is_page else answer.request_id
        shown = f"{zlib.crc32(f'{answer.body_text}{own}'.encode()):08x}"
    return UnfitAnswer(
        asked=answer.asked,
        status=answer.status,
        shown=shown,
        is_page=is_page,
        is_data=answer.json is not None,
        entitled=entitled,
    )


def _target(answer: Answer) -> str:
    return answer.headers.get("location", "").split("?", 1)[0]


def is_one_word(text: str) -> bool:
    """Return whether a text is printable ASCII without spaces: fit for a header."""
    return text.isascii() and text.isprintable() and " " not in text and text != ""
