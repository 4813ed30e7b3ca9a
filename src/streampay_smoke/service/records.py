"""What the deployment says, in one typed form whatever the dialect. Texts are the service's own."""

from typing import Any

import msgspec

from streampay_smoke.service.exchange import Answer

LEDGER_DEPENDENCY = "stellar"
"""What StreamPay calls its ledger among its dependencies."""


class DependencyReport(msgspec.Struct, frozen=True, kw_only=True):
    """How the service says one of its dependencies is; `status` "ok" is well."""

    status: str
    message: str = ""

    @property
    def ok(self) -> bool:
        """Whether the service calls it well."""
        return self.status == "ok"


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """One readiness answer.

    `genuine` says that the service itself answered, in the promised shape; else `not_genuine_because` says what came
    instead, and nothing below it is known. `ready` is a genuine 200 that calls everything well. `network` is
    one of `core.networks.DECLARED`, "private" (a ledger on loopback or the one this gate is configured for), or ""
    where the service does not tell. `release` is "" where it does not tell. `clock_ahead_seconds` is how far its clock
    was ahead of this runner's, None where the answer carries no time. `ledger_urls` are the addresses of a private
    ledger that it names, `contract_ids` the contracts.
    """

    status_code: int
    genuine: bool
    not_genuine_because: str
    ready: bool
    dependencies: dict[str, DependencyReport]
    network: str
    release: str
    simulated: bool
    request_id: str = ""
    clock_ahead_seconds: float | None = None
    ledger_urls: tuple[str, ...] = ()
    contract_ids: tuple[str, ...] = ()

    @property
    def description(self) -> str:
        """One line for a wait or a failure."""
        if not self.genuine:
            return f"status {self.status_code}, but {self.not_genuine_because}"
        reports = ", ".join(
            f"{name} {report.status}{f' ({report.message})' if report.message else ''}"
            for name, report in self.dependencies.items()
        )
        return f"status {self.status_code}: {reports}"


class StreamOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A stream to create: `rate` is a decimal string of whole token units for each `schedule` period."""

    recipient: str
    rate: str
    schedule: str


class StreamRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A stream as the service shows it. Hashes are "" while there is none.

    `settlement_tx_hash` is the record's own field, `receipt_tx_hash` that of the settlement inside the record.
    """

    id: str
    status: str
    recipient: str
    rate: str
    schedule: str
    token: str = ""
    next_action: str = ""
    created_at: str = ""
    updated_at: str = ""
    tags: tuple[str, ...] = ()
    settlement_tx_hash: str = ""
    receipt_tx_hash: str = ""


class LiveEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What a listener is told while it happens: which stream, and its status now."""

    stream_id: str
    status: str


class StreamPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of streams; `items` are the raw JSON objects. `total` counts what remains from this page on."""

    streams: tuple[StreamRecord, ...]
    next_cursor: str
    has_next: bool
    total: int
    items: tuple[dict[str, Any], ...]


class Withdrawal(msgspec.Struct, frozen=True, kw_only=True):
    """How far a withdrawal is: `state` is "pending", "succeeded" or "failed", `alert` that somebody has to look at it.

    `settlement_tx_hash` is the settlement it is of, "" where the service names none.
    """

    stream_id: str
    stream_status: str
    state: str
    alert: bool
    settlement_tx_hash: str


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What a settlement answered: the record's hash, the receipt's own, and whether it is a repeated answer.

    `settled_at` is the service's ISO 8601 text.
    """

    stream_id: str
    status: str
    settlement_tx_hash: str
    receipt_tx_hash: str
    settled_at: str
    replayed: bool
    answer: Answer
