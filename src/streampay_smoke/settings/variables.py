"""Every variable a person can set, and all that is known of it.

Validation, the options of the commands, `env.example` and the table in `docs/configuration.md` are made from this.
"""

from enum import StrEnum
from typing import NamedTuple, get_args, get_type_hints

from streampay_smoke.core.contract_profiles import PROFILES
from streampay_smoke.core.networks import ALLOWED
from streampay_smoke.core.secret import Secret
from streampay_smoke.service.credentials import SLOT_B, VARIABLE_OF_MODE
from streampay_smoke.service.dialects import DIALECTS
from streampay_smoke.settings import parsing
from streampay_smoke.settings.notification import WEBHOOK_SECRET
from streampay_smoke.settings.parsing import Parse

PREFIX = "SMOKE_"
SIGNING_KEY = "SMOKE_SIGNING_KEY"
ENGINE_PREFIX = "SMOKE_ROLLBACK_"
"""How the variables of the actuator begin, and with them every secret of a deployment engine."""

AUTH_MODES = {"wallet": "", **VARIABLE_OF_MODE}
"""Auth modes and the variable each cannot do without."""

PROOFS = ("ledger", "service")


class Mode(StrEnum):
    """What a person does with the gate, as far as it decides which settings are needed; the value is in plain words."""

    ANY = "any run"
    DEPLOYMENT = "a deployment on a test network"
    PRODUCTION = "production, read-only"
    JWT = "auth mode jwt"
    BEARER = "auth mode bearer"
    API_KEY = "auth mode api-key"
    BAKE = "watching a release"
    ROLLBACK = "rollback"
    SERVE = "serve"
    TELL = "telling people"
    REGIONS = "regions"
    CANARY = "comparing a candidate"


_DEPLOYED = (Mode.DEPLOYMENT, Mode.PRODUCTION)


class Variable(NamedTuple):
    """One setting a person can give.

    `option` is its name on the command line, "" where it has none, and `metavar` what stands for its value there.
    `default` is what counts where nobody gives it; where that is nothing, `unset` says what it means. `file_key` is
    the key of an environment file that gives it a value, `field` the name the parsed value has in the settings.
    `page` below docs/ says more. `required_in` are the modes that do not work without it, `used_in` those it may
    be given in.
    """

    name: str
    about: str
    parse: Parse = parsing.text
    option: str = ""
    metavar: str = ""
    default: str = ""
    unset: str = ""
    file_key: str = ""
    field: str = ""
    page: str = ""
    required_in: tuple[Mode, ...] = ()
    used_in: tuple[Mode, ...] = ()

    @property
    def secret(self) -> bool:
        """Whether its value must never be shown: what its parser returns is a `Secret`."""
        returned = get_args(get_type_hints(self.parse).get("return"))
        return any(isinstance(kind, type) and issubclass(kind, Secret) for kind in returned)

    @property
    def attribute(self) -> str:
        """The name of the parsed value: `field`, by default the variable's name in lower case without its prefix."""
        return self.field or self.name.removeprefix(PREFIX).lower()


