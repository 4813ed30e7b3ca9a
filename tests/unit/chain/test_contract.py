"""Profiles and the contract in the words of the domain, over an adapter that remembers what it was asked."""

import subprocess
import sys
from typing import Any

import msgspec
import pytest

from streampay_smoke.chain.adapter import (
    AnotherContract,
    AnotherProfile,
    ChainAccount,
    ContractEvent,
    ContractFailure,
    ContractInterface,
    FunctionInterface,
    InterfaceDrift,
    TxOutcome,
)
from streampay_smoke.chain.contract import StreamContract, interface_drifts
from streampay_smoke.core.contract_profiles import PROFILES, ContractProfile
from streampay_smoke.core.errors import Blame, SettingsInvalid

MAIN = PROFILES["streampay-stream"]
EARLY = PROFILES["streampay-contracts"]
WITHDRAWN = PROFILES["streampay-contracts-v0.2"]
PAYER = ChainAccount(name="payer", address="GPAYER", seed="SPAYER")
CONTRACT, TOKEN = "CSTREAM", "CTOKEN"

STREAM = {
    "id": 4,
    "sender": "GPAYER",
    "recipient": "GREC",
    "token": TOKEN,
    "total_amount": 1_000,
    "released_amount": 400,
    "start_time": 100,
    "end_time": 200,
    "duration": 100,
    "last_update": 150,
    "status": ["Active"],
    "paused_at": 0,
}
EARLY_STREAM = {
    "payer": "GPAYER",
    "recipient": "GREC",
    "rate_per_second": 10,
    "balance": 1_000,
    "start_time": 0,
    "end_time": None,
    "is_active": False,
}


def outcome(value: Any = None, *events: ContractEvent) -> TxOutcome:
    return TxOutcome(
        tx_hash="ab",
        status="SUCCESS",
        ledger=7,
        closed_at=70,
        contract_id=CONTRACT,
        function="f",
        value=value,
        events=events,
        fee_charged_stroops=100,
    )


def told(topics: list[Any], data: Any, contract_id: str = CONTRACT) -> ContractEvent:
    return ContractEvent(contract_id=contract_id, topics=tuple(topics), data=data, tx_hash="ab", ledger=7, closed_at=70)


class Remembering:
    """An adapter that answers what it was given; a failure is raised."""

    def __init__(self, answer: Any = None, interface: ContractInterface | None = None) -> None:
        self.answer = answer
        self.found = interface
        self.asked: list[tuple[Any, ...]] = []

    def invoke(self, contract_id: str, function: str, *args: Any, signer: ChainAccount) -> TxOutcome:
        self.asked.append((contract_id, function, args, signer.name))
        return outcome(self.answer)

    def read(self, contract_id: str, function: str, *args: Any) -> Any:
        self.asked.append((contract_id, function, args))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def events(self, *, since_ledger: int, contract_ids: list[str], topics: list[str]) -> Any:
        self.asked.append((since_ledger, tuple(contract_ids), tuple(topics)))
        return self.answer

    def interface(self, contract_id: str) -> ContractInterface:
        assert self.found is not None
        return self.found

    def native_token_contract(self) -> str:
        return TOKEN


def contract_on(adapter: Remembering, profile: ContractProfile = MAIN, **more: object) -> StreamContract:
    return StreamContract(adapter, CONTRACT, profile, **more)  # type: ignore[arg-type]


def interface_like(profile: ContractProfile) -> ContractInterface:
    """What a contract that keeps every promise of `profile` shows on chain."""
    kinds = {"stream_id": profile.id_type}
    functions = {
        operation.function: FunctionInterface(
            arguments=tuple((theirs, kinds.get(theirs, "i128")) for _, theirs in operation.arguments),
            returns=f"result<{profile.id_type}>" if name == "open_draft" else "void",
        )
        for name, operation in profile.operations.items()
    }
    status = "StreamStatus" if profile is MAIN else "bool"
    fields = dict.fromkeys((*profile.state.values(), *profile.unpaid), "i128") | {profile.state["status"]: status}
    return ContractInterface(
        functions=functions | {"version": FunctionInterface(arguments=())},
        structs={profile.state_struct: fields},
        enums={"StreamStatus": profile.statuses},
        errors=profile.errors,
    )


@pytest.mark.parametrize("profile", PROFILES.values(), ids=list(PROFILES))
def test_a_contract_that_keeps_its_profile_has_no_drift(profile: ContractProfile) -> None:
    contract_on(Remembering(interface=interface_like(profile)), profile).check_interface()


