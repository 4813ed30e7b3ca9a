"""A ledger's RPC that names other networks, changes its mind, garbles its answers and lies about what it took.

Played on the real adapter, down to the HTTP client: there stands a scripted ledger without a socket.
"""

import json
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self
from unittest import mock

import msgspec
from dice import Dice, drawn
from ledger_double import PACE, FakeTime, Raw, ScriptedLedger, said
from money_envelopes import CAP, CONTRACT, PASSPHRASES, RIGHT, SIGNER, STRANGER, Node, a_node, an_amount, grown
from money_watch import can_cost, signed_only_for
from stellar_sdk import Address, TransactionEnvelope, scval, xdr
from stellar_sdk.operation import InvokeHostFunction

from streampay_smoke.chain import guard, submission, transport
from streampay_smoke.chain.adapter import ChainAccount
from streampay_smoke.chain.stellar import StellarAdapter
from streampay_smoke.core.errors import GuardRefused, SmokeError
from streampay_smoke.core.networks import ALLOWED, PUBLIC_PASSPHRASE, Network
from streampay_smoke.http.client import NoAnswer, Reply

RPC_URL = "http://rpc.test"
ELSEWHERE = "https://mainnet.sorobanrpc.com"
PAYER = ChainAccount(name="payer", address=SIGNER.public_key, seed=SIGNER.secret)


class OutOfMemory:
    """Stands where an HTTP client stands; what `answer` returns for method, URL and JSON is the answer."""

    def __init__(self, answer: Callable[[str, str, Any, Mapping[str, str]], Raw]) -> None:
        self.timeout_seconds = 10.0
        self._answer = answer

    def request(
        self, method: str, url: str, *, json: Any = None, params: Mapping[str, str] | None = None, **rest: Any
    ) -> Reply:
        raw = self._answer(method, url, json, params or {})
        if raw.status <= 0:
            raise NoAnswer("reset", where=url, waited_seconds=0.0)
        headers = tuple((name.lower(), value) for name, value in raw.headers.items())
        return Reply(status=raw.status, header_items=headers, content=raw.body.encode(), duration_ms=1)

    def close(self) -> None:
        """Nothing was opened."""


class Stage:
    """Puts a client of the story's own under every adapter that is made, and sees what is handed to the guard."""

    def __init__(self) -> None:
        self.client: Any = None
        self.handed: list[TransactionEnvelope] = []
        self._patches = (
            mock.patch.object(transport, "Client", self._client_of_the_story),
            mock.patch.object(submission, "sign", self._spy),
        )

    def _client_of_the_story(self, **options: Any) -> Any:
        return self.client

    def _spy(self, envelope: TransactionEnvelope, *arguments: Any) -> str:
        self.handed.append(envelope)
        return guard.sign(envelope, *arguments)

    @property
    def signed(self) -> list[TransactionEnvelope]:
        """Those that came back signed."""
        return [envelope for envelope in self.handed if envelope.signatures]

    def __enter__(self) -> Self:
        for patch in self._patches:
            patch.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for patch in self._patches:
            patch.stop()


class LedgerStory(msgspec.Struct, frozen=True, kw_only=True):
    """What the RPC says of itself, wants authorised, charges, and says became of each transaction."""

    network: Network
    says: tuple[str, ...]
    wrapped: str
    demands: str
    nodes: list[Node]
    resource_fee: int
    sequence: int
    sends: list[str]
    finds: list[str]
    amounts: list[int]
    cap: int
    threads: bool


def a_ledger_story(dice: Dice) -> LedgerStory:
    return LedgerStory(
        network=dice.pick(tuple(ALLOWED.values())),
        says=tuple(dice.pick((RIGHT,) * 20 + PASSPHRASES) for _ in range(2)),
        wrapped=dice.pick(("plainly",) * 40 + tuple(WRAPPED)),
        demands=dice.pick(("nothing",) * 4 + ("same",) * 8 + tuple(DEMANDS)),
        nodes=dice.several(lambda: a_node(dice), 2),
        resource_fee=dice.pick((5_000,) * 8 + (0, 100_000, CAP, 2**31, 2**32, 2**63 - 1, -1, -5_000, -(2**63))),
        sequence=dice.pick((4_000,) * 12 + (0, -1, 2**63 - 2, 2**63 - 1)),
        sends=dice.several(lambda: dice.pick(("pending",) * 4 + tuple(SENDS)), 3),
        finds=dice.several(lambda: dice.pick(("found",) * 4 + tuple(FINDS)), 3),
        amounts=[an_amount(dice) for _ in range(1 + dice.number(3))],
        cap=dice.pick((3 * CAP, 3 * CAP, CAP, CAP, 10**9, 10_000, 0)),
        threads=dice.number(8) == 7,
    )


