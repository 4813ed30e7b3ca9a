"""Plays executions that were recorded on the real Soroban host against the sandbox's models, without sockets.

`tests/vectors/*.jsonl` hold one recorded execution a line: what is there before, the calls with their times, and what
the recording states of answers, authorisations, events, rows, balances and times to live. What a line leaves out is
not stated by its recording. Times are ledger timestamps in seconds, `ledger` is a sequence number; both start at 0.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from ledger_players import to_plain
from stellar_sdk import Keypair, MuxedAccount, StrKey, xdr

from streampay_sandbox.ledger import early_contract, stellar_asset_contract
from streampay_sandbox.ledger.authorization import AuthRecorder, Credentials, Frame
from streampay_sandbox.ledger.contracts import ContractModel, EntryPoint, entry_points
from streampay_sandbox.ledger.failures import ErrorCode, ErrorType, HostError, describe, host_error
from streampay_sandbox.ledger.footprint import FootprintRecorder
from streampay_sandbox.ledger.host import Contracts, Env, Host, LedgerInfo, LifetimeLimits
from streampay_sandbox.ledger.keys import PERSISTENT, TEMPORARY, Key, code_key, data_key, instance_key
from streampay_sandbox.ledger.rate_contracts import TIMED_CONTRACT, escrowed_contract
from streampay_sandbox.ledger.spec import build_wasm, wasm_hash
from streampay_sandbox.ledger.state import (
    Account,
    Draft,
    LedgerState,
    data_row,
    instance_row,
    load_account,
    store_account,
)
from streampay_sandbox.ledger.stream_contract import pay_recipient
from streampay_sandbox.ledger.values import (
    ADDRESS,
    SYMBOL,
    U32,
    VOID,
    Kind,
    Muxed,
    MuxedAddress,
    Optional,
    Vector,
    symbol_map,
    vec,
)
from streampay_smoke.core.networks import ALLOWED

FOLDER = Path(__file__).parent.parent / "vectors"
PASSPHRASE = ALLOWED["sandbox"].passphrase
ACCOUNTS = {
    name: Keypair.from_raw_ed25519_seed(name.encode().ljust(32, b".")).public_key for name in ("ann", "ben", "cat")
}
HOLDERS = {
    name: StrKey.encode_contract(name.encode().ljust(32, b".")) for name in ("payer", "recipient", "second", "other")
}
"""Accounts hold coins in their account, the others are contracts and have rows of the token."""

STREAMS = StrKey.encode_contract(b"streams".ljust(32, b"."))
TOKEN = stellar_asset_contract.native_contract_id(PASSPHRASE)
ADDRESSES = {**ACCOUNTS, **HOLDERS, "streams": STREAMS, "token": TOKEN}
NAMES = {address: name for name, address in ADDRESSES.items()}


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A call. `agreeing` are those who authorise it, None everybody; `fails` is the error as the host prints it."""

    call: str
    args: list[Any] = []
    on: str = "streams"
    at: int | None = None
    ledger: int | None = None
    gives: Any = msgspec.UNSET
    fails: str = ""
    agreeing: list[str] | None = None
    auth: list[str] | None = None
    events: list[list[Any]] | None = None


