"""How many streams the sandbox's ledger creates and settles a second, for one client that has signed all beforehand."""

import cProfile
import pstats
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec
from stellar_sdk import Account, TransactionBuilder, scval, xdr
from stellar_sdk.operation import InvokeHostFunction

from speed_parts.calls import Call, send
from speed_parts.rows import Row
from streampay_sandbox.ledger import SandboxLedger, start_ledger
from streampay_sandbox.ledger.simulation import SimulationRequest, SimulationResult
from streampay_sandbox.ledger.state import load_account
from streampay_sandbox.ledger.transactions import parse

Play = Callable[[SandboxLedger, Sequence[str]], float]
"""Sends envelopes to a ledger; returns the seconds it took."""

PAIRS, CHECKED_PAIRS = 150, 20
MOST_IN_CODEC_TIMES = 11.0
"""Twice today's."""

WANTED_EACH_SECOND = 300
START_SECONDS, LATER_SECONDS = 100_000, 200_000
"""Streams start so long after now, when all of them are created; so long after now they are over."""

SPENT_ON: Mapping[str, str] = {
    "/stellar_sdk/xdr/": "the XDR codec",
    "xdrlib3": "the XDR codec",
    "/nacl/": "signatures",
    "ed25519": "signatures",
    "/streampay_sandbox/ledger/": "the ledger's model",
}
"""What a function's time is spent on, by a part of its file's or its own name; the first that fits."""


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """Signed envelopes (base64 of their XDR) that create streams and then settle them, in the order of their numbers.

    They apply on every ledger whose clock stands at `wall`, in Unix seconds: all are born alike.
    """

    creates: tuple[str, ...]
    settles: tuple[str, ...]
    wall: float

    def ledger(self) -> SandboxLedger:
        """Start such a ledger."""
        return start_ledger(wall=lambda: self.wall)


def rows(runs: int, pairs: int = PAIRS) -> Iterator[Row | str]:
    """Yield seconds for each pair: of CPU in the ledger's own process, over RPC, and with each outcome asked for."""
    signed = _signed(pairs)
    ways: Mapping[str, Play] = {
        "in its own process (CPU)": _in_process,
        "over its RPC, sent": lambda ledger, envelopes: _over_rpc(ledger, envelopes, asks=False),
        "over its RPC, sent and asked for": lambda ledger, envelopes: _over_rpc(ledger, envelopes, asks=True),
    }
    for what, play in ways.items():
        seconds = tuple(_seconds(signed, play) / pairs for _ in range(runs))
        yield Row(
            part="ledger",
            what=f"a stream created and settled, {what}",
            seconds=seconds,
            base=f"1/{WANTED_EACH_SECOND} s",
            base_seconds=(1 / WANTED_EACH_SECOND,),
            target=1.0,
        )
    yield f"Where the time of a pair goes in the ledger's own process: {_profile(signed)}."


def checked_rows(runs: int, pairs: int = CHECKED_PAIRS) -> Iterator[Row]:
    """Yield seconds for each pair in the ledger's own process, against what the codec takes for the same envelopes."""
    signed = _signed(pairs)
    yield Row(
        part="ledger",
        what="a stream created and settled in its own process",
        seconds=tuple(_seconds(signed, _in_process) / pairs for _ in range(runs)),
        base="decoding and encoding its two envelopes",
        base_seconds=tuple(_codec_seconds((*signed.creates, *signed.settles)) / pairs for _ in range(runs)),
        most=MOST_IN_CODEC_TIMES,
    )


def _codec_seconds(envelopes: Sequence[str]) -> float:
    began = time.process_time()
    for envelope in envelopes:
        xdr.TransactionEnvelope.from_xdr(envelope).to_xdr()
    return time.process_time() - began