ledger_stories = drawn(a_ledger_story, size=96)


def play_ledger(story: LedgerStory, messages: list[bytes], stage: Stage) -> str:
    """Have contract calls made through the adapter, one after the other whatever becomes of them."""
    double = _Armed(story)
    stage.handed.clear()
    stage.client = OutOfMemory(double.answered)
    adapter = StellarAdapter(
        story.network,
        rpc_url=RPC_URL,
        friendbot_url=f"{RPC_URL}/friendbot",
        record=lambda event: None,
        max_stroops=story.cap,
        pace=PACE,
        clock=FakeTime().clock,
    )
    refusals: list[SmokeError] = []

    def spend(amounts: list[int]) -> None:
        for amount in amounts:
            try:
                adapter.invoke(CONTRACT, "open", STRANGER.public_key, amount, signer=PAYER)
            except SmokeError as refusal:
                refusals.append(refusal)

    shares = [story.amounts[::2], story.amounts[1::2]] if story.threads else [story.amounts]
    workers = [threading.Thread(target=spend, args=(share,)) for share in shares[1:]]
    for worker in workers:
        worker.start()
    spend(shares[0])
    for worker in workers:
        worker.join()
    signed_only_for(story.network, stage.handed, messages)
    assert can_cost(stage.signed) <= story.cap, "a lying RPC got more signed than the cap"
    assert double.asked <= {RPC_URL}, "an address nobody configured was asked"
    if stage.signed:
        assert story.network.passphrase in double.named, "signed before the RPC named this network"
        return f"signed for {story.network.name}"
    return f"refused: {_layer(refusals[-1], double.named, story.network)}"


def _layer(refusal: SmokeError, named: list[Any], network: Network) -> str:
    if named[:1] != [network.passphrase]:
        return "the live network"
    return "the guard, at the signature" if isinstance(refusal, GuardRefused) else "the adapter (no usable answer)"


class _Armed:
    """The story's RPC. `named` are the passphrases it told that a reader of JSON would have found, in order."""

    def __init__(self, story: LedgerStory) -> None:
        self._story = story
        self._ledger = ledger = ScriptedLedger()
        self.named: list[Any] = []
        self.asked: set[str] = set()
        ledger.passphrase = story.network.passphrase
        ledger.seconds = 30
        ledger.sequences[SIGNER.public_key] = story.sequence
        ledger.simulateTransaction = self._simulated  # type: ignore[method-assign]
        ledger.script("sendTransaction", *(SENDS[name](ledger) for name in story.sends))
        ledger.script("getTransaction", *(self._if_sent(FINDS[name](ledger)) for name in story.finds))

    def answered(self, method: str, url: str, request: Any, params: Mapping[str, str]) -> Raw:
        self.asked.add(url.removesuffix("/friendbot"))
        if method == "GET":
            return self._ledger.funded(params["addr"])
        if request["method"] != "getNetwork":
            return self._ledger.posted(request)
        passphrase = self._story.says[min(len(self.named), len(self._story.says) - 1)]
        result = self._ledger.getNetwork({}) | {
            "passphrase": self._story.network.passphrase if passphrase == RIGHT else passphrase
        }
        raw = WRAPPED[self._story.wrapped]({"jsonrpc": "2.0", "id": request["id"], "result": result})
        self.named.append(_passphrase_in(raw.body))
        return raw

    def _if_sent(self, lie: Any) -> Any:
        """Tell a lie about transactions that arrived; of others nothing is known."""

        def answer(params: dict[str, Any]) -> Any:
            arrived = any(sent.hash_hex() == params["hash"] for sent in self._ledger.sent)
            if not arrived:
                return self._ledger.not_found(params)
            return lie(params) if callable(lie) else lie

        return answer

    def _simulated(self, params: dict[str, Any]) -> dict[str, Any]:
        story, ledger = self._story, self._ledger
        envelope = TransactionEnvelope.from_xdr(params["transaction"], story.network.passphrase)
        operation = envelope.transaction.operations[0]
        assert isinstance(operation, InvokeHostFunction)
        assert operation.host_function.invoke_contract is not None
        ledger.auth = DEMANDS[story.demands](operation.host_function.invoke_contract, story.nodes)
        fee = story.resource_fee
        footprint = xdr.LedgerFootprint([], [])
        resources = xdr.SorobanResources(footprint, xdr.Uint32(2**32 - 1), xdr.Uint32(0), xdr.Uint32(0))
        data = xdr.SorobanTransactionData(
            xdr.SorobanTransactionDataExt(0), resources, xdr.Int64(max(-(2**63), min(fee, 2**63 - 1)))
        )
        changes = {"transactionData": data.to_xdr(), "minResourceFee": str(fee)}
        return ScriptedLedger.simulateTransaction(ledger, params) | changes


