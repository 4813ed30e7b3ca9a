"""Bodies: how much of one is read, and one without its content coding (RFC 9110, section 8.4).

Some gateways compress although nobody asked for it.
"""

import zlib
from collections.abc import Callable

MAX_BODY_BYTES = 1_048_576
"""Longest body that is read, before and after decoding."""

Enough = Callable[[bytes], bool]
"""Whether as much of a body has come as somebody wants to read: asked with each piece, and while nothing comes."""

_MOST_MEMBERS = 1000


class BodyUnreadable(Exception):
    """A body that cannot be read; `cause` is a cause of `streampay_smoke.http.client.NoAnswer`."""

    def __init__(self, cause: str, detail: str) -> None:
        super().__init__(detail)
        self.cause = cause


def one_event(body: bytes) -> bool:
    """Return whether a first server-sent event with data is whole: an empty line follows its data."""
    _, found, rest = body.partition(b"data:")
    return bool(found) and (b"\n\n" in rest or b"\r\n\r\n" in rest)


def decoded(body: bytes, content_encoding: str) -> bytes:
    """Return `body` without the codings that the Content-Encoding header names, the last one first.

    Raises BodyUnreadable for a coding nobody asked for, for a body that is not coded as named or ends too early, and
    for one longer than MAX_BODY_BYTES.
    """
    codings = [coding for item in content_encoding.split(",") if (coding := item.strip().lower())]
    for coding in reversed(codings if body else []):
        decode = _DECODERS.get(coding)
        if decode is None:
            raise BodyUnreadable("body", f"Content-Encoding names {coding[:40]!a}, {_unfit(coding)}")
        body = decode(body)
    return body


def _gunzip(body: bytes) -> bytes:
    """Return the content of one gzip member or of several (RFC 1952, section 2.2); zeros after the last are padding."""
    content, rest = b"", body
    for _ in range(_MOST_MEMBERS):
        member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        content += _inflated(member, rest, "gzip", room=MAX_BODY_BYTES - len(content))
        rest = member.unused_data
        if not rest.strip(b"\0"):
            return content
    raise BodyUnreadable("body", f"more than {_MOST_MEMBERS} gzip members")


def _inflate(body: bytes) -> bytes:
    """Return the content of a deflate body: in zlib's format, or without its header as some servers send it."""
    try:
        return _inflated(zlib.decompressobj(), body, "deflate", room=MAX_BODY_BYTES)
    except BodyUnreadable as as_zlib:
        if as_zlib.cause == "too large":
            raise
        try:
            return _inflated(zlib.decompressobj(wbits=-zlib.MAX_WBITS), body, "deflate", room=MAX_BODY_BYTES)
        except BodyUnreadable as raw:
            raise (raw if raw.cause == "too large" else as_zlib) from None


def _inflated(decoder: "zlib._Decompress", body: bytes, coding: str, *, room: int) -> bytes:
    try:
        content = decoder.decompress(body, room + 1)
    except zlib.error:
        raise BodyUnreadable("body", f"Content-Encoding names {coding}, and the body is not {coding}") from None
    if len(content) > room:
        raise BodyUnreadable("too large", f"more than {MAX_BODY_BYTES} bytes when decoded")
    if not decoder.eof:
        raise BodyUnreadable("body", f"truncated: the {coding} body ends before its end mark and checksum")
    return content


def _as_it_is(body: bytes) -> bytes:
    return body


_DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "identity": _as_it_is,
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _inflate,
}
_CODINGS_NOT_ASKED_FOR = frozenset({"br", "zstd", "compress", "x-compress", "dcb", "dcz"})


def _unfit(coding: str) -> str:
    if coding in _CODINGS_NOT_ASKED_FOR:
        return "which the request did not accept (Accept-Encoding: identity)"
    return "which is not a content coding (a character set belongs in Content-Type)"
