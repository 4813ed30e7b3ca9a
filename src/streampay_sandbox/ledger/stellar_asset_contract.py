"""The Stellar Asset Contract of the native asset: accounts keep their balance in their account, contracts in a row.

Source of codes, keys and events: the built-in asset contract of soroban-env-host and CAP-46-6.
"""

import msgspec
from stellar_sdk import Asset, StrKey, xdr

from streampay_sandbox.ledger.contracts import ContractModel, entry_points
from streampay_sandbox.ledger.contracts import EntryPoint as Entry
from streampay_sandbox.ledger.failures import contract_error
from streampay_sandbox.ledger.host import Env, instance_storage, storage_key
from streampay_sandbox.ledger.keys import TEMPORARY, account_key, data_key
from streampay_sandbox.ledger.state import Account, instance_row, load_account
from streampay_sandbox.ledger.values import (
    ADDRESS,
    BOOL,
    I128,
    STRING,
    SYMBOL,
    U32,
    VOID,
    Record,
    symbol_map,
    vec,
)

DECIMALS = 7
NAME = "native"
INT64_MAX = 2**63 - 1
BALANCE_THRESHOLD_LEDGERS = 29 * 17_280
BALANCE_EXTEND_LEDGERS = 30 * 17_280

ACCOUNT_MISSING = 6
NEGATIVE_AMOUNT = 8
ALLOWANCE = 9
BALANCE = 10
OVERFLOW = 12


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
        raise contract_error(ACCOUNT_MISSING, "account entry is missing", ADDRESS.encode(address))
    return account


def _balance(env: Env, holder: str) -> int:
    if _is_account(holder):
        return _account(env, holder).balance
    row = env.get(balance_key(holder), BALANCE_ROW)
    return 0 if row is None else row.amount


def _spend(env: Env, holder: str, amount: int) -> None:
    if _is_account(holder):
        account = _account(env, holder)
        if account.available < amount:
            raise _too_little(account.available, amount)
        _store(env, msgspec.structs.replace(account, balance=account.balance - amount))
        return
    held = _balance(env, holder)
    if held < amount:
        raise _too_little(held, amount)
    _store_row(env, holder, held - amount)


def _receive(env: Env, holder: str, amount: int) -> None:
    if _is_account(holder):
        account = _account(env, holder)
        if account.balance + amount > INT64_MAX:
            raise contract_error(OVERFLOW, "resulting balance overflow")
        _store(env, msgspec.structs.replace(account, balance=account.balance + amount))
        return
    _store_row(env, holder, _balance(env, holder) + amount)


def _too_little(held: int, amount: int) -> Exception:
    return contract_error(BALANCE, "balance is not sufficient to spend", I128.encode(held), I128.encode(amount))


def _store(env: Env, account: Account) -> None:
    env.host.write(account_key(account.address), account.data())


def _store_row(env: Env, holder: str, amount: int) -> None:
    key = balance_key(holder)
    env.put(key, BALANCE_ROW, Balance(amount=amount))
    env.extend(key, BALANCE_THRESHOLD_LEDGERS, BALANCE_EXTEND_LEDGERS)


def _move(env: Env, sender: str, recipient: str, amount: int) -> None:
    _spend(env, sender, amount)
    _receive(env, recipient, amount)
    env.emit(
        [SYMBOL.encode("transfer"), ADDRESS.encode(sender), ADDRESS.encode(recipient), STRING.encode(NAME)],
        I128.encode(amount),
    )


def _check_amount(amount: int) -> None:
    if amount < 0:
        raise contract_error(NEGATIVE_AMOUNT, "negative amount is not allowed", I128.encode(amount))


def _transfer(env: Env, sender: str, recipient: str, amount: int) -> None:
    _check_amount(amount)
    env.require_auth(sender)
    _move(env, sender, recipient, amount)


def _allowance_key(owner: str, spender: str) -> xdr.SCVal:
    return storage_key("Allowance", symbol_map({"from": ADDRESS.encode(owner), "spender": ADDRESS.encode(spender)}))


def _allowance(env: Env, owner: str, spender: str) -> int:
    data = env.host.read(data_key(env.contract, _allowance_key(owner, spender), TEMPORARY))
    if data is None or data.contract_data is None:
        return 0
    found = ALLOWANCE_ROW.decode(data.contract_data.val)
    return found.amount if isinstance(found, Allowance) and found.live_until_ledger >= env.ledger else 0


def _approve(env: Env, owner: str, spender: str, amount: int, live_until_ledger: int) -> None:
    _check_amount(amount)
    env.require_auth(owner)
    if amount > 0 and live_until_ledger < env.ledger:
        raise contract_error(ALLOWANCE, "live_until is less than the current ledger")
    row = Allowance(amount=amount, live_until_ledger=live_until_ledger)
    env.put(_allowance_key(owner, spender), ALLOWANCE_ROW, row, TEMPORARY)
    env.emit(
        [SYMBOL.encode("approve"), ADDRESS.encode(owner), ADDRESS.encode(spender), STRING.encode(NAME)],
        vec(I128.encode(amount), U32.encode(live_until_ledger)),
    )


def _transfer_from(env: Env, spender: str, sender: str, recipient: str, amount: int) -> None:
    _check_amount(amount)
    env.require_auth(spender)
    allowed = _allowance(env, sender, spender)
    if allowed < amount:
        raise contract_error(ALLOWANCE, "not enough allowance to spend", I128.encode(allowed), I128.encode(amount))
    key = _allowance_key(sender, spender)
    data = env.host.read(data_key(env.contract, key, TEMPORARY))
    if amount > 0 and data is not None and data.contract_data is not None:
        row = ALLOWANCE_ROW.decode(data.contract_data.val)
        env.put(key, ALLOWANCE_ROW, msgspec.structs.replace(row, amount=allowed - amount), TEMPORARY)
    _move(env, sender, recipient, amount)


SPENDER_ARGUMENTS = (("spender", ADDRESS), ("from", ADDRESS), ("to", ADDRESS), ("amount", I128))

MODEL = ContractModel(
    name="stellar-asset-contract",
    version="native",
    entry_points=entry_points(
        Entry(name="balance", inputs=(("id", ADDRESS),), output=I128, body=_balance),
        Entry(
            name="transfer",
            inputs=(("from", ADDRESS), ("to", ADDRESS), ("amount", I128)),
            output=VOID,
            body=_transfer,
        ),
        Entry(
            name="approve",
            inputs=(("from", ADDRESS), ("spender", ADDRESS), ("amount", I128), ("live_until_ledger", U32)),
            output=VOID,
            body=_approve,
        ),
        Entry(name="allowance", inputs=(("from", ADDRESS), ("spender", ADDRESS)), output=I128, body=_allowance),
        Entry(name="transfer_from", inputs=SPENDER_ARGUMENTS, output=VOID, body=_transfer_from),
        Entry(name="name", inputs=(), output=STRING, body=lambda _: NAME),
        Entry(name="symbol", inputs=(), output=STRING, body=lambda _: NAME),
        Entry(name="decimals", inputs=(), output=U32, body=lambda _: DECIMALS),
    ),
)
