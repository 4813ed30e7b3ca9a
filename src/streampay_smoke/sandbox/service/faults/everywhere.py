"""Ways in which a whole deployment goes wrong at once."""

from typing import Final

from streampay_smoke.sandbox.fault import Severity
from streampay_smoke.sandbox.service.faults.fault import ServiceFault, around, around_with
from streampay_smoke.sandbox.service.parts import Parts
from streampay_smoke.sandbox.service.wire import Answer, Call, Handler

SLOW_SECONDS = 3.0


def _fails_after_storing(inner: Handler, call: Call) -> Answer:
    answer = inner(call)
    return Answer(status=500) if call.route == "/api/streams" and call.method in {"GET", "POST"} else answer


def _with_stack_trace(inner: Handler, call: Call) -> Answer:
    answer = inner(call)
    match answer.document:
        case {"error": {"code": code} as error}:
            stack = f"Error: {code}\n    at POST (/app/.next/server/app/api/streams/route.js:1:4242)"
            return answer.with_document({**answer.document, "error": {**error, "stack": stack}})
    return answer


def _late(parts: Parts, inner: Handler, call: Call) -> Answer:
    parts.stopping.wait(SLOW_SECONDS)
    return inner(call)


FAULTS: Final = (
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
        mutation=around(lambda inner, call: Answer(status=500, text="Internal Server Error", media_type="text/plain")),
    ),
    ServiceFault(
        name="stack-trace-in-answer",
        story="operations: NODE_ENV is not production",
        severity=Severity.SERIOUS,
        caught_by="",
        mutation=around(_with_stack_trace),
    ),
    ServiceFault(
        name="slow",
        story=f"operations: every answer takes {SLOW_SECONDS:g} s longer",
        severity=Severity.SERIOUS,
        caught_by="",
        mutation=around_with(_late),
    ),
)
