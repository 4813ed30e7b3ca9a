"""StreamPay's contracts as data: names, order of arguments, fields, events, errors.

Names on the left are this suite's own, those on the right the contract's. `streampay-stream` lives in
StreamPay-Frontend/contracts, `streampay-contracts` is the early one of StreamPay-Contracts, and
`streampay-contracts-v0.2` the one that came after it and moves tokens.
"""

from collections.abc import Mapping

import msgspec


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """A contract function and, in its order, its arguments: this suite's name and the contract's."""

    function: str
    arguments: tuple[tuple[str, str], ...]


class EventByStream(msgspec.Struct, frozen=True, kw_only=True):
    """An event whose topics are its own name and the stream's id; `fields` maps this suite's names to its data's."""

    topic: str
    fields: Mapping[str, str]


class ContractProfile(msgspec.Struct, frozen=True, kw_only=True):
    """What a contract is expected to look like. `about` tells it from the others in a few words.

    `events` maps the name of an event to its data fields in order, `events_by_stream` to what else it looks like.
    `statuses` are the contract's words in the order of its enum; a contract with a flag instead has two. `state` maps
    the fields of a stream to those of the struct called `state_struct`. `pays` tells whether the contract moves any
    token at all. `unpaid` are the fields whose sum is still in escrow, where a contract keeps no total: what became of
    such a stream follows from them, from the flag, and from `paused_at`.
    """

    name: str
    about: str
    id_type: str
    pays: bool
    operations: Mapping[str, Operation]
    state_struct: str
    state: Mapping[str, str]
    statuses: tuple[str, ...]
    event_topic: str
    events: Mapping[str, tuple[str, ...]]
    errors: Mapping[int, str]
    events_by_stream: Mapping[str, EventByStream] = {}
    unpaid: tuple[str, ...] = ()

    @property
    def tells_of_streams(self) -> bool:
        """Whether events tell of the contract's streams."""
        return bool(self.events or self.events_by_stream)

    @property
    def settles_in_one_call(self) -> bool:
        """Whether `settle` itself pays the recipient; otherwise the recipient has to withdraw."""
        return self.pays and "withdraw" not in self.operations


_STREAM_ID = (("stream_id", "stream_id"),)

_STREAMPAY_STREAM = ContractProfile(
    name="streampay-stream",
    about="the web app's",
    id_type="u64",
    pays=True,
    operations={
        "open_draft": Operation(
            function="create_draft_stream",
            arguments=(
                ("payer", "sender"),
                ("recipient", "recipient"),
                ("token", "token"),
                ("total_stroops", "total_amount"),
                ("duration_seconds", "duration"),
            ),
        ),
        "start": Operation(function="start_stream", arguments=_STREAM_ID),
        "pause": Operation(function="pause", arguments=_STREAM_ID),
        "resume": Operation(function="resume", arguments=_STREAM_ID),
        "settle": Operation(function="settle", arguments=_STREAM_ID),
        "cancel": Operation(function="cancel_stream", arguments=_STREAM_ID),
        "stream": Operation(function="get_stream", arguments=_STREAM_ID),
        "claim": Operation(function="initialize", arguments=(("admin", "admin"),)),
        "set_paused": Operation(function="set_paused", arguments=(("admin", "admin"), ("paused", "paused"))),
    },
    state_struct="Stream",
    state={
        "stream_id": "id",
        "status": "status",
        "payer": "sender",
        "recipient": "recipient",
        "token": "token",
        "total_stroops": "total_amount",
        "released_stroops": "released_amount",
        "started_at": "start_time",
        "ends_at": "end_time",
        "duration_seconds": "duration",
    },
    statuses=("Draft", "Active", "Paused", "Settled", "Ended", "Cancelled"),
    event_topic="stream",
    events={
        "created": (
            "stream_id",
            "payer",
            "recipient",
            "token",
            "total_stroops",
            "fee_bps",
            "duration_seconds",
            "at",
        ),
        "started": ("stream_id", "started_at", "ends_at", "at"),
        "withdrawn": ("stream_id", "recipient", "amount_stroops", "at"),
        "settled": ("stream_id", "recipient", "total_stroops", "at"),
        "paused": ("stream_id", "payer", "paused_at", "at"),
        "resumed": ("stream_id", "payer", "ends_at", "at"),
        "cancelled": ("stream_id", "by", "returned_stroops", "released_stroops", "at"),
        "amended": ("stream_id", "by", "rate_per_second", "ends_at", "at"),
    },
    errors={
        1: "NotFound",
        2: "Unauthorized",
        3: "ContractPaused",
        4: "InvalidAmount",
        5: "InvalidTimeRange",
        6: "InvalidState",
        7: "OverWithdraw",
        8: "AlreadySettled",
        9: "TokenNotAllowed",
        10: "Overflow",
        11: "StreamLimitExceeded",
        12: "SelfStream",
        13: "AlreadyInitialized",
        14: "NonceTooLow",
        15: "NonceOutOfOrder",
        16: "RecipientTrustlineMissing",
        17: "FeeTooHigh",
        18: "InvalidFeeBps",
        19: "SweepNoFees",
        20: "SweepAmountMismatch",
        21: "AdminCooldown",
        22: "CooloffActive",
    },
)