class Execution(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One recorded execution: `source` is repository@commit, path and, in a file of many tests, the test."""

    id: str
    source: str
    model: str
    steps: list[Step]
    balances_before: dict[str, int] = {}
    lifetimes: tuple[int, int, int] = (4096, 16, 6_312_000)
    streams: dict[str, dict[str, Any]] = {}
    balances: dict[str, int | None] = {}
    live_until: dict[str, int | None] = {}


def executions() -> list[Execution]:
    """Return all of them."""
    return [
        msgspec.convert(json.loads(line), Execution)
        for path in sorted(FOLDER.glob("*.jsonl"))
        for line in path.read_text().splitlines()
    ]


def _row_functions() -> ContractModel:
    """Return a contract that only keeps rows, as the SDK's own tests of storage do."""

    def put(durability: xdr.ContractDataDurability) -> Any:
        return lambda env, key, value: env.put(U32.encode(key), U32, value, durability)

    def get(durability: xdr.ContractDataDurability) -> Any:
        return lambda env, key: env.get(U32.encode(key), U32, durability)

    def extend(durability: xdr.ContractDataDurability) -> Any:
        return lambda env, key, threshold, to: env.extend(U32.encode(key), threshold, to, durability)

    def extend_code(env: Env, threshold: int, to: int) -> None:
        env.host.extend(code_key(wasm_hash(build_wasm(ROWS))), threshold, to)

    key, both = (("key", U32),), (("threshold", U32), ("extend_to", U32))
    points = [
        EntryPoint(name="extend_instance", inputs=both, output=VOID, body=lambda env, *how: env.instance_extend(*how)),
        EntryPoint(name="extend_code", inputs=both, output=VOID, body=extend_code),
    ]
    for name, durability in (("persistent", PERSISTENT), ("temporary", TEMPORARY)):
        points += [
            EntryPoint(name=f"put_{name}", inputs=(*key, ("value", U32)), output=VOID, body=put(durability)),
            EntryPoint(name=f"get_{name}", inputs=key, output=Optional(U32), body=get(durability)),
            EntryPoint(name=f"extend_{name}", inputs=(*key, *both), output=VOID, body=extend(durability)),
        ]
    return ContractModel(name="rows", version="0", entry_points=entry_points(*points))


ROWS = _row_functions()
MODELS = {
    "early": early_contract.MODEL,
    "timed": TIMED_CONTRACT,
    "escrowed": escrowed_contract(pay_recipient),
    "rows": ROWS,
}


class _Agreement(AuthRecorder):
    """Notes who agrees to what, and refuses for those who do not."""

    def __init__(self, agreeing: Sequence[str] | None, footprint: FootprintRecorder, draft: Draft) -> None:
        super().__init__(
            source="",
            credentials=Credentials.SOROBAN_CREDENTIALS_ADDRESS,
            nonroot=False,
            footprint=footprint,
            draft=draft,
            nonces_live_until=draft.ledger,
        )
        self._agreeing = None if agreeing is None else {ADDRESSES[name] for name in agreeing}

    def require(self, address: str, frames: Sequence[Frame]) -> None:
        if self._agreeing is not None and address not in self._agreeing:
            raise host_error(ErrorType.SCE_AUTH, ErrorCode.SCEC_INVALID_ACTION, "Unauthorized function call")
        super().require(address, frames)


class Recreation:
    """The ledger of one execution."""

    def __init__(self, execution: Execution) -> None:
        least_persistent, least_temporary, most = execution.lifetimes
        self.lifetimes = LifetimeLimits(least_persistent=least_persistent, least_temporary=least_temporary, most=most)
        self.sequence = execution.steps[0].ledger or 0
        self.now = 0
        self.state = LedgerState()
        self._model = MODELS.get(execution.model, ROWS)
        self._born(execution)

    def _born(self, execution: Execution) -> None:
        draft = Draft(self.state, self.sequence)
        fresh = self.sequence + self.lifetimes.least_persistent - 1
        code = build_wasm(self._model)
        self._code = wasm_hash(code)
        entry = xdr.ContractCodeEntry(xdr.ContractCodeEntryExt(0), xdr.Hash(self._code), code)
        draft.put(
            code_key(self._code), xdr.LedgerEntryData(xdr.LedgerEntryType.CONTRACT_CODE, contract_code=entry), fresh
        )
        executable = xdr.ContractExecutable(
            xdr.ContractExecutableType.CONTRACT_EXECUTABLE_WASM, wasm_hash=xdr.Hash(self._code)
        )
        draft.put(instance_key(STREAMS), instance_row(STREAMS, executable, None), fresh)
        draft.put(instance_key(TOKEN), stellar_asset_contract.native_instance(TOKEN), fresh)
        for name, amount in execution.balances_before.items():
            if name in ACCOUNTS:
                store_account(draft, Account(address=ACCOUNTS[name], balance=amount, sequence=0))
                continue
            key = stellar_asset_contract.balance_key(ADDRESSES[name])
            balance = stellar_asset_contract.Balance(amount=amount)
            row = data_row(TOKEN, key, stellar_asset_contract.BALANCE_ROW.encode(balance))
            draft.put(data_key(TOKEN, key), row, self.sequence + stellar_asset_contract.BALANCE_EXTEND_LEDGERS)
        self.state.write(draft.changes)
        self.state.total_coins = self.state.native_supply()

    def play(self, step: Step) -> dict[str, Any]:
        """Make a call; return what it gave or why it failed, who agreed, and the events, by the vectors' names."""
        self.now = self.now if step.at is None else step.at
        self.sequence = self.sequence if step.ledger is None else step.ledger
        contract = ADDRESSES[step.on]
        model = stellar_asset_contract.MODEL if step.on == "token" else self._model
        kinds = [kind for _, kind in model.entry_points[step.call].inputs]
        draft, footprint = Draft(self.state, self.sequence), FootprintRecorder()
        agreement = _Agreement(step.agreeing, footprint, draft)
        host = Host(
            ledger=LedgerInfo(
                sequence=self.sequence,
                timestamp=self.now,
                network_id=ALLOWED["sandbox"].network_id,
                lifetimes=self.lifetimes,
            ),
            draft=draft,
            footprint=footprint,
            authorizer=agreement,
            contracts=Contracts(by_wasm_hash={self._code: self._model}, asset_contract=stellar_asset_contract.MODEL),
        )
        try:
            value = host.call(
                contract, step.call, [_encode(kind, each) for kind, each in zip(kinds, step.args, strict=True)]
            )
        except HostError as error:
            return {"fails": describe(error.error)}
        self.state.write(draft.changes)
        self.state.check_supply()
        return {
            "gives": _plain(value),
            "fails": "",
            "auth": [f"{_name(address)}: {_call(tree)}" for address, tree in agreement.trees()],
            "events": [_event(event) for event in host.events],
        }

    def stream(self, stream_id: str) -> dict[str, Any]:
        """Return a stream's fields."""
        answer = self.play(Step(call="get_stream_info", args=[int(stream_id)]))
        found: dict[str, Any] = answer.get("gives", {})
        return found

    def balance(self, name: str) -> int | None:
        """Return what somebody has of the token, None where an account does not exist; nothing is extended."""
        if name in ACCOUNTS:
            account = load_account(self.state, ACCOUNTS[name])
            return None if account is None else account.balance
        entry = self.state.get(data_key(TOKEN, stellar_asset_contract.balance_key(ADDRESSES[name])))
        if entry is None or entry.data.contract_data is None:
            return None
        amount: int = to_plain(entry.data.contract_data.val)["amount"]
        return amount

    def live_until(self, what: str) -> int | None:
        """Return the last ledger an entry lives in: `instance`, `code`, `token`, or a row's name and key."""
        entry = self.state.get(self._key(what))
        return None if entry is None else entry.live_until

    def _key(self, what: str) -> Key:
        kind, _, key = what.partition(" ")
        if kind == "allowance":
            owner, spender = (ADDRESSES[name] for name in key.split())
            parts = {"from": ADDRESS.encode(owner), "spender": ADDRESS.encode(spender)}
            return data_key(TOKEN, vec(SYMBOL.encode("Allowance"), symbol_map(parts)), TEMPORARY)
        keys = {
            "instance": lambda: instance_key(STREAMS),
            "code": lambda: code_key(self._code),
            "token": lambda: instance_key(TOKEN),
            "stream": lambda: data_key(STREAMS, vec(SYMBOL.encode("stream"), U32.encode(int(key)))),
            "balance": lambda: data_key(TOKEN, stellar_asset_contract.balance_key(ADDRESSES[key])),
            "persistent": lambda: data_key(STREAMS, U32.encode(int(key))),
            "temporary": lambda: data_key(STREAMS, U32.encode(int(key)), TEMPORARY),
        }
        return keys[kind]()


def _encode(kind: Kind, value: Any) -> xdr.SCVal:
    if isinstance(kind, MuxedAddress):
        name, _, muxed_id = value.partition("#")
        return kind.encode(Muxed(address=ADDRESSES[name], muxed_id=int(muxed_id) if muxed_id else None))
    if isinstance(kind, Vector):
        return kind.encode(value)
    return kind.encode(ADDRESSES[value] if kind is ADDRESS else value)


def _name(address: str) -> str:
    return NAMES.get(address, address)


def _plain(value: xdr.SCVal) -> Any:
    return _named(to_plain(value))


def _named(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _named(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_named(each) for each in value]
    if isinstance(value, str) and StrKey.is_valid_med25519_public_key(value):
        muxed = MuxedAccount.from_account(value)
        return f"{_name(muxed.account_id)}#{muxed.account_muxed_id}"
    return _name(value) if isinstance(value, str) else value


def _call(tree: xdr.SorobanAuthorizedInvocation) -> str:
    call = tree.function.contract_fn
    assert call is not None
    contract = StrKey.encode_contract(call.contract_address.contract_id.contract_id.hash)  # type: ignore[union-attr]
    arguments = ", ".join(str(_plain(each)) for each in call.args)
    inner = "; ".join(_call(each) for each in tree.sub_invocations)
    name = f"{_name(contract)}.{call.function_name.sc_symbol.decode()}({arguments})"
    return f"{name} > {inner}" if inner else name


def _event(event: xdr.ContractEvent) -> list[Any]:
    assert event.body.v0 is not None
    assert event.contract_id is not None
    contract = StrKey.encode_contract(event.contract_id.contract_id.hash)
    return [_name(contract), *(_plain(topic) for topic in event.body.v0.topics), _plain(event.body.v0.data)]
