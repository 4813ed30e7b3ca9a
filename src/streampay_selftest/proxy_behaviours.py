"""Ways in which a proxy goes wrong, for the tables of cases."""

import codecs
import gzip
import itertools
import json
import math
import random
import re
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable

from msgspec.structs import replace

from streampay_sandbox.proxy import (
    Forward,
    ProxiedAnswer,
    ProxiedRequest,
    ProxyBehaviour,
    ProxyDecision,
    SubstituteAnswer,
    gateway,
    hang_up,
)

OLD = "the-old-one"
"""A release that is not the expected one."""

SILENCE = (gateway(502), gateway(503), hang_up(), gateway(504), hang_up())
"""What a load balancer says while it changes its backends."""

CRASH = SubstituteAnswer(status=500, text="Internal Server Error", content_type="text/plain")
HORIZON_DOWN = SubstituteAnswer(
    status=503,
    text='{"status": "degraded", "checks": {"config": {"status": "ok"}, "kms": {"status": "ok"}, '
    '"stellar": {"status": "degraded", "message": "fetch failed"}}}',
    content_type="application/json",
)
"""What StreamPay says while it cannot reach Horizon, as measured."""

NO_CHANGE = Forward()


def error(status: int, code: str, **headers: str) -> SubstituteAnswer:
    """Return an error in the service's own envelope."""
    body = f'{{"error": {{"code": "{code}", "message": "m"}}}}'
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return SubstituteAnswer(status=status, text=body, content_type="application/json", headers=named)


def below(path: str, decided: ProxyDecision, *, method: str = "") -> ProxyBehaviour:
    """Let requests below a path, of one method or of any, always meet the same."""

    def behaviour(passing: ProxiedRequest) -> ProxyDecision:
        return decided if passing.path.startswith(path) and method in {"", passing.method} else NO_CHANGE

    return behaviour


def for_the_first_caller(decided: ProxyDecision) -> ProxyBehaviour:
    """Let every request with the credential that was seen first meet the same; other callers pass."""
    first: list[str] = []

    def behaviour(passing: ProxiedRequest) -> ProxyDecision:
        credential = passing.headers.get("authorization", "")
        if credential and not first:
            first.append(credential)
        return decided if credential and credential in first else NO_CHANGE

    return behaviour


SCRAPER_REFUSED = below("/api/metrics", error(403, "FORBIDDEN"))
"""What StreamPay says to a scraper whose token is another one, as measured."""


def asking_for(token: str, path: str) -> ProxyBehaviour:
    """Let nobody see what is below a path without this token."""

    def behaviour(passing: ProxiedRequest) -> ProxyDecision:
        shown = passing.headers.get("authorization", "") == f"Bearer {token}"
        return NO_CHANGE if shown or not passing.path.startswith(path) else error(401, "UNAUTHORIZED")

    return behaviour


def everywhere(decided: ProxyDecision) -> ProxyBehaviour:
    """Let every request meet the same."""
    return lambda passing: decided


def answering(then: Callable[[ProxiedAnswer], ProxiedAnswer], path: str = "/", method: str = "") -> ProxyBehaviour:
    """Let what comes back of requests below a path be remade."""
    return below(path, Forward(then=then), method=method)


def every(number: int, decided: ProxyDecision, path: str = "/") -> ProxyBehaviour:
    """Let every `number`th request meet this, where it is one below a path."""
    met = below(path, decided)
    return lambda passing: met(passing) if passing.number % number == number - 1 else NO_CHANGE


def first(number: int, decided: ProxyDecision) -> ProxyBehaviour:
    """Let the first requests meet this."""
    return lambda passing: decided if passing.number < number else NO_CHANGE


def after(number: int, decided: ProxyDecision) -> ProxyBehaviour:
    """Let every request after the first ones meet this."""
    return lambda passing: decided if passing.number >= number else NO_CHANGE


def for_seconds(seconds: float, decided: ProxyDecision, *, after: int) -> ProxyBehaviour:
    """Let every request meet this for so long, from the first one on that comes after so many."""
    began: list[float] = []

    def behaviour(passing: ProxiedRequest) -> ProxyDecision:
        if passing.number < after:
            return NO_CHANGE
        began.extend([time.monotonic()] * (not began))
        return decided if time.monotonic() - began[0] < seconds else NO_CHANGE

    return behaviour


def noisy(median_seconds: float, sigma: float, path: str = "/") -> ProxyBehaviour:
    """Delay reads below a path, each by another log-normal time, the same ones in each run."""
    drawn = random.Random(f"{median_seconds}/{sigma}")

    def behaviour(passing: ProxiedRequest) -> ProxyDecision:
        if passing.method != "GET" or not passing.path.startswith(path):
            return NO_CHANGE
        return Forward(seconds=drawn.lognormvariate(math.log(median_seconds), sigma))

    return behaviour


