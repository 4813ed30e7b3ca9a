"""The Stellar Asset Contract of the native asset: accounts keep their balance in their account, contracts in a row.

Source of codes, keys, events and times to live: the built-in asset contract of soroban-env-host, CAP-46-6, CAP-67
(multiplexed recipients) and CAP-73 (a transfer creates its recipient). It is held to recordings of that contract by
`tests/vectors`.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from stellar_sdk import Asset, StrKey, xdr

from streampay_sandbox.ledger.contracts import ContractModel, entry_points
from streampay_sandbox.ledger.contracts import EntryPoint as Entry
from streampay_sandbox.ledger.failures import ErrorCode, ErrorType, HostError, contract_error, host_error
from streampay_sandbox.ledger.host import Env, instance_storage, storage_key
from streampay_sandbox.ledger.keys import TEMPORARY, account_key
from streampay_sandbox.ledger.state import MINIMUM_BALANCE_STROOPS, Account, instance_row, load_account
from streampay_sandbox.ledger.values import (
    ADDRESS,
    BOOL,
    I128,
    MUXED_ADDRESS,
    STRING,
    SYMBOL,
    U32,
    U64,
    VOID,
    Muxed,
    Record,
    symbol_map,
    vec,
)

DECIMALS = 7
NAME = "native"
INT64_MAX = 2**63 - 1
DAY_LEDGERS = 17_280
INSTANCE_THRESHOLD_LEDGERS, INSTANCE_EXTEND_LEDGERS = 6 * DAY_LEDGERS, 7 * DAY_LEDGERS
BALANCE_THRESHOLD_LEDGERS, BALANCE_EXTEND_LEDGERS = 29 * DAY_LEDGERS, 30 * DAY_LEDGERS

NOT_SUPPORTED = 2
ACCOUNT_MISSING = 6
NEGATIVE_AMOUNT = 8
ALLOWANCE = 9
BALANCE = 10
OVERFLOW = 12
LOW_RESERVE = 14


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """A contract's balance row."""

    amount: int
    authorized: bool = True
    clawback: bool = False


class Allowance(msgspec.Struct, frozen=True, kw_only=True):
    """What a spender may take of an owner's balance, through ledger `live_until_ledger`."""

    amount: int
    live_until_ledger: int


BALANCE_ROW = Record("BalanceValue", Balance, (("amount", I128), ("authorized", BOOL), ("clawback", BOOL)))
ALLOWANCE_ROW = Record("AllowanceValue", Allowance, (("amount", I128), ("live_until_ledger", U32)))


def native_contract_id(passphrase: str) -> str:
    """Return the contract id of the native asset on a network."""
    return Asset.native().contract_id(passphrase)


def native_instance(contract: str) -> xdr.LedgerEntryData:
    """Return the instance of the native asset's contract."""
    metadata = symbol_map({"decimal": U32.encode(DECIMALS), "name": STRING.encode(NAME), "symbol": STRING.encode(NAME)})
    rows = [
        xdr.SCMapEntry(SYMBOL.encode("METADATA"), metadata),
        xdr.SCMapEntry(storage_key("AssetInfo"), storage_key("Native")),
    ]
    executable = xdr.ContractExecutable(xdr.ContractExecutableType.CONTRACT_EXECUTABLE_STELLAR_ASSET)
    return instance_row(contract, executable, instance_storage(rows))


def balance_key(holder: str) -> xdr.SCVal:
    """Return the key value of a contract's balance row."""
    return storage_key("Balance", ADDRESS.encode(holder))


def _is_account(holder: str) -> bool:
    return StrKey.is_valid_ed25519_public_key(holder)


def _account(env: Env, address: str) -> Account:
    env.host.read(account_key(address))
    account = load_account(env.host.draft, address)
    if account is None:
        raise _account_missing(address)
    return account


def _account_missing(address: str) -> HostError:
    return contract_error(ACCOUNT_MISSING, "account entry is missing", ADDRESS.encode(address))


def _balance(env: Env, holder: str) -> int:
    return _account(env, holder).balance if _is_account(holder) else _row(env, holder, extend=True).amount


def _row(env: Env, holder: str, *, extend: bool = False) -> Balance:
    """Return a contract's balance row, one of nothing where it has none; only `balance` extends what it reads."""
    key = balance_key(holder)
    row: Balance | None = env.get(key, BALANCE_ROW)
    if row is not None and extend:
        env.extend(key, BALANCE_THRESHOLD_LEDGERS, BALANCE_EXTEND_LEDGERS)
    return Balance(amount=0) if row is None else row


def _spend(env: Env, holder: str, amount: int) -> None:
    if _is_account(holder):
        stroops = _int64(amount, "spent")
        _change_account(env, _account(env, holder), -stroops)
        return
    held = _row(env, holder).amount
    if held < amount:
        raise contract_error(BALANCE, "balance is not sufficient to spend", I128.encode(held), I128.encode(amount))
    if env.get(balance_key(holder), BALANCE_ROW) is not None:
        _store_row(env, holder, held - amount)