def without(mapping: Any, *names: Any) -> Any:
    return {key: value for key, value in mapping.items() if key not in names}


GOOD = interface_like(MAIN)
DRIFTS: list[tuple[dict[str, Any], str]] = [
    ({"functions": without(GOOD.functions, "settle")}, "function settle is absent"),
    (
        {"functions": {**GOOD.functions, "settle": FunctionInterface(arguments=(("id", "u64"),))}},
        "settle takes (id) instead of (stream_id)",
    ),
    (
        {"functions": {**GOOD.functions, "pause": FunctionInterface(arguments=(("stream_id", "u32"),))}},
        "pause takes stream_id as u32 instead of u64",
    ),
    (
        {
            "functions": {
                **GOOD.functions,
                "create_draft_stream": msgspec.structs.replace(GOOD.functions["create_draft_stream"], returns="u32"),
            }
        },
        "create_draft_stream returns u32 instead of u64",
    ),
    ({"structs": {}}, "struct Stream is absent"),
    ({"structs": {"Stream": without(GOOD.structs["Stream"], "token")}}, "Stream has no field token"),
    (
        {"enums": {"StreamStatus": ("Draft", "Active")}},
        "StreamStatus is one of Draft, Active instead of",
    ),
    ({"enums": {}}, "StreamStatus is one of nothing"),
    ({"errors": {**MAIN.errors, 6: "BadState"}}, "error 6 is BadState instead of InvalidState"),
    ({"errors": without(MAIN.errors, 22)}, "error 22 is absent instead of CooloffActive"),
]


@pytest.mark.parametrize(("changes", "words"), DRIFTS)
def test_every_drift_is_named(changes: dict[str, Any], words: str) -> None:
    (drift,) = interface_drifts(MAIN, msgspec.structs.replace(GOOD, **changes))
    assert drift.startswith(words)


def test_all_drifts_are_listed_at_once() -> None:
    with pytest.raises(InterfaceDrift) as caught:
        contract_on(Remembering(interface=interface_like(EARLY))).check_interface()
    message = str(caught.value)
    assert "function create_draft_stream is absent" in message
    assert "struct Stream is absent" in message
    assert "error 1 is absent instead of NotFound" in message
    assert "SMOKE_CONTRACT_PROFILE" in caught.value.next_step


TOKEN_LIKE = msgspec.structs.replace(GOOD, functions={"transfer": FunctionInterface(arguments=())})


@pytest.mark.parametrize("call", ["check_interface", "may_be_claimed"])
def test_a_contract_without_streams_is_a_wrong_setting_and_no_drift(call: str) -> None:
    adapter = Remembering(InterfaceDrift("the contract has no function initialize"), TOKEN_LIKE)
    contract = contract_on(adapter)
    with pytest.raises(AnotherContract, match="another contract than StreamPay's: it has transfer") as caught:
        contract.check_interface() if call == "check_interface" else contract.may_be_claimed("GADMIN")
    assert caught.value.blame is Blame.CONFIG
    assert "SMOKE_CONTRACT_ID" in caught.value.next_step


def test_a_profile_that_the_settings_put_in_place_of_the_right_one_is_a_wrong_setting() -> None:
    of_the_file = contract_on(Remembering(interface=GOOD), EARLY, declared=MAIN)
    with pytest.raises(AnotherProfile, match="interface of profile streampay-stream") as caught:
        of_the_file.check_interface()
    assert caught.value.blame is Blame.CONFIG
    assert "SMOKE_CONTRACT_PROFILE" in caught.value.next_step


@pytest.mark.parametrize("declared", [MAIN, EARLY], ids=["the other", "the same"])
def test_a_contract_that_the_file_does_not_describe_either_has_drifted(declared: ContractProfile) -> None:
    changed = msgspec.structs.replace(GOOD, structs={})
    with pytest.raises(InterfaceDrift):
        contract_on(Remembering(interface=changed), EARLY, declared=declared).check_interface()


def test_a_call_that_a_streampay_contract_does_not_know_is_a_drift() -> None:
    adapter = Remembering(InterfaceDrift("no function initialize"), interface_like(EARLY))
    with pytest.raises(InterfaceDrift, match="no function initialize"):
        contract_on(adapter).may_be_claimed("GADMIN")