_STREAMPAY_CONTRACTS = ContractProfile(
    name="streampay-contracts",
    about="the early contract",
    id_type="u32",
    pays=False,
    operations={
        "open_draft": Operation(
            function="create_stream",
            arguments=(
                ("payer", "payer"),
                ("recipient", "recipient"),
                ("rate_per_second", "rate_per_second"),
                ("total_stroops", "initial_balance"),
            ),
        ),
        "start": Operation(function="start_stream", arguments=_STREAM_ID),
        "pause": Operation(function="stop_stream", arguments=_STREAM_ID),
        "resume": Operation(function="start_stream", arguments=_STREAM_ID),
        "settle": Operation(function="settle_stream", arguments=_STREAM_ID),
        "stream": Operation(function="get_stream_info", arguments=_STREAM_ID),
    },
    state_struct="StreamInfo",
    state={
        "status": "is_active",
        "payer": "payer",
        "recipient": "recipient",
        "total_stroops": "balance",
        "started_at": "start_time",
        "ends_at": "end_time",
    },
    statuses=("Draft", "Active"),
    event_topic="",
    events={},
    errors={},
)

_STREAMPAY_CONTRACTS_V0_2 = ContractProfile(
    name="streampay-contracts-v0.2",
    about="the one after that, whose recipients withdraw",
    id_type="u32",
    pays=True,
    operations={
        "open_draft": Operation(
            function="create_stream",
            arguments=(
                ("payer", "payer"),
                ("recipient", "recipient"),
                ("token", "token"),
                ("rate_per_second", "rate_per_second"),
                ("total_stroops", "initial_balance"),
            ),
        ),
        "start": Operation(function="start_stream", arguments=_STREAM_ID),
        "pause": Operation(function="pause_stream", arguments=_STREAM_ID),
        "resume": Operation(function="resume_stream", arguments=_STREAM_ID),
        "settle": Operation(function="settle_stream", arguments=_STREAM_ID),
        "withdraw": Operation(function="withdraw_stream", arguments=_STREAM_ID),
        "cancel": Operation(function="stop_stream", arguments=_STREAM_ID),
        "stream": Operation(function="get_stream_info", arguments=_STREAM_ID),
    },
    state_struct="StreamInfo",
    state={
        "status": "is_active",
        "payer": "payer",
        "recipient": "recipient",
        "token": "token",
        "started_at": "start_time",
        "ends_at": "end_time",
        "paused_at": "paused_at",
    },
    statuses=("Draft", "Active"),
    event_topic="",
    events={},
    events_by_stream={
        "created": EventByStream(
            topic="stream_created",
            fields={
                "payer": "payer",
                "recipient": "recipient",
                "rate_per_second": "rate_per_second",
                "total_stroops": "initial_balance",
            },
        ),
    },
    errors={},
    unpaid=("balance", "claimable_balance"),
)

PROFILES: Mapping[str, ContractProfile] = {
    profile.name: profile for profile in (_STREAMPAY_STREAM, _STREAMPAY_CONTRACTS, _STREAMPAY_CONTRACTS_V0_2)
}
"""Every known contract, by the name `SMOKE_CONTRACT_PROFILE` takes."""
