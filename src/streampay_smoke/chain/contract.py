"""The StreamPay contract in the terms of the domain, whichever of its interfaces is on chain."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import msgspec

from streampay_smoke.chain.adapter import (
    AnotherContract,
    AnotherProfile,
    ChainAccount,
    ChainAdapter,
    ContractEvent,
    ContractFailure,
    ContractInterface,
    InterfaceDrift,
    TxOutcome,
)
from streampay_smoke.core.contract_profiles import PROFILES, ContractProfile, Operation
from streampay_smoke.core.errors import SettingsInvalid

_OF_STREAMS = frozenset(
    profile.operations[name].function for profile in PROFILES.values() for name in ("open_draft", "stream")
)
"""Functions that make or show a stream: a contract with none of them was never a StreamPay contract."""

_FUNCTIONS_SHOWN = 5

CREATED = "created"
"""The event of a stream that came into being."""


class OpenedStream(msgspec.Struct, frozen=True, kw_only=True):
    """A stream that came into being, and the transaction that made it."""

    stream_id: int
    outcome: TxOutcome


class StreamState(msgspec.Struct, frozen=True, kw_only=True):
    """A stream as the contract keeps it; `status` is "draft", "active", "paused", "settled", "ended" or "cancelled".

    Times are Unix seconds, 0 before there are any. Fields a contract does not keep are 0 or "". `unpaid_stroops` is
    what is left in escrow, where a contract keeps that and no total.
    """

    stream_id: int
    status: str
    payer: str
    recipient: str
    token: str = ""
    total_stroops: int
    released_stroops: int = 0
    started_at: int = 0
    ends_at: int = 0
    duration_seconds: int = 0
    paused_at: int = 0
    unpaid_stroops: int | None = None

    def released_of(self, total_stroops: int) -> int:
        """Return how much of the total that the stream was opened with has left the escrow."""
        return self.released_stroops if self.unpaid_stroops is None else total_stroops - self.unpaid_stroops


class StreamEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event of the contract about one stream; `fields` by this suite's names, amounts in stroops."""

    name: str
    stream_id: int
    fields: Mapping[str, Any]
    contract_id: str
    tx_hash: str
    ledger: int
    closed_at: int


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """A transfer of the token, as the token's own contract tells it."""

    amount_stroops: int
    sender: str
    recipient: str
    tx_hash: str
    ledger: int
    closed_at: int