def test_opening_passes_the_arguments_in_the_contracts_order() -> None:
    adapter = Remembering(answer=9)
    opened = contract_on(adapter).open_draft(PAYER, "GREC", TOKEN, 1_001, 100)
    assert (opened.stream_id, opened.outcome.tx_hash) == (9, "ab")
    assert adapter.asked == [(CONTRACT, "create_draft_stream", ("GPAYER", "GREC", TOKEN, 1_001, 100), "payer")]


def test_the_early_contract_takes_a_rate_instead_of_a_duration() -> None:
    adapter = Remembering(answer=9)
    contract_on(adapter, EARLY).open_draft(PAYER, "GREC", TOKEN, 1_000, 100)
    assert adapter.asked == [(CONTRACT, "create_stream", ("GPAYER", "GREC", 10, 1_000), "payer")]


def test_the_early_contract_cannot_stream_a_broken_rate() -> None:
    adapter = Remembering(answer=9)
    with pytest.raises(SettingsInvalid, match="no whole number"):
        contract_on(adapter, EARLY).open_draft(PAYER, "GREC", TOKEN, 1_001, 100)
    assert adapter.asked == []


@pytest.mark.parametrize("value", [None, "9", True, [9]])
def test_an_opening_that_answers_no_id_is_drift(value: Any) -> None:
    with pytest.raises(InterfaceDrift, match="instead of a stream's id"):
        contract_on(Remembering(answer=value)).open_draft(PAYER, "GREC", TOKEN, 1_000, 100)


@pytest.mark.parametrize(
    ("profile", "operation", "function"),
    [
        (MAIN, "start", "start_stream"),
        (MAIN, "pause", "pause"),
        (MAIN, "resume", "resume"),
        (MAIN, "settle", "settle"),
        (MAIN, "cancel", "cancel_stream"),
        (EARLY, "pause", "stop_stream"),
        (EARLY, "settle", "settle_stream"),
        (WITHDRAWN, "settle", "settle_stream"),
        (WITHDRAWN, "withdraw", "withdraw_stream"),
    ],
)
def test_each_operation_is_the_profiles_function(profile: ContractProfile, operation: str, function: str) -> None:
    adapter = Remembering()
    getattr(contract_on(adapter, profile), operation)(4, PAYER)
    assert adapter.asked == [(CONTRACT, function, (4,), "payer")]


def test_what_a_contract_cannot_do_is_said_before_anything_is_sent() -> None:
    adapter = Remembering()
    with pytest.raises(SettingsInvalid, match="streampay-contracts cannot cancel"):
        contract_on(adapter, EARLY).cancel(4, PAYER)
    assert adapter.asked == []


def test_a_streams_state_is_told_in_the_suites_words() -> None:
    state = contract_on(Remembering(answer=STREAM)).stream(4)
    assert (state.stream_id, state.status, state.payer, state.recipient) == (4, "active", "GPAYER", "GREC")
    assert (state.token, state.total_stroops, state.released_stroops) == (TOKEN, 1_000, 400)
    assert (state.started_at, state.ends_at, state.duration_seconds) == (100, 200, 100)


@pytest.mark.parametrize(
    ("value", "status"), [(["Settled"], "settled"), (5, "cancelled"), (99, "99"), ("Paused", "paused")]
)
def test_a_status_is_read_in_every_form_contracts_use(value: Any, status: str) -> None:
    assert contract_on(Remembering(answer=STREAM | {"status": value})).stream(4).status == status


@pytest.mark.parametrize(("active", "status"), [(True, "active"), (False, "draft")])
def test_the_early_contracts_flag_is_a_status_too(active: bool, status: str) -> None:
    state = contract_on(Remembering(answer=EARLY_STREAM | {"is_active": active}), EARLY).stream(3)
    assert (state.stream_id, state.status, state.total_stroops, state.token) == (3, status, 1_000, "")
    assert state.ends_at == 0


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "without "),
        ([1], "without "),
        (without(STREAM, "end_time", "token"), "without end_time, token"),
        (STREAM | {"total_amount": "1000"}, "total_stroops"),
        (STREAM | {"total_amount": None}, "total_stroops"),
    ],
)
def test_a_stream_in_another_shape_is_drift(answer: Any, words: str) -> None:
    with pytest.raises(InterfaceDrift, match=words):
        contract_on(Remembering(answer=answer)).stream(4)


