"""Whole settings that point at real money, openly or in disguise: options, environment, `.env`, environment files."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import msgspec
from dice import Dice, drawn
from money_envelopes import CONTRACT, PASSPHRASES, RIGHT, SIGNER
from money_watch import can_cost, signed_only_for
from stellar_sdk import Account, TransactionBuilder, TransactionEnvelope, scval

from streampay_smoke.chain.guard import SpendCap, check_live, sign
from streampay_smoke.chain.stellar import StellarAdapter
from streampay_smoke.core.errors import GuardRefused, SettingsInvalid
from streampay_smoke.core.networks import ALLOWED, PUBLIC_PASSPHRASE
from streampay_smoke.settings import Settings, load

ROOT = Path(__file__).parents[2]

MAINNET_ADDRESSES = (
    "https://horizon.stellar.org",
    "https://mainnet.sorobanrpc.com",
    "https://soroban-rpc.mainnet.stellar.gateway.fm",
    "https://stellar-mainnet.g.alchemy.com/v2/KEY",
    "https://mainnet.stellar.validationcloud.io/v1/KEY",
    "https://rpc.pubnet.example/soroban/rpc",
    "https://stellar-soroban-public.nodies.app",
    "https://a-name-that-tells-nothing.example/rpc",
)
TEST_ADDRESSES = ("https://soroban-testnet.stellar.org", "http://127.0.0.1:8000/rpc", "http://[::1]:8000/rpc")


def disguises(url: str) -> tuple[str, ...]:
    """Return other ways to write an address, most of which lead to the same host."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    tail = slash + path
    fullwidth = "".join(chr(ord(letter) + 0xFEE0) if letter.isalpha() else letter for letter in host)
    return (
        url,
        url.upper(),
        f"{scheme}://{host}.{tail}",
        f"{scheme}://{host}:443{tail}",
        f"{scheme}://soroban-testnet.stellar.org@{host}{tail}",
        f"{scheme}://testnet:secret@{host}{tail}",
        f"{scheme}://{fullwidth}{tail}",
        f"{scheme}://{host.replace('.', chr(0x3002))}{tail}",
        f"{scheme}://{host.replace('.', chr(0xFF0E))}{tail}",
        f"{scheme}://{host[:3]}{chr(0xAD)}{host[3:]}{tail}",
        f"{scheme}://{host[:2]}{chr(0x200B)}{host[2:]}{tail}",
        f"{scheme}://%{ord(host[0]):02x}{host[1:]}{tail}",
        f"{scheme}://{host.replace('e', chr(0x435), 1)}{tail}",
        f"{scheme}://xn--{host}{tail}",
        f"  {url}\t",
        f"{scheme}:\\\\{host}{tail}",
        f"{scheme}:{rest}",
        f"//{rest}",
        rest,
        f"http://127.0.0.1:1/{url}",
        f"{scheme}://{host}{tail}?network=testnet#testnet",
    )


NETWORKS = (
    *("testnet",) * 30,
    *("local", "futurenet") * 8,
    *("sandbox",) * 4,
    "public",
    "PUBLIC",
    "Public",
    " mainnet ",
    "pubnet",
    "main net",
    "testnet,public",
    "testnet\npublic",
    "\N{FULLWIDTH LATIN SMALL LETTER P}ublic",
    "test\N{ZERO WIDTH SPACE}net",
    PUBLIC_PASSPHRASE,
    ALLOWED["testnet"].passphrase,
    "0",
)
ADDRESSES = (
    *("",) * 250,
    *TEST_ADDRESSES * 50,
    *(disguise for url in MAINNET_ADDRESSES[:4] for disguise in disguises(url)),
    *MAINNET_ADDRESSES,
)
PLACES: Mapping[str, tuple[str, str, int]] = {
    "open": ('network = "testnet"', "", 10**9),
    "tight": ('network = "testnet"', "", 5_000),
    "penniless": ('network = "testnet"', "", -1),
    "here": ('network = "local"', "", 10**9),
    "real": ('network = "public"', "", 10**9),
    "disguised": ('network = "\N{FULLWIDTH LATIN SMALL LETTER P}ublic"', "", 10**9),
    "shouted": ('network = "TESTNET"', "", 10**9),
    "far": ('network = "testnet"', 'rpc_url = "https://mainnet.sorobanrpc.com"', 10**9),
    "rich": ('network = "testnet"', 'friendbot_url = "https://horizon.stellar.org/friendbot"', 10**9),
}
"""Environment files by name: the network, an address, the cap."""