class StreamContract:
    """One StreamPay contract on the adapter's network.

    Every call raises what `ChainAdapter.read` and `.invoke` raise. `declared` is the profile that the environment's
    file names, where the settings put `profile` in its place: a contract that is just that says that the settings are
    wrong, any other difference that the contract was changed. `token` is the contract of the token that
    streams are paid in, the network's native one unless another is named.
    """

    def __init__(
        self,
        adapter: ChainAdapter,
        contract_id: str,
        profile: ContractProfile,
        *,
        token: str = "",
        declared: ContractProfile | None = None,
    ) -> None:
        self._adapter = adapter
        self._declared = declared or profile
        self.contract_id = contract_id
        self.profile = profile
        self._token = token

    @property
    def token(self) -> str:
        """The contract id of the token streams are paid in."""
        return self._token or self._adapter.native_token_contract()

    def interface_drifts(self) -> tuple[str, ...]:
        """Return in words what the interface on chain lacks of the profile.

        Raises ContractMissing, AnotherContract where it has no function of any StreamPay contract, AnotherProfile
        where it is exactly what the profile promises that the environment's file names.
        """
        return tuple(interface_drifts(self.profile, self._interface()))

    def check_interface(self) -> None:
        """Compare the interface on chain with the profile; raises as `interface_drifts`, or InterfaceDrift."""
        if drifts := self.interface_drifts():
            raise InterfaceDrift(
                f"contract {self.contract_id} is not what profile {self.profile.name} promises: {'; '.join(drifts)}",
                next_step="check SMOKE_CONTRACT_ID and SMOKE_CONTRACT_PROFILE; if the contract was upgraded on "
                "purpose, bring core/contract_profiles.py up to date",
            )

    def open_draft(
        self, payer: ChainAccount, recipient: str, token: str, total_stroops: int, duration_seconds: int
    ) -> OpenedStream:
        """Create a stream that pays nothing yet; the payer signs, and the contract takes the whole amount."""
        values = self._draft(payer.address, recipient, token, total_stroops, duration_seconds)
        outcome = self._invoke("open_draft", values, signer=payer)
        if type(outcome.value) is not int:
            raise InterfaceDrift(
                f"{self._operation('open_draft').function} answered {outcome.value!r} instead of a stream's id",
                next_step="check SMOKE_CONTRACT_PROFILE: the contract's interface is another one",
            )
        return OpenedStream(stream_id=outcome.value, outcome=outcome)

    def would_open_draft(
        self, payer: str, recipient: str, token: str, total_stroops: int, duration_seconds: int
    ) -> None:
        """Ask what `open_draft` would come to, without signing anything; raises what it would raise."""
        self._simulate("open_draft", self._draft(payer, recipient, token, total_stroops, duration_seconds))

    def may_be_claimed(self, by: str) -> bool:
        """Return whether an address could make itself the contract's administrator, without signing anything.

        Nobody can where a contract has no such role.
        """
        return "claim" in self.profile.operations and self._would(
            "claim", {"admin": by}, refusals={"AlreadyInitialized"}
        )

    def obeys(self, admin: str) -> bool:
        """Return whether this address is the contract's administrator, without signing anything."""
        return self._would("set_paused", {"admin": admin, "paused": False}, refusals={"Unauthorized", "NotFound"})

    def start(self, stream_id: int, payer: ChainAccount) -> TxOutcome:
        """Let the stream run from the ledger's time on; the payer signs."""
        return self._invoke("start", {"stream_id": stream_id}, signer=payer)

    def pause(self, stream_id: int, payer: ChainAccount) -> TxOutcome:
        """Halt the stream; the payer signs."""
        return self._invoke("pause", {"stream_id": stream_id}, signer=payer)

    def resume(self, stream_id: int, payer: ChainAccount) -> TxOutcome:
        """Let a paused stream run on; the payer signs."""
        return self._invoke("resume", {"stream_id": stream_id}, signer=payer)

    def settle(self, stream_id: int, signer: ChainAccount) -> TxOutcome:
        """Pay out what a stream that has ended still owes; nobody's authorisation is needed, `signer` pays the fee.

        Settling a settled stream succeeds and pays nothing: only the outcome's events tell the difference.
        """
        return self._invoke("settle", {"stream_id": stream_id}, signer=signer)

    @property
    def recipient_withdraws(self) -> bool:
        """Whether `settle` only makes claimable what was earned, and the recipient withdraws it."""
        return "withdraw" in self.profile.operations

    def withdraw(self, stream_id: int, recipient: ChainAccount) -> TxOutcome:
        """Pay the recipient all that is claimable; the recipient signs."""
        return self._invoke("withdraw", {"stream_id": stream_id}, signer=recipient)

    def cancel(self, stream_id: int, payer: ChainAccount) -> TxOutcome:
        """End the stream early: the recipient gets what accrued, the payer the rest; the payer signs.

        Where the recipient withdraws, the rest stays in escrow, and only a stream that has started can be ended.
        """
        if self.recipient_withdraws and self.stream(stream_id).status == "draft":
            self.start(stream_id, payer)
        return self._invoke("cancel", {"stream_id": stream_id}, signer=payer)

    def stream(self, stream_id: int) -> StreamState:
        """Return a stream as the contract keeps it."""
        operation = self._operation("stream")
        with self._not_another_contract():
            found = self._adapter.read(self.contract_id, operation.function, stream_id)
        fields = self.profile.state
        expected = {*fields.values(), *self.profile.unpaid}
        if not isinstance(found, dict) or not found.keys() >= expected:
            raise InterfaceDrift(
                f"{operation.function} answered without {', '.join(_missing(expected, found))}",
                next_step="check SMOKE_CONTRACT_PROFILE: the contract's interface is another one",
            )
        values = {name: found[field] for name, field in fields.items()}
        values = {"stream_id": stream_id} | values | {"status": self._status(values["status"])}
        try:
            if self.profile.unpaid:
                unpaid = sum(msgspec.convert(found[field], int) for field in self.profile.unpaid)
                status = _status_by_escrow(str(values["status"]), unpaid, values)
                values |= {"status": status, "unpaid_stroops": unpaid, "total_stroops": unpaid}
            # An end that was never set is None in some contracts.
            return msgspec.convert({name: value for name, value in values.items() if value is not None}, StreamState)
        except msgspec.ValidationError as problem:
            raise InterfaceDrift(
                f"{operation.function} answered a stream that cannot be read: {problem}",
                next_step="check SMOKE_CONTRACT_PROFILE: the contract's interface is another one",
            ) from problem

    def stream_events(self, since_ledger: int) -> tuple[StreamEvent, ...]:
        """Return what the contract told of its streams from a ledger on, oldest first."""
        if not self.profile.tells_of_streams:
            return ()
        first_topics = [each.topic for each in self.profile.events_by_stream.values()] or [self.profile.event_topic]
        found = [
            event
            for topic in first_topics
            for event in self._adapter.events(
                since_ledger=since_ledger, contract_ids=[self.contract_id], topics=[topic]
            )
        ]
        return tuple(self._of_streams(found))

    def created_anywhere(self, since_ledger: int) -> tuple[StreamEvent, ...]:
        """Return the creations of streams that contracts of this profile, whatever their id, told of from a ledger on.

        What cannot be read as one is another kind of contract's, and left out.
        """
        shape = self.profile.events_by_stream.get(CREATED)
        topics = [shape.topic] if shape else [self.profile.event_topic, CREATED]
        found = self._adapter.events(since_ledger=since_ledger, contract_ids=(), topics=topics)
        streams: list[StreamEvent] = []
        for event in found:
            with suppress(InterfaceDrift):
                streams += (stream for stream in self._of_streams([event]) if stream.name == CREATED)
        return tuple(streams)

    def payments(self, since_ledger: int, recipient: str) -> tuple[Payment, ...]:
        """Return the token's transfers to `recipient` from a ledger on, whoever sent them, oldest first."""
        found = self._adapter.events(
            since_ledger=since_ledger, contract_ids=[self.token], topics=["transfer", "*", recipient]
        )
        return tuple(_payment(event) for event in found)

    def paid_out(self, outcome: TxOutcome) -> tuple[Payment, ...]:
        """Return what the contract itself transferred in one transaction, to whomever."""
        return tuple(
            _payment(event)
            for event in outcome.events
            if event.contract_id == self.token and event.topics[:2] == ("transfer", self.contract_id)
        )

    def _draft(
        self, payer: str, recipient: str, token: str, total_stroops: int, duration_seconds: int
    ) -> dict[str, Any]:
        """Return the values of a new draft; raises SettingsInvalid for an amount this contract cannot stream."""
        rate, remainder = divmod(total_stroops, duration_seconds)
        if remainder and any(name == "rate_per_second" for name, _ in self._operation("open_draft").arguments):
            raise SettingsInvalid(
                f"{self.profile.name} streams whole stroops per second: {total_stroops} over {duration_seconds} s "
                "is no whole number",
                next_step="choose an amount that the duration divides",
            )
        return {
            "payer": payer,
            "recipient": recipient,
            "token": token,
            "total_stroops": total_stroops,
            "duration_seconds": duration_seconds,
            "rate_per_second": rate,
        }

    def _would(self, name: str, values: Mapping[str, Any], *, refusals: Collection[str]) -> bool:
        """Return whether the contract would do it; one of the `refusals` is a no, any other is raised."""
        try:
            self._simulate(name, values)
        except ContractFailure as refusal:
            if refusal.name in refusals:
                return False
            raise
        return True

    def _simulate(self, name: str, values: Mapping[str, Any]) -> Any:
        operation = self._operation(name)
        args = [values[ours] for ours, _ in operation.arguments]
        with self._not_another_contract():
            return self._adapter.read(self.contract_id, operation.function, *args)

    def _interface(self) -> ContractInterface:
        found = self._adapter.interface(self.contract_id)
        if found.functions and not _OF_STREAMS & found.functions.keys():
            raise AnotherContract(
                f"contract {self.contract_id} is another contract than StreamPay's: it has "
                f"{', '.join(sorted(found.functions)[:_FUNCTIONS_SHOWN])}",
                next_step="set SMOKE_CONTRACT_ID to the contract that keeps the streams",
            )
        if interface_drifts(self.profile, found) and not interface_drifts(self._declared, found):
            raise AnotherProfile(
                f"contract {self.contract_id} has the interface of profile {self._declared.name}, as the environment's "
                f"file says, and SMOKE_CONTRACT_PROFILE says {self.profile.name}",
                next_step="unset SMOKE_CONTRACT_PROFILE, or set SMOKE_CONTRACT_ID to a contract of that profile",
            )
        return found

    @contextmanager
    def _not_another_contract(self) -> Iterator[None]:
        """Raise AnotherContract or AnotherProfile instead of InterfaceDrift where the settings are wrong."""
        try:
            yield
        except InterfaceDrift:
            self._interface()
            raise

    def _operation(self, name: str) -> Operation:
        operation = self.profile.operations.get(name)
        if operation is None:
            raise SettingsInvalid(
                f"contracts of profile {self.profile.name} cannot {name}",
                next_step="leave this scenario out for this contract, or set SMOKE_CONTRACT_PROFILE",
            )
        return operation

    def _invoke(self, name: str, values: Mapping[str, Any], *, signer: ChainAccount) -> TxOutcome:
        operation = self._operation(name)
        args = [values[ours] for ours, _ in operation.arguments]
        with self._not_another_contract():
            return self._adapter.invoke(self.contract_id, operation.function, *args, signer=signer)

    def _status(self, value: Any) -> str:
        """Return the status in words: enums come as [name], as a number, or as the flag of a two-state contract."""
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        elif isinstance(value, int) and 0 <= value < len(self.profile.statuses):
            value = self.profile.statuses[value]
        return str(value).lower()

    def _of_streams(self, events: Iterable[ContractEvent]) -> Iterator[StreamEvent]:
        for event in events:
            read = self._read_by_stream(event) or self._read_in_order(event)
            if read is None:
                continue
            name, fields = read
            yield StreamEvent(
                name=name,
                stream_id=fields["stream_id"],
                fields=fields,
                contract_id=event.contract_id,
                tx_hash=event.tx_hash,
                ledger=event.ledger,
                closed_at=event.closed_at,
            )

    def _read_in_order(self, event: ContractEvent) -> tuple[str, dict[str, Any]] | None:
        """Return an event's name and fields, None for another contract's words; raises InterfaceDrift."""
        name = str(event.topics[1]) if len(event.topics) > 1 else ""
        names = self.profile.events.get(name)
        if names is None or event.topics[0] != self.profile.event_topic:
            return None
        if not isinstance(event.data, list) or len(event.data) != len(names):
            raise _event_drifted(event, name, names)
        return name, dict(zip(names, event.data, strict=True))

    def _read_by_stream(self, event: ContractEvent) -> tuple[str, dict[str, Any]] | None:
        """Return the same for an event that names its stream in a topic."""
        for name, shape in self.profile.events_by_stream.items():
            if event.topics[:1] != (shape.topic,):
                continue
            known = len(event.topics) == 2 and isinstance(event.data, dict)
            if not known or not event.data.keys() >= set(shape.fields.values()):
                raise _event_drifted(event, shape.topic, tuple(shape.fields.values()))
            fields = {ours: event.data[theirs] for ours, theirs in shape.fields.items()}
            return name, {"stream_id": event.topics[1], **fields}
        return None