def test_stream_events_get_their_fields_names() -> None:
    adapter = Remembering(
        answer=(
            told(["stream", "settled"], [4, "GREC", 1_000, 70]),
            told(["stream", "set_pause"], [True]),
            told(["stream"], None),
        )
    )
    (event,) = contract_on(adapter).stream_events(5)
    assert (event.name, event.stream_id, event.tx_hash, event.ledger, event.closed_at) == ("settled", 4, "ab", 7, 70)
    assert event.fields == {"stream_id": 4, "recipient": "GREC", "total_stroops": 1_000, "at": 70}
    assert adapter.asked == [(5, (CONTRACT,), ("stream",))]


def test_an_event_in_another_shape_is_drift() -> None:
    adapter = Remembering(answer=(told(["stream", "settled"], [4]),))
    with pytest.raises(InterfaceDrift, match="event settled of transaction ab"):
        contract_on(adapter).stream_events(5)


def test_a_contract_without_events_is_not_asked_for_any() -> None:
    adapter = Remembering()
    assert contract_on(adapter, EARLY).stream_events(5) == ()
    assert adapter.asked == []


WITHDRAWN_STREAM: dict[str, Any] = {
    "payer": "GPAYER",
    "recipient": "GREC",
    "token": TOKEN,
    "rate_per_second": 10,
    "balance": 900,
    "claimable_balance": 100,
    "start_time": 50,
    "end_time": 0,
    "is_active": True,
    "paused_at": 0,
}


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"start_time": 0, "is_active": False}, "draft"),
        ({}, "active"),
        ({"balance": 0}, "active"),
        ({"paused_at": 60}, "paused"),
        ({"is_active": False, "end_time": 70}, "cancelled"),
        ({"is_active": False, "balance": 0, "claimable_balance": 0}, "settled"),
        ({"balance": 0, "claimable_balance": 0}, "settled"),
    ],
)
def test_what_became_of_a_stream_without_a_total_follows_from_its_escrow(changes: dict[str, Any], status: str) -> None:
    stream = WITHDRAWN_STREAM | changes
    state = contract_on(Remembering(answer=stream), WITHDRAWN).stream(4)
    unpaid = stream["balance"] + stream["claimable_balance"]
    assert (state.status, state.unpaid_stroops, state.released_of(1_000)) == (status, unpaid, 1_000 - unpaid)


@pytest.mark.parametrize("stream", [without(WITHDRAWN_STREAM, "balance"), WITHDRAWN_STREAM | {"balance": "900"}])
def test_an_escrow_that_cannot_be_read_is_drift(stream: Any) -> None:
    with pytest.raises(InterfaceDrift):
        contract_on(Remembering(answer=stream), WITHDRAWN).stream(4)


def test_an_escrow_field_that_is_absent_is_drift_before_anything_is_read() -> None:
    interface = interface_like(WITHDRAWN)
    fields = without(interface.structs["StreamInfo"], "claimable_balance")
    (drift,) = interface_drifts(WITHDRAWN, msgspec.structs.replace(interface, structs={"StreamInfo": fields}))
    assert drift == "StreamInfo has no field claimable_balance"


CREATION = {"payer": "GPAYER", "recipient": "GREC", "rate_per_second": 10, "initial_balance": 1_000}


def test_an_event_that_names_its_stream_in_a_topic_is_read_too() -> None:
    adapter = Remembering(answer=(told(["stream_created", 4], CREATION),))
    (event,) = contract_on(adapter, WITHDRAWN).stream_events(5)
    assert (event.name, event.stream_id) == ("created", 4)
    assert (event.fields["payer"], event.fields["total_stroops"]) == ("GPAYER", 1_000)
    assert adapter.asked == [(5, (CONTRACT,), ("stream_created",))]


@pytest.mark.parametrize(
    "event",
    [
        told(["stream_created"], CREATION),
        told(["stream_created", 4], [1]),
        told(["stream_created", 4], without(CREATION, "payer")),
    ],
)
def test_such_an_event_in_another_shape_is_drift(event: ContractEvent) -> None:
    with pytest.raises(InterfaceDrift, match="event stream_created"):
        contract_on(Remembering(answer=(event,)), WITHDRAWN).stream_events(5)


@pytest.mark.parametrize("profile", [EARLY, WITHDRAWN])
def test_nobody_can_claim_a_role_that_a_contract_does_not_have(profile: ContractProfile) -> None:
    adapter = Remembering()
    assert not contract_on(adapter, profile).may_be_claimed("GADMIN")
    assert adapter.asked == []


