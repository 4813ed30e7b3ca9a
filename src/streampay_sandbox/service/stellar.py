"""The service's own way to the ledger: build, simulate, assemble, sign, send, poll, all with the Stellar SDK.

Nothing here is shared with the gate. A mistake in how the gate encodes an argument or reads an amount makes the two
disagree, instead of being made twice and seen by nobody.
"""

import contextlib
import logging
import ssl
import threading
import time
from collections import defaultdict
from collections.abc import Generator, Iterator, Sequence
from decimal import Decimal
from typing import Any, Final, cast

import httpx
import msgspec
from stellar_sdk import (
    Account,
    Address,
    Asset,
    Keypair,
    SorobanServer,
    TransactionBuilder,
    TransactionEnvelope,
    scval,
    xdr,
)
from stellar_sdk.auth import authorize_entry
from stellar_sdk.client.base_sync_client import BaseSyncClient
from stellar_sdk.client.response import Response
from stellar_sdk.exceptions import PrepareTransactionException, SdkError
from stellar_sdk.operation import CreateAccount, InvokeHostFunction, Operation, Payment
from stellar_sdk.soroban_rpc import GetTransactionResponse, GetTransactionStatus, SendTransactionStatus

ATTEMPTS: Final = 4
"""How often an operation is built anew: each time because the ledger has not applied, and never will, the last one."""

FIRST_FEE_STROOPS: Final = 100
_AUTHORISED_LEDGERS: Final = 100
_TAKES_A_NUMBER: Final = frozenset({b"create_draft_stream"})
_LATER_NUMBERS: Final = 8
_ROW_FEE_STROOPS: Final = 20_000
_ROW_INSTRUCTIONS: Final = 60_000  # the real host decodes each key and looks for its row (docs/host.md)
POLL_SECONDS: Final = 0.02
LONGEST_POLL_SECONDS: Final = 0.25
_NOBODY: Final = "GAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAWHF"
"""The source of simulations: they need one, but not one that exists."""

_CODE = xdr.TransactionResultCode

logging.getLogger("httpx").setLevel(logging.WARNING)  # at INFO it writes a line for each request


class LedgerError(Exception):
    """The ledger did not do what the service asked of it."""


class LedgerRefused(LedgerError):
    """The network or a contract said no; nothing moved."""


class LedgerSilent(LedgerError):
    """There was no usable answer. `tx_hash` names a transaction that may still be applied, "" where there is none."""

    def __init__(self, message: str, *, tx_hash: str = "") -> None:
        super().__init__(message)
        self.tx_hash = tx_hash


class LedgerHead(msgspec.Struct, frozen=True, kw_only=True):
    """The newest closed ledger; `closed_at` in Unix seconds."""

    sequence: int
    closed_at: int


class Closed(msgspec.Struct, frozen=True, kw_only=True):
    """A transaction in a closed ledger; `closed_at` in Unix seconds, `value` what the contract returned, as Python."""

    tx_hash: str
    succeeded: bool
    closed_at: int
    value: Any = None


