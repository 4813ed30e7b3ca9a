"""Ways in which a StreamPay has been, or could be, wrong: each is one entry that replaces parts of an honest one."""

from collections.abc import Mapping

from streampay_sandbox.service.faults import (
    browser,
    doors,
    everywhere,
    fleet,
    keys,
    lists,
    ownership,
    papers,
    readiness,
    reports,
    settlement,
)
from streampay_sandbox.service.faults.fault import ServiceFault
from streampay_sandbox.service.parts import Parts

FAULTS: Mapping[str, ServiceFault] = {
    fault.name: fault
    for room in (settlement, papers, keys, fleet, lists, ownership, doors, browser, reports, readiness, everywhere)
    for fault in room.FAULTS
}
"""Every fault of the service by name."""


def faulty(parts: Parts, names: tuple[str, ...]) -> Parts:
    """Return the parts with these faults, applied in order; raises KeyError for an unknown name."""
    for name in names:
        parts = FAULTS[name].mutation(parts)
    return parts
