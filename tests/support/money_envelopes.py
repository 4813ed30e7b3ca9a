"""Envelopes handed in for signing: for other networks, with other contents, beyond the cap, from several threads.

A property draws a story, plays it on the real guard, raises AssertionError where it could have cost real money or
more than the cap, and returns in words where it ended.
"""

import threading
import unicodedata
from collections.abc import Callable
from typing import Any

import msgspec
from dice import Dice, drawn
from money_watch import AnyEnvelope, can_cost, signed_only_for
from stellar_sdk import Account, Address, Asset, Keypair, StrKey, TransactionBuilder, TransactionEnvelope, scval, xdr
from stellar_sdk.operation import InvokeHostFunction

from streampay_smoke.chain.guard import SpendCap, sign
from streampay_smoke.core.errors import GuardRefused
from streampay_smoke.core.networks import ALLOWED, PUBLIC_PASSPHRASE, Network

SIGNER = Keypair.from_raw_ed25519_seed(b"\x01" * 32)
STRANGER = Keypair.from_raw_ed25519_seed(b"\x02" * 32)
CONTRACT = StrKey.encode_contract(b"\x07" * 32)
TOKEN = Asset.native().contract_id(ALLOWED["testnet"].passphrase)
FUNCTIONS = ("transfer", "transfer", "transfer_from", "burn", "approve", "open", "mint", "send", "transfer ")

