"""What a browser client of another origin needs: exact origins, and every header a write takes."""

from collections.abc import Container

from streampay_sandbox.service.errors import Refusal
from streampay_sandbox.service.wire import Handler, HttpAnswer, HttpCall, Layer

ALLOWED_ORIGINS = frozenset({"http://localhost:3000"})
_ALLOWED_HEADERS = (
    "authorization, content-type, idempotency-key, x-csrf-token, x-api-key, x-request-id, x-requested-with, "
    "x-tenant-id, actor-wallet-address, if-none-match"
)
_EXPOSED_HEADERS = "etag, idempotency-key, idempotency-replay, retry-after, x-release, x-request-id"


def cors_enforced(allowed_origins: Container[str]) -> Layer:
    """Return the layer that answers preflights and refuses origins that are neither allowed nor its own."""

    def layer(inner: Handler) -> Handler:
        def handle(call: HttpCall) -> HttpAnswer:
            origin = call.header("origin")
            if not call.path.startswith("/api/") or not origin:
                return inner(call)
            if origin not in allowed_origins and origin != f"http://{call.header('host')}":
                raise Refusal(
                    403, "CORS_ORIGIN_DISALLOWED", "This origin may not call the API.", headers={"vary": "Origin"}
                )
            headers = {
                "access-control-allow-origin": origin,
                "access-control-allow-credentials": "true",
                "vary": "Origin",
            }
            if call.method == "OPTIONS" and call.header("access-control-request-method"):
                return HttpAnswer(status=204).with_headers(
                    headers
                    | {
                        "access-control-allow-methods": "GET, POST, PUT, PATCH, DELETE, OPTIONS",
                        "access-control-allow-headers": _ALLOWED_HEADERS,
                        "access-control-max-age": "600",
                    }
                )
            return inner(call).with_headers(headers | {"access-control-expose-headers": _EXPOSED_HEADERS})

        return handle

    return layer
