"""What the ledger is born with: coins, friendbot's accounts, the native asset's contract and the stream contracts."""

import hashlib
from typing import Final

import msgspec
from stellar_sdk import Keypair, StrKey, xdr

from streampay_sandbox.ledger import early_contract, stellar_asset_contract
from streampay_sandbox.ledger.contracts import ContractModel
from streampay_sandbox.ledger.faults import GenesisPlan
from streampay_sandbox.ledger.host import LIFETIMES, Contracts
from streampay_sandbox.ledger.keys import code_key, data_key, instance_key
from streampay_sandbox.ledger.rate_contracts import escrowed_contract
from streampay_sandbox.ledger.spec import build_wasm, wasm_hash
from streampay_sandbox.ledger.state import Account, Draft, LedgerState, data_row, instance_row, store_account
from streampay_sandbox.ledger.stream_contract import initial_instance, pay_recipient, stream_contract
from streampay_sandbox.ledger.stream_contract.payouts import SOMEBODY_ELSE
from streampay_sandbox.ledger.values import sc_address

TOTAL_COINS: Final = 100_000_000_000 * 10_000_000
FRIENDBOT_ACCOUNTS: Final = 16
CHANNEL_ACCOUNTS: Final = 8
"""Accounts that send what the operator authorises while its own account has a transaction pending."""

STREAM_CONTRACT_SALT: Final = "streampay-stream"
_FRIENDBOT_COINS: Final = 1_000_000_000 * 10_000_000


class GenesisIdentities(msgspec.Struct, frozen=True, kw_only=True):
    """The newborn ledger's identities. The twin is the stream contract once more, under an id nobody expects."""

    contracts: Contracts
    contract_id: str
    twin_contract_id: str
    early_contract_id: str
    withdrawal_contract_id: str
    native_token_id: str
    admin: Keypair
    operator: Keypair
    channels: tuple[Keypair, ...]
    friendbots: tuple[Keypair, ...]
    first_ledger: int


def named_keypair(name: str) -> Keypair:
    """Return the sandbox's key pair called `name`: the same in every sandbox, and of no use elsewhere."""
    return Keypair.from_raw_ed25519_seed(hashlib.sha256(f"streampay-smoke sandbox: {name}".encode()).digest())


def id_preimage(deployer: str, salt: str) -> xdr.ContractIDPreimage:
    """Return what the id of a contract is made of that `deployer` deploys with `salt`."""
    source = xdr.ContractIDPreimageFromAddress(
        sc_address(deployer), xdr.Uint256(hashlib.sha256(salt.encode()).digest())
    )
    return xdr.ContractIDPreimage(xdr.ContractIDPreimageType.CONTRACT_ID_PREIMAGE_FROM_ADDRESS, from_address=source)


def contract_id(deployer: str, salt: str, network_id: bytes) -> str:
    """Return the id of the contract `deployer` deploys with `salt` on a network."""
    preimage = xdr.HashIDPreimage(
        xdr.EnvelopeType.ENVELOPE_TYPE_CONTRACT_ID,
        contract_id=xdr.HashIDPreimageContractID(
            xdr.Hash(network_id),
            id_preimage(deployer, salt),
        ),
    )
    return StrKey.encode_contract(hashlib.sha256(preimage.to_xdr_bytes()).digest())


def twin_contract_id(network_id: bytes) -> str:
    """Return the id of the stream contract that is deployed beside the expected one."""
    return contract_id(named_keypair("admin").public_key, "streampay-stream, somebody else's", network_id)


def create_genesis(
    state: LedgerState, plan: GenesisPlan, *, passphrase: str, network_id: bytes, deploy_contract: bool = True
) -> GenesisIdentities:
    """Fill an empty state. Without `deploy_contract` the stream contract is yet to be deployed."""
    admin = named_keypair("admin")
    operator = named_keypair("operator")
    root = named_keypair("root")
    channels = tuple(named_keypair(f"channel {number}") for number in range(CHANNEL_ACCOUNTS))
    friendbots = tuple(named_keypair(f"friendbot {number}") for number in range(FRIENDBOT_ACCOUNTS))
    native = stellar_asset_contract.native_contract_id(passphrase)
    stream_id = contract_id(admin.public_key, STREAM_CONTRACT_SALT, network_id)
    twin_id = twin_contract_id(network_id)
    early_id = contract_id(admin.public_key, "streampay-contracts", network_id)
    withdrawal_id = contract_id(admin.public_key, "streampay-contracts-v0.2", network_id)

    draft = Draft(state, plan.first_ledger)
    live_until = plan.first_ledger + LIFETIMES.most - 1
    draft.put(instance_key(native), stellar_asset_contract.native_instance(native), live_until)
    models = {
        early_id: early_contract.MODEL,
        withdrawal_id: escrowed_contract(plan.withdrawal),
        twin_id: stream_contract(pay_recipient),
    }
    if plan.contract is not None and deploy_contract:
        models[stream_id] = plan.contract
    rows = {twin_id: initial_instance(admin.public_key)}
    if plan.owner:
        rows[stream_id] = initial_instance(named_keypair(plan.owner).public_key, paused=plan.paused)
    by_hash: dict[bytes, ContractModel] = {}
    for address, model in models.items():
        code = build_wasm(model)
        by_hash[wasm_hash(code)] = model
        _deploy(draft, address, code, rows.get(address), live_until)
    escrows = (stream_id, withdrawal_id) if plan.escrow_float else ()
    for holder in escrows:
        key = stellar_asset_contract.balance_key(holder)
        balance = stellar_asset_contract.Balance(amount=plan.escrow_float)
        row = data_row(native, key, stellar_asset_contract.BALANCE_ROW.encode(balance))
        draft.put(data_key(native, key), row, live_until)
    holders = {bot.public_key: _FRIENDBOT_COINS for bot in friendbots}
    holders |= {admin.public_key: _FRIENDBOT_COINS, SOMEBODY_ELSE: _FRIENDBOT_COINS}
    holders[operator.public_key] = _FRIENDBOT_COINS  # the service pays from it: no deployment lives on friendbot
    holders |= {channel.public_key: _FRIENDBOT_COINS for channel in channels}
    holders[root.public_key] = TOTAL_COINS - sum(holders.values()) - len(escrows) * plan.escrow_float
    for address, balance_stroops in holders.items():
        store_account(draft, Account(address=address, balance=balance_stroops, sequence=0))
    state.total_coins = TOTAL_COINS
    state.write(draft.changes)
    state.check_supply()
    return GenesisIdentities(
        contracts=Contracts(by_wasm_hash=by_hash, asset_contract=stellar_asset_contract.MODEL),
        contract_id=stream_id,
        twin_contract_id=twin_id,
        early_contract_id=early_id,
        withdrawal_contract_id=withdrawal_id,
        native_token_id=native,
        admin=admin,
        operator=operator,
        channels=channels,
        friendbots=friendbots,
        first_ledger=plan.first_ledger,
    )


def _deploy(draft: Draft, address: str, code: bytes, rows: xdr.SCMap | None, live_until: int) -> None:
    digest = wasm_hash(code)
    entry = xdr.ContractCodeEntry(xdr.ContractCodeEntryExt(0), xdr.Hash(digest), code)
    data = xdr.LedgerEntryData(xdr.LedgerEntryType.CONTRACT_CODE, contract_code=entry)
    draft.put(code_key(digest), data, live_until)
    executable = xdr.ContractExecutable(xdr.ContractExecutableType.CONTRACT_EXECUTABLE_WASM, wasm_hash=xdr.Hash(digest))
    draft.put(instance_key(address), instance_row(address, executable, rows), live_until)