def rate_limited(*, burst: int, per_second: float) -> ProxyBehaviour:
    """Limit all callers together, as a gateway does that counts by address: 429, and when to come back."""
    lock = threading.Lock()
    level, seen_at = float(burst), time.monotonic()

    def behaviour(passing: ProxiedRequest) -> ProxyDecision:
        nonlocal level, seen_at
        with lock:
            now = time.monotonic()
            level, seen_at = min(float(burst), level + (now - seen_at) * per_second), now
            if level < 1:
                return error(429, "rate_limit_exceeded", retry_after="1")
            level -= 1
            return NO_CHANGE

    return behaviour


def one_replica_of(number: int, decided: ProxyDecision, *, until: int = 10**9) -> ProxyBehaviour:
    """Let one connection of so many lead to what meets requests with this, until so many requests have passed."""
    return lambda passing: (
        decided if passing.connection % number == number - 1 and passing.number < until else NO_CHANGE
    )


def old_release() -> Forward:
    """Return the way to a release that is not the expected one."""
    return Forward(headers={"x-release": OLD})


def shared_cache(path: str = "/") -> ProxyBehaviour:
    """Keep every answer to a read below a path by its address alone, whoever asked."""
    kept: dict[str, ProxiedAnswer] = {}

    def behaviour(passing: ProxiedRequest) -> ProxyDecision:
        if passing.method != "GET" or not passing.path.startswith(path):
            return NO_CHANGE
        if passing.path in kept:
            return kept[passing.path]

        def keep(sent: ProxiedAnswer) -> ProxiedAnswer:
            if sent.status == 200:
                kept[passing.path] = sent
            return sent

        return Forward(then=keep)

    return behaviour


def round_robin(upstreams: int) -> ProxyBehaviour:
    """Send each request to the next upstream: a balancer without sticky sessions."""
    turn = itertools.cycle(range(upstreams))
    return lambda passing: Forward(to=next(turn))


def saying(replaced: bytes, instead: bytes) -> Callable[[ProxiedAnswer], ProxiedAnswer]:
    """Put other words in the place of an answer's own."""
    return lambda sent: replace(sent, content=sent.content.replace(replaced, instead))


