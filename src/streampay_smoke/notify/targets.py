"""The places a notice can be sent to, and the request each of them understands. Nothing is sent here.

Each is a few lines of JSON that its vendor documents and keeps: Slack's incoming webhooks, Teams' workflows (an
adaptive card), PagerDuty's Events API v2, Opsgenie's Alert API, and anybody's own receiver with Standard Webhooks.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from streampay_smoke.core import times
from streampay_smoke.core.secret import SecretAddress
from streampay_smoke.core.webhooks import signed, signing_key
from streampay_smoke.notify.notice import Notice
from streampay_smoke.settings.notification import WEBHOOK_SECRET, NotificationSettings

_PAGERDUTY_SUMMARY = 1024
_OPSGENIE_MESSAGE = 130

_SLACK_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


class TargetRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A POST of JSON."""

    url: str
    content: bytes
    headers: dict[str, str] = {}

    def __repr__(self) -> str:
        return "TargetRequest(<secret>)"


class NotificationTarget(msgspec.Struct, frozen=True, kw_only=True):
    """One place. `pages` says that it wakes people: it gets what the decision pages for, and nothing else.

    `request` makes the request of one attempt.
    """

    name: str
    address: SecretAddress
    pages: bool
    request: Callable[[Notice], TargetRequest]

    def gets(self, notice: Notice) -> bool:
        """Whether a notice is for this target."""
        return notice.page or not self.pages


def targets_of(settings: NotificationSettings) -> Iterator[NotificationTarget]:
    """Yield every target that is set."""
    if settings.notify_slack_url is not None:
        yield _target("Slack", settings.notify_slack_url.reveal(), _slack)
    if settings.notify_teams_url is not None:
        yield _target("Teams", settings.notify_teams_url.reveal(), _teams)
    if settings.notify_webhook_url is not None and settings.notify_webhook_secret is not None:
        key = signing_key(settings.notify_webhook_secret, variable=WEBHOOK_SECRET)
        url = settings.notify_webhook_url.reveal()
        yield NotificationTarget(
            name="webhook",
            address=settings.notify_webhook_url,
            pages=False,
            request=lambda notice: _webhook(url, key, notice),
        )
    if settings.page_pagerduty_key is not None:
        routing_key = settings.page_pagerduty_key.reveal()
        yield _target(
            "PagerDuty", settings.page_pagerduty_url, lambda notice: _pagerduty(routing_key, notice), pages=True
        )
    if settings.page_opsgenie_key is not None:
        headers = {"authorization": f"GenieKey {settings.page_opsgenie_key.reveal()}"}
        yield _target("Opsgenie", settings.page_opsgenie_url, _opsgenie, headers, pages=True)


def _target(
    name: str,
    url: str,
    body: Callable[[Notice], Any],
    headers: dict[str, str] | None = None,
    *,
    pages: bool = False,
) -> NotificationTarget:
    sent = {"content-type": "application/json", **(headers or {})}
    return NotificationTarget(
        name=name,
        address=SecretAddress(url),
        pages=pages,
        request=lambda notice: TargetRequest(url=url, content=msgspec.json.encode(body(notice)), headers=sent),
    )


def _slack(notice: Notice) -> Any:
    def escaped(text: str) -> str:
        return text.translate(_SLACK_ESCAPES)

    links = " · ".join(f"<{link.url}|{escaped(link.text)}>" for link in notice.links)
    lines = (escaped(notice.headline), *map(escaped, notice.lines), links)
    return {"text": "\n".join(filter(None, lines)), "unfurl_links": False}


def _teams(notice: Notice) -> Any:
    # Runs of rich text know no Markdown: a release cannot name itself a link.
    def block(text: str, **style: Any) -> Any:
        return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **style}]}

    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [block(notice.headline, weight="Bolder"), *map(block, notice.lines)],
        "actions": [{"type": "Action.OpenUrl", "title": link.text, "url": link.url} for link in notice.links],
    }
    kind = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind, "contentUrl": None, "content": card}]}


def _webhook(url: str, key: bytes, notice: Notice) -> TargetRequest:
    message_id = f"{notice.run_id}.{notice.verdict}"
    body = {"type": "gate.verdict", "timestamp": times.iso(times.now_ms()), "data": msgspec.to_builtins(notice)}
    content = msgspec.json.encode(body)
    headers = {
        "content-type": "application/json",
        "webhook-id": message_id,
        **signed(key, message_id, int(time.time()), content),
    }
    return TargetRequest(url=url, content=content, headers=headers)


def _pagerduty(routing_key: str, notice: Notice) -> Any:
    return {
        "routing_key": routing_key,
        "event_action": "trigger",
        "dedup_key": notice.incident,
        "client": "streampay-smoke",
        "payload": {
            "summary": notice.headline[:_PAGERDUTY_SUMMARY],
            "source": notice.environment or "streampay-smoke",
            "severity": "critical" if notice.critical else "info" if notice.test else "error",
            "group": notice.region,
            "class": notice.reason_code,
            "custom_details": {"run": notice.run_id, "lines": list(notice.lines)},
        },
        "links": [{"href": link.url, "text": link.text} for link in notice.links],
    }


def _opsgenie(notice: Notice) -> Any:
    links = [f"{link.text}: {link.url}" for link in notice.links]
    return {
        "message": notice.headline[:_OPSGENIE_MESSAGE],
        "alias": notice.incident,
        "description": "\n".join((*notice.lines, *links)),
        "priority": "P1" if notice.critical else "P5" if notice.test else "P3",
        "source": "streampay-smoke",
        "tags": [notice.reason_code, notice.environment],
        "details": {"run": notice.run_id, "release": notice.release, "verdict": notice.verdict},
    }
