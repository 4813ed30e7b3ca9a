"""What a user does to pay somebody: order a stream, start it, settle it, and withdraw what was settled."""

import msgspec

from streampay_smoke.acceptance.actions.streams import new_draft
from streampay_smoke.acceptance.checks.settlement import SETTLED, StartedStream
from streampay_smoke.acceptance.observations.settlement import SettlementProof
from streampay_smoke.acceptance.resources.synthetic_streams import RequestedSettlement
from streampay_smoke.acceptance.run_context import RunContext
from streampay_smoke.service.credentials import Credential
from streampay_smoke.service.deployment import Deployment
from streampay_smoke.service.exchange import Answer
from streampay_smoke.service.orders import order_to
from streampay_smoke.service.records import Receipt, StreamOrder, StreamRecord, Withdrawal

REPEATED_ELSEWHERE = 2
"""How often a settlement is repeated over a connection of its own: kept ones stick to one replica."""


class OrderedStream(msgspec.Struct, frozen=True, kw_only=True):
    """An order, and the stream that each request with its key was answered with."""

    order: StreamOrder
    created: tuple[StreamRecord, ...]

    @property
    def id(self) -> str:
        """The stream that the first request was answered with."""
        return self.created[0].id


class EarlySettlement(msgspec.Struct, frozen=True, kw_only=True):
    """A settlement asked for before the stream was started: its key, the answer, and the stream's record afterwards."""

    key: str
    answer: Answer
    record: StreamRecord


def order_stream(run: RunContext, recipient: str, *, requests: int = 1) -> OrderedStream:
    """Create a stream to the recipient, asking `requests` times under one key."""
    order, key = order_to(recipient), run.new_key("create")
    return OrderedStream(order=order, created=tuple(run.streams.create(order, key) for _ in range(requests)))


def start_stream(run: RunContext, credential: Credential, stream_id: str, proof: SettlementProof) -> StartedStream:
    """Start a stream, and look at once whether the ledger shows it: after the settlement everything looks the same."""
    record = run.deployment.start(credential, stream_id, run.new_key("start"))
    return StartedStream(record=record, starts_on_ledger=proof.starts())


def settle(run: RunContext, credential: Credential, stream_id: str) -> RequestedSettlement:
    """Settle a stream under a new key."""
    key = run.new_key("settle")
    return _kept(run, stream_id, key, run.deployment.settle(credential, stream_id, key))


def settle_too_early(run: RunContext, credential: Credential, stream_id: str) -> EarlySettlement:
    """Ask for the settlement of a stream that was never started, and look at what became of it."""
    key = run.new_key("settle")
    answer = run.deployment.act(credential, stream_id, "settle", key)
    return EarlySettlement(key=key, answer=answer, record=run.deployment.stream(credential, stream_id))


def settle_with_refused_key(run: RunContext, credential: Credential, stream_id: str, refused_key: str) -> Answer:
    """Ask for the settlement of a stream with a key that was refused before."""
    return run.deployment.act(credential, stream_id, "settle", refused_key)


def settled_after_all(
    run: RunContext, credential: Credential, stream_id: str, refused_key: str, answer: Answer
) -> RequestedSettlement:
    """Return the settlement that `answer` gives for a key that was refused before, or settle with a new key."""
    if answer.status == SETTLED:
        return _kept(run, stream_id, refused_key, run.deployment.receipt(answer))
    return settle(run, credential, stream_id)


def settled_stream(run: RunContext, credential: Credential) -> RequestedSettlement:
    """Take a stream this run has settled before, or settle one."""
    if run.streams.settlements:
        return run.streams.settlements[0]
    proof = run.proof()
    stream = order_stream(run, proof.recipient)
    started = start_stream(run, credential, stream.id, proof)
    return settle(run, credential, started.record.id)


def repeat_settlement(
    deployment: Deployment, credential: Credential, settlement: RequestedSettlement
) -> tuple[Receipt, ...]:
    """Ask for a settlement again with its key, on the connection in use and over connections of their own."""

    def elsewhere() -> Receipt:
        with deployment.fresh() as replica:
            return replica.settle(credential, settlement.stream_id, settlement.key)

    again = deployment.settle(credential, settlement.stream_id, settlement.key)
    return (again, *(elsewhere() for _ in range(REPEATED_ELSEWHERE)))


def settle_with_new_key(run: RunContext, credential: Credential, stream_id: str) -> Answer:
    """Ask for the settlement of a stream that is settled, with a key nobody has used."""
    return run.deployment.act(credential, stream_id, "settle", run.new_key("settle"))


def settle_another_stream(run: RunContext, credential: Credential, used_key: str) -> tuple[StreamRecord, Answer]:
    """Ask for the settlement of a new draft with the key of another stream's; returns the draft and the answer."""
    draft = new_draft(run)
    return draft, run.deployment.act(credential, draft.id, "settle", used_key)


def withdraw(run: RunContext, credential: Credential, stream_id: str) -> Withdrawal:
    """Ask for the withdrawal of what was settled."""
    return run.deployment.withdraw(credential, stream_id, run.new_key("withdraw"))


def _kept(run: RunContext, stream_id: str, key: str, receipt: Receipt) -> RequestedSettlement:
    settlement = RequestedSettlement(stream_id=stream_id, key=key, receipt=receipt)
    run.streams.settlements.append(settlement)
    return settlement
