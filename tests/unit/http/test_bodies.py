"""Bodies as clients read them: each coding undone, and what is odd named in HTTP's words."""

import contextlib
import gzip
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streampay_smoke.http.bodies import MAX_BODY_BYTES, BodyUnreadable, decoded

TEXT = b'{"status":"ok"}' * 9


def zipped(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)  # the same bytes each time: they name the tests


def raw_deflate(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("", TEXT),
        ("identity", TEXT),
        ("gzip", zipped(TEXT)),
        ("X-GZIP", zipped(TEXT)),
        ("gzip, identity", zipped(TEXT)),
        ("gzip", zipped(TEXT[:20]) + zipped(TEXT[20:])),
        ("gzip", zipped(b"") + zipped(TEXT)),
        ("gzip", zipped(TEXT) + b"\0\0\0"),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", raw_deflate(TEXT)),
        ("deflate, gzip", zipped(zlib.compress(TEXT))),
    ],
)
def test_a_coding_is_undone(coding: str, body: bytes) -> None:
    assert decoded(body, coding) == TEXT


@pytest.mark.parametrize("coding", ["gzip", "UTF-8", "br"])
def test_no_body_has_no_coding(coding: str) -> None:
    assert decoded(b"", coding) == b""


@pytest.mark.parametrize(
    ("coding", "body", "said"),
    [
        ("gzip", zipped(TEXT)[:-8], "truncated: the gzip body ends before its end mark and checksum"),
        ("gzip", zipped(TEXT)[:12], "truncated"),
        ("gzip", zipped(TEXT) + zipped(TEXT)[:9], "truncated"),
        ("gzip", zipped(TEXT)[:-8] + b"\1" * 8, "the body is not gzip"),
        ("gzip", zipped(TEXT) + b"more", "the body is not gzip"),
        ("gzip", zipped(b"") * 30_000, "more than 1000 gzip members"),
        ("gzip", TEXT, "the body is not gzip"),
        ("deflate", zlib.compress(TEXT)[:-4], "truncated"),
        ("deflate", b"\xff" * 9, "the body is not deflate"),
        ("UTF-8", TEXT, "'utf-8', which is not a content coding"),
        ("br", TEXT, "'br', which the request did not accept"),
    ],
)
def test_what_is_odd_is_named(coding: str, body: bytes, said: str) -> None:
    with pytest.raises(BodyUnreadable, match=said) as caught:
        decoded(body, coding)
    assert caught.value.cause == "body"


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", zipped),
        ("gzip", lambda content: zipped(content[:MAX_BODY_BYTES]) + zipped(b"\0")),
        ("deflate", zlib.compress),
        ("deflate", raw_deflate),
        ("gzip, gzip", lambda content: zipped(zipped(content))),
    ],
    ids=["gzip", "members", "zlib", "raw", "twice"],
)
def test_a_bomb_is_too_large(coding: str, packed: Callable[[bytes], bytes]) -> None:
    with pytest.raises(BodyUnreadable, match="more than") as caught:
        decoded(packed(b"\0" * (MAX_BODY_BYTES * 2)), coding)
    assert caught.value.cause == "too large"


@given(st.binary(max_size=200), st.text(max_size=30) | st.sampled_from(["gzip", "deflate", "gzip, deflate", ",", "br"]))
def test_any_body_is_decoded_or_refused(body: bytes, coding: str) -> None:
    with contextlib.suppress(BodyUnreadable):
        assert isinstance(decoded(body, coding), bytes)


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=4))
def test_members_come_back_one_after_the_other(parts: list[bytes]) -> None:
    assert decoded(b"".join(map(zipped, parts)), "gzip") == b"".join(parts)
