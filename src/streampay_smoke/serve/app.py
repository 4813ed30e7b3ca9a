"""The service's interface: who may ask for what, and what each engine is answered."""

import functools
import logging
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from streampay_smoke import __version__
from streampay_smoke.core import times
from streampay_smoke.serve import engines
from streampay_smoke.serve.attempts import Deploy, DeployStatus, RunAttempt, RunOrder, deploy_status
from streampay_smoke.serve.keys import Keyring
from streampay_smoke.serve.runs import RETRY_SECONDS, Runs
from streampay_smoke.serve.wire import (
    AnswerData,
    CanaryWebhook,
    DeployAnswer,
    Handler,
    RequestRefused,
    RerunRequest,
    RunRequest,
    answered,
    body_of,
    decoded,
    json_response,
)

_log = logging.getLogger("streampay_smoke.serve")


class ServedEnvironment(msgspec.Struct, frozen=True, kw_only=True):
    """What this service is for: one environment, at its own address or one of `targets`."""

    environment: str
    region: str
    base_url: str
    targets: tuple[str, ...]
    report_url: str
    wait_seconds: float


class Interface:
    """The routes of a service over `runs`."""

    def __init__(
        self,
        runs: Runs,
        keyring: Keyring,
        served: ServedEnvironment,
        *,
        now_ms: Callable[[], int] = times.now_ms,
    ) -> None:
        self._runs = runs
        self._keyring = keyring
        self._served = served
        self._now_ms = now_ms

    def app(self) -> Starlette:
        """Return the application."""
        routes: tuple[tuple[str, str, Handler], ...] = (
            ("GET", "/healthz", self.health),
            ("POST", "/v1/runs", self.bearers(self.ask)),
            ("GET", "/v1/runs/{deploy:path}", self.bearers(self.fetch)),
            ("POST", "/v1/reruns", self.bearers(self.again)),
            ("POST", "/v1/flagger/pre-rollout", self.pre_rollout),
            ("POST", "/v1/flagger/confirm-promotion", self.confirm),
            ("POST", "/v1/flagger/rollback", self.rollback),
            ("POST", "/v1/ecs", self.bearers(self.ecs)),
            ("POST", "/v1/codedeploy", self.bearers(self.codedeploy)),
        )
        return Starlette(routes=[Route(path, answered(handler), methods=[method]) for method, path, handler in routes])

    def bearers(self, handler: Handler) -> Handler:
        """Let only bearers of the token through."""

        @functools.wraps(handler)
        async def handle(request: Request) -> Response:
            self._require_bearer(request)
            return await handler(request)

        return handle

    # For people and for engines that read JSON

    async def health(self, request: Request) -> Response:
        """Whether runs can be started; open to everybody, and tells nothing but numbers."""
        counts = self._runs.counts()
        health = {"well": self._runs.well, "version": __version__, **{state.value: n for state, n in counts.items()}}
        return json_response(200 if self._runs.well else 503, health)

    async def ask(self, request: Request) -> Response:
        """Start or fetch the run of a deploy."""
        order = self._order(decoded(await body_of(request), RunRequest))
        attempt = self._started(order)
        return json_response(202 if attempt.outcome is None else 200, self._answer(order.deploy, attempt))

    async def fetch(self, request: Request) -> Response:
        """Tell of a deploy, or of its `attempt`, without starting anything: 200 whatever there is to tell."""
        asked = msgspec.convert({"deploy": request.path_params["deploy"], **_named(request)}, RunRequest)
        deploy = self._deploy(asked.deploy, asked.environment, asked.region)
        attempt = self._runs.latest(deploy)
        if named := request.query_params.get("attempt"):
            attempt = self._runs.attempt(named)
            if attempt is None or attempt.order.deploy != deploy:
                raise RequestRefused(
                    404, f"{deploy.label()} has no such attempt", "leave `attempt` out for the latest one"
                )
        return json_response(200, self._answer(deploy, attempt))

    async def again(self, request: Request) -> Response:
        """Start another attempt, which takes the place of the latest."""
        asked = decoded(await body_of(request), RerunRequest)
        deploy = self._deploy(asked.deploy, asked.environment, asked.region)
        self._require_target(asked.base_url or "")
        attempt = self._started_by(
            lambda: self._runs.again(
                deploy,
                release=asked.release,
                base_url=None if asked.base_url is None else _root(asked.base_url),
                supersedes=asked.supersedes,
            )
        )
        return json_response(202 if attempt.outcome is None else 200, self._answer(deploy, attempt))

    # Flagger

    async def pre_rollout(self, request: Request) -> Response:
        """Play the run and wait for it: the canary has no traffic yet."""
        attempt = self._started(await self._canary(request))
        attempt = await self._runs.settled(attempt, self._served.wait_seconds)
        return self._engine_answer(attempt, engines.APPROVAL, engines.WAIT)

    async def confirm(self, request: Request) -> Response:
        """Let the promotion through at PASS only; starts the run where nobody has."""
        attempt = self._started(await self._canary(request))
        return self._engine_answer(attempt, engines.APPROVAL, engines.WAIT)

    async def rollback(self, request: Request) -> Response:
        """Ask for a rollback at a fresh FAIL only; never starts anything."""
        order = await self._canary(request)
        attempt = self._runs.latest(order.deploy)
        if attempt is not None and attempt.order != order:
            raise RequestRefused(403, f"{order.deploy.label()} was judged with another release or address")
        return self._engine_answer(attempt, engines.ROLLBACK, engines.NO_ROLLBACK)

    async def _canary(self, request: Request) -> RunOrder:
        """Return the order of a canary whose key, or whose bearer, may give it."""
        canary = decoded(await body_of(request), CanaryWebhook)
        given = canary.metadata
        if not self._keyring.opens_canary(given.key, canary.namespace, canary.name):
            self._require_bearer(request)
        asked = {
            "deploy": f"{canary.namespace}/{canary.name}/{canary.checksum}",
            **{name: getattr(given, name) for name in ("environment", "region", "release", "base_url")},
        }
        return self._order(msgspec.convert(asked, RunRequest))

    def _engine_answer(self, attempt: RunAttempt | None, table: Mapping[DeployStatus, int], otherwise: int) -> Response:
        """Answer with a code of Flagger's and the reason it will show in its events."""
        now = self._standing(attempt)
        reason = attempt.outcome.message if attempt and attempt.outcome else ""
        line = f"{now}: {reason}" if reason and not reason.startswith(now) else reason or str(now)
        return PlainTextResponse(line + "\n", table.get(now, otherwise))

    # AWS

    async def ecs(self, request: Request) -> Response:
        """Answer as a lifecycle hook of Amazon ECS does."""
        attempt = self._started(self._order(decoded(await body_of(request), RunRequest)))
        now = self._standing(attempt)
        answer: dict[str, Any] = {"hookStatus": engines.ECS.get(now, engines.ECS_HOLD)}
        if answer["hookStatus"] == engines.ECS_HOLD:
            answer["callBackDelay"] = engines.ECS_ASK_AGAIN_SECONDS
        return json_response(200, {**answer, "hookDetails": self._details(attempt, now)})

    async def codedeploy(self, request: Request) -> Response:
        """Answer with a lifecycle event hook's status of AWS CodeDeploy, "" while there is none yet."""
        attempt = self._started(self._order(decoded(await body_of(request), RunRequest)))
        now = self._standing(attempt)
        status = "" if now in engines.UNDER_WAY else engines.CODEDEPLOY.get(now, engines.CODEDEPLOY_NO)
        return json_response(200, {"status": status, "details": self._details(attempt, now)})

    def _details(self, attempt: RunAttempt, now: DeployStatus) -> dict[str, str]:
        outcome = attempt.outcome
        return {
            "attempt": attempt.id,
            "verdict": str(now),
            "run_id": outcome.run_id if outcome else "",
            "message": outcome.message if outcome else "",
        }

    # Shared

    def _require_bearer(self, request: Request) -> None:
        if not self._keyring.opens(request.headers.get("authorization", "")):
            raise RequestRefused(
                401,
                "this needs the service's token",
                "send Authorization: Bearer with SMOKE_SERVE_TOKEN, or Flagger's metadata.key",
                {"WWW-Authenticate": "Bearer"},
            )

    def _order(self, asked: RunRequest) -> RunOrder:
        self._require_target(asked.base_url)
        return RunOrder(
            deploy=self._deploy(asked.deploy, asked.environment, asked.region),
            release=asked.release,
            base_url=_root(asked.base_url) or self._served.base_url,
        )

    def _deploy(self, name: str, environment: str, region: str) -> Deploy:
        if environment not in {"", self._served.environment}:
            raise RequestRefused(
                409,
                f"this service judges {self._served.environment}",
                "ask the service of that environment: credentials of one environment are shown to no other",
            )
        return Deploy(environment=self._served.environment, region=region or self._served.region, name=name)

    def _require_target(self, base_url: str) -> None:
        if base_url and _root(base_url) not in {self._served.base_url, *self._served.targets}:
            raise RequestRefused(
                422,
                "this service does not judge that address",
                "add it to SMOKE_SERVE_TARGETS: a run shows its credentials to the address it judges",
            )

    def _started(self, order: RunOrder) -> RunAttempt:
        return self._started_by(lambda: self._runs.ask(order))

    def _started_by(self, start: Callable[[], RunAttempt]) -> RunAttempt:
        try:
            return start()
        except OSError as error:
            _log.error("an attempt could not be written down: %s", error.strerror)
            raise RequestRefused(
                503,
                f"nothing was started: the state folder cannot be written ({error.strerror})",
                "see to the disk of the service",
                {"Retry-After": str(RETRY_SECONDS)},
            ) from error

    def _standing(self, attempt: RunAttempt | None) -> DeployStatus:
        superseded = attempt is not None and bool(self._runs.superseded_by(attempt))
        return deploy_status(attempt, self._now_ms(), superseded=superseded)

    def _answer(self, deploy: Deploy, attempt: RunAttempt | None) -> DeployAnswer:
        now = self._standing(attempt)
        data = AnswerData(
            verdict=now,
            passed=now is DeployStatus.PASS,
            failed=now is DeployStatus.FAIL,
            score=int(now is DeployStatus.PASS),
        )
        answer = DeployAnswer(data=data, deploy=deploy.name, environment=deploy.environment, region=deploy.region)
        return answer if attempt is None else self._answer_of(answer, attempt)

    def _answer_of(self, answer: DeployAnswer, attempt: RunAttempt) -> DeployAnswer:
        outcome = attempt.outcome
        known = msgspec.structs.replace(
            answer,
            state=attempt.state,
            release=attempt.order.release,
            base_url=attempt.order.base_url,
            attempt=attempt.number,
            id=attempt.id,
            supersedes=attempt.supersedes,
            superseded_by=self._runs.superseded_by(attempt),
            asked_at=_iso(attempt.asked_at_ms),
            started_at=_iso(attempt.started_at_ms),
        )
        if outcome is None:
            return known
        return msgspec.structs.replace(
            known,
            verdict=outcome.verdict,
            reason_code=outcome.reason_code,
            message=outcome.message,
            run_id=outcome.run_id,
            finished_at=_iso(outcome.finished_at_ms),
            valid_until=_iso(outcome.valid_until_ms),
            report_url=self._served.report_url.replace("{run_id}", outcome.run_id) if outcome.run_id else "",
        )


def _named(request: Request) -> dict[str, str]:
    """Return the parts of a deploy's identity that a query names."""
    return {name: value for name, value in request.query_params.items() if name in {"environment", "region"}}


def _root(base_url: str) -> str:
    return base_url.rstrip("/")


def _iso(at_ms: int) -> str:
    return times.iso(at_ms) if at_ms else ""
