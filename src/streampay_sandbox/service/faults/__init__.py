"""Ways in which a StreamPay has been, or could be, wrong: each is one entry that replaces parts of an honest one."""

from collections.abc import Mapping
from typing import Final

from streampay_sandbox.fault import Severity
from streampay_sandbox.service.faults import (
    access,
    browser,
    fleet,
    keys,
    lists,
    ownership,
    readiness,
    records,
    reports,
    settlement,
    whole_service,
)
from streampay_sandbox.service.faults.fault import ServiceFault
from streampay_sandbox.service.parts import Parts

AS_PROBED: Final = (
    "list-open",
    "v2-lists-for-any-text",
    "list-leaks-others",
    "list-leaks-private",
    "list-pages-wrong",
    "writes-open",
    "item-open",
    "batch-takes-anything",
    "settle-invents-two",
    "key-answers-for-other-stream",
    "key-answers-for-other-order",
    "refusal-frozen",
    "record-final-as-draft",
    "record-without-settlement",
    "wallet-any-signature",
    "wallet-any-challenge",
    "jwks-leaks",
    "admin-open",
    "admin-by-header",
    "limits-believe-tokens",
    "limits-evaded-by-key",
    "logins-evaded-by-address",
    "cors-lacks-headers",
    "caches-share",
    "events-silent",
    "webhooks-unsigned",
    "indexer-invents",
    "metrics-off",
)
"""What the real StreamPay was seen to do, all in one process; each is a fault of its own too."""

_SINGLE: Mapping[str, ServiceFault] = {
    fault.name: fault
    for room in (settlement, records, keys, fleet, lists, ownership, access, browser, reports, readiness, whole_service)
    for fault in room.FAULTS
}


FAULTS: Mapping[str, ServiceFault] = {
    **_SINGLE,
    "streampay-as-probed": ServiceFault(
        name="streampay-as-probed",
        story=f"measured: the {len(AS_PROBED)} ways in which the real StreamPay was wrong, all at once",
        severity=Severity.CATASTROPHIC,
        caught_by="settlement/",
        mutation=lambda parts: faulty(parts, AS_PROBED),
    ),
}
"""Every fault of the service by name."""


def faulty(parts: Parts, names: tuple[str, ...]) -> Parts:
    """Return the parts with these faults, applied in order; raises KeyError for an unknown name."""
    for name in names:
        parts = FAULTS[name].mutation(parts)
    return parts
