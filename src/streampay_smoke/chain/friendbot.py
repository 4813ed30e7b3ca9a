"""Friendbot: where accounts of test networks get their first balance."""

import json

from stellar_sdk.client.response import Response

from streampay_smoke.chain.adapter import ChainUnavailable
from streampay_smoke.chain.guard import check_configured
from streampay_smoke.chain.ledger_time import Clock
from streampay_smoke.chain.transport import RpcTransport
from streampay_smoke.core.networks import Network
from streampay_smoke.core.secret_shapes import shortened
from streampay_smoke.evidence.events import Recorder

_ALREADY_FUNDED = ("already funded", "createAccountAlreadyExist", "op_already_exists")
"""How friendbots of several ages say that there was nothing to do."""


class Friendbot:
    """One friendbot; its failures are setup trouble and say nothing of the product."""

    def __init__(self, url: str, transport: RpcTransport) -> None:
        self._url = url
        self._transport = transport

    def fund(self, address: str) -> None:
        """Ask for a balance for `address`; one that has it already is fine. Raises ChainUnavailable."""
        if not self._url:
            raise ChainUnavailable(
                f"{address} needs a balance, and this network names no friendbot",
                cause="no friendbot",
                next_step="set SMOKE_STELLAR_FRIENDBOT_URL, or fund the account by hand",
            )
        try:
            answer = self._transport.get(self._url, {"addr": address})
        except ChainUnavailable as problem:
            raise ChainUnavailable(
                f"setup: {address} could not be funded: {problem}",
                cause=problem.cause,
                status=problem.status,
                retry_after_seconds=problem.retry_after_seconds,
                next_step=problem.next_step,
            ) from None
        reason = "" if answer.status_code == 200 else _detail(answer)
        if reason and not any(phrase in reason for phrase in _ALREADY_FUNDED):
            raise ChainUnavailable(
                f"setup: friendbot refused to fund {address}: {reason}",
                cause="friendbot refused",
                status=answer.status_code,
                next_step="fund the account by hand, or check SMOKE_STELLAR_FRIENDBOT_URL",
            )


def ask_friendbot(network: Network, url: str, address: str, *, record: Recorder) -> None:
    """Ask the friendbot of a test network once for a balance for `address`.

    Raises GuardRefused for the public network, ChainUnavailable where nobody gives one.
    """
    check_configured(network, rpc_url="", friendbot_url=url)
    transport = RpcTransport(record=record, clock=Clock(), retry_seconds=0.0)
    try:
        Friendbot(url, transport).fund(address)
    finally:
        transport.close()


def _detail(answer: Response) -> str:
    """Return the reason a refusal gives (problem+json), or the start of whatever it is."""
    try:
        problem = json.loads(answer.text)
    except ValueError:
        problem = None
    detail = problem.get("detail") or problem.get("title") if isinstance(problem, dict) else None
    return shortened(str(detail or answer.text or f"status {answer.status_code}"), 200)
