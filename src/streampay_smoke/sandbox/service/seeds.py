"""Streams of other users, which nobody who calls the sandbox should ever see."""

from streampay_smoke.sandbox.service.streams import NATIVE, Status, Stream

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
