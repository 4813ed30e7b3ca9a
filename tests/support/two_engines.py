"""The same calls of the native asset contract on two engines of the sandbox ledger, and where they differ."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from hypothesis import strategies as st
from stellar_sdk import Keypair, scval, xdr
from stellar_sdk.auth import authorize_entry

from streampay_sandbox.ledger.deployed_contract import deploy
from streampay_sandbox.ledger.execution import (
    Engine,
    Executed,
    Invocation,
    InvocationFailed,
    ModelEngine,
    Recorded,
    call_of,
)
from streampay_sandbox.ledger.failures import describe
from streampay_sandbox.ledger.faults import Interference
from streampay_sandbox.ledger.genesis import GenesisIdentities, create_genesis, named_keypair
from streampay_sandbox.ledger.host import LedgerInfo
from streampay_sandbox.ledger.keys import Key, instance_key
from streampay_sandbox.ledger.ledger import NETWORK
from streampay_sandbox.ledger.state import Account, Draft, LedgerState, store_account
from streampay_sandbox.ledger.values import sc_address

COINS_STROOPS = 1_000 * 10_000_000
SIGNED_FOR_LEDGERS = 100
BORN_AT = 1_700_000_000

PEOPLE = tuple(named_keypair(f"person {number}") for number in range(3))
NOBODY = named_keypair("an account that does not exist")


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A call, who sends it, what becomes of its authorisations, and how many ledgers after the last one it comes."""

    function: str
    arguments: tuple[xdr.SCVal, ...]
    sender: Keypair
    signing: str = "signed"
    """What becomes of what others have to sign: "signed", "unsigned", "left out" or "expired"."""
    after_ledgers: int = 1
    contract: str = ""
    """Whose function it is; "" for the native asset's contract."""

    def __repr__(self) -> str:
        told = ", ".join(str(scval.to_native(argument)) for argument in self.arguments)
        return f"{self.function}({told}) by {self.sender.public_key[:6]}, {self.signing}, +{self.after_ledgers}"


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """What the two engines say of one step where they disagree."""

    call: str
    step: str
    what: str
    model: str
    real: str


class Side:
    """An engine, and the state of the ledger it works on."""

    def __init__(self, engine: Engine, state: LedgerState) -> None:
        self.engine = engine
        self.state = state

    def tried(self, ledger: int, run: Callable[[Engine, Draft], Executed]) -> "_Tried":
        """Return what became of an invocation in a ledger; nothing is kept yet."""
        draft = Draft(self.state, ledger)
        try:
            return _Tried(run(self.engine, draft), draft)
        except InvocationFailed as failure:
            return _Tried(failure, draft)


class TwoEngines:
    """Two sides on which each call is tried; each keeps what it did itself."""

    def __init__(self, real: Engine, contract_code: bytes | None = None) -> None:
        self.contract_id = ""
        states = [LedgerState(), LedgerState()]
        births = [
            create_genesis(
                state,
                Interference(()).genesis(),
                passphrase=NETWORK.network_passphrase,
                network_id=NETWORK.network_id(),
                deploy_contract=contract_code is None or state is states[0],
            )
            for state in states
        ]
        self.birth = births[0]
        self.sequence = self.birth.first_ledger
        if contract_code is not None:
            deploy(contract_code, real, states[1], births[1], self._ledger())
            _live_as_long(states[0], states[1], instance_key(self.birth.contract_id))
        for state in states:
            draft = Draft(state, self.sequence)
            for person in PEOPLE:
                store_account(draft, Account(address=person.public_key, balance=COINS_STROOPS, sequence=0))
            state.write(draft.changes)
        self.model = Side(ModelEngine(self.birth.contracts), states[0])
        self.real = Side(real, states[1])

    def play(self, call: Call) -> list[Difference]:
        """Simulate a call on both sides, then apply it on each with what it recorded itself."""
        self.sequence += call.after_ledgers
        model, real = self._recorded(call, self.model), self._recorded(call, self.real)
        differences = [*_differences(call, "simulation", model, real)]
        if not isinstance(model.outcome, Recorded) or not isinstance(real.outcome, Recorded):
            return differences
        model, real = self._applied(call, self.model, model.outcome), self._applied(call, self.real, real.outcome)
        return [*differences, *_differences(call, "application", model, real)]

    def _recorded(self, call: Call, side: Side) -> "_Tried":
        return side.tried(
            self.sequence,
            lambda engine, draft: engine.record(self._invocation(call, draft), auth_mode="", address_v2=False),
        )

    def _applied(self, call: Call, side: Side, recorded: Recorded) -> "_Tried":
        auth = [entry for entry in map(self._signed(call), recorded.auth) if entry is not None]
        limit = xdr.Uint32(100_000_000)
        declared = xdr.SorobanResources(recorded.footprint, limit, limit, limit)
        tried = side.tried(
            self.sequence, lambda engine, draft: engine.apply(self._invocation(call, draft, auth), declared)
        )
        if isinstance(tried.outcome, Executed):
            side.state.write(tried.draft.changes)
        return tried

    def _ledger(self) -> LedgerInfo:
        return LedgerInfo(
            sequence=self.sequence, timestamp=BORN_AT + 5 * self.sequence, network_id=NETWORK.network_id()
        )

    def _invocation(self, call: Call, draft: Draft, auth: Sequence[xdr.SorobanAuthorizationEntry] = ()) -> Invocation:
        return Invocation(
            function=call_of(call.contract or self.birth.native_token_id, call.function, call.arguments),
            source=call.sender.public_key,
            auth=auth,
            draft=draft,
            ledger=self._ledger(),
        )

    def _signed(self, call: Call) -> Callable[[xdr.SorobanAuthorizationEntry], xdr.SorobanAuthorizationEntry | None]:
        def sign(entry: xdr.SorobanAuthorizationEntry) -> xdr.SorobanAuthorizationEntry | None:
            credentials = entry.credentials.address
            if credentials is None or call.signing == "unsigned":
                return entry
            if call.signing == "left out":
                return None
            signer = next((each for each in PEOPLE if sc_address(each.public_key) == credentials.address), NOBODY)
            until = self.sequence - 1 if call.signing == "expired" else self.sequence + SIGNED_FOR_LEDGERS
            return authorize_entry(entry, signer, until, NETWORK.network_passphrase)

        return sign


