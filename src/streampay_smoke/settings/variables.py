"""Every variable a person can set: its name, option, default, and what it is for."""

import msgspec

from streampay_smoke.service.credentials import SLOT_B, VARIABLE_OF_MODE

PREFIX = "SMOKE_"
SIGNING_KEY = "SMOKE_SIGNING_KEY"
ENGINE_PREFIX = "SMOKE_ROLLBACK_"
"""How the variables of the actuator begin, and with them every secret of a deployment engine."""


class Variable(msgspec.Struct, frozen=True, kw_only=True):
    """One setting a person can give. `option` is its name on the command line, "" where it has none."""

    name: str
    about: str
    option: str = ""
    default: str = ""
    secret: bool = False


VARIABLES = {
    variable.name: variable
    for variable in (
        Variable(
            name="SMOKE_ENV",
            option="--env",
            default="sandbox",
            about="The place to judge: a file environments/NAME.toml",
        ),
        Variable(
            name="SMOKE_BASE_URL",
            option="--base-url",
            about="Root of the deployment under test; the dialect adds paths",
        ),
        Variable(
            name="SMOKE_BASELINE_URL", option="--baseline-url", about="Root of the stable release, for control probes"
        ),
        Variable(
            name="SMOKE_EXPECT_RELEASE", option="--expect-release", about="The release that must answer; empty for any"
        ),
        Variable(name="SMOKE_REGION", option="--region", about="Region named in verdict and reports"),
        Variable(name="SMOKE_TAGS", option="--tags", default="@smoke", about="Tag expression of the scenarios to run"),
        Variable(
            name="SMOKE_DEADLINE_SECONDS",
            option="--deadline",
            about="Hard limit for the whole run; by default what its waits for ledgers take at the network's pace",
        ),
        Variable(
            name="SMOKE_BAKE",
            option="--bake",
            default="0",
            about="How long the release is watched after the scenarios, such as 90s, 10m or 1h; 0 for not at all",
        ),
        Variable(
            name="SMOKE_ON_INCONCLUSIVE",
            option="--on-inconclusive",
            default="hold",
            about="hold, or fail for engines that know two states only",
        ),
        Variable(
            name="SMOKE_ON_FAIL",
            option="--on-fail",
            default="hold",
            about="hold, or rollback to put the recorded release back when the whole suite says FAIL",
        ),
        Variable(
            name="SMOKE_REPORT",
            option="--report",
            default="1",
            about="1 or 0: whether to build the HTML report at the end",
        ),
        Variable(name="SMOKE_ARTIFACTS", default="artifacts", about="Folder that gets one folder for each run"),
        Variable(
            name="SMOKE_DEPLOY",
            option="--deploy",
            about="The deployment system's own id of this deploy, by which it can be rolled back",
        ),
        Variable(
            name="SMOKE_ROLLBACK_BASE_URL",
            about="Root users meet, where a run judges a preview address; SMOKE_BASE_URL by default",
        ),
        Variable(
            name="SMOKE_ROLLBACK_LOG",
            about="The intent log of this environment's rollbacks, on a local disk that outlives the deploy",
        ),
        Variable(name="SMOKE_DIALECT", about="The API's shape: app-v1"),
        Variable(name="SMOKE_AUTH_MODE", about="How the synthetic user signs in: wallet, jwt, bearer or api-key"),
        Variable(name="SMOKE_AUTH_TOKEN", secret=True, about="The synthetic user's token, for auth mode bearer"),
        Variable(
            name="SMOKE_AUTH_JWT_SECRET", secret=True, about="Signs short-lived tokens (auth mode jwt, expired tokens)"
        ),
        Variable(name="SMOKE_API_KEY", secret=True, about="The synthetic user's API key, for auth mode api-key"),
        Variable(
            name="SMOKE_AUTH_TOKEN_B", secret=True, about="Slot B of SMOKE_AUTH_TOKEN, tried where slot A is refused"
        ),
        Variable(
            name="SMOKE_AUTH_JWT_SECRET_B",
            secret=True,
            about="Slot B of SMOKE_AUTH_JWT_SECRET, tried where slot A is refused",
        ),
        Variable(name="SMOKE_API_KEY_B", secret=True, about="Slot B of SMOKE_API_KEY, tried where slot A is refused"),
        Variable(
            name="SMOKE_METRICS_TOKEN",
            secret=True,
            about="Bearer token of the metrics a bake reads: the service's endpoint, or Prometheus",
        ),
        Variable(name="SMOKE_STELLAR_NETWORK", about="sandbox, local, futurenet or testnet; never the public network"),
        Variable(name="SMOKE_STELLAR_RPC_URL", about="Stellar RPC of that network"),
        Variable(name="SMOKE_STELLAR_FRIENDBOT_URL", about="Friendbot of that network"),
        Variable(name="SMOKE_CONTRACT_ID", about="The StreamPay contract (C...) money must be paid by"),
        Variable(
            name="SMOKE_CONTRACT_PROFILE", about="The contract's interface: streampay-stream or streampay-contracts"
        ),
        Variable(
            name="SMOKE_SIGNER_SEED", secret=True, about="Test-network seed (S...) of the synthetic user and payer"
        ),
        Variable(name="SMOKE_RECIPIENT_SEED", secret=True, about="Test-network seed (S...) of the recipient"),
        Variable(name="SMOKE_TOKEN_CONTRACT_ID", about="Token contract (C...) of the streams; native by default"),
        Variable(
            name="SMOKE_SETTLEMENT_PROOF",
            default="ledger",
            about="ledger, or service where the environment allows to take the service's word",
        ),
        Variable(
            name=SIGNING_KEY,
            secret=True,
            about="Ed25519 key that signs verdicts: base64 of a 32-byte seed, or PKCS#8 PEM",
        ),
        Variable(
            name="SMOKE_ROLLBACK_TOKEN",
            secret=True,
            about="Bearer token for the deployment engine a release is put back on: Kubernetes, GitHub, Cloud Run",
        ),
        Variable(
            name="SMOKE_ROLLBACK_WEBHOOK_SECRET",
            secret=True,
            about="Signs what is posted to a rollback webhook: whsec_ and base64 of 24 to 64 random bytes",
        ),
        Variable(
            name="SMOKE_SERVE_TOKEN",
            secret=True,
            about="Opens `streampay-smoke serve`, which does not start without it; 24 characters or more",
        ),
        Variable(name="SMOKE_SERVE_TOKEN_B", secret=True, about="Slot B of SMOKE_SERVE_TOKEN: both open the service"),
        Variable(
            name="SMOKE_SERVE_TARGETS",
            about="Addresses a caller of the service may have judged beside SMOKE_BASE_URL, separated by spaces",
        ),
        Variable(
            name="SMOKE_SERVE_REPORT_URL",
            about="Where reports can be read, with {run_id} for the run; told by the service as report_url",
        ),
        Variable(
            name="SMOKE_SERVE_VALID_SECONDS",
            default="3600",
            about="How long the service lets a verdict count; INCONCLUSIVE five minutes at most",
        ),
        Variable(
            name="SMOKE_SERVE_KEEP_RUNS",
            default="100",
            about="How many finished runs the service keeps; one whose verdict still counts is always kept",
        ),
    )
}
"""Every variable of the gate. A name outside this table is refused: a typo must not open the gate."""

AUTH_MODES = {"wallet": "", **VARIABLE_OF_MODE}
"""Auth modes and the variable each cannot do without."""


def slots_of(auth_mode: str) -> tuple[str, ...]:
    """Return the variables of an auth mode's credential, slot A before slot B; none for a user who signs in."""
    name = AUTH_MODES.get(auth_mode, "")
    return (name, f"{name}{SLOT_B}") if name else ()


LONGEST_BAKE_SECONDS = 6 * 3600.0
"""Longer than that is monitoring, which keeps more than one run's evidence."""

ON_INCONCLUSIVE = ("hold", "fail")
ON_FAIL = ("hold", "rollback")
DIALECTS = ("app-v1",)
PROOFS = ("ledger", "service")
CONTRACT_PROFILES = ("streampay-stream", "streampay-contracts")
