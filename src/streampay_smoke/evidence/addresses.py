"""Addresses that hold a key: providers of ledger RPCs put it into the path or the query."""

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, unquote, urlsplit

_SHORTEST_KEY = 12
_SHORTEST_VALUE = 8
_LONGEST_WORD = 20
_WORD = re.compile(r"[a-z]*|[A-Z][a-z]*|[A-Z]*|v?[0-9]{1,3}")
_SEPARATORS = re.compile(r"[-_.~+]")


def host_only(url: str) -> str:
    """Return scheme, host and port of an address, which is all that is ever shown of a ledger's; "" for none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}" if host else ""


def keys_in(url: str) -> tuple[str, ...]:
    """Return what may be a key in an address: values of its query, and parts of its path that are no words.

    `/rpc`, `/soroban/rpc`, `/v1` and `/stellar-testnet-v23` hold none.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return ()
    return tuple(dict.fromkeys(form for key in _keys(parts.path, parts.query) for form in (key, unquote(key))))


def _keys(path: str, query: str) -> Iterator[str]:
    for segment in path.split("/"):
        if len(segment) >= _SHORTEST_KEY and not _is_words(unquote(segment)):
            yield segment
    for _, value in parse_qsl(query):
        if len(value) >= _SHORTEST_VALUE:
            yield value


def _is_words(segment: str) -> bool:
    return all(len(part) < _LONGEST_WORD and _WORD.fullmatch(part) for part in _SEPARATORS.split(segment))