def _live_as_long(state: LedgerState, other: LedgerState, key: Key) -> None:
    """Let an entry live as long as another state's: the sandbox is born with its contracts, at the longest time."""
    draft = Draft(state, 0)
    entry = other.get(key)
    assert entry is not None
    assert entry.live_until is not None
    draft.extend(key, entry.live_until)
    state.write(draft.changes)


class _Tried:
    """What one engine made of a call, and the draft it wrote to."""

    def __init__(self, outcome: Executed | InvocationFailed, draft: Draft) -> None:
        self.outcome = outcome
        self.draft = draft

    def facts(self) -> Iterator[tuple[str, Any]]:
        """Yield what can be compared; nonces are random, and stand as "nonce"."""
        if isinstance(self.outcome, InvocationFailed):
            yield "outcome", describe(self.outcome.error)
            return
        yield "outcome", self.outcome.value.to_xdr()
        yield "events", [event.to_xdr() for event in self.outcome.events]
        yield "entries", dict(sorted(self._entries()))
        if isinstance(self.outcome, Recorded):
            yield "read only", sorted(map(_name, self.outcome.read_only))
            yield "read and written", sorted(map(_name, self.outcome.read_write))
            yield "authorisations", [_authorisation(entry) for entry in self.outcome.auth]

    def _entries(self) -> Iterator[tuple[str, str]]:
        for key, entry in self.draft.changes.items():
            before = self.draft.base.get(key)
            content = None if entry is None else _content(entry.data)
            same = before is not None and entry is not None and _content(before.data) == content
            if same and entry is not None and before is not None and before.live_until == entry.live_until:
                continue
            live_until = None if entry is None else entry.live_until
            nonce = _name(key) == "nonce"
            yield _name(key), f"{'' if nonce else content} until {live_until}"


def _content(data: xdr.LedgerEntryData) -> str:
    """Return an entry's content; of a contract's instance what it stores, for the code it names differs by nature."""
    value = data.contract_data.val if data.contract_data is not None else None
    if value is not None and value.instance is not None:
        storage = value.instance.storage
        return "" if storage is None else storage.to_xdr()
    return data.to_xdr()


def _name(key: Key) -> str:
    data = key.ledger_key.contract_data
    if key.ledger_key.type == xdr.LedgerEntryType.CONTRACT_CODE:
        return "code"
    nonce = data is not None and data.key.type == xdr.SCValType.SCV_LEDGER_KEY_NONCE
    return "nonce" if nonce else key.ledger_key.to_xdr()


def _authorisation(entry: xdr.SorobanAuthorizationEntry) -> str:
    credentials = entry.credentials.address
    who = "the source" if credentials is None else credentials.address.to_xdr()
    return f"{who}: {entry.root_invocation.to_xdr()}"


