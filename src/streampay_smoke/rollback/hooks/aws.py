"""AWS, as far as a rollback needs it: one POST for each action, in AWS's JSON 1.1 protocol, signed with Signature V4.

botocore finds the credentials and signs, and nothing else of it is used: it is AWS's own, knows every way credentials
are handed to a job (variables, profiles, OIDC, containers, instances) and renews them. It is an optional extra (`aws`),
loaded here alone, because it is larger than all the rest. The requests are sent by `streampay_smoke.http.client` like
every other, inside one deadline; botocore's client would follow its own retries and time limits. The `aws` command line
was the other choice: it is on the way to the same API through one more process, whose version nobody here pins.
"""

import importlib.util
import logging
import re
import threading
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.http.client import Client, Reply
from streampay_smoke.rollback.hook import HookFailed
from streampay_smoke.rollback.hooks.engine_api import (
    PASSING,
    REQUEST_SECONDS,
    Credentials,
    Deadline,
    EngineApi,
    EngineRequest,
    checked_address,
)

T = TypeVar("T")

# At DEBUG it writes what is signed, and with it the session's token.
logging.getLogger("botocore").setLevel(logging.WARNING)

_CHINA = "cn-"
_PASSING_KINDS = re.compile(r"Throttl|TooManyRequests|RequestLimitExceeded|ServiceUnavailable|InternalFailure")

EXPIRED = "renew the credentials of AWS where this runs, such as the role of the job"


class AwsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where AWS is asked. `endpoint` is left out, except for an interface endpoint of a VPC.

    Credentials are found as every AWS tool finds them: AWS_ variables, a profile, the role of the job or container.
    """

    region: str
    endpoint: str = ""
    request_seconds: float = REQUEST_SECONDS


class AwsService(msgspec.Struct, frozen=True, kw_only=True):
    """A service of AWS: its name in addresses and signatures, and what stands before an action's name."""

    name: str
    target: str


ECS = AwsService(name="ecs", target="AmazonEC2ContainerServiceV20141113")
CODEDEPLOY = AwsService(name="codedeploy", target="CodeDeploy_20141006")


class Aws:
    """One service in one region. `next_steps` says what to do about an error by the name AWS gives it."""

    def __init__(self, service: AwsService, settings: AwsSettings, *, next_steps: Mapping[str, str]) -> None:
        if importlib.util.find_spec("botocore") is None:
            raise SettingsInvalid(
                "botocore is not installed: without it no request to AWS can be signed",
                next_step="install the extra: pip install 'streampay-smoke[aws]'",
            )
        suffix = "amazonaws.com.cn" if settings.region.startswith(_CHINA) else "amazonaws.com"
        address = settings.endpoint or f"https://{service.name}.{settings.region}.{suffix}"
        self._service = service
        self._region = settings.region
        self._address = checked_address("endpoint", address)
        self._credentials: Any = None
        self._frozen: Any = None
        self.api = EngineApi(
            f"the API of AWS {service.name}",
            Client(base_url=self._address, timeout_seconds=settings.request_seconds),
            credentials=self._signed,
            passes=lambda reply: reply.status in PASSING or bool(_PASSING_KINDS.match(_kind(reply))),
            kind_of=_kind,
            next_steps={
                "AccessDeniedException": "give the role the permissions in docs/hooks.md",
                "ExpiredTokenException": EXPIRED,
                "UnrecognizedClientException": EXPIRED,
                "InvalidSignatureException": f"{EXPIRED}, and compare this machine's clock",
                **next_steps,
            },
        )

    def act(self, action: str, given: Mapping[str, Any], shape: type[T], *, within: Deadline) -> T:
        """Ask for one action; raises as `EngineApi.ask` does."""
        self._frozen = self._fresh_credentials(within)
        headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": f"{self._service.target}.{action}"}
        return self.api.shaped(self.api.ask("POST", "/", within=within, body=given, headers=headers), shape)

    def _fresh_credentials(self, within: Deadline) -> Any:
        """Return credentials that have not ended, got in a thread: some ways to them wait for the network."""
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.session import Session

        got: list[Any] = []

        def get() -> None:
            try:
                self._credentials = self._credentials or Session().get_credentials()
                got.append(self._credentials.get_frozen_credentials() if self._credentials else None)
            except (BotoCoreError, ClientError) as error:
                got.append(error)

        worker = threading.Thread(target=get, daemon=True, name="aws-credentials")
        worker.start()
        worker.join(max(within.left_seconds(), 0.0))
        if not got or got[0] is None:
            raise HookFailed(
                f"no credentials for AWS were found{'' if got else ' in time'}",
                next_step="give the job a role (OIDC, container or instance), or AWS_ACCESS_KEY_ID and its companions",
            )
        if isinstance(got[0], Exception):
            raise HookFailed(
                f"the credentials for AWS could not be got: {type(got[0]).__name__}",
                next_step="see which profile or role this job has, and whether it may be assumed",
            )
        return got[0]

    def _signed(self, request: EngineRequest) -> Credentials:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        headers = {name: request.headers[name] for name in ("content-type", "x-amz-target")}
        unsigned = AWSRequest(method="POST", url=f"{self._address}/", data=request.content, headers=headers)
        SigV4Auth(self._frozen, self._service.name, self._region).add_auth(unsigned)
        added = {name.lower(): value for name, value in unsigned.headers.items() if name.lower() not in headers}
        _, _, signature = added["authorization"].rpartition("Signature=")  # the rest is names, some of AWS's errors
        secrets = (self._frozen.secret_key, self._frozen.token or "", signature)
        return Credentials(headers=added, secrets=secrets)


def _kind(reply: Reply) -> str:
    """Return the name AWS gives an error, such as ClusterNotFoundException."""
    try:
        body = msgspec.json.decode(reply.content)
    except msgspec.DecodeError:
        body = None
    name = str(body.get("__type", "")) if isinstance(body, dict) else ""
    return name.rpartition("#")[2].partition(":")[0]
