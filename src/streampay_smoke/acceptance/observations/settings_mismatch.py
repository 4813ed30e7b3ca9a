"""Settings against what was found at the address: what contradicts them says nothing of the release.

`run` and `doctor` ask the same functions, so that they never disagree.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import ClassVar
from urllib.parse import urlsplit

from streampay_smoke.core.errors import Blame, SmokeError
from streampay_smoke.core.networks import PUBLIC_NAMES, Network
from streampay_smoke.evidence.addresses import host_only
from streampay_smoke.evidence.values import in_words
from streampay_smoke.http.ledger_health import is_same_ledger
from streampay_smoke.service.deployment import Deployment
from streampay_smoke.service.records import Readiness
from streampay_smoke.service.release import read_by
from streampay_smoke.service.strkey import native_token_contract

FRESH_LOOKS = 5
"""Looks over connections of their own that all have to tell one release, before the expected one counts as absent."""

LEDGER_LOOK_SECONDS = 2.0
"""Limit of one request to a ledger that the service names: it may be out of this gate's reach."""

ADDRESS_LOOK_SECONDS = 2.0
"""Limit of one look at an address beside the one that was given."""

NATIVE_NAMES = frozenset({"", "XLM", "native"})
"""How a record names the native token."""


class ReleaseUnexpected(SmokeError):
    """One release answered throughout, and it is not the expected one: the id is wrong, or nothing was deployed."""

    kind: ClassVar[str] = "release_unexpected"
    blame: ClassVar[Blame] = Blame.CONFIG


class NetworkUnexpected(SmokeError):
    """The service works on another network than the environment file says, or than the gate looks at."""

    kind: ClassVar[str] = "network_unexpected"
    blame: ClassVar[Blame] = Blame.CONFIG


class ReleaseElsewhere(SmokeError):
    """Nothing listens at the address, and the expected release is ready at another one of the same host."""

    kind: ClassVar[str] = "release_elsewhere"
    blame: ClassVar[Blame] = Blame.CONFIG


class ContractUnexpected(SmokeError):
    """The service works with another contract, or another token, than the gate was told of: one of them is wrong."""

    kind: ClassVar[str] = "contract_unexpected"
    blame: ClassVar[Blame] = Blame.CONFIG


class AnotherApplication(SmokeError):
    """Something answers at the address, and none of its answers is StreamPay's."""

    kind: ClassVar[str] = "another_application"
    blame: ClassVar[Blame] = Blame.CONFIG


def refuse_another_release(expected: str, releases: Collection[str], *, told_by: str) -> None:
    """Raise ReleaseUnexpected where all looks told one release, by its name, and it is not the expected one."""
    met = set(releases)
    if expected and len(met) == 1 and not met & {"", expected}:
        raise ReleaseUnexpected(
            f"{expected} was expected, and {met.pop()} answered in {len(releases)} of {len(releases)} looks, "
            f"as told by {read_by(told_by)}",
            next_step="see whether the deploy happened, and give --expect-release the id that is read there",
        )


def refuse_another_network(readiness: Readiness, *, expected: str, gate: Network, rpc_url: str, settles: bool) -> None:
    """Raise NetworkUnexpected for a network that is not this environment's, or not the one this gate looks at.

    A service that names none, or the public one where money would be moved, is not a matter of settings. Two private
    networks are told apart by their ledgers: nothing that a service does on one is ever seen on the other.
    """
    named = readiness.network
    if not named or (settles and named in PUBLIC_NAMES):
        return
    if named != expected:
        raise NetworkUnexpected(
            f"the service names the network {named}, and this environment expects {expected}",
            next_step="check SMOKE_BASE_URL, or service.network of the environment file",
        )
    if settles and named != gate.declared_as:
        raise NetworkUnexpected(
            f"the service works on the network {named}, and this gate looks at {gate.name} ({gate.declared_as})",
            next_step="set SMOKE_STELLAR_NETWORK and SMOKE_STELLAR_RPC_URL to the service's network",
        )
    for named_url in readiness.ledger_urls if settles else ():
        if named_url.rstrip("/") != rpc_url.rstrip("/") and (
            is_same_ledger(named_url, rpc_url, timeout_seconds=LEDGER_LOOK_SECONDS) is False
        ):
            raise NetworkUnexpected(
                f"the service works on the ledger at {host_only(named_url)}, and the one this gate looks at, "
                f"{host_only(rpc_url)}, is another: the newest ledger that both have is not the same",
                next_step="set SMOKE_STELLAR_RPC_URL to the service's ledger, or the service's to the gate's",
            )


