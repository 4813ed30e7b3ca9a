"""Players for the sandbox ledger's tests: people who act over the real wire, and a bench for contracts without one."""

import time
from types import TracebackType
from typing import Any

import httpx
from stellar_sdk import Account as SdkAccount
from stellar_sdk import Keypair, SorobanServer, StrKey, TransactionBuilder, TransactionEnvelope, scval, xdr
from stellar_sdk import xdr as stellar_xdr
from waits import HANG_SECONDS

from streampay_sandbox.ledger import SandboxLedger, start_ledger
from streampay_sandbox.ledger.authorization import AuthRecorder, Credentials
from streampay_sandbox.ledger.contracts import ContractModel
from streampay_sandbox.ledger.faults import GenesisPlan
from streampay_sandbox.ledger.footprint import FootprintRecorder
from streampay_sandbox.ledger.genesis import create_genesis
from streampay_sandbox.ledger.host import Host, LedgerInfo
from streampay_sandbox.ledger.state import Account, Draft, LedgerState, load_account, load_instance, store_account
from streampay_sandbox.ledger.values import strkey
from streampay_smoke.core.networks import ALLOWED

NETWORK = ALLOWED["sandbox"]
UNIT = 10_000_000


class RpcRefusal(Exception):
    """A JSON-RPC error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code} {message}")
        self.code = code


class Wire:
    """One client of one ledger; says what the ledger answered without interpreting it."""

    def __init__(self, ledger: SandboxLedger) -> None:
        self.ledger = ledger
        self.http = httpx.Client(timeout=HANG_SECONDS)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Return a method's result; raises RpcRefusal for a JSON-RPC error."""
        body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
        answer = self.http.post(self.ledger.rpc_url, json=body).json()
        if "error" in answer:
            raise RpcRefusal(answer["error"]["code"], answer["error"]["message"])
        assert answer["id"] == 7
        result: dict[str, Any] = answer["result"]
        return result

    def person(self, *, funded: bool = True) -> "Person":
        """Return somebody new, with 10,000 unless told otherwise."""
        person = Person(self)
        if funded:
            assert self.fund(person.address).status_code == 200
        return person

    def fund(self, address: str) -> httpx.Response:
        """Ask friendbot."""
        return self.http.get(self.ledger.friendbot_url, params={"addr": address})

    def simulate(self, envelope: TransactionEnvelope, **params: Any) -> dict[str, Any]:
        """Simulate an envelope."""
        return self.call("simulateTransaction", transaction=envelope.to_xdr(), **params)

    def send(self, envelope: TransactionEnvelope) -> dict[str, Any]:
        """Send an envelope."""
        return self.call("sendTransaction", transaction=envelope.to_xdr())

    def outcome(self, hash_hex: str) -> dict[str, Any]:
        """Return what getTransaction says."""
        return self.call("getTransaction", hash=hash_hex)

    def native(self, address: str) -> int:
        """Return what an account or a contract has, in stroops, as the asset's contract says."""
        value: int = self.read(self.ledger.native_token_id, "balance", scval.to_address(address))
        return value

    def read(self, contract: str, function: str, *args: stellar_xdr.SCVal) -> Any:
        """Return what a contract function answers in simulation; no account is needed."""
        account = SdkAccount(Keypair.random().public_key, 0)
        answer = self.simulate(build(account, contract, function, *args))
        assert "error" not in answer, answer["error"]
        return to_plain(xdr.SCVal.from_xdr(answer["results"][0]["xdr"]))


def build(account: SdkAccount, contract: str, function: str, *args: stellar_xdr.SCVal) -> TransactionEnvelope:
    """Return an unsigned, unsimulated invocation."""
    builder = TransactionBuilder(account, NETWORK.passphrase, base_fee=100)
    builder.set_timeout(60)
    builder.append_invoke_contract_function_op(contract, function, list(args))
    return builder.build()


