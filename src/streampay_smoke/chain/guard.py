"""The guard between this gate and real money: in the configuration, before the first signature, in every signature.

There is no flag around it. `sign` is the only place of the package that signs transactions.
"""

import hashlib
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from streampay_smoke.core.errors import GuardRefused, SettingsInvalid
from streampay_smoke.core.networks import ALLOWED, Network, network_of_passphrase, refuse_public_url

if TYPE_CHECKING:
    from stellar_sdk import Keypair, TransactionEnvelope
    from stellar_sdk.operation import InvokeHostFunction
    from stellar_sdk.xdr import InvokeContractArgs, SCVal, SorobanAuthorizedInvocation

_MOVING_FUNCTIONS = frozenset({"transfer", "transfer_from", "burn", "burn_from", "approve"})
"""Functions of a token (SEP-41) that take money from whoever authorises them."""


def check_configured(network: Network, *, rpc_url: str, friendbot_url: str) -> None:
    """Raise GuardRefused unless `network` is one of the allowed test networks, by name, passphrase and nature."""
    allowed = ALLOWED.get(network.name)
    if allowed is None or (allowed.passphrase, allowed.simulated) != (network.passphrase, network.simulated):
        raise GuardRefused(
            f"network {network.name!r} is not what the list of test networks says it is",
            next_step=f"set SMOKE_STELLAR_NETWORK to one of {', '.join(ALLOWED)}",
        )
    refuse_public_url("SMOKE_STELLAR_RPC_URL", rpc_url)
    refuse_public_url("SMOKE_STELLAR_FRIENDBOT_URL", friendbot_url)


def check_live(configured: Network, passphrase: str) -> None:
    """Compare what the RPC says of itself with the configuration.

    Raises GuardRefused for the public network and unknown ones, SettingsInvalid for another test network.
    """
    live = network_of_passphrase(passphrase)
    if live.name != configured.name:
        raise SettingsInvalid(
            f"SMOKE_STELLAR_NETWORK is {configured.name}, but the RPC answers for {live.name}",
            next_step="make SMOKE_STELLAR_RPC_URL and SMOKE_STELLAR_NETWORK name the same network",
        )


class SpendCap:
    """What one run may spend: every signature is paid from it in advance, and nothing is ever given back.

    Only the RPC tells whether a transaction was applied and what it cost, and one that lies must not refill the
    spend_cap. What is certain without it: a ledger applies one transaction for each sequence number of an account, so
    that those of one number are paid for once, at the price of the dearest. Amounts are stroops of any token.
    """

    def __init__(self, max_stroops: int) -> None:
        self._max_stroops = max_stroops
        self._committed: dict[tuple[str, int], int] = {}
        self.spent_stroops = 0  # the most that everything signed so far can have moved
        self._lock = threading.Lock()

    def commit(self, account: str, sequence: int, stroops: int) -> None:
        """Set aside what a transaction can move; raises GuardRefused when the run would exceed its cap."""
        with self._lock:
            before = self._committed.get((account, sequence), 0)
            spent = self.spent_stroops + max(stroops - before, 0)
            if spent > self._max_stroops:
                raise GuardRefused(
                    f"this run would move {spent} stroops, more than its cap of {self._max_stroops}",
                    next_step="find out what asked for so much before raising money.max_stroops of this environment",
                )
            self.spent_stroops = spent
            self._committed[account, sequence] = max(stroops, before)


def sign(envelope: "TransactionEnvelope", keypair: "Keypair", network: Network, spend_cap: SpendCap) -> str:
    """Sign `envelope` for `network`, the one this run is connected to, and return the transaction's hash in hex.

    What is checked are the very bytes that get signed. Raises GuardRefused when they commit to any other network,
    hold anything but one contract call, authorise another call than that one, or exceed the spend_cap.
    """
    check_configured(network, rpc_url="", friendbot_url="")
    signed_bytes = envelope.signature_base()
    named = network_of_passphrase(envelope.network_passphrase)
    if named.name != network.name or signed_bytes[:32] != network.network_id:
        raise GuardRefused(
            f"a transaction for another network than {network.name} was to be signed",
            next_step="nothing was signed; report this: the suite built a transaction it must not build",
        )
    stroops = outlay_stroops(envelope)
    digest = hashlib.sha256(signed_bytes).digest()
    spend_cap.commit(envelope.transaction.source.account_id, envelope.transaction.sequence, stroops)
    envelope.signatures.append(keypair.sign_decorated(digest))
    return digest.hex()


def outlay_stroops(envelope: "TransactionEnvelope") -> int:
    """Return the most a transaction can take from its signer: its fee, and the amounts it authorises.

    Those are the token calls in the authorised call tree, without which a contract can take nothing, or the largest
    amount any other call of it names, whichever is more. Raises GuardRefused for anything but one contract call.
    """
    operation, call = _only_call(envelope)
    trees = [entry.root_invocation for entry in operation.auth]
    for tree in trees:
        root = tree.function.contract_fn
        if root is None or root.to_xdr_bytes() != call.to_xdr_bytes():
            raise GuardRefused(
                "the simulation asks to authorise another call than the one that was made",
                next_step="distrust this RPC: use another one for SMOKE_STELLAR_RPC_URL",
            )
    return envelope.transaction.fee + max(_largest_amount(call), sum(_outlay(tree) for tree in trees))


def _only_call(envelope: "TransactionEnvelope") -> "tuple[InvokeHostFunction, InvokeContractArgs]":
    from stellar_sdk import TransactionEnvelope
    from stellar_sdk.operation import InvokeHostFunction

    # Fee bumps are envelopes of another class.
    operations = envelope.transaction.operations if type(envelope) is TransactionEnvelope else []
    if len(operations) == 1:
        operation = operations[0]
        if isinstance(operation, InvokeHostFunction) and operation.host_function.invoke_contract is not None:
            return operation, operation.host_function.invoke_contract
    raise GuardRefused(
        "only a transaction with exactly one contract call is ever signed",
        next_step="nothing was signed; report this: the suite built a transaction it must not build",
    )


def _outlay(tree: "SorobanAuthorizedInvocation") -> int:
    """Return the most that one authorised call and those below it can take."""
    call = tree.function.contract_fn
    if call is None:
        raise GuardRefused(
            "the simulation asks to authorise the creation of a contract",
            next_step="distrust this RPC: use another one for SMOKE_STELLAR_RPC_URL",
        )
    own, below = _largest_amount(call), sum(_outlay(inner) for inner in tree.sub_invocations)
    return own + below if _moves_tokens(call) else max(own, below)


def _moves_tokens(call: "InvokeContractArgs") -> bool:
    return call.function_name.sc_symbol.decode(errors="replace") in _MOVING_FUNCTIONS


def _largest_amount(call: "InvokeContractArgs") -> int:
    """Return the largest amount among a call's arguments, never below 0: what is negative must not pay for the rest."""
    return max((0, *(amount for argument in call.args for amount in _amounts(argument))))


def _amounts(value: "SCVal") -> Iterator[int]:
    """Yield every 128-bit number in `value`: tokens count money in nothing else (SEP-41)."""
    if value.i128 is not None:
        yield (value.i128.hi.int64 << 64) + value.i128.lo.uint64
    if value.u128 is not None:
        yield (value.u128.hi.uint64 << 64) + value.u128.lo.uint64
    if value.vec is not None:
        for item in value.vec.sc_vec:
            yield from _amounts(item)
    if value.map is not None:
        for entry in value.map.sc_map:
            yield from _amounts(entry.key)
            yield from _amounts(entry.val)
