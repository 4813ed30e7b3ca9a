"""Who is told, as somebody set it. Addresses of chats and webhooks hold tokens: they are secrets."""

import itertools

import msgspec

from streampay_smoke.core.secret import Secret, SecretAddress, secrets_of
from streampay_smoke.evidence.addresses import keys_in

WEBHOOK_SECRET = "SMOKE_NOTIFY_WEBHOOK_SECRET"  # noqa: S105 (the variable's name)


class NotificationSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The targets of notifications, None where one is not set, and where people can read on, "" where nobody says."""

    notify_slack_url: SecretAddress | None = None
    notify_teams_url: SecretAddress | None = None
    notify_webhook_url: SecretAddress | None = None
    notify_webhook_secret: Secret | None = None
    page_pagerduty_key: Secret | None = None
    page_pagerduty_url: str = ""
    page_opsgenie_key: Secret | None = None
    page_opsgenie_url: str = ""
    report_url: str = ""
    runbook_url: str = ""

    def secrets(self) -> tuple[str, ...]:
        """Return the value of every secret that was given, addresses left out."""
        return tuple(secret.reveal() for secret in secrets_of(self) if not isinstance(secret, SecretAddress))

    def redacted(self) -> tuple[str, ...]:
        """Return everything that no text may show: the secrets, and of a secret address what may be a key."""
        keys = (keys_in(secret.reveal()) for secret in secrets_of(self) if isinstance(secret, SecretAddress))
        return (*self.secrets(), *itertools.chain.from_iterable(keys))
