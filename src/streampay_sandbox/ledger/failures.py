"""How an invocation fails: the host's error types, and the diagnostic event that explains one."""

from stellar_sdk import xdr

from streampay_sandbox.ledger.values import STRING, SYMBOL, vec

_TYPE_NAMES = {
    xdr.SCErrorType.SCE_WASM_VM: "WasmVm",
    xdr.SCErrorType.SCE_CONTEXT: "Context",
    xdr.SCErrorType.SCE_STORAGE: "Storage",
    xdr.SCErrorType.SCE_OBJECT: "Object",
    xdr.SCErrorType.SCE_CRYPTO: "Crypto",
    xdr.SCErrorType.SCE_EVENTS: "Events",
    xdr.SCErrorType.SCE_BUDGET: "Budget",
    xdr.SCErrorType.SCE_VALUE: "Value",
    xdr.SCErrorType.SCE_AUTH: "Auth",
}
_CODE_NAMES = {
    xdr.SCErrorCode.SCEC_ARITH_DOMAIN: "ArithDomain",
    xdr.SCErrorCode.SCEC_INDEX_BOUNDS: "IndexBounds",
    xdr.SCErrorCode.SCEC_INVALID_INPUT: "InvalidInput",
    xdr.SCErrorCode.SCEC_MISSING_VALUE: "MissingValue",
    xdr.SCErrorCode.SCEC_EXISTING_VALUE: "ExistingValue",
    xdr.SCErrorCode.SCEC_EXCEEDED_LIMIT: "ExceededLimit",
    xdr.SCErrorCode.SCEC_INVALID_ACTION: "InvalidAction",
    xdr.SCErrorCode.SCEC_INTERNAL_ERROR: "InternalError",
    xdr.SCErrorCode.SCEC_UNEXPECTED_TYPE: "UnexpectedType",
    xdr.SCErrorCode.SCEC_UNEXPECTED_SIZE: "UnexpectedSize",
}

ErrorType = xdr.SCErrorType
ErrorCode = xdr.SCErrorCode


class HostError(Exception):
    """The host stopped the invocation. `error` prints as clients know it, e.g. `Error(Auth, InvalidAction)`."""

    def __init__(self, error: xdr.SCError, reason: str, *details: xdr.SCVal) -> None:
        super().__init__(f"{describe(error)}: {reason}")
        self.error = error
        self.reason = reason
        self.details = details

    def diagnostic(self, contract: xdr.ContractID | None) -> xdr.DiagnosticEvent:
        """Return the event that tells why, as diagnostic events do: topics [error, the error], data the reason."""
        reason = STRING.encode(self.reason)
        event = xdr.ContractEvent(
            ext=xdr.ExtensionPoint(0),
            contract_id=contract,
            type=xdr.ContractEventType.DIAGNOSTIC,
            body=xdr.ContractEventBody(
                0,
                xdr.ContractEventV0(
                    topics=[SYMBOL.encode("error"), xdr.SCVal(xdr.SCValType.SCV_ERROR, error=self.error)],
                    data=vec(reason, *self.details) if self.details else reason,
                ),
            ),
        )
        return xdr.DiagnosticEvent(False, event)


def host_error(kind: xdr.SCErrorType, code: xdr.SCErrorCode, reason: str, *details: xdr.SCVal) -> HostError:
    """Return a failure of the host itself."""
    return HostError(xdr.SCError(kind, code=code), reason, *details)


def contract_error(code: int, reason: str = "contract call failed", *details: xdr.SCVal) -> HostError:
    """Return a failure from a contract's error enum."""
    return HostError(xdr.SCError(ErrorType.SCE_CONTRACT, contract_code=xdr.Uint32(code)), reason, *details)


def trap(reason: str, *details: xdr.SCVal) -> HostError:
    """Return what a panic in the guest becomes: the message is not in a release build."""
    return host_error(ErrorType.SCE_WASM_VM, ErrorCode.SCEC_INVALID_ACTION, reason, *details)


def panic(_message: str, *details: xdr.SCVal) -> HostError:
    """Return what a panic with a message becomes: the message is not in a release build."""
    return trap("VM call trapped: UnreachableCodeReached", *details)


def describe(error: xdr.SCError) -> str:
    """Return an error in the host's notation."""
    if error.contract_code is not None:
        return f"Error(Contract, #{error.contract_code.uint32})"
    if error.code is None:
        raise ValueError("an SCError has a contract code or a host code")
    return f"Error({_TYPE_NAMES[error.type]}, {_CODE_NAMES[error.code]})"