BIG = 2**127 - 1
CAP = 1_000_000
EDGES = (0, 1, 99, 100, 5_000, CAP // 4, CAP // 2, CAP - 100, CAP, CAP + 1, 10**12, 2**63, BIG, -1, -100, -CAP, -BIG)


def look_alikes(passphrase: str) -> tuple[str, ...]:
    """Return texts that a person takes for this passphrase, and no network does."""
    return (
        f" {passphrase}",
        f"{passphrase}\n",
        passphrase.replace(" ;", ";"),
        passphrase.replace(" ", "  "),
        passphrase.replace(" ", "\N{NO-BREAK SPACE}"),
        passphrase.upper(),
        passphrase.lower(),
        passphrase.replace("S", "\N{CYRILLIC CAPITAL LETTER DZE}", 1),
        passphrase.replace("e", "\N{ZERO WIDTH SPACE}e", 1),
        "".join(chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter for letter in passphrase),
        unicodedata.normalize("NFD", passphrase.replace("o", "\N{LATIN SMALL LETTER O WITH DIAERESIS}")),
        f"{passphrase}\0",
        "",
    )


RIGHT = "right"
OTHERS = tuple(network.passphrase for network in ALLOWED.values())
PASSPHRASES = (
    *([RIGHT] * 90),
    *([PUBLIC_PASSPHRASE] * 8),
    *look_alikes(PUBLIC_PASSPHRASE),
    *look_alikes(ALLOWED["testnet"].passphrase),
    *OTHERS,
)
"""Passphrases of envelopes and of answers; "right" stands for that of the network in the story."""

CONFIGURED = (
    *(network for network in ALLOWED.values() for _ in range(15)),
    Network(name="testnet", passphrase=PUBLIC_PASSPHRASE),
    Network(name="sandbox", passphrase=PUBLIC_PASSPHRASE, simulated=True),
    Network(name="public", passphrase=PUBLIC_PASSPHRASE),
    Network(name="mainnet", passphrase=ALLOWED["testnet"].passphrase),
    Network(name="testnet", passphrase=ALLOWED["testnet"].passphrase, simulated=True),
    *(Network(name="testnet", passphrase=passphrase) for passphrase in look_alikes(PUBLIC_PASSPHRASE)),
)


class Node(msgspec.Struct, frozen=True):
    """A call in an authorised tree; `depth` hangs it below the last one that is less deep."""

    function: str
    amount: int
    depth: int


class EnvelopeStory(msgspec.Struct, frozen=True, kw_only=True):
    """One envelope on its way to the key. `late_passphrase` is set on it after it was built."""

    configured: Network
    passphrase: str
    late_passphrase: str
    shape: str
    named: int
    nodes: list[Node]
    root: str
    credentials: str
    fee: int
    cap: int


def an_amount(dice: Dice) -> int:
    """Return an amount in stroops, often one at an edge."""
    return dice.pick(EDGES) if dice.number(2) else dice.number(CAP // 2)


def a_node(dice: Dice, deepest: int = 3) -> Node:
    return Node(dice.pick(FUNCTIONS), an_amount(dice), 1 + dice.number(deepest))


def an_envelope_story(dice: Dice) -> EnvelopeStory:
    return EnvelopeStory(
        configured=dice.pick(CONFIGURED),
        passphrase=dice.pick(PASSPHRASES),
        late_passphrase=dice.pick(("",) * 40 + (RIGHT, PUBLIC_PASSPHRASE, *OTHERS)),
        shape=dice.pick(("call",) * 30 + ("payment", "two calls", "merge", "upload", "bump", "public in a bump")),
        named=an_amount(dice),
        nodes=dice.several(lambda: a_node(dice), 3),
        root=dice.pick(("same",) * 8 + ("other", "creation", "none")),
        credentials=dice.pick(("source",) * 5 + ("address",)),
        fee=dice.pick((100, 100, 100, 5_000, 100_000, CAP, 2**32 - 1)),
        cap=dice.pick((2**62, 2**62, 10**9, 3 * CAP, CAP, CAP, 5_000, 0)),
    )


envelope_stories = drawn(an_envelope_story)


def play_envelope(story: EnvelopeStory, messages: list[bytes]) -> str:
    """Hand one envelope to the guard."""
    network = story.configured
    envelope = built(story)
    if story.late_passphrase:
        envelope.network_passphrase = _said(story.late_passphrase, network)
    spend_cap = SpendCap(story.cap)
    try:
        sign(envelope, SIGNER, network, spend_cap)  # type: ignore[arg-type]
    except GuardRefused as refusal:
        assert not envelope.signatures
        assert signed_only_for(network, [envelope], messages) == 0
        return f"refused: {_because(refusal)}"
    assert isinstance(envelope, TransactionEnvelope)
    assert network in ALLOWED.values()
    assert signed_only_for(network, [envelope], messages) == 1
    assert can_cost([envelope]) <= spend_cap.spent_stroops <= story.cap, "more can be taken than was set aside"
    return f"signed for {network.name}"


class Spending(msgspec.Struct, frozen=True, kw_only=True):
    """One transaction of a series."""

    named: int
    nodes: list[Node]
    fee: int
    sequence: int


class SpendCapStory(msgspec.Struct, frozen=True, kw_only=True):
    """Transactions signed one after the other, or by two threads at once, under one spend cap."""

    cap: int
    spendings: list[Spending]
    threads: bool


def a_spend_cap_story(dice: Dice) -> SpendCapStory:
    def spending() -> Spending:
        return Spending(
            named=an_amount(dice),
            nodes=dice.several(lambda: a_node(dice, 1), 1),
            fee=dice.pick((100, 5_000, 100_000)),
            sequence=1 + dice.number(3),
        )

    return SpendCapStory(
        cap=dice.pick((CAP, CAP, 3 * CAP, CAP // 2, 1_000, 0)),
        spendings=[spending(), spending(), *dice.several(spending, 2)],
        threads=dice.number(4) == 3,
    )


spend_cap_stories = drawn(a_spend_cap_story)


def play_spend_cap(story: SpendCapStory, messages: list[bytes]) -> str:
    """Have a series of transactions signed, as far as the spend cap allows."""
    network, spend_cap = ALLOWED["testnet"], SpendCap(story.cap)
    envelopes = [_call(network.passphrase, spending) for spending in story.spendings]
    signed: list[TransactionEnvelope] = []

    def spend(mine: list[TransactionEnvelope]) -> None:
        for envelope in mine:
            try:
                sign(envelope, SIGNER, network, spend_cap)
            except GuardRefused:
                continue
            signed.append(envelope)

    shares = [envelopes[::2], envelopes[1::2]] if story.threads else [envelopes]
    workers = [threading.Thread(target=spend, args=(share,)) for share in shares[1:]]
    for worker in workers:
        worker.start()
    spend(shares[0])
    for worker in workers:
        worker.join()
    signed_only_for(network, envelopes, messages)
    assert can_cost(signed) <= spend_cap.spent_stroops <= story.cap, "the series can cost more than the cap"
    how = "by two threads" if story.threads else "in sequence"
    if len(signed) == len(envelopes):
        return f"signed for testnet, the whole series, {how}"
    return f"signed for testnet, a part, {how}" if signed else f"refused: the cap, {how}"


def built(story: EnvelopeStory) -> AnyEnvelope:
    """Return the story's envelope."""
    passphrase = _said(story.passphrase, story.configured)
    if story.shape == "public in a bump":
        passphrase = PUBLIC_PASSPHRASE
    builder = TransactionBuilder(Account(SIGNER.public_key, 1), passphrase, story.fee).add_time_bounds(0, 0)
    envelope = _FILLED.get(story.shape, _one_call)(builder, story.named).build()
    # Fees of the builder are per operation; the story's is the whole.
    envelope.transaction.fee = story.fee
    operation = envelope.transaction.operations[0]
    if isinstance(operation, InvokeHostFunction) and operation.host_function.invoke_contract is not None:
        operation.auth = _authorised(operation.host_function.invoke_contract, story)
    if "bump" in story.shape:
        fee = max(story.fee, 200)
        return TransactionBuilder.build_fee_bump_transaction(SIGNER, fee, envelope, story.configured.passphrase)
    return envelope


def _one_call(builder: TransactionBuilder, named: int) -> TransactionBuilder:
    return builder.append_invoke_contract_function_op(CONTRACT, "open", [_argument(named)])


_FILLED: dict[str, Callable[[TransactionBuilder, int], TransactionBuilder]] = {
    "payment": lambda builder, named: builder.append_payment_op(STRANGER.public_key, Asset.native(), "1"),
    "two calls": lambda builder, named: _one_call(_one_call(builder, named), named),
    "merge": lambda builder, named: builder.append_account_merge_op(STRANGER.public_key),
    "upload": lambda builder, named: builder.append_upload_contract_wasm_op(b"\0asm"),
}


def _call(passphrase: str, spending: Spending) -> TransactionEnvelope:
    source = Account(SIGNER.public_key, spending.sequence)
    builder = _one_call(TransactionBuilder(source, passphrase, spending.fee).add_time_bounds(0, 0), spending.named)
    envelope = builder.build()
    operation = envelope.transaction.operations[0]
    assert isinstance(operation, InvokeHostFunction)
    assert operation.host_function.invoke_contract is not None
    tree = grown(operation.host_function.invoke_contract, spending.nodes)
    operation.auth = [xdr.SorobanAuthorizationEntry(_BY_SOURCE, tree)]
    return envelope


def _argument(amount: int) -> xdr.SCVal:
    """Return an amount as contracts take it: alone, or inside a list or a map."""
    value = scval.to_uint128(amount) if amount % 3 == 1 and amount > 0 else scval.to_int128(amount)
    if amount % 7 == 2:
        return scval.to_vec([scval.to_map({scval.to_symbol("amount"): value})])
    return value


def grown(root: xdr.InvokeContractArgs, below: list[Node]) -> xdr.SorobanAuthorizedInvocation:
    """Return an authorised tree with `root` at its root."""
    tree = _invocation(root)
    way = [tree]
    for node in below:
        child = _invocation(_taking(node))
        way = way[: max(1, min(node.depth, len(way)))]
        way[-1].sub_invocations.append(child)
        way.append(child)
    return tree


def _taking(node: Node) -> xdr.InvokeContractArgs:
    parties = [scval.to_address(SIGNER.public_key), scval.to_address(STRANGER.public_key)]
    arguments = [*parties, _argument(node.amount)]
    return xdr.InvokeContractArgs(Address(TOKEN).to_xdr_sc_address(), xdr.SCSymbol(node.function.encode()), arguments)


def _invocation(call: xdr.InvokeContractArgs) -> xdr.SorobanAuthorizedInvocation:
    kind = xdr.SorobanAuthorizedFunctionType.SOROBAN_AUTHORIZED_FUNCTION_TYPE_CONTRACT_FN
    return xdr.SorobanAuthorizedInvocation(xdr.SorobanAuthorizedFunction(kind, contract_fn=call), [])


def _creation() -> xdr.SorobanAuthorizedInvocation:
    kind = xdr.SorobanAuthorizedFunctionType.SOROBAN_AUTHORIZED_FUNCTION_TYPE_CREATE_CONTRACT_HOST_FN
    asset = xdr.ContractIDPreimageType.CONTRACT_ID_PREIMAGE_FROM_ASSET
    preimage = xdr.ContractIDPreimage(asset, from_asset=Asset.native().to_xdr_object())
    executable = xdr.ContractExecutable(xdr.ContractExecutableType.CONTRACT_EXECUTABLE_STELLAR_ASSET)
    arguments = xdr.CreateContractArgs(preimage, executable)
    return xdr.SorobanAuthorizedInvocation(xdr.SorobanAuthorizedFunction(kind, create_contract_host_fn=arguments), [])


_BY_SOURCE = xdr.SorobanCredentials(xdr.SorobanCredentialsType.SOROBAN_CREDENTIALS_SOURCE_ACCOUNT)
_BY_ADDRESS = xdr.SorobanCredentials(
    xdr.SorobanCredentialsType.SOROBAN_CREDENTIALS_ADDRESS,
    address=xdr.SorobanAddressCredentials(
        Address(SIGNER.public_key).to_xdr_sc_address(), xdr.Int64(7), xdr.Uint32(9), scval.to_void()
    ),
)


def _authorised(call: xdr.InvokeContractArgs, story: EnvelopeStory) -> list[xdr.SorobanAuthorizationEntry]:
    if story.root == "none":
        return []
    credentials = _BY_SOURCE if story.credentials == "source" else _BY_ADDRESS
    tree = grown(call if story.root != "other" else _taking(Node("transfer", story.named, 1)), story.nodes)
    if story.root == "creation":
        tree.sub_invocations.append(_creation())
    return [xdr.SorobanAuthorizationEntry(credentials, tree)]


def _said(passphrase: str, network: Network) -> str:
    return network.passphrase if passphrase == RIGHT else passphrase


_REASONS = {
    "is the public one": "the network's name",
    "not on the list": "the network's name",
    "is not what the list": "a network in disguise",
    "the passphrase": "the passphrase",
    "another network": "bytes for another network",
    "exactly one contract call": "anything but one contract call",
    "another call": "an authorisation of another call",
    "creation of a contract": "an authorisation to create a contract",
    "its cap": "the cap",
}


def _because(refusal: Exception) -> str:
    said: Any = str(refusal)
    return next(reason for sign_, reason in _REASONS.items() if sign_ in said)