def interface_drifts(profile: ContractProfile, found: ContractInterface) -> tuple[str, ...]:
    """Return every difference between a profile and an interface found on chain, in words.

    What the contract has beyond the profile is no drift; a stream's events are told by no spec and seen when read.
    """
    return (
        *_function_drifts(profile, found),
        *_state_drifts(profile, found),
        *(
            f"error {code} is {found.errors.get(code, 'absent')} instead of {name}"
            for code, name in profile.errors.items()
            if found.errors.get(code) != name
        ),
    )


def _function_drifts(profile: ContractProfile, found: ContractInterface) -> Iterator[str]:
    for operation in dict.fromkeys(profile.operations.values()):
        function = found.functions.get(operation.function)
        if function is None:
            yield f"function {operation.function} is absent"
            continue
        expected = tuple(theirs for _, theirs in operation.arguments)
        actual = tuple(name for name, _ in function.arguments)
        if actual != expected:
            yield f"{operation.function} takes ({', '.join(actual)}) instead of ({', '.join(expected)})"
        for name, kind in function.arguments:
            if name == "stream_id" and kind != profile.id_type:
                yield f"{operation.function} takes stream_id as {kind} instead of {profile.id_type}"
    opening = found.functions.get(profile.operations["open_draft"].function)
    if opening is not None and opening.returns.removeprefix("result<").removesuffix(">") != profile.id_type:
        yield f"{profile.operations['open_draft'].function} returns {opening.returns} instead of {profile.id_type}"