@pytest.mark.parametrize("data", [250, {"amount": 250, "to_muxed_id": 3}])
def test_payments_are_the_tokens_transfers(data: Any) -> None:
    adapter = Remembering(answer=(told(["transfer", CONTRACT, "GREC", "native"], data, TOKEN),))
    (payment,) = contract_on(adapter).payments(5, "GREC")
    assert (payment.amount_stroops, payment.sender, payment.recipient) == (250, CONTRACT, "GREC")
    assert adapter.asked == [(5, (TOKEN,), ("transfer", "*", "GREC"))]


def test_payments_in_another_token_are_asked_of_that_token() -> None:
    adapter = Remembering(answer=())
    contract = contract_on(adapter, token="COTHER")
    assert contract.payments(5, "GREC") == ()
    assert adapter.asked == [(5, ("COTHER",), ("transfer", "*", "GREC"))]
    assert contract.token == "COTHER"


@pytest.mark.parametrize("event", [told(["transfer", "GA", "GREC"], "250", TOKEN), told(["transfer"], 250, TOKEN)])
def test_a_transfer_in_another_shape_is_drift(event: ContractEvent) -> None:
    with pytest.raises(InterfaceDrift, match="SEP-41"):
        contract_on(Remembering(answer=(event,))).payments(5, "GREC")


def test_what_the_contract_paid_out_in_one_transaction_is_told_apart() -> None:
    contract = contract_on(Remembering())
    closed = outcome(
        None,
        told(["transfer", CONTRACT, "GREC", "native"], 250, TOKEN),
        told(["transfer", "GELSE", "GREC", "native"], 1, TOKEN),
        told(["transfer", CONTRACT, "GREC", "native"], 2, "COTHER"),
        told(["transfer"], 3, TOKEN),
    )
    assert [payment.amount_stroops for payment in contract.paid_out(closed)] == [250]


def test_the_contracts_words_cost_no_sdk() -> None:
    code = (
        "import sys, streampay_smoke.chain.contract, streampay_smoke.chain.guard, streampay_smoke.chain.accounts; "
        "sys.exit(sorted(set(sys.modules) & {'stellar_sdk', 'httpx', 'pydantic', 'requests'}) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def no(name: str) -> ContractFailure:
    return ContractFailure(f"refused: {name}", code=1, name=name)


def test_what_a_contract_would_do_is_asked_in_its_own_words() -> None:
    adapter = Remembering()
    contract = contract_on(adapter)

    contract.would_open_draft("GPAYER", "GREC", TOKEN, 1_000, 100)
    assert contract.may_be_claimed("GANY")
    assert contract.obeys("GADMIN")

    assert adapter.asked == [
        (CONTRACT, "create_draft_stream", ("GPAYER", "GREC", TOKEN, 1_000, 100)),
        (CONTRACT, "initialize", ("GANY",)),
        (CONTRACT, "set_paused", ("GADMIN", False)),
    ]


@pytest.mark.parametrize("name", ["Unauthorized", "NotFound"])
def test_a_contract_that_refuses_an_administrator_does_not_obey_them(name: str) -> None:
    assert not contract_on(Remembering(no(name))).obeys("GADMIN")


def test_a_contract_that_has_its_administrator_cannot_be_claimed() -> None:
    assert not contract_on(Remembering(no("AlreadyInitialized"))).may_be_claimed("GANY")


def test_any_other_refusal_is_no_answer() -> None:
    contract = contract_on(Remembering(no("Overflow")))
    for ask in (
        lambda: contract.may_be_claimed("GANY"),
        lambda: contract.obeys("GADMIN"),
        lambda: contract.would_open_draft("GPAYER", "GREC", TOKEN, 1_000, 100),
    ):
        with pytest.raises(ContractFailure, match="Overflow"):
            ask()


def test_what_only_the_contract_itself_paid_out_is_told_apart() -> None:
    adapter = Remembering()
    closed = outcome(
        None,
        told(["transfer", CONTRACT, "GREC", "native"], 7, TOKEN),
        told(["transfer", CONTRACT, "GPAYER", "native"], 3, TOKEN),
        told(["transfer", "GPAYER", "GREC", "native"], 5, TOKEN),
        told(["transfer", CONTRACT, "GREC", "native"], 9, "CANOTHER"),
        told(["mint", CONTRACT, "GREC", "native"], 11, TOKEN),
        told([], 13, TOKEN),
    )
    paid = contract_on(adapter, token=TOKEN).paid_out(closed)
    assert [(payment.recipient, payment.amount_stroops) for payment in paid] == [("GREC", 7), ("GPAYER", 3)]