class Person:
    """Somebody with a key, acting on a ledger."""

    def __init__(self, wire: Wire, keypair: Keypair | None = None) -> None:
        self.wire = wire
        self.keypair = keypair or Keypair.random()

    @property
    def address(self) -> str:
        return self.keypair.public_key

    @property
    def value(self) -> stellar_xdr.SCVal:
        """The address as a contract argument."""
        return scval.to_address(self.address)

    def account(self) -> SdkAccount:
        """Return the account as the ledger has it."""
        with SorobanServer(self.wire.ledger.rpc_url) as server:
            return server.load_account(self.address)

    def builder(self, *, base_fee: int = 100, passphrase: str = NETWORK.passphrase) -> TransactionBuilder:
        """Return a builder for the next transaction."""
        builder = TransactionBuilder(self.account(), passphrase, base_fee=base_fee)
        builder.set_timeout(60)
        return builder

    def prepare(self, contract: str, function: str, *args: stellar_xdr.SCVal) -> TransactionEnvelope:
        """Return an invocation with its resources, unsigned."""
        envelope = build(self.account(), contract, function, *args)
        with SorobanServer(self.wire.ledger.rpc_url) as server:
            return server.prepare_transaction(envelope)

    def sign(self, envelope: TransactionEnvelope) -> TransactionEnvelope:
        envelope.sign(self.keypair)
        return envelope

    def invoke(self, contract: str, function: str, *args: stellar_xdr.SCVal) -> Any:
        """Invoke, insist on success, and return the function's answer."""
        sent = self.wire.send(self.sign(self.prepare(contract, function, *args)))
        assert sent["status"] == "PENDING", sent
        outcome = self.wire.outcome(sent["hash"])
        assert outcome["status"] == "SUCCESS", outcome
        return returned(outcome)

    def draft(self, recipient: "Person", total: int = 10 * UNIT, seconds: int = 1) -> int:
        """Create a draft stream and return its id."""
        ledger = self.wire.ledger
        stream_id: int = self.invoke(
            ledger.contract_id,
            "create_draft_stream",
            self.value,
            recipient.value,
            scval.to_address(ledger.native_token_id),
            scval.to_int128(total),
            scval.to_uint64(seconds),
        )
        return stream_id

    def on_stream(self, function: str, stream_id: int) -> Any:
        """Call a function that takes only a stream's id."""
        return self.invoke(self.wire.ledger.contract_id, function, scval.to_uint64(stream_id))


def returned(outcome: dict[str, Any]) -> Any:
    """Return the value a closed invocation returned."""
    meta = xdr.TransactionMeta.from_xdr(outcome["resultMetaXdr"])
    assert meta.v4 is not None
    assert meta.v4.soroban_meta is not None
    assert meta.v4.soroban_meta.return_value is not None
    return to_plain(meta.v4.soroban_meta.return_value)


def result_code(result_xdr: str) -> str:
    """Return the name of a transaction result's code."""
    return xdr.TransactionResult.from_xdr(result_xdr).result.code.name


def invoke_code(outcome: dict[str, Any]) -> str:
    """Return the name of the result code of a closed transaction's only invocation."""
    results = xdr.TransactionResult.from_xdr(outcome["resultXdr"]).result.results
    assert results is not None
    assert results[0].tr is not None
    invoked = results[0].tr.invoke_host_function_result
    assert invoked is not None
    return invoked.code.name


def to_plain(value: stellar_xdr.SCVal) -> Any:
    """Return a contract value in plain Python, addresses as strkeys."""
    return _plain(scval.to_native(value))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return getattr(value, "address", value)