def refuse_another_contract(contract_ids: Collection[str], *, expected: str, told_by: str) -> None:
    """Raise ContractUnexpected where the service works with contracts, by its own word or deeds, and not the expected.

    `told_by` says how that is known. A typing error and a release that was deployed with another contract look alike.
    """
    if contract_ids and expected not in contract_ids:
        raise ContractUnexpected(
            f"{told_by} {in_words(sorted(contract_ids))}, and SMOKE_CONTRACT_ID is {expected}: either the setting is "
            "wrong, or the release was deployed with another contract",
            next_step="see which of them the service is meant to use: correct SMOKE_CONTRACT_ID, or the release's own "
            "setting. SMOKE_BASELINE_URL lets a stable release tell which",
        )


def refuse_another_contract_named(readiness: Readiness, *, expected: str, gate: Network) -> None:
    """Raise ContractUnexpected where the service's readiness names contracts, and the expected one is not among them.

    It may name its token's, too. Without an expected one, and of a service that names none, nothing is said.
    """
    named = set(readiness.contract_ids) - {native_token_contract(gate.network_id)}
    if expected:
        refuse_another_contract(named, expected=expected, told_by="the service's readiness names the contract")


def refuse_another_token(tokens: Collection[str], *, expected: str, named: str) -> None:
    """Raise ContractUnexpected where streams hold another token, and the service's records name another one as well.

    A record that names the native token, or none, while the ledger holds another is a broken promise, and no setting.
    """
    if tokens and expected not in tokens and named not in NATIVE_NAMES:
        raise ContractUnexpected(
            f"the service opens its streams in the token {named} ({in_words(sorted(tokens))}) where an order names "
            f"none, and this gate proves payments in the native token ({expected}) only",
            next_step="let the service pay in XLM where an order names no token, or set SMOKE_SETTLEMENT_PROOF=service "
            "where the environment allows it",
        )


def refuse_another_address(
    base_url: str, *, others: Iterable[str], expected: str, readiness_at: Callable[[str], Readiness]
) -> None:
    """Raise ReleaseElsewhere where nothing listens at `base_url`, and the expected release is ready beside it.

    Nothing else tells a mistyped port from a release that never started: without a release that is expected, and where
    none answers beside it, it stays the release's. `others` are addresses that may be beside it, such as that of the
    stable release; the default ports of the host are looked at too.
    """
    for address in _beside(base_url, others) if expected else ():
        try:
            readiness = readiness_at(address)
        except SmokeError:
            continue
        if readiness.ready and readiness.release == expected:
            raise ReleaseElsewhere(
                f"nothing listens at {base_url}, and the expected release {expected} is ready at {address}",
                next_step=f"check the port in SMOKE_BASE_URL (--base-url): {address} is where that release answers",
            )


def _beside(base_url: str, others: Iterable[str]) -> Iterator[str]:
    """Yield the addresses of the same host that are not the given one, each once."""
    base = urlsplit(base_url)
    host = f"[{base.hostname}]" if ":" in (base.hostname or "") else base.hostname
    defaults = (f"{scheme}://{host}{base.path}" for scheme in ("https", "http"))
    given = (_DEFAULT_PORTS.get(base.scheme) if base.port is None else base.port, base.scheme)
    for address in dict.fromkeys((*others, *defaults)):
        other = urlsplit(address)
        port = _DEFAULT_PORTS.get(other.scheme) if other.port is None else other.port
        if other.hostname == base.hostname and (port, other.scheme) != given:
            yield address


_DEFAULT_PORTS = {"http": 80, "https": 443}


def refuse_another_application(deployment: Deployment, readiness: Readiness) -> None:
    """Raise AnotherApplication where neither the readiness nor any other path is answered as StreamPay does.

    A crash, a silence or a limit on one of them leaves it open who answers.
    """
    if readiness.genuine or readiness.status_code >= 500:
        return
    seen = deployment.foreign_answers()
    if seen:
        raise AnotherApplication(
            f"another application than StreamPay answers at {deployment.base_url}: {'; '.join(seen)}",
            next_step="check SMOKE_BASE_URL (host, port, path), SMOKE_DIALECT, and what stands before the service",
        )
