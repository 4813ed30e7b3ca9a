"""Who is told, as somebody set it. Addresses of chats and webhooks hold tokens: they are secrets."""

from collections.abc import Iterator

import msgspec

from streampay_smoke.core.secret import Secret
from streampay_smoke.evidence.addresses import host_only, keys_in

WEBHOOK_SECRET = "SMOKE_NOTIFY_WEBHOOK_SECRET"  # noqa: S105 (the variable's name)

ADDRESSES = ("notify_slack_url", "notify_teams_url", "notify_webhook_url")
"""The secret addresses; of each only the host may be shown."""


class NotificationSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The targets of notifications, None where one is not set, and where people can read on, "" where nobody says."""

    notify_slack_url: Secret | None = None
    notify_teams_url: Secret | None = None
    notify_webhook_url: Secret | None = None
    notify_webhook_secret: Secret | None = None
    page_pagerduty_key: Secret | None = None
    page_pagerduty_url: str = ""
    page_opsgenie_key: Secret | None = None
    page_opsgenie_url: str = ""
    report_url: str = ""
    runbook_url: str = ""

    def notification_secrets(self) -> tuple[str, ...]:
        """Return what no text may show of the targets: their keys, and of each address what may be one."""
        keys = (self.notify_webhook_secret, self.page_pagerduty_key, self.page_opsgenie_key)
        addresses = (getattr(self, name) for name in ADDRESSES)
        in_addresses = (keys_in(address.reveal()) for address in addresses if address is not None)
        return (*(key.reveal() for key in keys if key is not None), *(key for found in in_addresses for key in found))

    def targets_described(self) -> Iterator[str]:
        """Yield who is told, with the host it is told at."""
        for name, address in (
            ("Slack", self.notify_slack_url),
            ("Teams", self.notify_teams_url),
            ("webhook", self.notify_webhook_url),
        ):
            if address is not None:
                yield f"{name} ({host_only(address.reveal())})"
        for name, key, url in (
            ("PagerDuty", self.page_pagerduty_key, self.page_pagerduty_url),
            ("Opsgenie", self.page_opsgenie_key, self.page_opsgenie_url),
        ):
            if key is not None:
                yield f"{name} for pages ({host_only(url)})"
