"""A name that leads elsewhere from one request to the next, and servers that send the gate on to others.

The HTTP client is the real one; what is played are the resolver and the sockets below it.
"""

import json
import socket
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self
from unittest import mock
from urllib.parse import parse_qs, urlsplit

import httpcore
import msgspec
from dice import Dice, drawn
from ledger_double import PACE, FakeTime, Raw, ScriptedLedger
from money_envelopes import CONTRACT, SIGNER, STRANGER
from money_ledgers import ELSEWHERE, PAYER
from money_watch import can_cost, signed_only_for
from stellar_sdk import TransactionEnvelope

from streampay_smoke.chain import guard, submission
from streampay_smoke.chain.stellar import StellarAdapter
from streampay_smoke.core.errors import SmokeError
from streampay_smoke.core.networks import ALLOWED, PUBLIC_PASSPHRASE, Network

HOST = "rpc.test"
PUBLIC_NODE, PRIVATE_NODE = "203.0.113.66", "203.0.113.77"
NODES = {
    "203.0.113.1": "right",
    PUBLIC_NODE: PUBLIC_PASSPHRASE,
    PRIVATE_NODE: "A Network Nobody Knows ; 2020",
    "203.0.113.30": "moved",
    "2001:db8::66": PUBLIC_PASSPHRASE,
    "2001:db8::1": "right",
}
"""Addresses, and the passphrase the node there names; one sends everybody on to a node of the public network."""


class WireStory(msgspec.Struct, frozen=True, kw_only=True):
    """What the name resolves to, lookup after lookup; the last answer stays. `status` is that of the redirects."""

    network: Network
    lookups: list[tuple[str, ...]]
    status: int
    location: str
    transactions: int
    cap: int


def a_wire_story(dice: Dice) -> WireStory:
    known = tuple(NODES)
    good = known[0]

    def lookup() -> tuple[str, ...]:
        return tuple(dice.pick((good,) * 8 + known) for _ in range(1 + dice.number(2))) if dice.number(12) else ()

    return WireStory(
        network=dice.pick(tuple(ALLOWED.values())),
        lookups=[(good,) * dice.number(2) or lookup() for _ in range(dice.number(8))] + [lookup() or (good,)],
        status=dice.pick((301, 302, 303, 307, 308)),
        location=dice.pick((ELSEWHERE, f"http://{PUBLIC_NODE}/", "//horizon.stellar.org/", "/public", "")),
        transactions=1 + dice.number(2),
        cap=dice.pick((10**9, 10**9, 20_000, 0)),
    )


wire_stories = drawn(a_wire_story)


