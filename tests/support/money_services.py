"""A service that names the public network: at once, in disguise, later in the run, on one replica only; and
challenges that a wallet had better not sign.

Played on a run's real run_context, down to the HTTP client: there stands a StreamPay without a socket.
"""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from unittest import mock

import msgspec
from dice import Dice, drawn
from money_watch import HASH_BYTES, signed_only_for
from step_parts import CONTRACT, ROOT, Asked, Honest, PaperStreamPay, Says, asked_for, readyz_says

from streampay_smoke.acceptance.run_context import RunContext
from streampay_smoke.core.errors import GuardRefused, SmokeError
from streampay_smoke.core.networks import ALLOWED, PUBLIC_PASSPHRASE
from streampay_smoke.http.bodies import Enough
from streampay_smoke.http.client import Reply
from streampay_smoke.service import transport
from streampay_smoke.service.identity import unowned_address
from streampay_smoke.service.orders import order_to
from streampay_smoke.settings import load

TEST = (
    "reachable: https://horizon-testnet.stellar.org",
    "reachable: https://HORIZON-TESTNET.stellar.org./ (2 ms)",
    "reachable: https://soroban-testnet.stellar.org, https://friendbot.stellar.org",
    "reachable: http://127.0.0.1:8000",
)
PUBLIC = (
    "reachable: https://horizon.stellar.org",
    "reachable: https://HORIZON.STELLAR.ORG.:443/fee_stats",
    "reachable: https://horizon-testnet.stellar.org and https://horizon.stellar.org",
    "reachable: https://horizon-testnet.stellar.org (was horizon.stellar.org)",
    "reachable: https://testnet:secret@horizon.stellar.org/",
    "reachable: https://horizon\N{IDEOGRAPHIC FULL STOP}stellar\N{FULLWIDTH FULL STOP}org",
    "reachable: https://\N{FULLWIDTH LATIN SMALL LETTER H}orizon.stellar.org",
    "reachable: https://mainnet.sorobanrpc.com",
    "reachable: http://127.0.0.1:8000, https://soroban-rpc.MAINNET.stellar.gateway.fm/key",
    "reachable: https://rpc.pubnet.example",
    f"reachable: https://horizon-testnet.stellar.org, {PUBLIC_PASSPHRASE}",
)
SILENT = (
    "",
    "fetch failed",
    "reachable: https://10.0.0.1",
    "reachable: https://horizon-testnet.stellar.org@evil.example/",
    "reachable: https://xn--horizon-testnet.stellar.org",
    "reachable: https://horizon-testnet.stellar.org and http://127.0.0.1:8000",
)
WORDS = (*TEST * 12, *PUBLIC, *SILENT)

CHALLENGES: tuple[Any, ...] = (
    *("streampay_auth_1800000000000_0123456789abcdef",) * 30,
    "streampay_auth_" + "x" * (HASH_BYTES - len("streampay_auth_")),
    "x" * HASH_BYTES,
    bytes(range(32, 64)).decode(),
    "\N{LATIN SMALL LETTER E WITH ACUTE}" * (HASH_BYTES // 2),
    "streampay_auth_\N{LATIN SMALL LETTER E WITH ACUTE}" + "x" * 15,
    "",
    None,
    7,
    ["streampay_auth_1"],
    {"streampay_auth_": 1},
    "streampay_auth_" + "x" * 100_000,
    "streampay_auth_ 1\n",
)


class ServiceStory(msgspec.Struct, frozen=True, kw_only=True):
    """What readiness says of the ledger, time after time (the last for good), the challenge, and how long a run is."""

    words: list[str]
    challenge: Any
    scenarios: int
    replica_first: bool


def a_service_story(dice: Dice) -> ServiceStory:
    return ServiceStory(
        words=[dice.pick(WORDS) for _ in range(1 + dice.number(4))],
        challenge=dice.pick(CHALLENGES),
        scenarios=1 + dice.number(2),
        replica_first=dice.number(4) == 3,
    )


service_stories = drawn(a_service_story)


class Service:
    """A StreamPay that tells a story, under every client that is made as long as the block lasts."""

    def __init__(self) -> None:
        self.timeout_seconds = 10.0
        self.paper = PaperStreamPay()
        self.said: list[str] = []
        self._patch = mock.patch.object(transport, "Client", self._client)
        environ = {
            "SMOKE_ENV": "local",
            "SMOKE_BASE_URL": "http://service.test",
            "SMOKE_CONTRACT_ID": CONTRACT,
            "SMOKE_SETTLEMENT_PROOF": "service",
        }
        self.settings = load(environ=environ, root=ROOT)

    def _client(self, **options: Any) -> Self:
        return self

    def begin(self, story: ServiceStory) -> None:
        """Start a new service."""
        self.said = []
        self.paper = paper = PaperStreamPay()

        def ready(asked: Asked, honest: Honest) -> Says:
            word = story.words[min(len(self.said), len(story.words) - 1)]
            self.said.append(word)
            return readyz_says(message=word)

        def watched(asked: Asked, honest: Honest) -> Says:
            assert self.said, "written to before the service said which network it is on"
            assert self.said[0] in TEST, f"written to although it named no test network at first: {self.said[0]!r}"
            assert not set(self.said) & set(PUBLIC), f"written to after it had named the public network: {self.said}"
            return honest(asked)

        paper.lie("GET /api/readyz", ready)
        paper.lie("GET /api/auth/wallet", Says(json={"challenge": story.challenge}))
        for route in ("POST /api/streams", "POST start", "POST settle", "POST pause", "POST stop"):
            paper.lie(route, watched)

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        enough: Enough | None = None,
    ) -> Reply:
        """Answer as the client would."""
        says = self.paper.answer(asked_for(method, url, dict(headers or {}), content or b""))
        fields = tuple((name.lower(), value) for name, value in says.headers.items())
        return Reply(status=says.status, header_items=fields, content=says.body, duration_ms=1)

    def close(self) -> None:
        """Nothing was opened."""

    def __enter__(self) -> Self:
        self._patch.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._patch.stop()


def play_service(story: ServiceStory, messages: list[bytes], service: Service) -> str:
    """Have the synthetic user sign in, create, start and settle streams, scenario by scenario."""
    service.begin(story)
    shared = RunContext(service.settings, record=lambda event: None, learn_secret=lambda text: None, run_id="run")
    refusals: list[SmokeError] = []
    settled = 0
    for _ in range(story.scenarios):
        try:
            _settle_a_stream(shared, replica_first=story.replica_first)
            settled += 1
        except SmokeError as refusal:
            refusals.append(refusal)
    shared.clean_up()
    shared.close()
    signed_only_for(ALLOWED["local"], [], messages)
    if settled == story.scenarios:
        return "settled on a test network"
    kind = "SAFETY" if isinstance(refusals[0], GuardRefused) else type(refusals[0]).__name__
    return f"{'settled at first, then ' if settled else ''}refused: the service's word ({kind})"


def _settle_a_stream(shared: RunContext, *, replica_first: bool) -> None:
    shared.refuse_real_money()
    if replica_first:
        shared.deployment.fresh().look_again()
    credential, key = shared.credential, shared.new_key("settle")
    stream = shared.streams.create(order_to(unowned_address()), shared.new_key("create"))
    shared.deployment.start(credential, stream.id, shared.new_key("start"))
    shared.deployment.settle(credential, stream.id, key)