DOTENVS = (
    "",
    "SMOKE_STELLAR_NETWORK=testnet\n",
    "SMOKE_STELLAR_NETWORK=public\n",
    "export SMOKE_STELLAR_NETWORK='pubnet' # test\n",
    "SMOKE_STELLAR_RPC_URL=https://mainnet.sorobanrpc.com\n",
    f"SMOKE_REGION={PUBLIC_PASSPHRASE}\n",
    'SMOKE_STELLAR_FRIENDBOT_URL="https://horizon.stellar.org/"\n',
    "SMOKE_STELLAR_NETWROK=testnet\n",
    "HOST=mainnet.sorobanrpc.com\nSMOKE_STELLAR_RPC_URL=https://${HOST}\n",
)
OTHER_VARIABLES = (
    *(("", ""),) * 20,
    ("SMOKE_REGION", PUBLIC_PASSPHRASE),
    ("SMOKE_EXPECT_RELEASE", PUBLIC_PASSPHRASE.upper()),
    ("SMOKE_STELLAR_PASSPHRASE", PUBLIC_PASSPHRASE),
    ("SMOKE_ALLOW_PUBLIC", "1"),
    ("SMOKE_BASELINE_URL", "https://mainnet.streampay.example"),
    ("SMOKE_SETTLEMENT_PROOF", "service"),
)


class SettingsStory(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator gives, where, and which network the RPC then turns out to serve."""

    dotenv: int
    environ: dict[str, str]
    options: dict[str, str]
    live: str


def a_settings_story(dice: Dice) -> SettingsStory:
    values = {
        "SMOKE_ENV": dice.pick((*("open",) * 12, *("here",) * 4, *PLACES)),
        "SMOKE_BASE_URL": "https://staging.example",
        "SMOKE_CONTRACT_ID": CONTRACT,
        "SMOKE_STELLAR_NETWORK": dice.pick(NETWORKS),
        "SMOKE_STELLAR_RPC_URL": dice.pick(ADDRESSES),
        "SMOKE_STELLAR_FRIENDBOT_URL": dice.pick(ADDRESSES),
    }
    other, value = dice.pick(OTHER_VARIABLES)
    environ: dict[str, str] = {other: value} if other else {}
    options: dict[str, str] = {}
    for name, given in values.items():
        (environ, options)[dice.number(2)][name] = given
    return SettingsStory(
        dotenv=dice.pick((0,) * 20 + tuple(range(len(DOTENVS)))),
        environ=environ,
        options=options,
        live=dice.pick(PASSPHRASES),
    )


settings_stories = drawn(a_settings_story)


class Roots:
    """Folders with environment files and a `.env` each, one for every `.env` of the stories."""

    def __init__(self, folder: Path) -> None:
        environments = folder / "environments"
        environments.mkdir()
        text = (ROOT / "environments" / "staging.toml").read_text().partition("[[objectives]]")[0]
        for name, (network, address, cap) in PLACES.items():
            of_environment = text.replace('[chain]\nnetwork = "testnet"', f"[chain]\n{network}\n{address}")
            of_environment = of_environment.replace("max_stroops = 1_000_000_000", f"max_stroops = {cap}")
            (environments / f"{name}.toml").write_text(of_environment)
        self._roots = []
        for number, dotenv in enumerate(DOTENVS):
            root = folder / str(number)
            shutil.copytree(environments, root / "environments")
            (root / ".env").write_text(dotenv)
            self._roots.append(root)

    def loaded(self, story: SettingsStory) -> Settings:
        """Load the settings of a story; raises as `load` does."""
        return load(story.options, environ=story.environ, root=self._roots[story.dotenv])


def play_settings(story: SettingsStory, messages: list[bytes], roots: Roots) -> str:
    """Load the settings, make the adapter, hear what network the RPC serves, and have one transaction signed."""
    try:
        settings = roots.loaded(story)
    except GuardRefused:
        return "refused: the settings (SAFETY)"
    except SettingsInvalid:
        return "refused: the settings (CONFIG)"
    network = settings.network
    assert network in ALLOWED.values()
    rpc_url, friendbot_url = settings.rpc_url, settings.friendbot_url
    try:
        StellarAdapter(network, rpc_url=rpc_url, friendbot_url=friendbot_url, record=lambda event: None).close()
    except GuardRefused:
        return "refused: the adapter"
    live = network.passphrase if story.live == RIGHT else story.live
    envelopes = [_call_on(passphrase) for passphrase in (PUBLIC_PASSPHRASE, network.passphrase)]
    spend_cap = SpendCap(settings.facts.money.max_stroops)
    try:
        check_live(network, live)
    except (GuardRefused, SettingsInvalid):
        return "refused: the live network"
    for envelope in envelopes:
        try:
            sign(envelope, SIGNER, network, spend_cap)
        except GuardRefused:
            assert not envelope.signatures
    signed = [envelope for envelope in envelopes if envelope.signatures]
    assert signed_only_for(network, envelopes, messages) == len(signed)
    assert can_cost(signed) <= max(settings.facts.money.max_stroops, 0)
    return f"signed for {network.name}" if signed else "refused: the cap"


def _call_on(passphrase: str) -> TransactionEnvelope:
    builder = TransactionBuilder(Account(SIGNER.public_key, 1), passphrase, 100).add_time_bounds(0, 0)
    return builder.append_invoke_contract_function_op(CONTRACT, "open", [scval.to_int128(7_777_777)]).build()
