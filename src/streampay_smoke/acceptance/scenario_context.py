"""What one scenario knows. Steps and hooks are the only ones that touch it."""

from streampay_smoke.acceptance.actions.browser import ForgedWrites
from streampay_smoke.acceptance.actions.contract_stream import Parties
from streampay_smoke.acceptance.actions.orders import PlacedOrder
from streampay_smoke.acceptance.actions.settlement import EarlySettlement, OrderedStream
from streampay_smoke.acceptance.checks.access import Attempts
from streampay_smoke.acceptance.checks.expectation import Expect
from streampay_smoke.acceptance.checks.ledger import ContractStreamObservation
from streampay_smoke.acceptance.checks.settlement import StartedStream
from streampay_smoke.acceptance.checks.throttling import RequestBurst
from streampay_smoke.acceptance.observations.ledger import Ledger
from streampay_smoke.acceptance.observations.settlement import SettlementProof
from streampay_smoke.acceptance.resources.synthetic_streams import RequestedSettlement
from streampay_smoke.acceptance.run_context import RunContext
from streampay_smoke.chain.adapter import ChainAccount
from streampay_smoke.service.credentials import Credential
from streampay_smoke.service.deployment import Deployment
from streampay_smoke.service.exchange import Answer
from streampay_smoke.service.records import Readiness, Receipt, StreamPage, StreamRecord, Withdrawal
from streampay_smoke.settings import Settings


class ScenarioContext:
    """A scenario's own facts, and what the run shares. Fields are set by the step their comment names."""

    readiness: Readiness  # the service is asked whether it is ready
    credential: Credential  # the synthetic user is signed in
    own_streams: tuple[StreamRecord, ...]  # they have streams
    page_size: int  # they list their streams over several pages
    pages: tuple[StreamPage, ...]  # somebody lists their streams
    caller: str  # somebody asks for something once
    refusal: Answer
    own_stream: StreamRecord  # they have a stream that was never started
    attempts: Attempts  # somebody tries what they have no right to
    claimed: tuple[StreamRecord, ...]  # a settlement is claimed: the user's stream, and one that came of an order
    answers: tuple[Answer, ...]  # somebody asks for several things
    cached_by: dict[str, dict[str, str]]  # the user looks at what is theirs: what it was, and the headers of the answer
    secrets: tuple[str, ...]  # errors are provoked: what no answer may repeat
    forged: ForgedWrites  # another site's page writes
    rush: RequestBurst  # a caller is in a rush
    proof: SettlementProof  # a recipient holds a funded test account
    stream: OrderedStream  # the user orders a stream
    early_settlement: EarlySettlement  # the user settles a draft
    started: StartedStream  # the user starts the stream
    answer_to_refused_key: Answer  # the stream is settled with the key that was refused
    settlement: RequestedSettlement  # the user settles the stream
    repeated_receipts: tuple[Receipt, ...]  # the settlement is repeated, over several connections
    second_settlement: Answer  # the stream is settled with a new key
    other_stream: StreamRecord  # the key is used on another stream
    other_settlement: Answer
    placed: PlacedOrder  # the user places an order
    placed_again: StreamRecord  # the order is repeated
    other_order: Answer  # another order is placed under its key
    withdrawal: Withdrawal  # the user withdraws what was settled
    kept: Answer  # the user looks for the stream that outlives releases
    metrics: Answer  # its metrics are asked for
    cursors: tuple[int, ...]  # its index is asked how far it is
    ledger: Ledger  # the ledger is watched
    payer: ChainAccount  # a payer has a funded test account
    parties: Parties  # a payer and a recipient have funded test accounts
    contract_stream: ContractStreamObservation  # a stream is made on the contract itself

    def __init__(self, run_context: RunContext) -> None:
        self.run_context = run_context
        self.expect = Expect(run_context.record)

    @property
    def settings(self) -> Settings:
        """The run's settings."""
        return self.run_context.settings

    @property
    def deployment(self) -> Deployment:
        """The deployment under test."""
        return self.run_context.deployment