VARIABLES = {
    variable.name: variable
    for variable in (
        Variable(
            "SMOKE_ENV",
            "The environment to judge: a file environments/NAME.toml",
            option="--env",
            metavar="NAME",
            default="sandbox",
            field="environment",
            required_in=(*_DEPLOYED, Mode.ROLLBACK),
        ),
        Variable(
            "SMOKE_BASE_URL",
            "Root of the deployment under test; the dialect adds the paths. Required everywhere but in the sandbox",
            parsing.address,
            option="--base-url",
            metavar="URL",
            file_key="service.base_url",
            required_in=(*_DEPLOYED, Mode.ROLLBACK),
        ),
        Variable(
            "SMOKE_BASELINE_URL",
            "Root of the stable release. Control probes, comparisons and canaries ask it; where a service works with "
            "another contract than expected, one draft is made there too, and ended. It is shown the credential of "
            "the run",
            parsing.address,
            option="--baseline-url",
            metavar="URL",
            used_in=(*_DEPLOYED, Mode.CANARY),
        ),
        Variable(
            "SMOKE_BASE_HEADER",
            "A header, NAME: VALUE, that leads a request at SMOKE_BASE_URL to the release under test: "
            "'x-canary: always', or 'host: candidate.example'. It is sent with every request and is no secret",
            parsing.header,
            option="--base-header",
            metavar="HEADER",
            page="canary",
            used_in=(Mode.CANARY,),
        ),
        Variable(
            "SMOKE_BASELINE_HEADER",
            "The same for the stable release, at SMOKE_BASELINE_URL, or at SMOKE_BASE_URL where that is not set",
            parsing.header,
            option="--baseline-header",
            metavar="HEADER",
            page="canary",
            used_in=(Mode.CANARY,),
        ),
        Variable(
            "SMOKE_CANARY_JOURNEYS",
            "On how many journeys the candidate is compared with the stable release, 5 to 40; 0 for not at all",
            parsing.journeys,
            option="--canary-journeys",
            metavar="NUMBER",
            unset="0; 10 for `streampay-smoke canary`",
            page="canary",
            used_in=(Mode.CANARY,),
        ),
        Variable(
            "SMOKE_CANARY_WEIGHT",
            "The candidate's share in percent of the requests at SMOKE_BASE_URL, where that address leads to both "
            "releases by weight: so many journeys are made that it is met often enough",
            parsing.weight,
            option="--canary-weight",
            metavar="PERCENT",
            unset="each release has its own way",
            page="canary",
            used_in=(Mode.CANARY,),
        ),
        Variable(
            "SMOKE_CANARY_FAULT",
            "A fault of the candidate that streampay-smoke canary starts in a sandbox of its own; see "
            "streampay-smoke sandbox --list-faults",
            option="--canary-fault",
            metavar="NAME",
            page="canary",
            used_in=(Mode.CANARY,),
        ),
        Variable(
            "SMOKE_EXPECT_RELEASE",
            "The release that must answer",
            option="--expect-release",
            metavar="ID",
            unset="any",
            required_in=(Mode.ROLLBACK,),
            used_in=_DEPLOYED,
        ),
        Variable(
            "SMOKE_REGION",
            "Region named in verdict and reports; where the environment file lists regions, one of them, whose "
            "addresses and credentials then count, or all for each of them side by side",
            option="--region",
            metavar="NAME",
            page="regions",
            required_in=(Mode.REGIONS,),
        ),
        Variable(
            "SMOKE_REPLICAS",
            "How many replicas answer behind the address: all of them are to be met",
            parsing.replicas,
            unset="not declared: what was missed is not known",
            file_key="service.replicas",
            page="fleets",
            used_in=(*_DEPLOYED, Mode.ROLLBACK),
        ),
        Variable(
            "SMOKE_VANTAGE",
            "Vantage point: where this runner stands. It tells runs of one region apart when they are merged",
            option="--vantage",
            metavar="NAME",
            page="regions",
            used_in=(Mode.REGIONS,),
        ),
        Variable(
            "SMOKE_TAGS",
            "Tag expression of the scenarios to run",
            option="--tags",
            metavar="EXPR",
            default="@smoke",
            page="tags",
            used_in=(Mode.ANY,),
        ),
        Variable(
            "SMOKE_DEADLINE_SECONDS",
            "Hard limit of the whole run: by default twice what its steps wait for ledgers at the network's pace, a "
            "minute and the time for readiness (480 on testnet), and more where ledgers close more slowly or answers "
            "take long from here (twice the quickest one for each step, of 0.5 s at most). What a run made is ended "
            "within 90 s more. doctor compares",
            parsing.limit,
            option="--deadline",
            metavar="SECONDS",
            unset="120, or more on slow ledgers and far away",
            file_key="deadline_seconds",
            used_in=(Mode.ANY,),
        ),
        Variable(
            "SMOKE_BAKE",
            "How long the release is watched after the scenarios, beside the deadline: 90s, 10m, at most 6h; "
            "0 for not at all",
            parsing.duration,
            option="--bake",
            metavar="DURATION",
            default="0",
            field="bake_seconds",
            page="objectives",
            required_in=(Mode.BAKE,),
        ),
        Variable(
            "SMOKE_ON_INCONCLUSIVE",
            "hold, or fail, which makes INCONCLUSIVE exit 1 for engines that know two states only",
            parsing.one_of("hold", "fail"),
            option="--on-inconclusive",
            metavar="hold|fail",
            default="hold",
            used_in=(Mode.ANY,),
        ),
        Variable(
            "SMOKE_ON_FAIL",
            "hold, or rollback to put the recorded release back when the whole suite says FAIL",
            parsing.one_of("hold", "rollback"),
            option="--on-fail",
            metavar="hold|rollback",
            default="hold",
            page="policy",
            required_in=(Mode.ROLLBACK,),
        ),
        Variable(
            "SMOKE_REPORT",
            "1 or 0: whether to build the HTML report at the end",
            parsing.flag,
            option="--report",
            default="1",
            used_in=(Mode.ANY,),
        ),
        Variable(
            "SMOKE_LANES",
            "How many scenarios may be played side by side, so that their waits for ledgers overlap; 1 for one after "
            "the other",
            parsing.count,
            option="--lanes",
            metavar="NUMBER",
            default="7",
            used_in=(Mode.ANY,),
        ),
        Variable(
            "SMOKE_KEEP_SIGN_IN",
            "1 or 0: whether runs of a part of the suite use the sign-ins of runs on this machine in the five minutes "
            "before, kept in ~/.cache/streampay-smoke for their owner only; in a whole suite, the second user alone "
            "does",
            parsing.flag,
            default="1",
            used_in=(Mode.ANY,),
        ),
        Variable(
            "SMOKE_ARTIFACTS",
            "Folder that gets one folder for each run",
            parsing.path,
            default="artifacts",
            used_in=(Mode.ANY,),
        ),
        Variable(
            "SMOKE_RUNBOOK_URL",
            "Where your people read the runbook: answers and reports link its section about the reason code",
            parsing.endpoint,
            unset="docs/runbook.md in the project",
            used_in=(Mode.ANY,),
        ),
        Variable(
            "SMOKE_HISTORY",
            "File that keeps the verdicts of all runs, on a disk that outlives them",
            parsing.path_or_none,
            unset="history.sqlite in SMOKE_ARTIFACTS",
            page="history",
            used_in=(Mode.ANY,),
        ),
        Variable(
            "SMOKE_DEPLOY",
            "The deployment system's own id of this deploy, by which it can be rolled back",
            option="--deploy",
            metavar="ID",
            page="rollback",
            required_in=(Mode.ROLLBACK,),
        ),
        Variable(
            "SMOKE_ROLLBACK_BASE_URL",
            "Where a rollback looks for what is live: the address users meet, where a run judges a preview",
            parsing.address,
            unset="SMOKE_BASE_URL",
            page="rollback",
            used_in=(Mode.ROLLBACK,),
        ),
        Variable(
            "SMOKE_ROLLBACK_LOG",
            "The intent log of an environment's rollbacks, on a local disk that outlives the deploy",
            unset="rollback/NAME[-REGION].jsonl in SMOKE_ARTIFACTS",
            page="rollback",
            used_in=(Mode.ROLLBACK,),
        ),
        Variable(
            "SMOKE_DIALECT",
            f"The shape of the API: {', '.join(DIALECTS)}",
            parsing.one_of(*DIALECTS),
            file_key="service.dialect",
            used_in=_DEPLOYED,
        ),
        Variable(
            "SMOKE_AUTH_MODE",
            f"How the synthetic user signs in: {', '.join(AUTH_MODES)}",
            parsing.one_of(*AUTH_MODES),
            file_key="service.auth_mode",
            used_in=_DEPLOYED,
        ),
        Variable(
            "SMOKE_AUTH_TOKEN",
            "The synthetic user's token, for auth mode bearer",
            parsing.secret,
            required_in=(Mode.BEARER,),
        ),
        Variable(
            "SMOKE_AUTH_JWT_SECRET",
            "Signs tokens in auth mode jwt, and genuine expired tokens for the refusal check in every mode",
            parsing.secret,
            required_in=(Mode.JWT,),
            used_in=_DEPLOYED,
        ),
        Variable(
            "SMOKE_API_KEY",
            "The synthetic user's API key, for auth mode api-key",
            parsing.secret,
            required_in=(Mode.API_KEY,),
        ),
        *(
            Variable(
                f"{name}{SLOT_B}",
                f"Slot B of {name}, tried once where slot A is refused",
                parsing.secret,
                page="security",
                used_in=(mode,),
            )
            for name, mode in (
                ("SMOKE_AUTH_TOKEN", Mode.BEARER),
                ("SMOKE_AUTH_JWT_SECRET", Mode.JWT),
                ("SMOKE_API_KEY", Mode.API_KEY),
            )
        ),
        Variable(
            "SMOKE_METRICS_TOKEN",
            "Bearer token of the metrics a bake reads: the service's endpoint, or Prometheus",
            parsing.secret,
            used_in=(*_DEPLOYED, Mode.BAKE),
        ),
        Variable(
            "SMOKE_STELLAR_NETWORK",
            f"{', '.join(ALLOWED)}; never the public network",
            parsing.network,
            file_key="chain.network",
            field="network",
            used_in=_DEPLOYED,
        ),
        Variable(
            "SMOKE_STELLAR_RPC_URL",
            "Stellar RPC of that network",
            parsing.endpoint,
            unset="of the network",
            file_key="chain.rpc_url",
            field="rpc_url",
            used_in=(*_DEPLOYED, Mode.ROLLBACK),
        ),
        Variable(
            "SMOKE_STELLAR_FRIENDBOT_URL",
            "Friendbot of that network; wins over what the RPC names",
            parsing.address,
            unset="of the network",
            file_key="chain.friendbot_url",
            field="friendbot_url",
            used_in=_DEPLOYED,
        ),
        Variable(
            "SMOKE_CONTRACT_ID",
            "The StreamPay contract (C...) money must be paid by. Required outside the embedded sandbox",
            file_key="chain.contract_id",
            required_in=_DEPLOYED,
        ),
        Variable(
            "SMOKE_CONTRACT_PROFILE",
            f"The contract's interface: {', '.join(f'{each.name} ({each.about})' for each in PROFILES.values())}",
            parsing.one_of(*PROFILES),
            file_key="chain.contract_profile",
            used_in=_DEPLOYED,
        ),
        Variable(
            "SMOKE_SIGNER_SEED",
            "Test-network seed (S...) of the synthetic user and payer",
            parsing.secret,
            unset="derived",
            used_in=(*_DEPLOYED, Mode.ROLLBACK),
        ),
        Variable(
            "SMOKE_RECIPIENT_SEED",
            "Test-network seed (S...) of the recipient",
            parsing.secret,
            unset="a fresh account",
            used_in=(Mode.DEPLOYMENT,),
        ),
        Variable(
            "SMOKE_TOKEN_CONTRACT_ID",
            "Token contract (C...) of the streams",
            parsing.token_contract,
            unset="the native token's",
            used_in=(Mode.DEPLOYMENT,),
        ),
        Variable(
            "SMOKE_SETTLEMENT_PROOF",
            "ledger, or service where the environment allows to take the service's word",
            parsing.one_of(*PROOFS),
            default="ledger",
            used_in=(Mode.DEPLOYMENT,),
        ),
        Variable(
            SIGNING_KEY,
            "Ed25519 key that signs verdicts and attestations: base64 of a 32-byte seed, or PKCS#8 PEM. "
            "One that cannot sign is CONFIG before the run",
            parsing.signing_key,
            page="security",
            used_in=(Mode.ANY,),
        ),
        Variable(
            "SMOKE_ROLLBACK_TOKEN",
            "Bearer token for the deployment engine a release is put back on: Kubernetes, GitHub, Cloud Run",
            parsing.secret,
            page="hooks",
            used_in=(Mode.ROLLBACK,),
        ),
        Variable(
            "SMOKE_ROLLBACK_WEBHOOK_SECRET",
            "Signs what is posted to a rollback webhook: whsec_ and base64 of 24 to 64 random bytes",
            parsing.secret,
            page="hooks",
            used_in=(Mode.ROLLBACK,),
        ),
        Variable(
            "SMOKE_NOTIFY_SLACK_URL",
            "Slack's incoming webhook that is told verdicts",
            parsing.secret_address,
            page="notifications",
            used_in=(Mode.TELL,),
        ),
        Variable(
            "SMOKE_NOTIFY_TEAMS_URL",
            "The address of a Teams workflow that is told verdicts",
            parsing.secret_address,
            page="notifications",
            used_in=(Mode.TELL,),
        ),
        Variable(
            "SMOKE_NOTIFY_WEBHOOK_URL",
            "A receiver of yours that is told verdicts, signed as Standard Webhooks 1.0 says",
            parsing.secret_address,
            page="notifications",
            used_in=(Mode.TELL,),
        ),
        Variable(
            WEBHOOK_SECRET,
            "Signs what is posted to SMOKE_NOTIFY_WEBHOOK_URL: whsec_ and base64 of 24 to 64 random bytes",
            parsing.webhook_secret,
            page="notifications",
            used_in=(Mode.TELL,),
        ),
        Variable(
            "SMOKE_PAGE_PAGERDUTY_KEY",
            "PagerDuty's integration key (Events API v2): a decision that pages wakes whom it is of",
            parsing.secret,
            page="notifications",
            used_in=(Mode.TELL,),
        ),
        Variable(
            "SMOKE_PAGE_PAGERDUTY_URL",
            "Where PagerDuty takes events",
            parsing.secure_endpoint,
            default="https://events.pagerduty.com/v2/enqueue",
            page="notifications",
            used_in=(Mode.TELL,),
        ),
        Variable(
            "SMOKE_PAGE_OPSGENIE_KEY",
            "Opsgenie's API key: a decision that pages wakes whom it is of",
            parsing.secret,
            page="notifications",
            used_in=(Mode.TELL,),
        ),
        Variable(
            "SMOKE_PAGE_OPSGENIE_URL",
            "Where Opsgenie takes alerts",
            parsing.secure_endpoint,
            default="https://api.opsgenie.com/v2/alerts",
            page="notifications",
            used_in=(Mode.TELL,),
        ),
        Variable(
            "SMOKE_REPORT_URL",
            "Where the report of a run can be read, with {run_id} for the run; linked in notifications",
            parsing.report_address,
            unset="the CI's page of the build",
            page="notifications",
            used_in=(Mode.TELL,),
        ),
        Variable(
            "SMOKE_SERVE_TOKEN",
            "Opens `streampay-smoke serve`, which does not start without it; 24 characters or more",
            parsing.serve_token,
            page="serve",
            required_in=(Mode.SERVE,),
        ),
        Variable(
            "SMOKE_SERVE_TOKEN_B",
            "Slot B of SMOKE_SERVE_TOKEN: both open the service",
            parsing.serve_token,
            page="serve",
            used_in=(Mode.SERVE,),
        ),
        Variable(
            "SMOKE_SERVE_TARGETS",
            "Addresses a caller of the service may have judged beside SMOKE_BASE_URL, separated by spaces",
            parsing.addresses,
            page="serve",
            used_in=(Mode.SERVE,),
        ),
        Variable(
            "SMOKE_SERVE_REPORT_URL",
            "Where reports can be read, with {run_id} for the run; told by the service as report_url",
            parsing.report_address,
            page="serve",
            used_in=(Mode.SERVE,),
        ),
        Variable(
            "SMOKE_SERVE_VALID_SECONDS",
            "How long the service lets a verdict count; INCONCLUSIVE five minutes at most",
            parsing.seconds,
            default="3600",
            page="serve",
            used_in=(Mode.SERVE,),
        ),
        Variable(
            "SMOKE_SERVE_KEEP_RUNS",
            "How many finished runs the service keeps; one whose verdict still counts is always kept",
            parsing.count,
            default="100",
            page="serve",
            used_in=(Mode.SERVE,),
        ),
    )
}
"""Every variable of the gate. A name outside this table is refused: a typo must not open the gate."""

BY_ATTRIBUTE = {variable.attribute: variable for variable in VARIABLES.values()}
"""The variables by the names their parsed values have."""


def slots_of(auth_mode: str) -> tuple[str, ...]:
    """Return the variables of an auth mode's credential, slot A before slot B; none for a user who signs in."""
    name = AUTH_MODES.get(auth_mode, "")
    return (name, f"{name}{SLOT_B}") if name else ()
