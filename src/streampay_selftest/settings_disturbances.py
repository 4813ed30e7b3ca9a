"""Settings that contradict what answers: the gate is set up wrongly, and that says nothing of the release."""

from streampay_sandbox.fault import Severity, Truth
from streampay_sandbox.ledger.stellar_asset_contract import native_contract_id
from streampay_sandbox.proxy import SubstituteAnswer
from streampay_selftest.case import Case
from streampay_selftest.conditions import another_contract_id, environment_text, file, proxy, setting, stable
from streampay_selftest.proxy_behaviours import everywhere, old_release
from streampay_selftest.proxy_faults import IMPATIENT, LOGIN, SPA
from streampay_smoke.core.networks import ALLOWED

DISTURBANCE = Severity.DISTURBANCE
CONFIG = Truth.CONFIG

ELSEWHERE = SubstituteAnswer(status=301, headers={"location": "http://127.0.0.1:9/api"})
ANOTHER_SERVICE = SubstituteAnswer(
    status=200, text='{"status": "UP", "service": "billing"}', content_type="application/json"
)
BACKEND = SubstituteAnswer(status=404, text='{"error": "Not found"}', content_type="application/json")
LOGIN_PAGE = SubstituteAnswer(status=200, text="<!doctype html><html><title>Sign in</title></html>")

ADDRESSES = {
    "a port that is no number": "http://127.0.0.1:eighty",
    "a port that is too great": "http://127.0.0.1:99999",
    "a query": "http://127.0.0.1:9/?debug=1",
    "a fragment": "http://127.0.0.1:9/#top",
    "no scheme": "127.0.0.1:9",
    "a scheme of another kind": "ftp://127.0.0.1:9",
}
DOTENV_FILES: dict[str, str | bytes] = {
    "bytes that are no UTF-8": b"SMOKE_REGION=Z\xfcrich\n",
    "a line that is no assignment": "SMOKE_REGION eu-west-1\n",
    "a quotation mark that is never closed": 'SMOKE_REGION="eu-west-1\n',
    "a merge conflict": "<<<<<<< HEAD\nSMOKE_REGION=eu\n=======\n",
}
TAG_EXPRESSIONS = {
    "a bracket that is never closed": "@smoke and (@streams",
    "two operators in a row": "@smoke and or @streams",
}
TESTNET_TOKEN = native_contract_id(ALLOWED["testnet"].passphrase)
SERVICE_LINKS = {
    "SMOKE_SERVICE_HOST": "10.0.0.7",
    "SMOKE_SERVICE_PORT": "80",
    "SMOKE_SERVICE_PORT_HTTP": "80",
    "SMOKE_PORT": "tcp://10.0.0.7:80",
    "SMOKE_PORT_80_TCP": "tcp://10.0.0.7:80",
    "SMOKE_PORT_80_TCP_PROTO": "tcp",
    "SMOKE_PORT_80_TCP_PORT": "80",
    "SMOKE_PORT_80_TCP_ADDR": "10.0.0.7",
}