class Bench:
    """Contracts on a state of their own: whoever is asked to agree does, and the time is what the test says."""

    def __init__(self, contract: ContractModel, now: int = 1_800_000_000) -> None:
        self.state = LedgerState()
        plan = GenesisPlan(contract=contract)
        self.birth = create_genesis(self.state, plan, passphrase=NETWORK.passphrase, network_id=NETWORK.network_id)
        self.now = now
        self.sequence = 10
        self.agreed: list[str] = []
        self.events: list[tuple[str, tuple[Any, ...], Any]] = []

    @property
    def admin(self) -> str:
        return self.birth.admin.public_key

    @property
    def token(self) -> str:
        return self.birth.native_token_id

    def somebody(self, balance: int = 1_000 * UNIT) -> str:
        """Return the address of somebody new, who exists unless `balance` is 0."""
        address = Keypair.random().public_key
        if balance:
            draft = Draft(self.state, self.sequence)
            store_account(draft, Account(address=address, balance=balance, sequence=0))
            self.state.write(draft.changes)
            self.state.total_coins += balance
        return address

    def balance(self, address: str) -> int:
        """Return the native balance of an account or a contract."""
        if StrKey.is_valid_contract(address):
            value: int = self.run(self.token, "balance", scval.to_address(address))
            return value
        account = load_account(self.state, address)
        return account.balance if account else 0

    def call(self, function: str, *arguments: Any) -> Any:
        """Call the contract under its entry point's own types; raises HostError and changes nothing then."""
        model = self.birth.contracts.by_wasm_hash[self._hash(self.birth.contract_id)]
        inputs = model.entry_points[function].inputs
        encoded = [kind.encode(value) for (_, kind), value in zip(inputs, arguments, strict=True)]
        return self.run(self.birth.contract_id, function, *encoded)

    def run(self, contract: str, function: str, *arguments: stellar_xdr.SCVal) -> Any:
        """Call any contract with SCVals."""
        draft = Draft(self.state, self.sequence)
        footprint = FootprintRecorder()
        ledger = LedgerInfo(sequence=self.sequence, timestamp=self.now, network_id=NETWORK.network_id)
        recorder = AuthRecorder(
            source=Keypair.random().public_key,
            credentials=Credentials.SOROBAN_CREDENTIALS_ADDRESS,
            nonroot=False,
            footprint=footprint,
            draft=draft,
            nonces_live_until=ledger.last_possible,
        )
        host = Host(
            ledger=ledger,
            draft=draft,
            footprint=footprint,
            authorizer=recorder,
            contracts=self.birth.contracts,
        )
        value = host.call(contract, function, list(arguments))
        self.state.write(draft.changes)
        self.agreed = [_signer(entry) for entry in recorder.entries()]
        self.events = [_event(event) for event in host.events]
        self.state.check_supply()
        return to_plain(value)

    def _hash(self, contract: str) -> bytes:
        instance = load_instance(self.state, contract)
        assert instance is not None
        assert instance.executable.wasm_hash is not None
        return instance.executable.wasm_hash.hash


def _signer(entry: stellar_xdr.SorobanAuthorizationEntry) -> str:
    credentials = entry.credentials.address
    assert credentials is not None
    return strkey(credentials.address)


def _event(event: stellar_xdr.ContractEvent) -> tuple[str, tuple[Any, ...], Any]:
    assert event.body.v0 is not None
    assert event.contract_id is not None
    contract = StrKey.encode_contract(event.contract_id.contract_id.hash)
    return contract, tuple(to_plain(topic) for topic in event.body.v0.topics), to_plain(event.body.v0.data)


class Running:
    """A ledger with a client, for `with`; insists at the end that coins add up and nothing broke inside."""

    def __init__(self, **options: Any) -> None:
        """Take the options of `start_ledger`; unless they say otherwise, ledgers close for transactions only.

        The wall clock stands then, so that no idle ledger comes in between on a slow machine.
        """
        if not options.get("close_seconds"):
            now = time.time()
            options.setdefault("wall", lambda: now)
        self.ledger = start_ledger(**options)
        self.wire = Wire(self.ledger)

    def __enter__(self) -> Wire:
        return self.wire

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wire.http.close()
        self.ledger.stop()
        assert not self.ledger.errors
        self.ledger.node.state.check_supply()


def started(**options: Any) -> Running:
    """Start a ledger for `with`."""
    return Running(**options)
