"""What one scenario knows. Steps and hooks are the only ones that touch it."""

from streampay_smoke.acceptance.checks.doors import Knock
from streampay_smoke.acceptance.checks.expectation import Expect
from streampay_smoke.acceptance.checks.ledger import DirectStream, Ledger
from streampay_smoke.acceptance.checks.proofs import SettlementProof
from streampay_smoke.acceptance.checks.throttling import Rush
from streampay_smoke.acceptance.run_context import RunContext
from streampay_smoke.chain.adapter import ChainAccount
from streampay_smoke.evidence.events import Recorder
from streampay_smoke.service.credentials import Credential
from streampay_smoke.service.deployment import Deployment
from streampay_smoke.service.dialects import Call
from streampay_smoke.service.exchange import Answer
from streampay_smoke.service.records import (
    Readiness,
    Receipt,
    StreamOrder,
    StreamPage,
    StreamRecord,
    Withdrawal,
)
from streampay_smoke.settings import Settings


class ScenarioContext:
    """A scenario's own facts, and the run's shared run_context. Fields are set by the step their comment names."""

    readiness: Readiness  # the service is asked whether it is ready
    credential: Credential  # the synthetic user is signed in
    own_streams: tuple[StreamRecord, ...]  # they have streams
    page_size: int  # they list their streams over several pages
    pages: tuple[StreamPage, ...]  # somebody lists their streams
    caller: str  # a caller without a valid credential lists streams
    refusal: Answer
    own_stream: StreamRecord  # they have a stream that was never started
    knocks: tuple[Knock, ...]  # somebody tries doors that are not theirs
    answers: tuple[Answer, ...]  # somebody asks for several things
    cached_by: dict[str, dict[str, str]]  # the user looks at what is theirs: what it was, and the headers of the answer
    secrets: tuple[str, ...]  # mistakes are made: what no answer may repeat
    write: Call  # a write is slipped in
    rush: Rush  # a caller is in a rush
    proof: SettlementProof  # a recipient holds a funded test account
    order: StreamOrder  # the user orders a stream
    created: tuple[StreamRecord, ...]
    early_settlement: Answer  # a settlement of the draft is refused
    settlement_key: str  # the user settles the stream
    receipt: Receipt
    repeated_receipts: tuple[Receipt, ...]  # the settlement is repeated, over several connections
    second_settlement: Answer
    other_stream: StreamRecord  # the key is used on another stream
    other_settlement: Answer
    key: str  # the user places an order in the newer way
    placed: StreamRecord
    placed_again: StreamRecord  # the order is repeated, and another is placed under its key
    other_order: Answer
    withdrawal: Withdrawal  # the user withdraws what was settled
    kept: Answer  # the user looks for the stream that outlives releases
    figures: Answer  # its figures are asked for
    cursors: tuple[int, ...]  # its index is asked how far it is
    ledger: Ledger  # the ledger is watched
    payer: ChainAccount  # a payer has a funded test account
    direct_stream: DirectStream  # a stream is made on the contract itself

    def __init__(self, run_context: RunContext) -> None:
        self.run_context = run_context
        self.expect = Expect(run_context.record)

    @property
    def settings(self) -> Settings:
        """The run's settings."""
        return self.run_context.settings

    @property
    def record(self) -> Recorder:
        """The run's journal."""
        return self.run_context.record

    @property
    def deployment(self) -> Deployment:
        """The deployment under test."""
        return self.run_context.deployment
