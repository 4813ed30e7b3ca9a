"""The webhook: signed so that anybody can check it, sent again where that may help, and acted on once."""

import base64
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import msgspec
import pytest
from engine_double import Answered, Asked, Double, serving
from hook_clock import noted
from official import package
from waits import Stopwatch

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.core.secret import Secret
from streampay_smoke.core.webhooks import TOLERANCE_SECONDS, signed, signing_key, verified
from streampay_smoke.rollback.hook import Hook, HookFailed, Intent
from streampay_smoke.rollback.hooks.webhook import SECRET, WebhookHook, WebhookSettings

standardwebhooks = package("standardwebhooks")

WHSEC = Secret("whsec_" + base64.b64encode(b"k" * 32).decode())
KEY = signing_key(WHSEC, variable=SECRET)
INTENT = Intent(
    deploy="deploy-7",
    environment="staging",
    failed_release="v2",
    target_release="v1",
    key="rollback-deploy-7",
    deadline_seconds=60.0,
)


class Receiver:
    """A receiver as the page on hooks asks for: it checks the signature and acts once for each key."""

    def __init__(self) -> None:
        self.acted: dict[str, Intent] = {}

    def answer(self, asked: Asked) -> Answered:
        if not verified(KEY, asked.headers, asked.body, now=time.time()):
            return Answered(401, {"message": f"the signature {asked.headers['webhook-signature']} does not hold"})
        if asked.headers["webhook-id"] in self.acted:
            return Answered(200, {"message": "already done"})
        self.acted[asked.headers["webhook-id"]] = msgspec.json.decode(asked.body, type=Intent)
        return Answered(202, {"message": "rolling back to v1"})


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def double(receiver: Receiver) -> Iterator[Double]:
    with serving(receiver) as double:
        yield double


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def hook(double: Double, pauses: list[float]) -> WebhookHook:
    return WebhookHook(WebhookSettings(url=f"{double.url}/streampay/rollback"), WHSEC, clock=noted(pauses))


def test_the_receiver_gets_the_intent_and_its_words_come_back(
    hook: WebhookHook, double: Double, receiver: Receiver
) -> None:
    assert hook.roll_back(INTENT) == "rolling back to v1"
    assert receiver.acted == {"rollback-deploy-7": INTENT}
    (asked,) = double.asked
    assert (asked.method, asked.path) == ("POST", "/streampay/rollback")
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["idempotency-key"] == asked.headers["webhook-id"] == INTENT.key


def test_the_reference_library_verifies_what_is_sent(hook: WebhookHook, double: Double) -> None:
    hook.roll_back(INTENT)
    (asked,) = double.asked
    assert standardwebhooks.Webhook(WHSEC.reveal()).verify(asked.body, asked.headers)["key"] == INTENT.key


