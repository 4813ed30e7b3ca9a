"""Ways in which a whole deployment goes wrong at once."""

import itertools
from collections.abc import Callable
from typing import Final, NoReturn

from msgspec.structs import replace

from streampay_sandbox.fault import Severity
from streampay_sandbox.service.errors import Refusal
from streampay_sandbox.service.faults.fault import Mutation, ServiceFault, around, around_with
from streampay_sandbox.service.parts import Parts
from streampay_sandbox.service.stellar import LedgerRefused
from streampay_sandbox.service.wire import Handler, HttpAnswer, HttpCall

SLOW_SECONDS = 3.0
SLOWER_SECONDS: Final = 0.15
FAILS_EACH: Final = 3
CHAOS_EACH: Final = 7
STREAMS: Final = ("/api/streams", "/api/v2/streams")
STALE_LEDGERS: Final = 100
INVENTED: Final = (51_234_567, 51_230_001)
CLOCK_AHEAD_SECONDS: Final = 600


def _fails_after_storing(inner: Handler, call: HttpCall) -> HttpAnswer:
    answer = inner(call)
    return HttpAnswer(status=500) if call.route == "/api/streams" and call.method in {"GET", "POST"} else answer


def _says_too_much(field: str, text: Callable[[HttpCall, str], str]) -> Mutation:
    """Return the mutation that adds a field, or replaces one, in every error; `text` makes it of call and code."""

    def layer(inner: Handler, call: HttpCall) -> HttpAnswer:
        answer = inner(call)
        match answer.document:
            case {"error": {"code": code} as error}:
                return answer.with_document({**answer.document, "error": {**error, field: text(call, code)}})
        return answer

    return around(layer)


def _stack(call: HttpCall, code: str) -> str:
    return f"Error: {code}\n    at POST (/app/.next/server/app/api/streams/route.js:1:4242)"


def _echo(call: HttpCall, code: str) -> str:
    return f"{code} for {call.header('authorization') or call.header('x-api-key') or 'nobody'}"


def _connection(call: HttpCall, code: str) -> str:
    return f"{code}: postgres://streampay:hunter2@db.internal:5432/streampay said no"


def _invented_index(parts: Parts) -> Parts:
    positions = itertools.cycle(INVENTED)
    return replace(parts, index_cursor=lambda: next(positions))


def _no_metrics(inner: Handler, call: HttpCall) -> HttpAnswer:
    if call.route == "/api/metrics":
        raise Refusal(503, "METRICS_DISABLED", "There are no metrics here.")
    return inner(call)


def _late(parts: Parts, inner: Handler, call: HttpCall) -> HttpAnswer:
    parts.stopping.wait(SLOW_SECONDS)
    return inner(call)


def _slower(method: str) -> Mutation:
    """Return the mutation that answers calls of this method about streams later than the release before."""

    def layer(parts: Parts, inner: Handler, call: HttpCall) -> HttpAnswer:
        if call.method == method and call.route.startswith(STREAMS):
            parts.stopping.wait(SLOWER_SECONDS)
        return inner(call)

    return around_with(layer)


def _fails_at_times(parts: Parts) -> Parts:
    count = itertools.count(1)

    def layer(parts: Parts, inner: Handler, call: HttpCall) -> HttpAnswer:
        if call.route.startswith(STREAMS) and next(count) % FAILS_EACH == 0:
            return HttpAnswer(status=500)
        return inner(call)

    return around_with(layer)(parts)


def _chaos(parts: Parts) -> Parts:
    count = itertools.count(1)

    def layer(inner: Handler) -> Handler:
        def handle(call: HttpCall) -> HttpAnswer:
            if next(count) % CHAOS_EACH == 0:
                raise Refusal(503, "CHAOS_INJECTED", "This failure was made on purpose.")
            return inner(call)

        return handle

    return replace(parts, layers=(*parts.layers, layer))


def _cannot_sign(parts: Parts) -> Parts:
    def refused(*_: object) -> NoReturn:
        raise LedgerRefused("the network refused the transaction: txBAD_AUTH")

    return replace(parts, escrow=refused, settle=refused)


def _database_dead(inner: Handler, call: HttpCall) -> HttpAnswer:
    if call.route.startswith(("/api/streams", "/api/v2/streams")) and call.route != "/api/streams/health":
        raise Refusal(500, "INTERNAL_ERROR", "The database closed the connection.")
    return inner(call)