class Stellar:
    """One network, reached through its RPC. Every method raises LedgerError.

    An account has one transaction pending at a time: calls of a contract by an account that has one are sent by one of
    the `channels`, whatever else waits for it. `valid_seconds` bounds how long a transaction may wait for its ledger.
    """

    def __init__(
        self,
        rpc_url: str,
        passphrase: str,
        *,
        timeout_seconds: float,
        valid_seconds: int,
        channels: Sequence[Keypair] = (),
    ) -> None:
        self._passphrase = passphrase
        self._channels = channels
        self._pending: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._valid_seconds = valid_seconds
        self._server = SorobanServer(rpc_url, client=_Wire(timeout_seconds))

    def send_from_one_account(self) -> None:
        """Send what an account has to send one transaction after the other, as a service without channels does."""
        self._channels = ()

    def check_network(self) -> None:
        """Raise LedgerRefused when the RPC serves another network than the one transactions are signed for."""
        with _answering("getNetwork"):
            found = self._server.get_network().passphrase
        if found != self._passphrase:
            raise LedgerRefused(f"the RPC serves {found!r}")

    def head(self) -> LedgerHead:
        """Return the newest closed ledger."""
        with _answering("getLatestLedger"):
            latest = self._server.get_latest_ledger()
        return LedgerHead(sequence=latest.sequence, closed_at=latest.close_time)

    def read(self, contract_id: str, function: str, *arguments: xdr.SCVal) -> Any:
        """Return what a contract function answers in simulation, as Python values."""
        call = _call(contract_id, function, *arguments)
        with _answering("simulateTransaction"):
            answer = self._server.simulate_transaction(self._envelope(Account(_NOBODY, 0), call, FIRST_FEE_STROOPS))
            if answer.error is not None or not answer.results:
                raise LedgerRefused(f"{function}: {answer.error}")
            return scval.to_native(answer.results[0].xdr)

    def invoke(self, signer: Keypair, contract_id: str, function: str, *arguments: xdr.SCVal) -> Closed:
        """Call a contract and return the successful transaction.

        What failed on the ledger moved nothing, so it is simulated and sent anew: an entry may have been archived, or
        taken by somebody else, in between. A contract that means its no says it in the simulation.
        """
        for _ in range(ATTEMPTS):
            closed = self.submit(signer, _call(contract_id, function, *arguments))
            if closed.succeeded:
                return closed
        raise LedgerRefused(f"{function} keeps failing on the ledger")

    def pay(self, signer: Keypair, recipient: str, amount_stroops: int) -> Closed:
        """Make a classic payment of the native asset, and return its transaction, successful or failed."""
        return self.submit(signer, Payment(recipient, Asset.native(), str(Decimal(amount_stroops).scaleb(-7))))

    def create_account(self, signer: Keypair, address: str, amount_stroops: int) -> Closed:
        """Give a new account its first coins."""
        return self.submit(signer, CreateAccount(address, str(Decimal(amount_stroops).scaleb(-7))))

    def transaction(self, tx_hash: str) -> Closed | None:
        """Return a transaction of a closed ledger, None while the network knows none of this hash."""
        with _answering("getTransaction"):
            answer = self._server.get_transaction(tx_hash)
            return None if answer.status == GetTransactionStatus.NOT_FOUND else _closed(answer)

    def submit(self, signer: Keypair, operation: Operation) -> Closed:
        """Bring an operation to a ledger and return its transaction, successful or failed."""
        with self._sender(signer, operation) as sender:
            return self._submitted(sender, signer, operation)

    @contextlib.contextmanager
    def _sender(self, signer: Keypair, operation: Operation) -> Iterator[Keypair]:
        """Give the account that sends a transaction of `signer`, with none pending."""
        channels = self._channels if isinstance(operation, InvokeHostFunction) else ()
        for account in (signer, *channels):
            if self._pending[account.public_key].acquire(blocking=False):
                break
        else:
            account = signer
            self._pending[account.public_key].acquire()
        try:
            yield account
        finally:
            self._pending[account.public_key].release()

    def _submitted(self, sender: Keypair, signer: Keypair, operation: Operation) -> Closed:
        fee_stroops = FIRST_FEE_STROOPS
        for _ in range(ATTEMPTS):
            envelope = self._signed(sender, signer, operation, fee_stroops)
            refusal = self._send(envelope)
            if refusal is None:
                return self._awaited(envelope.hash_hex())
            if refusal.result.code not in {_CODE.txBAD_SEQ, _CODE.txINSUFFICIENT_FEE}:
                raise LedgerRefused(f"the network refused the transaction: {refusal.result.code.name}")
            if refusal.result.code == _CODE.txINSUFFICIENT_FEE:
                fee_stroops = max(2 * fee_stroops, refusal.fee_charged.int64)  # the refusal names what it takes
        raise LedgerRefused("the network kept refusing the transaction")

    def close(self) -> None:
        """Release sockets."""
        self._server.close()

    def _envelope(self, source: Account, operation: Operation, fee_stroops: int) -> TransactionEnvelope:
        valid_until = int(time.time()) + self._valid_seconds
        builder = TransactionBuilder(source, self._passphrase, fee_stroops)
        return builder.append_operation(operation).add_time_bounds(0, valid_until).build()

    def _signed(self, sender: Keypair, signer: Keypair, operation: Operation, fee_stroops: int) -> TransactionEnvelope:
        with _answering("simulateTransaction"):
            envelope = self._envelope(self._server.load_account(sender.public_key), operation, fee_stroops)
            if isinstance(operation, InvokeHostFunction):
                simulated = self._server.simulate_transaction(envelope)
                try:
                    envelope = self._server.prepare_transaction(envelope, simulated)
                except PrepareTransactionException as problem:
                    raise LedgerRefused(str(problem.simulate_transaction_response.error)) from None
                valid_until = simulated.latest_ledger + _AUTHORISED_LEDGERS
                prepared = cast("InvokeHostFunction", envelope.transaction.operations[0])
                prepared.auth = [
                    authorize_entry(entry, signer, valid_until, self._passphrase) for entry in prepared.auth
                ]
                if _takes_a_number(prepared):
                    _allow_for_others(envelope)
            envelope.sign(sender)
        return envelope

    def _send(self, envelope: TransactionEnvelope) -> xdr.TransactionResult | None:
        """Return None once the network has taken the transaction, perhaps, or the result it was refused with."""
        give_up_at = time.monotonic() + self._valid_seconds
        while True:
            try:
                with _answering("sendTransaction"):
                    answer = self._server.send_transaction(envelope)
                    if answer.status == SendTransactionStatus.ERROR:
                        return xdr.TransactionResult.from_xdr(answer.error_result_xdr or "")
            except LedgerSilent as silent:
                raise LedgerSilent(str(silent), tx_hash=envelope.hash_hex()) from None
            if answer.status != SendTransactionStatus.TRY_AGAIN_LATER:
                return None
            if time.monotonic() >= give_up_at:
                raise LedgerRefused("the network keeps putting the transaction off")
            time.sleep(LONGEST_POLL_SECONDS)

    def _awaited(self, tx_hash: str) -> Closed:
        """Return the transaction once a ledger has closed with it; raises LedgerSilent when none does in time."""
        give_up_at = time.monotonic() + self._valid_seconds
        pause = POLL_SECONDS
        while True:
            try:
                closed = self.transaction(tx_hash)
            except LedgerSilent as silent:
                raise LedgerSilent(str(silent), tx_hash=tx_hash) from None
            if closed is not None:
                return closed
            if time.monotonic() >= give_up_at:
                raise LedgerSilent("no ledger has closed with the transaction", tx_hash=tx_hash)
            time.sleep(pause)
            pause = min(pause * 1.5, LONGEST_POLL_SECONDS)


