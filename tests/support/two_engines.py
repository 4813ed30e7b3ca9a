"""The same calls of the native asset contract on two engines of the sandbox ledger, and where they differ."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
from hypothesis import strategies as st
from stellar_sdk import Keypair, scval, xdr
from stellar_sdk.auth import authorize_entry

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
from streampay_sandbox.ledger.keys import Key
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


class TwoEngines:
    """One ledger state on which each call is tried by both engines; what the real host does is what stays."""

    def __init__(self, real: Engine) -> None:
        self.state = LedgerState()
        self.birth: GenesisIdentities = create_genesis(
            self.state,
            Interference(()).genesis(),
            passphrase=NETWORK.network_passphrase,
            network_id=NETWORK.network_id(),
        )
        self.sequence = self.birth.first_ledger
        self.engines: dict[str, Engine] = {"model": ModelEngine(self.birth.contracts), "real": real}
        draft = Draft(self.state, self.sequence)
        for person in PEOPLE:
            store_account(draft, Account(address=person.public_key, balance=COINS_STROOPS, sequence=0))
        self.state.write(draft.changes)

    def play(self, call: Call) -> list[Difference]:
        """Simulate a call on both, then apply it on both with what the real host recorded."""
        self.sequence += call.after_ledgers
        recorded = {
            name: self._tried(call, lambda engine, it: engine.record(it, auth_mode="", address_v2=False), name)
            for name in self.engines
        }
        differences = [*_differences(call, "simulation", recorded["model"], recorded["real"])]
        outcome = recorded["real"].outcome
        if not isinstance(outcome, Recorded):
            return differences
        auth = [entry for entry in map(self._signed(call), outcome.auth) if entry is not None]
        declared = xdr.SorobanResources(
            outcome.footprint, xdr.Uint32(100_000_000), xdr.Uint32(200_000), xdr.Uint32(200_000)
        )
        applied = {
            name: self._tried(call, lambda engine, it: engine.apply(it, declared), name, auth) for name in self.engines
        }
        differences += _differences(call, "application", applied["model"], applied["real"])
        if isinstance(applied["real"].outcome, Executed):
            self.state.write(applied["real"].draft.changes)
        return differences

    def _tried(
        self,
        call: Call,
        run: Callable[[Engine, Invocation], Executed],
        name: str,
        auth: Sequence[xdr.SorobanAuthorizationEntry] = (),
    ) -> "_Tried":
        draft = Draft(self.state, self.sequence)
        invocation = Invocation(
            function=call_of(self.birth.native_token_id, call.function, call.arguments),
            source=call.sender.public_key,
            auth=auth,
            draft=draft,
            ledger=LedgerInfo(
                sequence=self.sequence, timestamp=BORN_AT + 5 * self.sequence, network_id=NETWORK.network_id()
            ),
        )
        try:
            return _Tried(run(self.engines[name], invocation), draft)
        except InvocationFailed as failure:
            return _Tried(failure, draft)

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
            content = None if entry is None else entry.data.to_xdr()
            same = before is not None and entry is not None and before.data.to_xdr() == content
            if same and entry is not None and before is not None and before.live_until == entry.live_until:
                continue
            live_until = None if entry is None else entry.live_until
            nonce = _name(key) == "nonce"
            yield _name(key), f"{'' if nonce else content} until {live_until}"


def _name(key: Key) -> str:
    data = key.ledger_key.contract_data
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
        if of_model[what] != of_real[what]:
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
    weights = [*shapes, *["transfer"] * 12, *["approve"] * 4, *["transfer_from"] * 4]

    def call_of(function: str) -> st.SearchStrategy[Call]:
        return st.builds(
            lambda arguments, sender, signing, after: Call(
                function=function, arguments=arguments, sender=sender, signing=signing, after_ledgers=after
            ),
            st.tuples(*shapes[function]),
            st.sampled_from(PEOPLE),
            st.sampled_from(["signed"] * 6 + ["unsigned", "left out", "expired"]),
            st.sampled_from([1] * 8 + [20_000, 600_000]),
        )

    return st.sampled_from(weights).flatmap(call_of)
