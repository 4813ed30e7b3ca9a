"""What a user does to pay somebody: create a stream, start it, settle it, and withdraw what was settled."""

import contextlib

import msgspec
from msgspec.structs import replace

from streampay_smoke.acceptance.checks.failed_settlements import FailedSettlement, has_failed
from streampay_smoke.acceptance.checks.refusals import NOT_SETTLED
from streampay_smoke.acceptance.checks.settlement import SETTLED, StartedStream
from streampay_smoke.acceptance.observations.settlement import SettlementProof
from streampay_smoke.acceptance.resources.synthetic_streams import RequestedSettlement
from streampay_smoke.acceptance.run_context import RunContext
from streampay_smoke.core.errors import PromiseBroken, SmokeError
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


def create_stream(run: RunContext, recipient: str, *, requests: int = 1) -> OrderedStream:
    """Create a stream to the recipient, asking `requests` times under one key."""
    order, key = order_to(recipient), run.new_key("create")
    return OrderedStream(order=order, created=tuple(run.streams.create(order, key) for _ in range(requests)))


def start_stream(run: RunContext, credential: Credential, stream_id: str, proof: SettlementProof) -> StartedStream:
    """Start a stream, and look at once whether the ledger shows it: after the settlement everything looks the same."""
    record = run.deployment.start(credential, stream_id, run.new_key("start"))
    return StartedStream(record=record, starts_on_ledger=proof.starts(record.token))


def settle(run: RunContext, credential: Credential, stream_id: str) -> RequestedSettlement:
    """Settle a stream under a new key; one that fails is noted, with the stream's record, and raised."""
    deployment, key = run.deployment, run.new_key("settle")
    answer = deployment.settle_answer(credential, stream_id, key)
    if has_failed(answer):
        record = None
        with contextlib.suppress(SmokeError):  # it is looked at again when the settlement is repeated
            record = deployment.stream(credential, stream_id)
        run.streams.note_failed(FailedSettlement(stream_id=stream_id, key=key, answer=answer, record=record))
    return _kept(run, stream_id, key, deployment.settled(answer, credential, stream_id))


def settle_before_start(run: RunContext, credential: Credential, stream_id: str) -> EarlySettlement:
    """Ask for the settlement of a stream that was never started, and look at what became of it."""
    key = run.new_key("settle")
    answer = run.deployment.act(credential, stream_id, "settle", key)
    return EarlySettlement(key=key, answer=answer, record=run.deployment.stream(credential, stream_id))


def settle_with_refused_key(run: RunContext, credential: Credential, stream_id: str, refused_key: str) -> Answer:
    """Ask for the settlement of a stream with a key that was refused before."""
    return run.deployment.act(credential, stream_id, "settle", refused_key)


def settle_with_new_key_if_used_up(
    run: RunContext, credential: Credential, stream_id: str, refused_key: str, answer: Answer
) -> RequestedSettlement:
    """Return the settlement that `answer` gives for a key that was refused before, or settle with a new key."""
    if answer.status == SETTLED:
        return _kept(run, stream_id, refused_key, run.deployment.settled(answer, credential, stream_id))
    return settle(run, credential, stream_id)


def settled_stream(run: RunContext, credential: Credential) -> RequestedSettlement:
    """Take a stream this run has settled before, or settle one; a settlement that fails is repeated.

    What is looked for on a settled stream is not hidden by a settlement that fails at first.
    """
    if run.streams.settlements:
        return run.streams.settlements[0]
    try:
        return _settle_a_new_stream(run, credential)
    except PromiseBroken:
        if not any(failed.is_made for failed in repeat_failed(run, credential)):
            raise
    return run.streams.settlements[0]


def settle_at_least_once(run: RunContext, credential: Credential) -> None:
    """Settle a stream unless this run has asked for a settlement before; one that fails is noted, and not raised."""
    streams = run.streams
    if streams.settlements or streams.failed_settlements:
        return
    try:
        _settle_a_new_stream(run, credential)
    except PromiseBroken:
        if not streams.failed_settlements:
            raise


def repeat_failed(run: RunContext, credential: Credential) -> tuple[FailedSettlement, ...]:
    """Repeat every settlement that failed, and was not made since; returns all that failed in this run."""
    for failed in run.streams.failed_settlements:
        if not failed.is_made:
            run.streams.note_failed(_repeated(run, credential, failed))
    return run.streams.failed_settlements


def _repeated(run: RunContext, credential: Credential, failed: FailedSettlement) -> FailedSettlement:
    """Settle again with the same key and, where that does not help, with a new one."""
    deployment, stream_id = run.deployment, failed.stream_id
    record = failed.record or deployment.stream(credential, stream_id)
    again = deployment.act(credential, stream_id, "settle", failed.key)
    settled_by, answer, with_new_key = failed.key, again, None
    if _tells(again):
        settled_by = run.new_key("settle")
        answer = with_new_key = deployment.act(credential, stream_id, "settle", settled_by)
    if not _tells(answer):  # a receipt, or what raises: throttling, an old credential, a write that was put off
        _kept(run, stream_id, settled_by, deployment.settled(answer, credential, stream_id))
    return replace(failed, record=record, repeated=again, with_new_key=with_new_key)


def _tells(answer: Answer) -> bool:
    """Return whether an answer says that a settlement failed or was refused for what it asks."""
    return has_failed(answer) or answer.status in NOT_SETTLED


def _settle_a_new_stream(run: RunContext, credential: Credential) -> RequestedSettlement:
    proof = run.proof()
    stream = create_stream(run, proof.recipient)
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
    """Ask for the settlement of the run's draft with the key of another stream's; returns the draft and the answer."""
    return run.draft, run.deployment.act(credential, run.draft.id, "settle", used_key)


def cancel(run: RunContext, credential: Credential, stream_id: str) -> StreamRecord:
    """Cancel a started stream as its owner."""
    return run.deployment.cancel(credential, stream_id, run.user.address, run.new_key("cancel"))


def withdraw(run: RunContext, credential: Credential, stream_id: str) -> Withdrawal:
    """Ask for the withdrawal of what was settled."""
    return run.deployment.withdraw(credential, stream_id, run.new_key("withdraw"))


def _kept(run: RunContext, stream_id: str, key: str, receipt: Receipt) -> RequestedSettlement:
    settlement = RequestedSettlement(stream_id=stream_id, key=key, receipt=receipt)
    run.streams.settlements.append(settlement)
    return settlement