def _receive(env: Env, holder: str, amount: int) -> None:
    if not _is_account(holder):
        _store_row(env, holder, _row(env, holder).amount + amount)
        return
    stroops = _int64(amount, "received")
    env.host.read(account_key(holder))
    account = load_account(env.host.draft, holder)
    if account is not None:
        _change_account(env, account, stroops)
    elif stroops <= 0:
        raise _account_missing(holder)
    elif stroops < MINIMUM_BALANCE_STROOPS:
        raise contract_error(
            LOW_RESERVE,
            "transfer amount is below minimum balance for new account",
            I128.encode(stroops),
            I128.encode(MINIMUM_BALANCE_STROOPS),
        )
    else:
        _store(env, Account(address=holder, balance=stroops, sequence=env.ledger << 32))


def _int64(amount: int, verb: str) -> int:
    if amount > INT64_MAX:
        raise contract_error(OVERFLOW, f"{verb} amount is too large for an i64")
    return amount


def _change_account(env: Env, account: Account, difference: int) -> None:
    balance = account.balance + difference
    if balance > INT64_MAX:
        raise contract_error(BALANCE, "resulting balance overflow")
    if balance < MINIMUM_BALANCE_STROOPS:
        raise contract_error(
            BALANCE,
            "resulting balance is not within the allowed range",
            *(I128.encode(bound) for bound in (MINIMUM_BALANCE_STROOPS, balance, INT64_MAX)),
        )
    _store(env, msgspec.structs.replace(account, balance=balance))


def _store(env: Env, account: Account) -> None:
    env.host.write(account_key(account.address), account.data())


def _store_row(env: Env, holder: str, amount: int) -> None:
    key = balance_key(holder)
    env.put(key, BALANCE_ROW, Balance(amount=amount))
    env.extend(key, BALANCE_THRESHOLD_LEDGERS, BALANCE_EXTEND_LEDGERS)


def _move(env: Env, sender: str, recipient: Muxed, amount: int) -> None:
    _spend(env, sender, amount)
    _receive(env, recipient.address, amount)
    data = I128.encode(amount)
    if recipient.muxed_id is not None:
        data = symbol_map({"amount": data, "to_muxed_id": U64.encode(recipient.muxed_id)})
    env.emit(
        [SYMBOL.encode("transfer"), ADDRESS.encode(sender), ADDRESS.encode(recipient.address), STRING.encode(NAME)],
        data,
    )


def _check_amount(amount: int) -> None:
    if amount < 0:
        raise contract_error(NEGATIVE_AMOUNT, "negative amount is not allowed", I128.encode(amount))


def _keeps_instance(body: Callable[..., Any]) -> Callable[..., Any]:
    """Return the body of a function that extends the contract's own instance."""

    def extending(env: Env, *arguments: Any) -> Any:
        answer = body(env, *arguments)
        env.instance_extend(INSTANCE_THRESHOLD_LEDGERS, INSTANCE_EXTEND_LEDGERS)
        return answer

    return extending


def _transfer(env: Env, sender: str, recipient: Muxed, amount: int) -> None:
    _check_amount(amount)
    env.require_auth(sender)
    _move(env, sender, recipient, amount)


def _allowance_key(owner: str, spender: str) -> xdr.SCVal:
    return storage_key("Allowance", symbol_map({"from": ADDRESS.encode(owner), "spender": ADDRESS.encode(spender)}))


def _allowance_row(env: Env, owner: str, spender: str) -> Allowance | None:
    found: Allowance | None = env.get(_allowance_key(owner, spender), ALLOWANCE_ROW, TEMPORARY)
    return found


def _allowance(env: Env, owner: str, spender: str) -> int:
    row = _allowance_row(env, owner, spender)
    return row.amount if row is not None and row.live_until_ledger >= env.ledger else 0


def _approve(env: Env, owner: str, spender: str, amount: int, live_until_ledger: int) -> None:
    _check_amount(amount)
    env.require_auth(owner)
    if live_until_ledger > env.host.ledger.last_possible:
        raise contract_error(ALLOWANCE, "live_until is greater than max_live_until_ledger")
    if amount > 0 and live_until_ledger < env.ledger:
        raise contract_error(ALLOWANCE, "live_until must be >= ledger sequence")
    _store_allowance(env, owner, spender, Allowance(amount=amount, live_until_ledger=live_until_ledger))
    env.emit(
        [SYMBOL.encode("approve"), ADDRESS.encode(owner), ADDRESS.encode(spender), STRING.encode(NAME)],
        vec(I128.encode(amount), U32.encode(live_until_ledger)),
    )