SETTINGS_DISTURBANCES = (
    Case(
        name="a redirect to a login page",
        story="operations: an access proxy stands before the release",
        severity=DISTURBANCE,
        truth=CONFIG,
        conditions=(IMPATIENT, proxy(lambda: everywhere(LOGIN))),
    ),
    Case(
        name="a redirect to another host",
        story="operations: the old name forwards to a new one",
        severity=DISTURBANCE,
        truth=CONFIG,
        conditions=(IMPATIENT, proxy(lambda: everywhere(ELSEWHERE))),
    ),
    Case(
        name="the application's index answers everywhere",
        story="incident X26: an application that never reached its backend",
        severity=DISTURBANCE,
        truth=CONFIG,
        conditions=(IMPATIENT, proxy(lambda: everywhere(SubstituteAnswer(status=200, text=SPA)))),
    ),
    Case(
        name="another service behind the name",
        story="operations: the name leads to another team's service",
        severity=DISTURBANCE,
        truth=CONFIG,
        conditions=(IMPATIENT, proxy(lambda: everywhere(ANOTHER_SERVICE))),
    ),
    Case(
        name="the old release for ever",
        story="incident X10: the deploy never happened, and the smoke was green for every push",
        severity=DISTURBANCE,
        truth=CONFIG,
        conditions=(IMPATIENT, proxy(lambda: everywhere(old_release()))),
    ),
    Case(
        name="a login page on every path",
        story="operations: the address is behind a single sign-on that lets the runner see nothing",
        severity=DISTURBANCE,
        truth=CONFIG,
        conditions=(IMPATIENT, proxy(lambda: everywhere(LOGIN_PAGE))),
    ),
    Case(
        name="a StreamPay backend where the web app is expected",
        story="measured: the Express backend answers 404 as JSON wherever the app-v1 dialect asks",
        severity=DISTURBANCE,
        truth=CONFIG,
        conditions=(IMPATIENT, proxy(lambda: everywhere(BACKEND))),
    ),
    Case(
        name="an expected release whose id is of another kind",
        story="operations: --expect-release is a commit, the deployment tells a build id",
        severity=DISTURBANCE,
        truth=CONFIG,
        conditions=(IMPATIENT, setting(SMOKE_EXPECT_RELEASE="4b07bac0f6e34f0ab5a8c1a4a6b7de0f0d6f7a10")),
    ),
    Case(
        name="a mistyped port, and the expected release is where the stable one should be",
        story="operations: the two addresses of a blue-green deployment were mixed up, or a port was mistyped",
        severity=DISTURBANCE,
        truth=CONFIG,
        conditions=(IMPATIENT, setting(SMOKE_BASE_URL="http://127.0.0.1:9"), stable()),
    ),
    Case(
        name="a contract profile in place of the environment's",
        story="operations: SMOKE_CONTRACT_PROFILE was left over from the early contract",
        severity=DISTURBANCE,
        truth=CONFIG,
        conditions=(setting(SMOKE_CONTRACT_PROFILE="streampay-contracts"),),
        features=("ledger",),
    ),
    Case(
        name="another stream contract's id",
        story="operations: SMOKE_CONTRACT_ID was copied from another environment on the same network",
        severity=DISTURBANCE,
        truth=CONFIG,
        conditions=(another_contract_id,),
    ),
    Case(
        name="another stream contract's id, and a stable release",
        story="operations: the same, and the stable release works with the contract of the release, too",
        severity=DISTURBANCE,
        truth=CONFIG,
        conditions=(another_contract_id, stable()),
    ),
    Case(
        name="another stream contract's id, and the service names its own",
        story="operations: the same, and readiness names the contract that the service works with",
        severity=DISTURBANCE,
        truth=CONFIG,
        faults=("ready-names-contract",),
        conditions=(another_contract_id,),
    ),
    Case(
        name="a release with another contract, and no stable release",
        story="operations: a wrong setting of the release and one of the gate look alike: hold",
        severity=DISTURBANCE,
        truth=CONFIG,
        faults=("contract-id-wrong",),
    ),
    Case(
        name="another contract's id as the token's",
        story="operations: SMOKE_TOKEN_CONTRACT_ID was copied from another network",
        severity=DISTURBANCE,
        truth=CONFIG,
        conditions=(setting(SMOKE_TOKEN_CONTRACT_ID=TESTNET_TOKEN),),
        features=("readiness",),
    ),
    Case(
        name="a network whose name is misspelt",
        story="operations: SMOKE_STELLAR_NETWORK=pubic, a typing error and no attempt to move money",
        severity=DISTURBANCE,
        truth=CONFIG,
        conditions=(setting(SMOKE_STELLAR_NETWORK="pubic"),),
        features=("readiness",),
    ),
    *(
        Case(
            name=f"an address with {what}",
            story="operations: what people type and paste",
            severity=DISTURBANCE,
            truth=CONFIG,
            conditions=(setting(SMOKE_BASE_URL=address),),
            features=("readiness",),
        )
        for what, address in ADDRESSES.items()
    ),
    *(
        Case(
            name=f"a .env file with {what}",
            story="operations: an editor, a template or a merge left it so",
            severity=DISTURBANCE,
            truth=CONFIG,
            conditions=(file(".env", content),),
            features=("readiness",),
        )
        for what, content in DOTENV_FILES.items()
    ),
    Case(
        name="a .env file with the line endings of Windows",
        story="operations: it was written with Notepad",
        severity=DISTURBANCE,
        truth=Truth.NONE,
        conditions=(file(".env", "# a note\r\nSMOKE_REGION=eu-west-1\r\n"),),
        features=("readiness",),
    ),
    *(
        Case(
            name=f"a tag expression with {what}",
            story="operations: typed by hand",
            severity=DISTURBANCE,
            truth=CONFIG,
            tags=expression,
        )
        for what, expression in TAG_EXPRESSIONS.items()
    ),
    Case(
        name="an environment that has no file",
        story="operations: SMOKE_ENV is misspelt",
        severity=DISTURBANCE,
        truth=CONFIG,
        conditions=(setting(SMOKE_ENV="stagin"),),
        features=("readiness",),
    ),
    Case(
        name="service links of Kubernetes",
        story="operations: a Service named smoke puts links of its own into every pod, told as what they are",
        severity=DISTURBANCE,
        truth=CONFIG,
        conditions=(setting(**SERVICE_LINKS),),
        features=("readiness",),
    ),
    Case(
        name="an environment file that names another network than the service",
        story="operations: service.network was copied from another environment",
        severity=DISTURBANCE,
        truth=CONFIG,
        conditions=(environment_text('network = "private"', 'network = "testnet"'),),
    ),
)
