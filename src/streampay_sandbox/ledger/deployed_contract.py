"""A release's own contract on the sandbox ledger: its code, deployed and initialised as its operator would."""

import hashlib
from pathlib import Path
from typing import Self

from stellar_sdk import scval, xdr

from streampay_sandbox.ledger.execution import Engine, Invocation, InvocationFailed, call_of
from streampay_sandbox.ledger.failures import describe
from streampay_sandbox.ledger.genesis import STREAM_CONTRACT_SALT, GenesisIdentities, id_preimage
from streampay_sandbox.ledger.host import LedgerInfo
from streampay_sandbox.ledger.node import Node
from streampay_sandbox.ledger.real_host import RealHost, built_program
from streampay_sandbox.ledger.state import Draft, LedgerState
from streampay_smoke.core.errors import SettingsInvalid

_WASM = b"\0asm"
_INITIALIZE = "initialize"
_Type = xdr.HostFunctionType


class DeployedContract:
    """The code of a contract, and the real host that runs it."""

    def __init__(self, code: bytes, host: RealHost) -> None:
        self.code = code
        self.host = host

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Read the code; raises SettingsInvalid for a file that is none, and where the real host is not built."""
        try:
            code = path.read_bytes()
        except OSError as error:
            raise SettingsInvalid(
                f"the contract {path} cannot be read: {error.strerror}", next_step="give the path of a .wasm file"
            ) from error
        if not code.startswith(_WASM):
            raise SettingsInvalid(
                f"{path} is no WebAssembly module", next_step="give the .wasm that the release deploys"
            )
        return cls(code, RealHost(built_program()))

    def deploy(self, node: Node) -> None:
        """Deploy it in the newborn ledger; raises SettingsInvalid where the host or the contract refuses."""
        born = node.book.latest
        ledger = LedgerInfo(sequence=born.sequence, timestamp=born.closed_at, network_id=node.network_id)
        deploy(self.code, self.host, node.state, node.birth, ledger)


def deploy(code: bytes, host: Engine, state: LedgerState, birth: GenesisIdentities, ledger: LedgerInfo) -> None:
    """Upload code, make the stream contract of it and call `initialize(admin)`, as the contract's operator.

    Raises SettingsInvalid where the host or the contract refuses.
    """
    admin = birth.admin.public_key
    code_hash = xdr.Hash(hashlib.sha256(code).digest())
    made_of = xdr.CreateContractArgs(
        id_preimage(admin, STREAM_CONTRACT_SALT),
        xdr.ContractExecutable(xdr.ContractExecutableType.CONTRACT_EXECUTABLE_WASM, wasm_hash=code_hash),
    )
    steps = {
        "uploaded": xdr.HostFunction(_Type.HOST_FUNCTION_TYPE_UPLOAD_CONTRACT_WASM, wasm=code),
        "deployed": xdr.HostFunction(_Type.HOST_FUNCTION_TYPE_CREATE_CONTRACT, create_contract=made_of),
        f"initialised by {_INITIALIZE}(admin)": call_of(birth.contract_id, _INITIALIZE, [scval.to_address(admin)]),
    }
    for done, function in steps.items():
        draft = Draft(state, ledger.sequence)
        step = Invocation(function=function, source=admin, auth=(), draft=draft, ledger=ledger)
        try:
            host.record(step, auth_mode="", address_v2=False)
        except InvocationFailed as failure:
            raise SettingsInvalid(
                f"the contract cannot be {done}: {describe(failure.error)}",
                next_step="give the code of a contract with the interface of streampay-stream",
            ) from failure
        state.write(draft.changes)