def _differences(call: Call, step: str, model: _Tried, real: _Tried) -> Iterator[Difference]:
    of_model, of_real = dict(model.facts()), dict(real.facts())
    for what in dict.fromkeys([*of_model, *of_real]):
        if what not in of_model or what not in of_real:
            continue  # one of them failed: the outcome says so
        if what == "entries":
            for name in dict.fromkeys([*of_model[what], *of_real[what]]):
                if of_model[what].get(name) != of_real[what].get(name):
                    yield Difference(
                        call=repr(call),
                        step=step,
                        what=f"entry {name}",
                        model=str(of_model[what].get(name)),
                        real=str(of_real[what].get(name)),
                    )
        elif of_model[what] != of_real[what]:
            yield Difference(call=repr(call), step=step, what=what, model=str(of_model[what]), real=str(of_real[what]))


def calls(birth: GenesisIdentities) -> st.SearchStrategy[Call]:
    """Return calls of the native asset contract: sensible ones, and ones that must be refused."""
    holders = [*(person.public_key for person in PEOPLE), NOBODY.public_key, birth.contract_id, birth.early_contract_id]
    address = st.sampled_from(holders).map(scval.to_address)
    person = st.sampled_from([each.public_key for each in PEOPLE]).map(scval.to_address)
    amount = st.one_of(
        st.integers(0, 1_000), st.integers(0, 2 * COINS_STROOPS), st.sampled_from([-1, 2**63 - 1, 2**63, -(2**127)])
    ).map(scval.to_int128)
    ledger = st.integers(0, 4_000_000).map(scval.to_uint32)
    flag = st.booleans().map(scval.to_bool)
    shapes: dict[str, tuple[st.SearchStrategy[xdr.SCVal], ...]] = {
        "transfer": (st.one_of(person, address), address, amount),
        "approve": (st.one_of(person, address), address, amount, ledger),
        "allowance": (person, address),
        "transfer_from": (person, person, address, amount),
        "balance": (address,),
        "authorized": (address,),
        "burn": (person, amount),
        "burn_from": (person, person, amount),
        "mint": (address, amount),
        "clawback": (address, amount),
        "set_admin": (address,),
        "set_authorized": (address, flag),
        "admin": (),
        "name": (),
        "symbol": (),
        "decimals": (),
        "no_such_function": (address,),
    }
    often = {"transfer": 12, "approve": 4, "transfer_from": 4}

    signing = ["signed"] * 6 + ["unsigned", "left out", "expired"]
    return _calls(shapes, often, signing=signing, after_ledgers=[1] * 8 + [20_000, 600_000])


def stream_calls(birth: GenesisIdentities) -> st.SearchStrategy[Call]:
    """Return calls of the stream contract by its payers and others, over streams that exist and one that does not."""
    person = st.sampled_from([each.public_key for each in PEOPLE]).map(scval.to_address)
    token = st.just(scval.to_address(birth.native_token_id))
    amount = st.one_of(st.integers(1, 10_000_000), st.sampled_from([0, -1, 2**100])).map(scval.to_int128)
    duration = st.sampled_from([1, 5, 60, 600, 0]).map(scval.to_uint64)
    stream = st.integers(1, 6).map(scval.to_uint64)
    shapes: dict[str, tuple[st.SearchStrategy[xdr.SCVal], ...]] = {
        "create_draft_stream": (person, person, token, amount, duration),
        "start_stream": (stream,),
        "pause": (stream,),
        "resume": (stream,),
        "settle": (stream,),
        "cancel_stream": (stream,),
        "get_stream": (stream,),
        "withdraw": (person, stream, amount),
        "withdrawable": (stream,),
        "initialize": (person,),
    }
    often = {"create_draft_stream": 6, "start_stream": 6, "settle": 4}

    return _calls(
        shapes,
        often,
        signing=["signed"] * 8 + ["unsigned", "left out"],
        after_ledgers=[1, 1, 1, 2, 15, 130, 20_000],
        contract=birth.contract_id,
    )


def _calls(
    shapes: Mapping[str, tuple[st.SearchStrategy[xdr.SCVal], ...]],
    often: Mapping[str, int],
    *,
    signing: Sequence[str],
    after_ledgers: Sequence[int],
    contract: str = "",
) -> st.SearchStrategy[Call]:
    """Return calls of functions with arguments of these shapes, some of them so many times more often."""

    def call_by(function: str) -> st.SearchStrategy[Call]:
        return st.builds(
            lambda arguments, sender, signing, after: Call(
                function=function,
                arguments=arguments,
                sender=sender,
                signing=signing,
                after_ledgers=after,
                contract=contract,
            ),
            st.tuples(*shapes[function]),
            st.sampled_from(PEOPLE),
            st.sampled_from(signing),
            st.sampled_from(after_ledgers),
        )

    more = [function for function, times in often.items() for _ in range(times)]
    return st.sampled_from([*shapes, *more]).flatmap(call_by)