def _store_allowance(env: Env, owner: str, spender: str, row: Allowance) -> None:
    """Keep an allowance for as long as it may be used; one of nothing is written over another only."""
    before = _allowance_row(env, owner, spender)
    if before is None and row.amount == 0:
        return
    key = _allowance_key(owner, spender)
    env.put(key, ALLOWANCE_ROW, row, TEMPORARY)
    if row.amount > 0 and (before is None or before.live_until_ledger < row.live_until_ledger):
        lasting = max(row.live_until_ledger - env.ledger, 0)
        env.extend(key, lasting, lasting, TEMPORARY)


def _transfer_from(env: Env, spender: str, sender: str, recipient: str, amount: int) -> None:
    _check_amount(amount)
    env.require_auth(spender)
    allowed = _allowance(env, sender, spender)
    if allowed < amount:
        raise contract_error(ALLOWANCE, "not enough allowance to spend", I128.encode(allowed), I128.encode(amount))
    row = _allowance_row(env, sender, spender)
    if amount > 0 and row is not None:
        _store_allowance(env, sender, spender, msgspec.structs.replace(row, amount=allowed - amount))
    _move(env, sender, Muxed(address=recipient), amount)


def _burn(_: Env, _owner: str, amount: int) -> None:
    _check_amount(amount)
    raise _not_supported()


def _not_supported() -> HostError:
    return contract_error(NOT_SUPPORTED, "operation invalid on native asset")


def _burn_from(env: Env, _spender: str, owner: str, amount: int) -> None:
    _burn(env, owner, amount)


def _clawback(env: Env, holder: str, amount: int) -> None:
    _check_amount(amount)
    if _is_account(holder):
        raise _not_supported()
    raise contract_error(BALANCE, "clawback is not enabled for this balance")


def _authorized(env: Env, holder: str) -> bool:
    return True if _is_account(holder) else _row(env, holder).authorized


def _nobodys_to_say(_: Env, *_arguments: Any) -> None:
    """Fail as what asks for the asset's administrator does: the native asset has none."""
    raise host_error(ErrorType.SCE_STORAGE, ErrorCode.SCEC_MISSING_VALUE, "the native asset has no administrator")


def _mint(env: Env, _recipient: str, amount: int) -> None:
    _check_amount(amount)
    _nobodys_to_say(env)


SPENDER_ARGUMENTS = (("spender", ADDRESS), ("from", ADDRESS), ("to", ADDRESS), ("amount", I128))

MODEL = ContractModel(
    name="stellar-asset-contract",
    version="native",
    is_built_in=True,
    entry_points=entry_points(
        Entry(name="balance", inputs=(("id", ADDRESS),), output=I128, body=_keeps_instance(_balance)),
        Entry(
            name="transfer",
            inputs=(("from", ADDRESS), ("to_muxed", MUXED_ADDRESS), ("amount", I128)),
            output=VOID,
            body=_keeps_instance(_transfer),
        ),
        Entry(
            name="approve",
            inputs=(("from", ADDRESS), ("spender", ADDRESS), ("amount", I128), ("live_until_ledger", U32)),
            output=VOID,
            body=_keeps_instance(_approve),
        ),
        Entry(
            name="allowance",
            inputs=(("from", ADDRESS), ("spender", ADDRESS)),
            output=I128,
            body=_keeps_instance(_allowance),
        ),
        Entry(name="transfer_from", inputs=SPENDER_ARGUMENTS, output=VOID, body=_keeps_instance(_transfer_from)),
        Entry(name="burn", inputs=(("from", ADDRESS), ("amount", I128)), output=VOID, body=_burn),
        Entry(
            name="burn_from",
            inputs=(("spender", ADDRESS), ("from", ADDRESS), ("amount", I128)),
            output=VOID,
            body=_burn_from,
        ),
        Entry(name="authorized", inputs=(("id", ADDRESS),), output=BOOL, body=_keeps_instance(_authorized)),
        Entry(name="clawback", inputs=(("from", ADDRESS), ("amount", I128)), output=VOID, body=_clawback),
        Entry(name="mint", inputs=(("to", ADDRESS), ("amount", I128)), output=VOID, body=_mint),
        Entry(name="admin", inputs=(), output=ADDRESS, body=_nobodys_to_say),
        Entry(name="set_admin", inputs=(("new_admin", ADDRESS),), output=VOID, body=_nobodys_to_say),
        Entry(name="set_authorized", inputs=(("id", ADDRESS), ("authorize", BOOL)), output=VOID, body=_nobodys_to_say),
        Entry(name="name", inputs=(), output=STRING, body=lambda _: NAME),
        Entry(name="symbol", inputs=(), output=STRING, body=lambda _: NAME),
        Entry(name="decimals", inputs=(), output=U32, body=lambda _: DECIMALS),
    ),
)