def test_what_the_reference_library_signs_is_verified() -> None:
    at = datetime(2026, 11, 25, 12, tzinfo=UTC)
    signature = standardwebhooks.Webhook(WHSEC.reveal()).sign("id-1", at, '{"a":1}')
    headers = {"webhook-id": "id-1", "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signature}
    assert verified(KEY, headers, b'{"a":1}', now=at.timestamp())


def test_a_receiver_trusts_nothing_that_was_changed() -> None:
    key, body, now = KEY, b'{"a":1}', 1_764_000_000
    good = {
        "webhook-id": "id-1",
        "webhook-timestamp": str(now),
        "webhook-signature": f"v1,b2xk {signed(key, 'id-1', now, body)['webhook-signature']}",
    }
    assert verified(key, good, body, now=now)
    assert verified(key, good, body, now=now + TOLERANCE_SECONDS)
    assert not verified(key, good, body, now=now + TOLERANCE_SECONDS + 1)
    assert not verified(key, good, body, now=now - TOLERANCE_SECONDS - 1)
    assert not verified(b"another" * 8, good, body, now=now)
    assert not verified(key, good, b'{"a":2}', now=now)
    for name, value in {"webhook-id": "id-2", "webhook-timestamp": "soon", "webhook-signature": "v1,"}.items():
        assert not verified(key, {**good, name: value}, body, now=now), name
        assert not verified(key, {key: value for key, value in good.items() if key != name}, body, now=now), name


def test_a_receiver_that_knows_no_words_is_quoted_with_its_status(hook: WebhookHook, double: Double) -> None:
    double.refuse(204)
    assert hook.roll_back(INTENT) == "taken with status 204"


def test_the_same_key_acts_once(hook: WebhookHook, receiver: Receiver) -> None:
    hook.roll_back(INTENT)
    assert hook.roll_back(INTENT) == "already done"
    assert len(receiver.acted) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_passes_is_tried_again(
    status: int, hook: WebhookHook, double: Double, receiver: Receiver, pauses: list[float]
) -> None:
    double.refuse(status, times=2)
    assert hook.roll_back(INTENT) == "rolling back to v1"
    assert pauses == [0.25, 0.5]
    assert len(receiver.acted) == 1


@pytest.mark.parametrize("status", [302, 307, 400, 401, 403, 404, 409, 410, 422, 501])
def test_what_does_not_pass_is_final(status: int, hook: WebhookHook, double: Double) -> None:
    double.refuse(status, {"message": "no"}, headers={"location": "https://elsewhere.example"})
    with pytest.raises(HookFailed, match=f"was answered {status}: no") as caught:
        hook.roll_back(INTENT)
    assert caught.value.next_step
    assert len(double.asked) == 1


def test_a_lost_answer_is_asked_for_again_with_the_same_key(
    hook: WebhookHook, double: Double, receiver: Receiver
) -> None:
    double.act_and_hang_up()
    double.hang_up()
    assert hook.roll_back(INTENT) == "already done"
    assert len(receiver.acted) == 1
    assert len({asked.headers["idempotency-key"] for asked in double.asked}) == 1


def test_retry_after_is_waited_out(hook: WebhookHook, double: Double, pauses: list[float]) -> None:
    double.refuse(429, headers={"retry-after": "2"})
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    double.refuse(503, headers={"retry-after": soon})
    double.refuse(503, headers={"retry-after": "when it is mended"})
    hook.roll_back(INTENT)
    assert pauses[0] == 2
    assert 2 < pauses[1] <= 30
    assert pauses[2] == 0.25


def test_no_wait_goes_beyond_the_deadline(hook: WebhookHook, double: Double, pauses: list[float]) -> None:
    double.refuse(503, headers={"retry-after": "600"})
    with pytest.raises(HookFailed, match=r"given up after 1 try in .* \(limit 60 s\)"):
        hook.roll_back(INTENT)
    assert pauses == []


def test_a_silent_receiver_is_given_up_at_the_deadline(hook: WebhookHook, double: Double) -> None:
    released = threading.Event()
    double.never_answer(released)
    with Stopwatch() as watch, pytest.raises(HookFailed, match="there was no full answer in time"):
        hook.roll_back(msgspec.structs.replace(INTENT, deadline_seconds=0.3))
    released.set()
    assert watch.seconds < watch.allows(3)


def test_nobody_listening_says_what_to_do(pauses: list[float]) -> None:
    hook = WebhookHook(WebhookSettings(url="http://127.0.0.1:1"), WHSEC, clock=noted(pauses))
    with pytest.raises(HookFailed, match="the connection was refused") as caught:
        hook.roll_back(msgspec.structs.replace(INTENT, deadline_seconds=0.2))
    assert "can be reached" in caught.value.next_step


def test_no_secret_and_no_signature_is_in_an_error(double: Double) -> None:
    other = Secret("whsec_" + base64.b64encode(b"o" * 32).decode())
    hook = WebhookHook(WebhookSettings(url=double.url), other)
    with pytest.raises(HookFailed) as caught:
        hook.roll_back(INTENT)
    assert "the signature <redacted> does not hold" in str(caught.value)
    assert double.asked[0].headers["webhook-signature"] not in str(caught.value)


def test_a_webhook_knows_no_release(hook: WebhookHook) -> None:
    told: Hook = hook
    assert told.live_release() is None


@pytest.mark.parametrize("secret", ["short", "whsec_", "whsec_c2hvcnQ=", "whsec_!!!!", "a3" * 40])
def test_a_secret_that_is_none_is_refused_and_not_shown(secret: str) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        WebhookHook(WebhookSettings(url="https://receiver.example"), Secret(secret))
    assert secret not in f"{caught.value} {caught.value.next_step}" or secret in {"short", "whsec_"}


def test_without_a_secret_there_is_no_hook() -> None:
    with pytest.raises(SettingsInvalid, match=f"{SECRET} is not set"):
        WebhookHook.made(WebhookSettings(url="https://receiver.example"), {})
    WebhookHook.made(WebhookSettings(url="https://receiver.example"), {SECRET: WHSEC})


@pytest.mark.parametrize(
    "url",
    [
        "http://receiver.example/hook",
        "ftp://receiver.example",
        "receiver.example",
        "https://",
        "https://[::1",
        "https://host:port/",
        "https://user:pass@receiver.example",
        "https://receiver.example/?token=hidden",
        "https://receiver.example/#a",
    ],
)
def test_an_unsafe_address_is_refused(url: str) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        WebhookHook(WebhookSettings(url=url), WHSEC)
    assert "hidden" not in str(caught.value)
    assert "pass" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://localhost:1/hook", "http://[::1]:1", "http://127.8.8.8", "https://a.example/x/"]
)
def test_loopback_and_https_are_fine(url: str) -> None:
    WebhookHook(WebhookSettings(url=url), WHSEC)
