"""Sequence numbers of the accounts that sign, kept here so that a write need not ask for them."""

from streampay_smoke.chain.refusals import account_missing
from streampay_smoke.chain.rpc import LedgerRpc


class Sequences:
    """The last number each account used, as far as anybody here knows."""

    def __init__(self, rpc: LedgerRpc, network: str) -> None:
        self._rpc = rpc
        self._network = network
        self._last: dict[str, int] = {}

    def last(self, address: str) -> int:
        """Return the account's last number, asked for once; raises TxRejected for an account that does not exist."""
        if address not in self._last:
            self._last[address] = self.on_ledger(address)
        return self._last[address]

    def on_ledger(self, address: str) -> int:
        """Return the number the RPC knows; its backends may lag behind each other."""
        found = self._rpc.accounts([address])
        if address not in found:
            raise account_missing(address, self._network)
        return found[address].sequence

    def at_least(self, address: str, number: int) -> None:
        """Remember a number unless a later one is known."""
        self._last[address] = max(number, self._last.get(address, 0))

    def believe(self, address: str, number: int) -> None:
        """Remember a number, even an earlier one."""
        self._last[address] = number

    def forget(self, address: str) -> None:
        """Ask again next time: nobody here knows any more whether the last number was used."""
        self._last.pop(address, None)
