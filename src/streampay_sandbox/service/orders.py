"""Checks the body of a create call and works out what it escrows: one schedule period."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, TypeGuard

import msgspec
from stellar_sdk import StrKey

from streampay_sandbox.service.errors import Refusal
from streampay_sandbox.service.streams import NATIVE
from streampay_sandbox.service.wire import Handler, HttpAnswer, HttpCall

DECIMALS = 7
"""What a unit is divided into: ten million stroops."""

PERIOD_SECONDS: Mapping[str, int] = {
    "second": 1,
    "minute": 60,
    "hour": 3_600,
    "day": 24 * 3_600,
    "week": 7 * 24 * 3_600,
    "month": 30 * 24 * 3_600,
    "year": 365 * 24 * 3_600,
}
"""How long one period of each schedule is. The service's own table, as is its arithmetic: none is the gate's."""

MAX_STROOPS = 2**127 - 1
"""Largest amount a contract can name."""

_RATE = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_TOKEN = re.compile(r"[A-Za-z0-9]{1,12}:G[A-Z2-7]{55}")


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a user asked for; `total_stroops` and `duration_seconds` follow from rate and schedule."""

    recipient: str
    rate: str
    schedule: str
    token: str

    @property
    def total_stroops(self) -> int:
        """What one schedule period pays."""
        return _stroops(self.rate)

    @property
    def duration_seconds(self) -> int:
        """Length of one schedule period."""
        return PERIOD_SECONDS[self.schedule.lower()]


def body_limited(inner: Handler) -> Handler:
    """Layer: refuse bodies that are too long, chunked or not."""

    def handle(call: HttpCall) -> HttpAnswer:
        if len(call.body) > call.most_bytes:
            raise Refusal(413, "REQUEST_TOO_LARGE", f"A request has at most {call.most_bytes} bytes.")
        return inner(call)

    return handle


def json_object(call: HttpCall) -> Mapping[str, Any]:
    """Return the body as a JSON object; raises Refusal (400)."""
    try:
        document = msgspec.json.decode(call.body)
    except msgspec.DecodeError:
        document = None
    if not isinstance(document, dict):
        raise Refusal(400, "INVALID_REQUEST", "The body is not a JSON object.")
    return document


def order(call: HttpCall) -> Order:
    """Return the order in a create call; raises Refusal (400, 422)."""
    body = json_object(call)
    details = [
        {"field": field, "code": code, "message": message}
        for field, check in _CHECKS.items()
        for code, message in check(body.get(field))
    ]
    if details:
        raise invalid(details)
    return Order(
        recipient=body["recipient"],
        rate=body["rate"],
        schedule=body["schedule"],
        token=_token(body.get("token", NATIVE)),
    )


def invalid(details: list[dict[str, str]]) -> Refusal:
    """Return the refusal of a body with these faults."""
    return Refusal(422, "VALIDATION_ERROR", "The request is not valid.", details=details)


def is_account(value: object) -> TypeGuard[str]:
    """Return whether `value` is a Stellar account address with a valid checksum."""
    return isinstance(value, str) and StrKey.is_valid_ed25519_public_key(value)


def _stroops(rate: str) -> int:
    """Return a decimal number with up to seven decimals in stroops, exactly, however large."""
    whole, _, fraction = rate.partition(".")
    return int(whole + fraction.ljust(DECIMALS, "0"))


_Findings = list[tuple[str, str]]


def _missing(value: object) -> bool:
    return not isinstance(value, str) or not value.strip()


def _recipient(value: Any) -> _Findings:
    if _missing(value):
        return [("MISSING_FIELD", "recipient is required.")]
    if not is_account(value):
        return [("INVALID_STELLAR_KEY", "recipient must be a Stellar account.")]
    return []


def _rate(value: Any) -> _Findings:
    if _missing(value):
        return [("MISSING_FIELD", "rate is required, as a decimal string.")]
    if not _RATE.fullmatch(value):
        return [("INVALID_RATE_FORMAT", "rate must be a decimal number.")]
    if Decimal(value) <= 0:
        return [("NEGATIVE_RATE", "rate must be greater than zero.")]
    if len(value.partition(".")[2]) > DECIMALS:
        return [("DECIMAL_PRECISION_EXCEEDED", "rate has at most 7 decimals.")]
    if _stroops(value) > MAX_STROOPS:
        return [("INVALID_RATE_FORMAT", "rate is more than a ledger can hold.")]
    return []


def _schedule(value: Any) -> _Findings:
    if _missing(value):
        return [("MISSING_FIELD", "schedule is required.")]
    if value.lower() not in PERIOD_SECONDS:
        return [("INVALID_SCHEDULE", f"schedule must be one of {', '.join(PERIOD_SECONDS)}.")]
    return []


def _token_type(value: Any) -> _Findings:
    if value is not None and not isinstance(value, str):
        return [("INVALID_TOKEN_FORMAT", "token must be a string.")]
    return []


_CHECKS: Mapping[str, Callable[[Any], _Findings]] = {
    "recipient": _recipient,
    "rate": _rate,
    "schedule": _schedule,
    "token": _token_type,
}


def _token(token: str | None) -> str:
    if token is None or token == NATIVE:
        return NATIVE
    if not _TOKEN.fullmatch(token):
        raise Refusal(422, "INVALID_TOKEN", "token must be XLM or CODE:ISSUER.")
    raise Refusal(422, "TOKEN_NOT_ALLOWED", "This sandbox streams XLM only.")
