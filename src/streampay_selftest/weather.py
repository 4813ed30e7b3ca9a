"""A seed is a weather: harmless differences between runs, drawn so that the same seed always brings the same."""

import random

import msgspec
from msgspec.structs import replace

from streampay_sandbox.road import Decided, Disturbance, Forward, Passing
from streampay_selftest.scene import Scene

CALM = 0
"""The seed without any weather."""

CLOSE_SECONDS = (0.0, 0.5, 1.0)
"""Each ledger closes at least one second of its own later: with shorter ones its time would race ahead of ours."""

JITTER_SECONDS = (0.0, 0.002, 0.01, 0.03)
AUTH_MODES = ("wallet", "jwt")
"""Those with a second user, whom an API key has not. With `jwt` the check of used challenges is left out."""

REGIONS = ("", "eu-west-1", "us-east-1")


class Weather(msgspec.Struct, frozen=True, kw_only=True):
    """How a run differs from the next: ledgers that close at once (0) or at intervals, jitter on the road, sign-in."""

    seed: int
    close_seconds: float = 0.0
    jitter_seconds: float = 0.0
    auth_mode: str = "wallet"
    region: str = ""

    @classmethod
    def of(cls, case: str, seed: int) -> "Weather":
        """Return the weather of a seed for a case."""
        if seed == CALM:
            return cls(seed=seed)
        drawn = random.Random(f"{case}/{seed}")
        return cls(
            seed=seed,
            close_seconds=drawn.choice(CLOSE_SECONDS),
            jitter_seconds=drawn.choice(JITTER_SECONDS),
            auth_mode=drawn.choice(AUTH_MODES),
            region=drawn.choice(REGIONS),
        )

    def over(self, scene: Scene) -> None:
        """Lay this weather over a scene, before its own conditions: those win."""
        if self.seed != CALM:
            scene.environ |= {"SMOKE_AUTH_MODE": self.auth_mode, "SMOKE_REGION": self.region}

    def on(self, disturb: Disturbance, case: str) -> Disturbance:
        """Return a road with this weather on it."""
        if not self.jitter_seconds:
            return disturb
        drawn = random.Random(f"{case}/{self.seed}/road")

        def jittery(passing: Passing) -> Decided:
            decided = disturb(passing)
            if isinstance(decided, Forward):
                return replace(decided, seconds=decided.seconds + drawn.uniform(0, self.jitter_seconds))
            return decided

        return jittery
