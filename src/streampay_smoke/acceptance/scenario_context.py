"""What one scenario knows. Steps and hooks are the only ones that touch it."""

from streampay_smoke.acceptance.actions.browser import ForgedWrites
from streampay_smoke.acceptance.actions.contract_stream import Parties
from streampay_smoke.acceptance.actions.create_requests import CreatedStream
from streampay_smoke.acceptance.actions.settlement import EarlySettlement, OrderedStream
from streampay_smoke.acceptance.checks.access import Attempts
from streampay_smoke.acceptance.checks.expectation import Expect
from streampay_smoke.acceptance.checks.failed_settlements import FailedSettlement
from streampay_smoke.acceptance.checks.ledger import ContractStreamObservation
from streampay_smoke.acceptance.checks.live_events import HeardStart
from streampay_smoke.acceptance.checks.settlement import StartedStream
from streampay_smoke.acceptance.checks.throttling import RequestBurst
from streampay_smoke.acceptance.checks.throttling_evasion import ForgedReads
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
    own_streams: tuple[StreamRecord, ...]  # the user has streams
    page_size: int  # the user lists their streams over several pages
    pages: tuple[StreamPage, ...]  # a user lists their streams
    caller: str  # one request is sent that should be refused
    refusal: Answer
    own_stream: StreamRecord  # the user has a draft stream
    attempts: Attempts  # unauthorized attempts are made
    created_with_claim: tuple[StreamRecord, ...]  # a settlement is claimed: the streams that were created
    answers: tuple[Answer, ...]  # several requests are sent
    headers: dict[str, dict[str, str]]  # the user reads their streams: the headers of each answer, by what was read
    secrets: tuple[str, ...]  # invalid requests are sent: what no answer may contain
    forged: ForgedWrites  # another site sends writes
    heard: HeardStart  # the user listens to their streams and starts one of them
    forged_reads: ForgedReads  # a caller reads with forged tokens of a throttled user
    burst: RequestBurst  # a user exceeds the read limit
    proof: SettlementProof  # a recipient with a funded test account
    stream: OrderedStream  # the user creates a stream
    early_settlement: EarlySettlement  # the user settles the stream before its start
    started: StartedStream  # the user starts the stream
    answer_to_refused_key: Answer  # the user settles the stream with the refused key
    settlement: RequestedSettlement  # the user settles the stream
    repeated_receipts: tuple[Receipt, ...]  # the settlement is repeated, over several connections
    second_settlement: Answer  # the user settles the stream again with a new key
    other_stream: StreamRecord  # the user settles another stream with the used key
    other_settlement: Answer
    created: CreatedStream  # the user creates a stream through API v2
    created_again: StreamRecord  # the create request is repeated
    other_create: Answer  # another create request is sent with its key
    withdrawal: Withdrawal  # the user withdraws the settled amount
    kept: tuple[Answer, ...]  # the user reads the stream that is kept across releases, over several connections
    failed_settlements: tuple[FailedSettlement, ...]  # the user repeats every failed settlement
    record: StreamRecord  # the user reads the settled stream
    shown: dict[str, str]  # the user cancels the stream: its status by where it is shown
    metrics: Answer  # its metrics are requested
    cursors: tuple[int, ...]  # the position of its index is read
    ledger: Ledger  # the ledger network is observed
    payer: ChainAccount  # a payer has a funded test account
    parties: Parties  # a payer and a recipient have funded test accounts
    contract_stream: ContractStreamObservation  # the payer pays with a stream on the contract

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
