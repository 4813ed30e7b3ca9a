"""The engine is whatever listens at an address: it gets the intent as JSON, signed as Standard Webhooks 1.0 says.

    webhook-id: KEY                    the intent's key, the same for every attempt
    webhook-timestamp: 1764097200      Unix seconds of this attempt
    webhook-signature: v1,BASE64       HMAC-SHA256 of "KEY.TIMESTAMP.BODY", the body as its bytes are
    idempotency-key: KEY               the same key, where gateways look for it

The secret is `whsec_` and base64 of 24 to 64 random bytes. A receiver computes the signature of what it received,
compares in constant time, refuses timestamps more than five minutes off, and acts once for each key.
`streampay_smoke.core.webhooks.verified` does the first three; so do the libraries of standardwebhooks.com for most
languages.
"""

import time
from collections.abc import Callable, Mapping

import msgspec

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.core.secret import Secret
from streampay_smoke.core.webhooks import signed, signing_key
from streampay_smoke.http.client import Client, Reply
from streampay_smoke.rollback.hook import Intent
from streampay_smoke.rollback.hooks.engine_api import (
    REAL_CLOCK,
    REQUEST_SECONDS,
    Credentials,
    Deadline,
    EngineApi,
    EngineRequest,
    HookClock,
    checked_address,
    error_message_of,
    retry_until_done,
)

SECRET = "SMOKE_ROLLBACK_WEBHOOK_SECRET"  # noqa: S105 (the variable's name)


class WebhookSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[rollback.webhook]`: where the intent is posted to, and how long one attempt may take."""

    url: str
    request_seconds: float = REQUEST_SECONDS


class WebhookHook:
    """Posts the intent until the receiver takes it with a status of 2xx.

    Repeated inside the deadline: no answer, 408, 429, 500, 502, 503, 504; `Retry-After` is waited out. Every other
    status is final, a redirect too. The receiver knows of no release, so none is told.
    """

    def __init__(
        self,
        settings: WebhookSettings,
        secret: Secret,
        *,
        now: Callable[[], float] = time.time,
        clock: HookClock = REAL_CLOCK,
    ) -> None:
        self._key = signing_key(secret, variable=SECRET)
        self._now = now
        self._clock = clock
        self._url = checked_address("webhook.url", settings.url)
        self._api = EngineApi(
            "the webhook's receiver",
            Client(timeout_seconds=settings.request_seconds),
            credentials=self._signed,
            next_steps={
                401: f"give sender and receiver the same {SECRET}, and compare their clocks",
                403: f"give sender and receiver the same {SECRET}, and let the receiver accept this sender",
                404: "correct url in [rollback.webhook]",
                409: "see what the receiver did with the first request of this key",
            },
        )

    @classmethod
    def made(cls, settings: WebhookSettings, secrets: Mapping[str, Secret]) -> "WebhookHook":
        """Return the hook; raises SettingsInvalid without a proper secret or address."""
        if SECRET not in secrets:
            raise SettingsInvalid(
                f"{SECRET} is not set: no receiver may act on a rollback that is not signed",
                next_step=f"set {SECRET} to whsec_ and base64 of 32 random bytes, here and at the receiver",
            )
        return cls(settings, secrets[SECRET])

    def live_release(self) -> None:
        """Return None: a webhook is told, not asked."""

    def roll_back(self, intent: Intent) -> str:
        """Post the intent; the receiver's message, or its status, are its words."""
        body = msgspec.json.encode(intent)
        headers = {"webhook-id": intent.key, "idempotency-key": intent.key}

        def post(within: Deadline) -> Reply:
            return self._api.ask("POST", self._url, within=within, body=body, headers=headers)

        reply = retry_until_done(post, intent.deadline_seconds, self._clock)
        return error_message_of(reply) or f"taken with status {reply.status}"

    def _signed(self, request: EngineRequest) -> Credentials:
        headers = signed(self._key, request.headers["webhook-id"], int(self._now()), request.content)
        return Credentials(headers=headers, secrets=(headers["webhook-signature"],))