class Wires:
    """The resolver and the sockets of this process, for as long as the block lasts."""

    def __init__(self) -> None:
        self.story: WireStory
        self.ledger: ScriptedLedger
        self.looked_up: list[str] = []
        self.connected: list[str] = []
        self.asked_for: set[str] = set()
        self.named: list[str] = []
        self.handed: list[TransactionEnvelope] = []
        self._patches = (
            mock.patch.object(socket, "getaddrinfo", self._resolved),
            mock.patch.object(httpcore.SyncBackend, "connect_tcp", lambda backend, host, *rest: _Socket(self, host)),
            mock.patch.object(submission, "sign", self._spy),
        )

    def begin(self, story: WireStory) -> None:
        """Take down what the last story left."""
        self.story = story
        self.ledger = ScriptedLedger()
        self.ledger.passphrase = story.network.passphrase
        self.ledger.sequences[SIGNER.public_key] = 4_000
        for seen in (self.looked_up, self.connected, self.asked_for, self.named, self.handed):
            seen.clear()

    def _spy(self, envelope: TransactionEnvelope, *arguments: Any) -> str:
        self.handed.append(envelope)
        return guard.sign(envelope, *arguments)

    def _resolved(self, host: str, port: int, *rest: Any, **options: Any) -> list[Any]:
        self.looked_up.append(host)
        addresses = self.story.lookups[min(len(self.looked_up), len(self.story.lookups)) - 1]
        if host != HOST or not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "nothing is known by this name")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    def answer(self, node: str, head: str, body: bytes) -> Raw:
        """Answer one request as the node at this address does."""
        if NODES[node] == "moved":
            return Raw(status=self.story.status, headers={"location": self.story.location})
        if head.startswith("GET "):
            address = parse_qs(urlsplit(head.split(" ", 2)[1]).query)["addr"][0]
            return self.ledger.funded(address)
        request = json.loads(body)
        passphrase = self.story.network.passphrase if NODES[node] == "right" else NODES[node]
        if request["method"] == "getNetwork":
            self.named.append(passphrase)
            answer = self.ledger.getNetwork({}) | {"passphrase": passphrase}
            return Raw(body=json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": answer}))
        if request["method"] == "sendTransaction" and passphrase != self.story.network.passphrase:
            self.ledger.script("sendTransaction", self.ledger.refuses("txBAD_AUTH"))
        return self.ledger.posted(request)

    def __enter__(self) -> Self:
        for patch in self._patches:
            patch.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for patch in self._patches:
            patch.stop()


class _Socket(httpcore.NetworkStream):
    """A connection to one node, good for one answer: the next request looks the name up again."""

    def __init__(self, wires: Wires, node: str) -> None:
        wires.connected.append(node)
        self._wires = wires
        self._node = node
        self._got = b""
        self._answer = b""

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._got += buffer
        head, end, body = self._got.partition(b"\r\n\r\n")
        fields = dict(line.lower().split(": ", 1) for line in head.decode().split("\r\n")[1:])
        if not end or len(body) < int(fields.get("content-length", 0)):
            return
        self._wires.asked_for.add(fields["host"])
        raw = self._wires.answer(self._node, head.decode(), body)
        given = {"connection": "close", "content-length": str(len(raw.body)), **raw.headers}
        lines = [f"HTTP/1.1 {raw.status} Said", *(f"{name}: {value}" for name, value in given.items())]
        self._answer, self._got = "\r\n".join([*lines, "", raw.body]).encode(), b""

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        given, self._answer = self._answer[:max_bytes], self._answer[max_bytes:]
        return given

    def close(self) -> None:
        """Nothing was opened."""

    def get_extra_info(self, info: str) -> Any:
        return None


def play_wire(story: WireStory, messages: list[bytes], wires: Wires) -> str:
    """Have contract calls made through the adapter and its own HTTP client."""
    wires.begin(story)
    adapter = StellarAdapter(
        story.network,
        rpc_url=f"http://{HOST}/",
        friendbot_url=f"http://{HOST}/friendbot",
        record=lambda event: None,
        max_stroops=story.cap,
        pace=PACE,
        clock=FakeTime().clock,
    )
    refusals: list[SmokeError] = []
    for _ in range(story.transactions):
        try:
            adapter.invoke(CONTRACT, "open", STRANGER.public_key, 7_777, signer=PAYER)
        except SmokeError as refusal:
            refusals.append(refusal)
    adapter.close()
    signed = [envelope for envelope in wires.handed if envelope.signatures]
    signed_only_for(story.network, wires.handed, messages)
    assert can_cost(signed) <= story.cap
    assert set(wires.looked_up) <= {HOST}, "a name nobody configured was looked up"
    assert wires.asked_for <= {HOST}, "a host nobody configured was asked"
    assert set(wires.connected) <= _known(story.lookups), "a redirect was followed"
    if signed:
        assert story.network.passphrase in wires.named, "signed before the RPC named this network"
        moved = " (the name moved on to another network)" if _met_another(wires, story) else ""
        return f"signed for {story.network.name}{moved}"
    return f"refused: {'the live network' if _met_another(wires, story) else 'no usable answer, or the cap'}"


def _known(lookups: Iterable[tuple[str, ...]]) -> set[str]:
    return {address for lookup in lookups for address in lookup}


def _met_another(wires: Wires, story: WireStory) -> bool:
    return any(NODES[node] not in {"right", "moved", story.network.passphrase} for node in wires.connected)
