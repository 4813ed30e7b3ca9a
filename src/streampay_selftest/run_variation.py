"""A seed is a variation: harmless differences between runs, drawn so that the same seed always brings the same."""

import random

import msgspec
from msgspec.structs import replace

from streampay_sandbox.proxy import Forward, ProxiedRequest, ProxyBehaviour, ProxyDecision
from streampay_sandbox.wire_versions import DEFAULT_WIRE_VERSION, WIRE_VERSIONS
from streampay_selftest.run_setup import RunSetup

NO_VARIATION = 0
"""The seed without any variation."""

CLOSE_SECONDS = (0.0, 0.5, 1.0)
"""Before protocol 30 ledgers close a second apart at least: with shorter paces their time would race ahead of ours."""

JITTER_SECONDS = (0.0, 0.002, 0.01, 0.03)
AUTH_MODES = ("wallet", "jwt")
"""Those with a second user, whom an API key has not. With `jwt` the check of used challenges is left out."""

REGIONS = ("", "eu-west-1", "us-east-1")


class RunVariation(msgspec.Struct, frozen=True, kw_only=True):
    """How a run differs from the next: ledgers that close at once (0) or at intervals, jitter, sign-in, RPC version."""

    seed: int
    close_seconds: float = 0.0
    jitter_seconds: float = 0.0
    auth_mode: str = "wallet"
    region: str = ""
    rpc_version: str = DEFAULT_WIRE_VERSION

    @classmethod
    def of(cls, case: str, seed: int) -> "RunVariation":
        """Return the variation of a seed for a case."""
        if seed == NO_VARIATION:
            return cls(seed=seed)
        drawn = random.Random(f"{case}/{seed}")
        return cls(
            seed=seed,
            close_seconds=drawn.choice(CLOSE_SECONDS),
            jitter_seconds=drawn.choice(JITTER_SECONDS),
            auth_mode=drawn.choice(AUTH_MODES),
            region=drawn.choice(REGIONS),
            rpc_version=drawn.choice(tuple(WIRE_VERSIONS)),
        )

    def over(self, setup: RunSetup) -> None:
        """Lay this variation over a setup, before its own conditions: those win."""
        if self.seed != NO_VARIATION:
            setup.environ |= {"SMOKE_AUTH_MODE": self.auth_mode, "SMOKE_REGION": self.region}

    def on(self, behaviour: ProxyBehaviour, case: str) -> ProxyBehaviour:
        """Return a proxy with this variation on it."""
        if not self.jitter_seconds:
            return behaviour
        drawn = random.Random(f"{case}/{self.seed}/road")

        def jittery(passing: ProxiedRequest) -> ProxyDecision:
            decided = behaviour(passing)
            if isinstance(decided, Forward):
                return replace(decided, seconds=decided.seconds + drawn.uniform(0, self.jitter_seconds))
            return decided

        return jittery
