"""What the service remembers: which deploy was judged where, by which attempt, and what that attempt answered."""

from enum import StrEnum
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from streampay_smoke.gate.verdict import VerdictStatus

RENEWALS: Final = 3
"""How many attempts in a row may end INCONCLUSIVE before only a person can ask for the next one."""

DeployName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,199}$")]
Region = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{0,64}$")]
Release = Annotated[str, Meta(pattern=r"^[!-~]{0,200}$")]
Url = Annotated[str, Meta(pattern=r"^(https?://[!-~]{1,300})?$")]


class Deploy(msgspec.Struct, frozen=True, kw_only=True):
    """One deploy, by whatever its engine calls it: a release, a hash, `namespace/name/checksum`."""

    environment: str
    region: Region
    name: DeployName

    def label(self) -> str:
        """Return it in one word for logs and messages."""
        return "/".join(part for part in (self.environment, self.region, self.name) if part)


class RunOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be judged: the deploy, the release that must answer ("" for any), and where ("" for the default)."""

    deploy: Deploy
    release: Release = ""
    base_url: Url = ""


class AttemptState(StrEnum):
    """How far an attempt is."""

    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"


class AttemptOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """How an attempt ended. `valid_until_ms` is 0 for an answer that stands until a person asks again.

    `held` says that the word is FAIL, and that the policy of the place holds for it.
    """

    verdict: VerdictStatus
    reason_code: str
    message: str
    finished_at_ms: int
    valid_until_ms: int
    run_id: str = ""
    held: bool = False


class RunAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """One run for a deploy; times are Unix milliseconds. `supersedes` is the attempt that counts for nothing now."""

    id: str
    number: int
    order: RunOrder
    supersedes: str
    asked_at_ms: int
    started_at_ms: int = 0
    process: int = 0
    outcome: AttemptOutcome | None = None

    @property
    def state(self) -> AttemptState:
        """How far it is."""
        if self.outcome is not None:
            return AttemptState.FINISHED
        return AttemptState.RUNNING if self.started_at_ms else AttemptState.QUEUED

    def expired(self, now_ms: int) -> bool:
        """Whether its answer is too old to act on."""
        return self.outcome is not None and 0 < self.outcome.valid_until_ms <= now_ms


class DeployStatus(StrEnum):
    """What an engine may make of a deploy now: the five words, and five ways of having no answer."""

    PASS = "PASS"  # noqa: S105 - not a password
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    CONFIG = "CONFIG"
    SAFETY = "SAFETY"
    UNKNOWN = "UNKNOWN"
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    EXPIRED = "EXPIRED"
    SUPERSEDED = "SUPERSEDED"


def deploy_status(attempt: RunAttempt | None, now_ms: int, *, superseded: bool = False) -> DeployStatus:
    """Return what counts now. Only a fresh, latest, finished attempt passes or fails; a FAIL that holds does not."""
    if attempt is None:
        return DeployStatus.UNKNOWN
    if superseded:
        return DeployStatus.SUPERSEDED
    if attempt.outcome is None:
        return DeployStatus[attempt.state.name]
    if attempt.expired(now_ms):
        return DeployStatus.EXPIRED
    if attempt.outcome.held:
        return DeployStatus.INCONCLUSIVE
    return DeployStatus(attempt.outcome.verdict.value)