def _signed(pairs: int) -> Signed:
    """Return what a client signs, from a rehearsal on a ledger of its own."""
    wall = time.time()
    with start_ledger(wall=lambda: wall) as ledger:
        birth = ledger.birth
        sender, recipient = birth.operator, birth.channels[0].public_key
        state = load_account(ledger.node.state, sender.public_key)
        assert state is not None
        account = Account(sender.public_key, state.sequence)
        begins = ledger.node.book.latest.closed_at + START_SECONDS
        stream = (
            *(
                scval.to_address(sender.public_key),
                scval.to_address(recipient),
                scval.to_address(birth.native_token_id),
            ),
            *(scval.to_int128(1_000), scval.to_uint64(begins), scval.to_uint64(begins + 1), scval.to_uint32(0)),
        )
        creates = tuple(_played(ledger, account, "create_stream", *stream) for _ in range(pairs))
        ledger.advance(LATER_SECONDS)
        settles = tuple(_played(ledger, account, "settle", scval.to_uint64(each + 1)) for each in range(pairs))
    return Signed(creates=creates, settles=settles, wall=wall)


def _played(ledger: SandboxLedger, account: Account, function: str, *arguments: xdr.SCVal) -> str:
    builder = TransactionBuilder(account, ledger.passphrase, base_fee=100).add_time_bounds(0, 0)
    builder.append_invoke_contract_function_op(ledger.contract_id, function, list(arguments))
    envelope = builder.build()
    answer, _ = ledger.node.simulate(SimulationRequest(envelope_xdr=envelope.to_xdr()))
    assert isinstance(answer, SimulationResult), answer
    transaction, operation = envelope.transaction, envelope.transaction.operations[0]
    assert isinstance(operation, InvokeHostFunction)
    operation.auth = answer.auth
    transaction.soroban_data = answer.transaction_data
    transaction.fee += answer.min_resource_fee
    envelope.sign(ledger.birth.operator)
    _send(ledger, envelope.to_xdr())
    return envelope.to_xdr()


def _send(ledger: SandboxLedger, envelope: str) -> None:
    submission = ledger.node.send(parse(envelope, ledger.node.network_id))
    assert submission.status == "PENDING", submission


def _seconds(signed: Signed, play: Play) -> float:
    """Return how long a new ledger takes for all of it; raises RuntimeError where anything did not succeed."""
    with signed.ledger() as ledger:
        seconds = play(ledger, signed.creates)
        ledger.advance(LATER_SECONDS)
        seconds += play(ledger, signed.settles)
        closed = [ledger.node.book.transaction(_hash(ledger, each)) for each in (*signed.creates, *signed.settles)]
        if any(found is None or not found.applied.succeeded for found in closed):
            raise RuntimeError("a stream of the benchmark was not created or not settled")
        ledger.node.state.check_supply()
    return seconds


def _hash(ledger: SandboxLedger, envelope: str) -> str:
    return parse(envelope, ledger.node.network_id).hash.hex()


def _in_process(ledger: SandboxLedger, envelopes: Sequence[str]) -> float:
    began = time.process_time()
    for envelope in envelopes:
        _send(ledger, envelope)
    return time.process_time() - began


def _over_rpc(ledger: SandboxLedger, envelopes: Sequence[str], *, asks: bool) -> float:
    calls = []
    for envelope in envelopes:
        calls.append(Call.rpc(ledger.rpc_url, "sendTransaction", {"transaction": envelope}))
        if asks:
            calls.append(Call.rpc(ledger.rpc_url, "getTransaction", {"hash": _hash(ledger, envelope)}))
    return send(calls).seconds


def _profile(signed: Signed) -> str:
    """Return the shares of the profiled time by what it is spent on."""
    profile = cProfile.Profile()

    def play(ledger: SandboxLedger, envelopes: Sequence[str]) -> float:
        profile.enable()
        seconds = _in_process(ledger, envelopes)
        profile.disable()
        return seconds

    _seconds(signed, play)
    shares: Counter[str] = Counter()
    for (file, _, name), (_, _, own_seconds, _, _) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        shares[_spent_on(file, name)] += own_seconds
    total = sum(shares.values())
    return ", ".join(f"{what} {seconds / total:.0%}" for what, seconds in shares.most_common())


def _spent_on(file: str, name: str) -> str:
    return next((what for part, what in SPENT_ON.items() if part in file or part in name), "Python itself")
