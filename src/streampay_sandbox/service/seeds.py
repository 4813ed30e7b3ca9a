"""Streams that were there before: those of other users, which no caller should ever see, and the canary."""

from streampay_sandbox.service.streams import EVERYBODY, NATIVE, Status, Stream, StreamSettlement

SEEDS = (
    Stream(
        id="stream-ada",
        tenant="org-acme",
        recipient="Ada Creative Studio",
        rate="120",
        schedule="month",
        token=NATIVE,
        status=Status.ACTIVE,
        created_at="2026-01-05T09:00:00.000Z",
        updated_at="2026-01-05T09:00:00.000Z",
        chain_id=0,
        private={
            "email": "ada@creative.example",
            "label": "Design retainer",
            "memo": "invoice 2026-01",
            "partnerId": "partner-ada",
        },
    ),
    Stream(
        id="stream-kemi",
        tenant="org-globex",
        recipient="Kemi Onboarding Support",
        rate="32",
        schedule="week",
        token=NATIVE,
        status=Status.DRAFT,
        created_at="2026-02-11T14:30:00.000Z",
        updated_at="2026-02-11T14:30:00.000Z",
        chain_id=0,
        private={
            "email": "kemi@support.example",
            "label": "Onboarding",
            "memo": "pilot",
            "partnerId": "partner-kemi",
        },
    ),
)

CANARY = Stream(
    id="stream-canary",
    tenant=EVERYBODY,
    recipient="GAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAWHF",
    rate="0.0000001",
    schedule="year",
    token=NATIVE,
    status=Status.ENDED,
    created_at="2025-11-03T10:00:00.000Z",
    updated_at="2025-11-03T10:00:05.000Z",
    chain_id=0,
    settlement=StreamSettlement(settled_at="2025-11-03T10:00:05.000Z", tx_hash="c0ffee" + "0" * 58),
)
"""A stream that outlives restarts: a release that lost its data has lost it too."""
