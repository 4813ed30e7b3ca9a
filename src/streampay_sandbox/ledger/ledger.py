"""A running ledger, and how to start one."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Final

from stellar_sdk import Network

from streampay_sandbox.ledger.app import build_app
from streampay_sandbox.ledger.cadence import cadence
from streampay_sandbox.ledger.clock import LedgerClock
from streampay_sandbox.ledger.deployed_contract import DeployedContract
from streampay_sandbox.ledger.faults import Interference
from streampay_sandbox.ledger.friendbot import Friendbot
from streampay_sandbox.ledger.genesis import GenesisIdentities, create_genesis
from streampay_sandbox.ledger.node import Node
from streampay_sandbox.ledger.real_host import PROTOCOL_VERSION as HOST_PROTOCOL
from streampay_sandbox.ledger.rpc import Rpc
from streampay_sandbox.ledger.state import LedgerState
from streampay_sandbox.server import LoopbackServer
from streampay_sandbox.wire_versions import DEFAULT_WIRE_VERSION, WHOLE_SECONDS_MS, wire_version
from streampay_smoke.core.errors import SettingsInvalid

NETWORK: Final = Network("StreamPay Smoke Sandbox Network ; November 2026")
"""What every transaction of the sandbox is signed for."""

LEDGERS_BEFORE: Final = 5
"""As many ledgers have closed where they close at intervals when one starts: its pace can be measured at once."""


class SandboxLedger(AbstractContextManager["SandboxLedger"]):
    """A ledger that serves until stopped. `node` reaches its state, for tests."""

    def __init__(
        self, node: Node, server: LoopbackServer, passphrase: str, contract: DeployedContract | None = None
    ) -> None:
        self.node = node
        self.passphrase = passphrase
        self._server = server
        self._contract = contract

    @property
    def rpc_url(self) -> str:
        """Address of the RPC."""
        return f"{self._server.url}/rpc"

    @property
    def friendbot_url(self) -> str:
        """Address of friendbot."""
        return f"{self._server.url}/friendbot"

    @property
    def closes_at_once(self) -> bool:
        """Whether every transaction closes a ledger of its own."""
        return self.node.closes_at_once

    @property
    def contract_id(self) -> str:
        """The `streampay-stream` contract, deployed and initialised; the same id in every sandbox."""
        return self.birth.contract_id

    @property
    def early_contract_id(self) -> str:
        """The early contract, deployed beside it."""
        return self.birth.early_contract_id

    @property
    def withdrawal_contract_id(self) -> str:
        """The contract of `streampay-contracts-v0.2`, whose recipients withdraw; deployed beside it too."""
        return self.birth.withdrawal_contract_id

    @property
    def native_token_id(self) -> str:
        """The contract of the native asset."""
        return self.birth.native_token_id

    @property
    def birth(self) -> GenesisIdentities:
        """What the ledger was born with, its admin's key pair included."""
        return self.node.birth

    @property
    def errors(self) -> Sequence[Exception]:
        """Exceptions of the ledger itself that clients saw as HTTP 500; empty unless the sandbox is broken."""
        return tuple(self._server.errors)

    def advance(self, seconds: int) -> None:
        """Move ledger time on by `seconds`, without waiting."""
        self.node.advance(seconds)

    def stop(self) -> None:
        """Stop serving; a second call does nothing."""
        self._server.stop()
        if self._contract is not None:
            self._contract.host.close()

    def __exit__(self, *error: object) -> None:
        self.stop()


def start_ledger(
    *,
    port: int = 0,
    close_seconds: float = 0.0,
    faults: Sequence[str] = (),
    rpc_version: str = DEFAULT_WIRE_VERSION,
    wall: Callable[[], float] = time.time,
    contract: DeployedContract | None = None,
) -> SandboxLedger:
    """Start a ledger on 127.0.0.1 and return it serving.

    `close_seconds` 0 closes a ledger for every accepted transaction, otherwise one each so many seconds. `faults`
    are names out of `FAULTS`, `rpc_version` is one of `WIRE_VERSIONS`, and `wall` tells Unix seconds. `contract` is
    deployed as the stream contract, and the real host runs it and every other. Raises SettingsInvalid for an unknown
    fault or version, a port that is taken and a contract that cannot be deployed.
    """
    passphrase, network_id = NETWORK.network_passphrase, NETWORK.network_id()
    version = wire_version(rpc_version)
    if contract is not None and version.protocol != HOST_PROTOCOL:
        raise SettingsInvalid(
            f"the real host runs protocol {HOST_PROTOCOL}, and RPC {version.rpc} serves protocol {version.protocol}",
            next_step=f"leave --rpc-version out with a contract: it is {DEFAULT_WIRE_VERSION} then",
        )
    interference = Interference(faults)
    state = LedgerState()
    birth = create_genesis(
        state,
        interference.genesis(),
        passphrase=passphrase,
        network_id=network_id,
        deploy_contract=contract is None,
    )
    node = Node(
        network_id=network_id,
        # Ledgers that close at once stay a second apart, so that streams run without anybody waiting.
        clock=LedgerClock(wall, shortest_gap_ms=version.shortest_gap_ms if close_seconds else WHOLE_SECONDS_MS),
        cadence=interference.cadence(cadence(close_seconds)),
        state=state,
        birth=birth,
        interference=interference,
        version=version,
        engine=contract.host if contract else None,
        age_seconds=LEDGERS_BEFORE * close_seconds,
    )
    if contract is not None:
        contract.deploy(node)
    rpc = Rpc(node, passphrase=passphrase, friendbot_url=lambda: f"{server.url}/friendbot")
    app = build_app(node, rpc, Friendbot(node, passphrase=passphrase))
    server = LoopbackServer(app, port, stopping=node.stopping)
    server.start()
    return SandboxLedger(node, server, passphrase, contract)
