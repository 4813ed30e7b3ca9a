"""The network a service is on, as far as the hosts it names tell."""

import pytest

from streampay_smoke.core.networks import ALLOWED, DECLARED
from streampay_smoke.service.declared_network import declared_network, host_of

OWN = frozenset({"rpc.sandbox.example"})


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("reachable: https://horizon-testnet.stellar.org", "testnet"),
        ("reachable: https://HORIZON-TESTNET.stellar.org./ (2 ms)", "testnet"),
        ("reachable: https://horizon-testnet.stellar.org:443/x?y", "testnet"),
        ("reachable: https://soroban-testnet.stellar.org, https://friendbot.stellar.org", "testnet"),
        ("reachable: https://horizon-futurenet.stellar.org", "futurenet"),
        ("reachable: https://horizon.stellar.org", "public"),
        ("reachable: https://mainnet.sorobanrpc.com", "public"),
        ("reachable: https://rpc.pubnet.example/key", "public"),
        ("reachable: https://horizon-testnet.stellar.org and https://horizon.stellar.org", "public"),
        ("reachable: https://horizon\u3002stellar\uff0eorg", "public"),
        ("reachable: https://\uff2dainnet.sorobanrpc.com", "public"),
        ("reachable: https://horizon-testnet.stellar.org (was horizon.stellar.org)", "public"),
        ("testnet: https://horizon-testnet.stellar.org, public global stellar network ; september 2015", "public"),
        ("reachable: http://127.0.0.1:8000/rpc", "private"),
        ("reachable: http://127.8.9.1", "private"),
        ("reachable: http://localhost:8000", "private"),
        ("reachable: http://[::1]:8000/rpc", "private"),
        ("reachable: https://rpc.sandbox.example/", "private"),
        ("reachable: https://horizon-testnet.stellar.org and http://localhost", ""),
        ("reachable: https://horizon.stellar.org.evil.example", ""),
        ("reachable: https://evil.example/horizon-testnet.stellar.org", ""),
        ("reachable: https://horizon-testnet.stellar.org@evil.example/", ""),
        ("reachable: https://10.0.0.1", ""),
        ("reachable: http://[::1", ""),
        ("fetch failed", ""),
        ("", ""),
    ],
)
def test_the_network_of_the_named_hosts(text: str, network: str) -> None:
    assert declared_network(text, own_hosts=OWN) == network


def test_hosts_of_urls() -> None:
    assert host_of("HTTPS://user@Example.ORG:1/x") == "example.org"
    assert host_of("no url") == ""
    assert host_of("http://[") == ""


def test_a_network_is_declared_by_its_hosts_and_one_on_this_machine_as_private() -> None:
    for network in ALLOWED.values():
        assert network.declared_as in DECLARED
        assert all(declared_network(f"https://{host}", own_hosts=()) == network.name for host in network.hosts)
    assert {name: network.declared_as for name, network in ALLOWED.items()} == {
        "sandbox": "private",
        "local": "private",
        "futurenet": "futurenet",
        "testnet": "testnet",
    }
