"""How StreamPay says no: the error envelope, and the flat form its key errors use."""

import logging
import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from streampay_sandbox.service.wire import Handler, HttpAnswer, HttpCall

logger = logging.getLogger(__name__)
_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")


class Refusal(Exception):
    """A request that is turned down, as status, code and message of the envelope."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = tuple(details)
        self.headers = dict(headers or {})

    def answer(self) -> HttpAnswer:
        """Return the refusal in the envelope `{error: {code, message, details?}}`."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.details:
            error["details"] = list(self.details)
        return HttpAnswer(status=self.status, document={"error": error}, headers=self.headers)


class KeyRefusal(Refusal):
    """A refusal for the sake of an Idempotency-Key: a flat `{error, message}` body."""

    def answer(self) -> HttpAnswer:
        """Return the refusal in the flat form."""
        return HttpAnswer(
            status=self.status, document={"error": self.code, "message": self.message}, headers=self.headers
        )


def refusals_answered(inner: Handler) -> Handler:
    """Layer: turn refusals into answers, and a defect of the sandbox into a 500 that shows nothing of it."""

    def handle(call: HttpCall) -> HttpAnswer:
        try:
            return inner(call)
        except Refusal as refusal:
            return refusal.answer()
        except Exception:
            logger.exception("the sandbox's StreamPay failed at %s %s", call.method, call.route)
            return Refusal(500, "INTERNAL_ERROR", "The service failed; the reason is in its log.").answer()

    return handle


def request_ids_given(inner: Handler) -> Handler:
    """Layer: echo the client's x-request-id, or give one; envelopes carry the same."""

    def handle(call: HttpCall) -> HttpAnswer:
        sent = call.header("x-request-id")
        request_id = sent if _REQUEST_ID.fullmatch(sent) else f"req_{uuid.uuid4()}"
        answer = inner(call)
        match answer.document:
            case {"error": {"code": _, **rest} as error}:
                del rest
                answer = answer.with_document({**answer.document, "error": {**error, "request_id": request_id}})
        return answer.with_headers({"x-request-id": request_id})

    return handle