def _state_drifts(profile: ContractProfile, found: ContractInterface) -> Iterator[str]:
    struct = found.structs.get(profile.state_struct)
    if struct is None:
        yield f"struct {profile.state_struct} is absent"
        return
    yield from (
        f"{profile.state_struct} has no field {field}"
        for field in (*profile.state.values(), *profile.unpaid)
        if field not in struct
    )
    kind = struct.get(profile.state["status"], "bool")
    if kind != "bool" and found.enums.get(kind) != profile.statuses:
        cases = ", ".join(found.enums.get(kind, ())) or "nothing"
        yield f"{kind} is one of {cases} instead of {', '.join(profile.statuses)}"


def _missing(fields: Collection[str], found: Any) -> list[str]:
    return sorted(set(fields) - (found.keys() if isinstance(found, dict) else set()))


def _status_by_escrow(flag: str, unpaid_stroops: int, values: Mapping[str, Any]) -> str:
    """Return what became of a stream, where the contract keeps a flag and what is left in escrow."""
    if unpaid_stroops == 0:
        return "settled"
    if flag == "active":
        return "paused" if values["paused_at"] else "active"
    return "cancelled" if values["started_at"] else "draft"


def _event_drifted(event: ContractEvent, name: str, names: Collection[str]) -> InterfaceDrift:
    return InterfaceDrift(
        f"event {name} of transaction {event.tx_hash} does not hold {', '.join(names)}",
        next_step="bring the events in core/contract_profiles.py up to date with the contract",
    )


def _payment(event: ContractEvent) -> Payment:
    """Read a SEP-41 transfer: an amount, or a map with one beside the muxed id (CAP-67)."""
    amount = event.data.get("amount") if isinstance(event.data, dict) else event.data
    if type(amount) is not int or len(event.topics) < 3:
        raise InterfaceDrift(
            f"the transfer in transaction {event.tx_hash} is not told as SEP-41 says: {event.data!r}",
            next_step="check SMOKE_TOKEN_CONTRACT_ID: it must name a Stellar token contract",
        )
    return Payment(
        amount_stroops=amount,
        sender=str(event.topics[1]),
        recipient=str(event.topics[2]),
        tx_hash=event.tx_hash,
        ledger=event.ledger,
        closed_at=event.closed_at,
    )