def half(sent: ProxiedAnswer) -> ProxiedAnswer:
    """Cut an answer's content in the middle, and let its length say so: what is left is no JSON."""
    return replace(sent, content=sent.content[: len(sent.content) // 2])


def torn(sent: ProxiedAnswer) -> ProxiedAnswer:
    """Hang up in the middle of an answer's content."""
    return replace(sent, hang_up_after=len(sent.content) // 2)


def lost(sent: ProxiedAnswer) -> ProxiedAnswer:
    """Hang up in place of an answer that was on its way: what was asked for has been done."""
    return replace(sent, status=0)


def dripping(seconds: float, *, bytes_each: int = 1) -> Callable[[ProxiedAnswer], ProxiedAnswer]:
    """Send an answer in pieces of so many bytes, with a pause after each."""
    return lambda sent: replace(sent, drip_seconds=seconds, drip_bytes=bytes_each)


def called(content_type: str) -> Callable[[ProxiedAnswer], ProxiedAnswer]:
    """Call an answer's content something that it is not, or is not called here."""
    return lambda sent: sent.with_header("content-type", content_type)


def without_header(name: str) -> Callable[[ProxiedAnswer], ProxiedAnswer]:
    """Lose a header of an answer."""
    return lambda sent: replace(sent, headers=tuple((key, value) for key, value in sent.headers if key.lower() != name))


def zipped(sent: ProxiedAnswer) -> ProxiedAnswer:
    """Compress an answer although nobody asked for it; one without a body stays as it is."""
    if not sent.content:
        return sent
    return replace(sent.with_header("content-encoding", "gzip"), content=gzip.compress(sent.content))


def zipped_in_members(sent: ProxiedAnswer) -> ProxiedAnswer:
    """Compress an answer in two members, as gateways do that compress piece by piece."""
    if not sent.content:
        return sent
    middle = len(sent.content) // 2
    members = gzip.compress(sent.content[:middle]) + gzip.compress(sent.content[middle:])
    return replace(sent.with_header("content-encoding", "gzip"), content=members)


def deflated(sent: ProxiedAnswer) -> ProxiedAnswer:
    """Compress an answer without the header that deflate has in HTTP, as some servers do."""
    if not sent.content:
        return sent
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = packer.compress(sent.content) + packer.flush()
    return replace(sent.with_header("content-encoding", "deflate"), content=packed)


def zipped_and_cut(sent: ProxiedAnswer) -> ProxiedAnswer:
    """Compress an answer and lose its end, where the checksum is."""
    whole = zipped(sent)
    return replace(whole, content=whole.content[:-8]) if sent.content else sent


def marked(sent: ProxiedAnswer) -> ProxiedAnswer:
    """Begin JSON with a byte order mark."""
    if "json" not in sent.header("content-type"):
        return sent
    return replace(sent, content=codecs.BOM_UTF8 + sent.content)


def to_https(passing: ProxiedRequest) -> ProxyDecision:
    """Send everybody to the same address on https."""
    return SubstituteAnswer(
        status=308, headers={"location": f"https://{passing.headers.get('host', '')}{passing.path}"}
    )


def without_close_times(sent: ProxiedAnswer) -> ProxiedAnswer:
    """Leave the close times out of getHealth, as an RPC before stellar-rpc 27.1 does."""
    if b'"ledgerRetentionWindow"' not in sent.content:
        return sent
    return replace(sent, content=_CLOSE_TIMES.sub(b"", sent.content))


def of_a_newer_protocol(sent: ProxiedAnswer) -> ProxiedAnswer:
    """Answer as a network of protocol 99, whose results of transactions have a type that no SDK knows yet."""
    content = _PROTOCOL.sub(rb"\g<1>99", sent.content)
    return replace(sent, content=_META.sub(rb"\g<1>AAAAYw==", content))


def late_transactions(times: int) -> Callable[[], ProxyBehaviour]:
    """Let an RPC not know each transaction yet, the first so many times it is asked: a backend lags behind."""

    def behaviour() -> ProxyBehaviour:
        asked: Counter[bytes] = Counter()

        def late(sent: ProxiedAnswer) -> ProxiedAnswer:
            found = _TRANSACTION.search(sent.content)
            if found is None or b'"resultMetaXdr"' not in sent.content:
                return sent
            asked[found[1]] += 1
            if asked[found[1]] > times:
                return sent
            answer = json.loads(sent.content)
            kept = {name: value for name, value in answer["result"].items() if name in _NOT_FOUND}
            answer["result"] = {**kept, "status": "NOT_FOUND"}
            return replace(sent, content=json.dumps(answer).encode())

        return answering(late)

    return behaviour


_PROTOCOL = re.compile(rb'("protocolVersion": ?)[0-9]+')
_META = re.compile(rb'("resultMetaXdr": ?")[^"]+')
_CLOSE_TIMES = re.compile(rb'"(?:latest|oldest)LedgerCloseTime": ?"?[0-9]+"?, ?')
_TRANSACTION = re.compile(rb'"txHash": ?"([0-9a-f]{64})"')
_NOT_FOUND = frozenset({"txHash", "latestLedger", "latestLedgerCloseTime", "oldestLedger", "oldestLedgerCloseTime"})


def closing(sent: ProxiedAnswer) -> ProxiedAnswer:
    """Close the connection after an answer, and say so."""
    return replace(sent.with_header("connection", "close"), hang_up_after=len(sent.content))


def dressed(sent: ProxiedAnswer) -> ProxiedAnswer:
    """Add what gateways add: cookies that keep a session, marks of a cache, headers of their own."""
    added = (
        ("set-cookie", "AWSALB=abc; Path=/"),
        ("via", "1.1 edge"),
        ("x-cache", "Miss"),
        ("alt-svc", 'h3=":443"; ma=86400'),
        ("server-timing", "edge;dur=1"),
        ("strict-transport-security", "max-age=31536000"),
    )
    return replace(sent, headers=(*sent.headers, *added))


def chunked(sent: ProxiedAnswer) -> ProxiedAnswer:
    """Send an answer in chunks, with an extension and a trailer, and tell no length."""
    if not sent.content:
        return sent
    middle = max(1, len(sent.content) // 2)
    chunks = b"".join(b"%X;part=1\r\n%s\r\n" % (len(each), each) for each in _halves(sent.content, middle))
    content = chunks + b"0\r\nx-checked: yes\r\n\r\n"
    return replace(sent.with_header("transfer-encoding", "chunked"), content=content, more=iter(()))


def _halves(content: bytes, middle: int) -> list[bytes]:
    return [each for each in (content[:middle], content[middle:]) if each]


def until_closed(sent: ProxiedAnswer) -> ProxiedAnswer:
    """Tell no length: the end of the connection is the end of the answer."""
    return replace(sent, more=iter(())) if sent.content else sent


def shouted(sent: ProxiedAnswer) -> ProxiedAnswer:
    """Write header names in capitals, as HTTP allows."""
    return replace(sent, headers=tuple((key.upper(), value) for key, value in sent.headers))