def client_of_rpc(timeout_seconds: float) -> httpx.Client:
    """Return a client of the sandbox's own RPC, which is there by http: no authority is loaded, and none trusted."""
    return httpx.Client(trust_env=False, timeout=timeout_seconds, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


class _Wire(BaseSyncClient):
    """The SDK's transport over httpx: no proxy, no redirect. A lost connection is tried once more.

    That is safe for transactions too: an envelope that arrives twice is one transaction.
    """

    def __init__(self, timeout_seconds: float) -> None:
        self._http = client_of_rpc(timeout_seconds)

    def post(self, url: str, data: dict[str, str] | None = None, json_data: dict[str, Any] | None = None) -> Response:
        """Return the answer to a JSON-RPC request; raises LedgerSilent."""
        try:
            try:
                reply = self._http.post(url, json=json_data)
            except (httpx.NetworkError, httpx.RemoteProtocolError):
                reply = self._http.post(url, json=json_data)
        except httpx.HTTPError as problem:
            raise LedgerSilent(f"{type(problem).__name__}") from None
        if reply.status_code != httpx.codes.OK:
            raise LedgerSilent(f"HTTP {reply.status_code}")
        return Response(reply.status_code, reply.text, dict(reply.headers), url)

    def get(self, url: str, params: dict[str, str] | None = None, max_content_size: int | None = None) -> Response:
        """Not offered: Stellar RPC has no GET."""
        raise NotImplementedError

    def stream(self, url: str, params: dict[str, str] | None = None) -> Generator[dict[str, Any], None, None]:
        """Not offered: Stellar RPC has no streams."""
        raise NotImplementedError

    def close(self) -> None:
        """Release the connections."""
        self._http.close()


@contextlib.contextmanager
def _answering(method: str) -> Iterator[None]:
    """Turn what the SDK raises on an answer that is none into LedgerSilent."""
    try:
        yield
    except (SdkError, ValueError, TypeError, AssertionError, EOFError) as problem:
        raise LedgerSilent(f"{method}: no usable answer ({type(problem).__name__})") from problem


def _allow_for_others(envelope: TransactionEnvelope) -> None:
    """Let a call that takes the next number of a contract take a later one, too: others may take that one first."""
    data = envelope.transaction.soroban_data
    assert data is not None, "a prepared contract call"
    rows = data.resources.footprint.read_write
    later = [copy for row in rows for more in range(1, _LATER_NUMBERS + 1) if (copy := _numbered_later(row, more))]
    fee_stroops = _ROW_FEE_STROOPS * len(later)
    rows += later
    instructions = data.resources.instructions.uint32 + _ROW_INSTRUCTIONS * len(later)
    data.resources.instructions = xdr.Uint32(instructions)
    data.resource_fee = xdr.Int64(data.resource_fee.int64 + fee_stroops)
    envelope.transaction.fee += fee_stroops


def _numbered_later(row: xdr.LedgerKey, more: int) -> xdr.LedgerKey | None:
    """Return the row of a contract's numbered thing that comes so many numbers later; None for any other row."""
    later = xdr.LedgerKey.from_xdr_bytes(row.to_xdr_bytes())
    vector = later.contract_data.key.vec if later.contract_data is not None else None
    number = vector.sc_vec[-1].u64 if vector is not None else None
    if vector is None or number is None:
        return None
    vector.sc_vec[-1].u64 = xdr.Uint64(number.uint64 + more)
    return later


def _takes_a_number(call: InvokeHostFunction) -> bool:
    invoked = call.host_function.invoke_contract
    return invoked is not None and invoked.function_name.sc_symbol in _TAKES_A_NUMBER


def _call(contract_id: str, function: str, *arguments: xdr.SCVal) -> InvokeHostFunction:
    call = xdr.InvokeContractArgs(
        contract_address=Address(contract_id).to_xdr_sc_address(),
        function_name=xdr.SCSymbol(function.encode()),
        args=list(arguments),
    )
    return InvokeHostFunction(
        xdr.HostFunction(xdr.HostFunctionType.HOST_FUNCTION_TYPE_INVOKE_CONTRACT, invoke_contract=call), auth=[]
    )


def _closed(answer: GetTransactionResponse) -> Closed:
    return Closed(
        tx_hash=answer.transaction_hash,
        succeeded=answer.status == GetTransactionStatus.SUCCESS,
        closed_at=int(answer.create_at or 0),
        value=_returned(answer.result_meta_xdr),
    )


def _returned(result_meta_xdr: str | None) -> Any:
    """Return what the contract call of a transaction returned, None where it called none or failed."""
    meta = xdr.TransactionMeta.from_xdr(result_meta_xdr or "")
    found = meta.v4 or meta.v3  # protocol 23 moved the value from one to the other
    value = found.soroban_meta.return_value if found is not None and found.soroban_meta is not None else None
    return None if value is None else scval.to_native(value)
