"""How a release is put back: one protocol, one implementation for each deployment engine."""

from typing import ClassVar, Protocol

import msgspec

from streampay_smoke.core.errors import Blame, SmokeError


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done, written down before it is done.

    `key` is the same for every attempt at one rollback: an engine that is asked twice with it acts once.
    """

    deploy: str
    environment: str
    failed_release: str
    target_release: str
    key: str
    deadline_seconds: float


class HookFailed(SmokeError):
    """The engine could not be asked, or refused: whether anything changed has to be seen on the wire."""

    kind = "hook_failed"
    blame: ClassVar[Blame] = Blame.HARNESS


class Hook(Protocol):
    """One deployment engine. Nothing here decides: fencing, order and proof are the actuator's."""

    def live_release(self) -> str | None:
        """Return the release the engine has as its live one, None where it does not know releases.

        Raises HookFailed when the engine cannot be asked.
        """
        ...

    def roll_back(self, intent: Intent) -> str:
        """Ask the engine to make `intent.target_release` live, once for each `intent.key`; return its own words.

        Returns once the engine has accepted, inside `intent.deadline_seconds`. Raises HookFailed when it did not.
        """
        ...
