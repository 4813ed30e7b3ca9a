"""A Stellar ledger on loopback: Stellar RPC and friendbot on the real wire, with StreamPay's contracts deployed.

Signatures, sequence numbers, fees, footprints, authorisations, events and time bounds are real, and so is every XDR
blob. Not played: assets other than the native one, fee bumps, muxed balances, extra signers, contract upload,
archival. What it says about money is worth nothing outside this process, and it has a passphrase of its own.
"""

from streampay_sandbox.ledger.faults import FAULTS, LedgerFault
from streampay_sandbox.ledger.ledger import SandboxLedger, start_ledger

__all__ = ["FAULTS", "LedgerFault", "SandboxLedger", "start_ledger"]