FAULTS: Final = (
    ServiceFault(
        name="chaos-left-on",
        story=f"measured: NODE_ENV=staging leaves chaos on, and each {CHAOS_EACH}th answer is 503 CHAOS_INJECTED",
        severity=Severity.CATASTROPHIC,
        caught_by="operations/the-service-answers",
        mutation=_chaos,
    ),
    ServiceFault(
        name="service-clock-ahead",
        story=f"operations: the host's clock is {CLOCK_AHEAD_SECONDS // 60} minutes ahead, and signatures are refused",
        severity=Severity.CATASTROPHIC,
        caught_by="readiness/",
        mutation=lambda parts: replace(parts, clock=lambda: parts.clock() + CLOCK_AHEAD_SECONDS),
    ),
    ServiceFault(
        name="ready-but-cannot-sign",
        story="measured: readiness is ok with a key that does not exist, and the ledger refuses every signature",
        severity=Severity.CATASTROPHIC,
        caught_by="settlement/",
        mutation=_cannot_sign,
    ),
    ServiceFault(
        name="ready-but-database-dead",
        story="measured: health stays ok while the database is gone",
        severity=Severity.CATASTROPHIC,
        caught_by="streams/",
        mutation=around(_database_dead),
    ),
    ServiceFault(
        name="indexer-invents",
        story="measured: the index tells random ledgers, and goes back",
        severity=Severity.SERIOUS,
        caught_by="operations/the-index",
        mutation=_invented_index,
    ),
    ServiceFault(
        name="indexer-stands-still",
        story="operations: the index lost its connection to the ledger long ago and says nothing of it",
        severity=Severity.SERIOUS,
        caught_by="operations/the-index",
        mutation=lambda parts: replace(parts, index_cursor=lambda: parts.index_cursor() - STALE_LEDGERS),
    ),
    ServiceFault(
        name="metrics-off",
        story="measured: without its token the service answers 503 METRICS_DISABLED to every scraper",
        severity=Severity.SERIOUS,
        caught_by="operations/the-metrics-are",
        mutation=around(_no_metrics),
    ),
    ServiceFault(
        name="half-broken",
        story="release: GET and POST /api/streams answer 500 with an empty body, after storing",
        severity=Severity.CATASTROPHIC,
        caught_by="streams/",
        mutation=around(_fails_after_storing),
    ),
    ServiceFault(
        name="every-url-500",
        story="measured: a configuration error in middleware turns every URL into a plain-text 500",
        severity=Severity.CATASTROPHIC,
        caught_by="readiness/",
        mutation=around(
            lambda inner, call: HttpAnswer(status=500, text="Internal Server Error", media_type="text/plain")
        ),
    ),
    ServiceFault(
        name="stack-trace-in-answer",
        story="operations: NODE_ENV is not production",
        severity=Severity.SERIOUS,
        caught_by="access/error-answers-contain",
        mutation=_says_too_much("stack", _stack),
    ),
    ServiceFault(
        name="error-echoes-token",
        story="operations: errors repeat the credential they were asked with, and logs keep it",
        severity=Severity.CATASTROPHIC,
        caught_by="access/error-answers-contain",
        mutation=_says_too_much("message", _echo),
    ),
    ServiceFault(
        name="error-shows-password",
        story="operations: an error of the database comes out with its connection string",
        severity=Severity.CATASTROPHIC,
        caught_by="access/error-answers-contain",
        mutation=_says_too_much("message", _connection),
    ),
    ServiceFault(
        name="slow",
        story=f"operations: every answer takes {SLOW_SECONDS:g} s longer",
        severity=Severity.SERIOUS,
        caught_by="objective_missed",
        mutation=around_with(_late),
    ),
    ServiceFault(
        name="reads-slower",
        story=f"release: reads of streams take {SLOWER_SECONDS * 1000:g} ms longer, which keeps every objective",
        severity=Severity.SERIOUS,
        caught_by="canary_worse",
        mutation=_slower("GET"),
    ),
    ServiceFault(
        name="writes-slower",
        story=f"release: writes of streams take {SLOWER_SECONDS * 1000:g} ms longer, which keeps every objective",
        severity=Severity.SERIOUS,
        caught_by="canary_worse",
        mutation=_slower("POST"),
    ),
    ServiceFault(
        name="requests-fail-at-times",
        story=f"release: each {FAILS_EACH}rd request about streams is answered with 500",
        severity=Severity.CATASTROPHIC,
        caught_by="canary_worse",
        mutation=_fails_at_times,
    ),
)
