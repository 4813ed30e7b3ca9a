"""The stream contract as the service calls it: each call's name, and the type of every argument.

Written from the contract's interface, and not from the gate's profile of it.
"""

import msgspec
from stellar_sdk import Keypair, scval, xdr

from streampay_sandbox.service.stellar import Closed, LedgerSilent, Stellar


class StreamOnChain(msgspec.Struct, frozen=True, kw_only=True):
    """What the contract says of a stream: stroops, and the Unix second at which a running one will have paid all."""

    total_stroops: int
    released_stroops: int
    ends_at: int


class StreamContractClient:
    """Calls made by the operator, who is every stream's sender; they raise LedgerError."""

    def __init__(self, stellar: Stellar, contract_id: str, token: str, operator: Keypair) -> None:
        self.stellar = stellar
        self.operator = operator
        self._contract_id = contract_id
        self._token = token

    def with_id(self, contract_id: str) -> "StreamContractClient":
        """Return the same calls made to another contract of this interface."""
        return StreamContractClient(self.stellar, contract_id, self._token, self.operator)

    def open_draft(self, recipient: str, total_stroops: int, duration_seconds: int) -> Closed:
        """Escrow a draft; the value is its id."""
        return self._invoke(
            "create_draft_stream",
            scval.to_address(self.operator.public_key),
            scval.to_address(recipient),
            scval.to_address(self._token),
            scval.to_int128(total_stroops),
            scval.to_uint64(duration_seconds),
        )

    def start(self, chain_id: int) -> Closed:
        """Let a draft run."""
        return self._invoke("start_stream", scval.to_uint64(chain_id))

    def pause(self, chain_id: int) -> Closed:
        """Halt a running stream."""
        return self._invoke("pause", scval.to_uint64(chain_id))

    def resume(self, chain_id: int) -> Closed:
        """Let a halted stream run on."""
        return self._invoke("resume", scval.to_uint64(chain_id))

    def settle(self, chain_id: int) -> Closed:
        """Pay out a stream that is over."""
        return self._invoke("settle", scval.to_uint64(chain_id))

    def cancel(self, chain_id: int) -> Closed:
        """Pay what was earned, refund the rest."""
        return self._invoke("cancel_stream", scval.to_uint64(chain_id))

    def stream(self, chain_id: int) -> StreamOnChain:
        """Read a stream."""
        found = self.stellar.read(self._contract_id, "get_stream", scval.to_uint64(chain_id))
        try:
            return StreamOnChain(
                total_stroops=found["total_amount"],
                released_stroops=found["released_amount"],
                ends_at=found["end_time"],
            )
        except (KeyError, TypeError) as problem:
            raise LedgerSilent("get_stream answered another shape than a stream's") from problem

    def transfer(self, recipient: str, amount_stroops: int) -> Closed:
        """Pay from the operator's own coins, by the token's contract."""
        sender = scval.to_address(self.operator.public_key)
        amount = scval.to_int128(amount_stroops)
        return self.stellar.invoke(self.operator, self._token, "transfer", sender, scval.to_address(recipient), amount)

    def new_account(self, balance_stroops: int) -> Keypair:
        """Return an account nobody else knows, with coins of the operator's."""
        account = Keypair.random()
        self.stellar.create_account(self.operator, account.public_key, balance_stroops)
        return account

    def _invoke(self, function: str, *arguments: xdr.SCVal) -> Closed:
        return self.stellar.invoke(self.operator, self._contract_id, function, *arguments)