def _passphrase_in(body: str) -> Any:
    try:
        return json.loads(body)["result"]["passphrase"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _plainly(answer: dict[str, Any]) -> Raw:
    return Raw(body=json.dumps(answer))


def _with(**changes: Any) -> Callable[[dict[str, Any]], Raw]:
    return lambda answer: _plainly(answer | {"result": answer["result"] | changes})


def _twice(other: str, *, first: bool) -> Callable[[dict[str, Any]], Raw]:
    """Name two passphrases under one key: readers of JSON disagree about which one counts."""

    def write(answer: dict[str, Any]) -> Raw:
        key = '"passphrase": '
        before, after = f"{key}{json.dumps(other)}, {key}", f"{key}"
        text = json.dumps(answer)
        if first:
            return Raw(body=text.replace(after, before, 1))
        value = json.dumps(answer["result"]["passphrase"])
        return Raw(body=text.replace(f"{key}{value}", f"{key}{value}, {key}{json.dumps(other)}", 1))

    return write


WRAPPED: Mapping[str, Callable[[dict[str, Any]], Raw]] = {
    "plainly": _plainly,
    "public first, under the same key": _twice(PUBLIC_PASSPHRASE, first=True),
    "public last, under the same key": _twice(PUBLIC_PASSPHRASE, first=False),
    "with a protocol of 400 digits": _with(protocolVersion=10**400),
    "with a protocol in words": _with(protocolVersion="twenty-seven"),
    "with a fraction for a protocol": _with(protocolVersion=27.5),
    "with a public friendbot": _with(friendbotUrl="https://horizon.stellar.org/friendbot"),
    "with a list for a friendbot": _with(friendbotUrl=["x"]),
    "with a list of passphrases": lambda answer: _with(passphrase=[answer["result"]["passphrase"]])(answer),
    "with an object for a passphrase": lambda answer: _with(passphrase={"is": answer["result"]["passphrase"]})(answer),
    "with a number for a passphrase": _with(passphrase=7),
    "with no passphrase": _with(passphrase=None),
    "deep inside": lambda answer: _plainly(answer | {"result": {"result": answer["result"]}}),
    "in a list": lambda answer: _plainly(answer | {"result": [answer["result"]]}),
    "as text": lambda answer: _plainly(answer | {"result": json.dumps(answer["result"])}),
    "under another id": lambda answer: _plainly(answer | {"id": "another"}),
    "under no id": lambda answer: _plainly(answer | {"id": None}),
    "under a number for an id": lambda answer: _plainly(answer | {"id": 7}),
    "beside an error": lambda answer: _plainly(answer | {"error": {"code": 1, "message": "no"}}),
    "elsewhere": lambda answer: Raw(status=307, headers={"location": ELSEWHERE}, body=json.dumps(answer)),
    "for good elsewhere": lambda answer: Raw(status=301, headers={"location": ELSEWHERE}),
    "on a page": lambda answer: Raw(body=f"<html>{json.dumps(answer)}</html>"),
    "in a batch": lambda answer: Raw(body=json.dumps([answer])),
    "with a deep hole": lambda answer: Raw(body="[" * 100_000),
}
"""How `getNetwork` puts what it says."""

Demand = Callable[[xdr.InvokeContractArgs, list[Node]], list[xdr.SorobanAuthorizationEntry]]
_SOURCE = xdr.SorobanCredentials(xdr.SorobanCredentialsType.SOROBAN_CREDENTIALS_SOURCE_ACCOUNT)


def _by(address: str) -> xdr.SorobanCredentials:
    named = Address(address).to_xdr_sc_address()
    return xdr.SorobanCredentials(
        xdr.SorobanCredentialsType.SOROBAN_CREDENTIALS_ADDRESS,
        address=xdr.SorobanAddressCredentials(named, xdr.Int64(7), xdr.Uint32(9), scval.to_void()),
    )


def _entry(credentials: xdr.SorobanCredentials, root: xdr.InvokeContractArgs, below: list[Node]) -> Any:
    return xdr.SorobanAuthorizationEntry(credentials, grown(root, below))


def _another(call: xdr.InvokeContractArgs) -> xdr.InvokeContractArgs:
    return xdr.InvokeContractArgs(call.contract_address, xdr.SCSymbol(b"transfer"), call.args)


DEMANDS: Mapping[str, Demand] = {
    "nothing": lambda call, below: [],
    "same": lambda call, below: [_entry(_SOURCE, call, below)],
    "same twice": lambda call, below: [_entry(_SOURCE, call, below), _entry(_SOURCE, call, below)],
    "another call": lambda call, below: [_entry(_SOURCE, _another(call), below)],
    "same and another call": lambda call, below: [_entry(_SOURCE, call, []), _entry(_SOURCE, _another(call), below)],
    "of the signer by name": lambda call, below: [_entry(_by(SIGNER.public_key), call, below)],
    "of somebody else": lambda call, below: [_entry(_by(STRANGER.public_key), call, below)],
}
"""What the simulation wants authorised."""


def _steals_the_number(ledger: ScriptedLedger) -> Callable[[dict[str, Any]], Any]:
    def answer(params: dict[str, Any]) -> Any:
        ledger.sequences[SIGNER.public_key] += 1
        return ledger.refuses("txBAD_SEQ")(params)

    return answer


SENDS: Mapping[str, Callable[[ScriptedLedger], Any]] = {
    "pending": lambda ledger: ledger.sendTransaction,
    "bad sequence": _steals_the_number,
    "too small a fee": lambda ledger: ledger.refuses("txINSUFFICIENT_FEE", fee=2**40),
    "too late": lambda ledger: ledger.refuses("txTOO_LATE"),
    "invalid": lambda ledger: ledger.refuses("txSOROBAN_INVALID"),
    "later": lambda ledger: ledger.says("TRY_AGAIN_LATER"),
    "taken, no answer": lambda ledger: ledger.takes_but(Raw(status=0)),
    "gateway": lambda ledger: Raw(status=504),
    "elsewhere": lambda ledger: Raw(status=308, headers={"location": ELSEWHERE}),
    "garbled": lambda ledger: {"status": "ERROR", "errorResultXdr": "AAAA", "hash": "0", "latestLedger": 1},
    "unknown status": lambda ledger: {"status": 7},
}
"""What the RPC answers to a signed transaction, one after the other."""


def _passes_by(ledger: ScriptedLedger) -> Callable[[dict[str, Any]], Any]:
    def answer(params: dict[str, Any]) -> Any:
        ledger.sequences[SIGNER.public_key] += 1
        ledger.closed_at += 300
        return ledger.not_found(params)

    return answer


FINDS: Mapping[str, Callable[[ScriptedLedger], Any]] = {
    "found": lambda ledger: ledger.getTransaction,
    "failed, at a negative fee": lambda ledger: ledger.fails("ENTRY_ARCHIVED", fee=-(10**15)),
    "failed, in a race": lambda ledger: ledger.fails("TRAPPED", said("outside of the footprint"), fee=0),
    "failed, for lack of resources": lambda ledger: ledger.fails("RESOURCE_LIMIT_EXCEEDED", fee=2**62),
    "dropped": _passes_by,
    "another transaction": lambda ledger: lambda params: ledger.getTransaction(params) | {"txHash": "00" * 32},
    "garbled": lambda ledger: {"status": "SUCCESS"},
    "gateway": lambda ledger: Raw(status=502),
}
"""What the RPC then says became of it."""
