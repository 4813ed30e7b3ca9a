"""Whose fault the gate says it is, against whose it was made to be: a confusion matrix over labelled disturbances.

Each story starts a sandbox of its own, disturbs it in one way, and runs the gate against it as a process.

    .venv/bin/python benchmarks/attribution_matrix.py [--quick] [--write]

`--quick` plays a part of the stories, `--write` writes docs/attribution.md. Ends with 1 when the gate called the
ledger, the runner or the suite a fault of the release (a false rollback), or called a faulty release good.
"""

import contextlib
import re
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from suite_parts import Project  # noqa: E402

from streampay_smoke.gate.verdict import Verdict  # noqa: E402
from streampay_smoke.sandbox.faults import FAULTS as SANDBOX_FAULTS  # noqa: E402
from streampay_smoke.sandbox.road import (  # noqa: E402
    Disturbance,
    Forward,
    Passing,
    Proxy,
    Reply,
    burst,
    gateway,
    hang_up,
    undisturbed,
)
from streampay_smoke.sandbox.stack import start_sandbox  # noqa: E402

ANSWERS = ("none", "product", "dependency", "harness", "config", "safety")
NOT_THE_RELEASE = frozenset({"dependency", "harness"})
PAGE = ROOT / "docs" / "attribution.md"
AT_ONCE = 2
DEADLINE_SECONDS = "85"
OLD, NEW = "the-old-one", "sandbox"


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """One labelled disturbance. `stable` disturbs a second way to the same sandbox, the stable release."""

    name: str
    truth: str
    about: str = ""
    faults: tuple[str, ...] = ()
    disturb: Disturbance = undisturbed
    stable: Disturbance | None = None
    environ: Mapping[str, str] = {}
    place: Mapping[str, object] = {}
    tags: str = "@smoke"
    quick: bool = False
    silent: bool = False


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate made of a story."""

    story: Story
    word: str
    answer: str
    reason_code: str
    rules: str
    seconds: float


def fault(name: str, truth: str, *, quick: bool = False, **environ: str) -> Story:
    return Story(name=name, truth=truth, about=SANDBOX_FAULTS[name].story, faults=(name,), quick=quick, environ=environ)


def streams_are(reply: Reply) -> Disturbance:
    def disturb(passing: Passing) -> Reply | Forward:
        return reply if passing.path.startswith("/api/streams") else Forward()

    return disturb


def old_release(numbers: range) -> Disturbance:
    return lambda passing: Forward(headers={"x-release": OLD}) if passing.number in numbers else Forward()


def stale_replica(passing: Passing) -> Forward:
    return Forward(headers={"x-release": OLD}) if passing.connection % 3 == 2 else Forward()


def error(status: int, code: str) -> Reply:
    body = f'{{"error": {{"code": "{code}", "message": "m"}}}}'
    return Reply(status=status, text=body, content_type="application/json")


PRODUCT_FAULTS = (
    "settle-lies",
    "settle-pays-twice",
    "settle-pays-other-recipient",
    "settle-pays-less",
    "settle-old-transaction",
    "settle-failed-but-ended",
    "settle-receipt-differs",
    "record-not-settled",
    "replay-pays-again",
    "key-answers-for-other-stream",
    "create-repeats",
    "list-open",
    "list-accepts-junk",
    "list-accepts-expired",
    "list-accepts-foreign",
    "list-accepts-alg-none",
    "list-leaks-others",
    "list-leaks-private",
    "list-pages-wrong",
    "list-wrong-shape",
    "ready-lies-html",
    "ready-login-page",
    "ready-proxy-welcome",
    "ready-empty-json",
    "ready-degraded-but-200",
    "ready-never",
    "half-broken",
    "every-url-500",
    "csrf-shut",
    "contract-other-interface",
    "contract-pays-twice",
    "contract-pays-less",
    "contract-pays-other",
)
DEPENDENCY_FAULTS = (
    "rpc-dead",
    "rpc-429",
    "rpc-503-json",
    "rpc-html",
    "rpc-hangs",
    "friendbot-500",
    "friendbot-already-funded",
    "ledger-stalled",
)
HARMLESS_FAULTS = (
    "rpc-bad-seq-once",
    "rpc-insufficient-fee-once",
    "rpc-try-again-later",
    "rpc-duplicate",
    "archived-entry-once",
)
QUICK = frozenset({"settle-lies", "list-open", "every-url-500", "rpc-dead", "friendbot-500", "rpc-duplicate"})

SILENCE = (gateway(502), gateway(503), hang_up(), gateway(504), hang_up())
JWT = {"SMOKE_AUTH_MODE": "jwt"}
OLD_KEY = {"SMOKE_AUTH_MODE": "api-key", "SMOKE_API_KEY": "a-key-that-was-rotated"}
API_KEY = {"SMOKE_AUTH_MODE": "api-key"}
BROKEN = Reply(status=500, text="Internal Server Error", content_type="text/plain")

STORIES = (
    Story(name="healthy", truth="none", about="nothing is wrong", quick=True),
    *(fault(name, "product", quick=name in QUICK) for name in PRODUCT_FAULTS),
    *(fault(name, "dependency", quick=name in QUICK) for name in DEPENDENCY_FAULTS),
    *(fault(name, "none", quick=name in QUICK) for name in HARMLESS_FAULTS),
    Story(name="slow", truth="none", about=SANDBOX_FAULTS["slow"].story, faults=("slow",), tags="@readiness"),
    fault("contract-missing", "config"),
    fault("ready-names-mainnet", "safety", quick=True),
    fault("network-public", "safety"),
    fault("network-unknown", "safety"),
    fault("release-stale", "product", SMOKE_EXPECT_RELEASE=NEW),
    Story(name="cutover before ready", truth="none", about="502, 503, 504 and resets at first", disturb=burst(SILENCE)),
    Story(
        name="cutover in reads",
        truth="none",
        about="the same in the middle of a journey, on GET",
        disturb=burst(SILENCE, path="/api/v2/streams", method="GET", after=1),
        quick=True,
    ),
    Story(
        name="cutover in writes",
        truth="none",
        about="the same on POST with an idempotency key",
        disturb=burst(SILENCE, path="/api/streams", method="POST", after=1),
    ),
    Story(
        name="cutover in the sign-in",
        truth="none",
        about="the same on the sign-in",
        disturb=burst(SILENCE[:2], path="/api/auth/wallet", method="POST"),
    ),
    Story(
        name="slow network", truth="none", about="0.2 s on every request", disturb=lambda passing: Forward(seconds=0.2)
    ),
    Story(
        name="cold start",
        truth="none",
        about="the first answers take 1 s",
        disturb=lambda passing: Forward(seconds=1.0 if passing.number < 4 else 0.0),
    ),
    Story(
        name="propagation",
        truth="none",
        about="the old release answers at first",
        disturb=old_release(range(8)),
        environ={"SMOKE_EXPECT_RELEASE": NEW},
        place={"ready_within_seconds": 10},
        quick=True,
    ),
    Story(
        name="502 for ever",
        truth="product",
        about="no instance behind the gateway serves streams",
        disturb=streams_are(gateway(502)),
        quick=True,
    ),
    Story(
        name="hangs up for ever", truth="product", about="the process dies on each request", disturb=lambda _: hang_up()
    ),
    Story(
        name="one broken promise",
        truth="product",
        about="a single 500 of the service's own: it is not asked again",
        disturb=burst([error(500, "INTERNAL")], path="/api/streams"),
    ),
    Story(
        name="red beside a stable that is well",
        truth="product",
        about="streams answer 500 here, not there",
        disturb=streams_are(BROKEN),
        stable=undisturbed,
    ),
    Story(
        name="stable red in the same way",
        truth="dependency",
        about="streams answer the same 500 on the stable release",
        disturb=streams_are(BROKEN),
        stable=streams_are(BROKEN),
        environ=JWT,
        tags="@streams or @readiness",
        quick=True,
    ),
    Story(
        name="stable not ready in the same way",
        truth="dependency",
        about="everything answers 500, here and there",
        disturb=lambda passing: BROKEN,
        stable=lambda passing: BROKEN,
        tags="@streams or @readiness",
    ),
    Story(
        name="stable red in another way",
        truth="product",
        about="500 here, a gateway's 404 there",
        disturb=streams_are(BROKEN),
        stable=streams_are(Reply(status=404)),
        environ=JWT,
    ),
    Story(
        name="expired credential",
        truth="config",
        about="an API key that was rotated, no stable release",
        environ=OLD_KEY,
        tags="@streams",
        quick=True,
    ),
    Story(
        name="expired credential, stable refuses it too",
        truth="config",
        about="the same beside a stable release",
        environ=OLD_KEY,
        stable=undisturbed,
        tags="@streams",
    ),
    Story(
        name="good credential, refused by the release alone",
        truth="product",
        about="the stable release accepts it",
        disturb=streams_are(error(401, "UNAUTHORIZED")),
        environ=API_KEY,
        stable=undisturbed,
        tags="@streams",
        quick=True,
    ),
    Story(
        name="dead name",
        truth="harness",
        about="the runner's DNS does not know the deployment",
        environ={"SMOKE_BASE_URL": "http://no-such-host.invalid"},
        tags="@streams or @readiness",
        quick=True,
    ),
    Story(
        name="silent host",
        truth="harness",
        about="the runner's packets are dropped",
        silent=True,
        place={"step_seconds": 0.5},
        tags="@streams or @readiness",
    ),
    Story(
        name="runner's RPC is dead",
        truth="dependency",
        about="the service is well, the gate's own RPC refuses",
        environ={"SMOKE_STELLAR_RPC_URL": "http://127.0.0.1:9"},
    ),
    Story(
        name="old release for ever",
        truth="product",
        about="the deploy never happened",
        disturb=old_release(range(10**9)),
        environ={"SMOKE_EXPECT_RELEASE": NEW},
        quick=True,
    ),
    Story(
        name="swapped release",
        truth="product",
        about="rolled back under the gate",
        disturb=old_release(range(12, 10**9)),
        environ={"SMOKE_EXPECT_RELEASE": NEW},
    ),
    Story(
        name="one stale replica of three",
        truth="product",
        about="a mixed fleet",
        disturb=stale_replica,
        environ={"SMOKE_EXPECT_RELEASE": NEW},
        place={"replicas": 3},
        tags="@readiness",
    ),
    Story(name="nothing selected", truth="config", about="a misspelt tag", tags="@smok", quick=True),
    Story(
        name="staging without a contract",
        truth="config",
        about="a variable is unset",
        environ={"SMOKE_ENV": "staging", "SMOKE_STELLAR_NETWORK": "testnet", "SMOKE_CONTRACT_ID": ""},
    ),
    Story(
        name="the public network",
        truth="safety",
        about="SMOKE_STELLAR_NETWORK=public",
        environ={"SMOKE_STELLAR_NETWORK": "public"},
    ),
)


@contextlib.contextmanager
def silent_host() -> Iterator[str]:
    """An address that takes packets and never answers: its queue of connections is full."""
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            caller = stack.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def play(story: Story) -> Told:
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        sandbox = stack.enter_context(start_sandbox(faults=story.faults))
        environ = dict(sandbox.ready_document()["env"])
        if story.disturb is not undisturbed:
            environ["SMOKE_BASE_URL"] = stack.enter_context(Proxy(sandbox.base_url, disturb=story.disturb)).url
        if story.stable is not None:
            environ["SMOKE_BASELINE_URL"] = stack.enter_context(Proxy(sandbox.base_url, disturb=story.stable)).url
        if story.silent:
            environ["SMOKE_BASE_URL"] = stack.enter_context(silent_host())
        project = Project(Path(folder), {**environ, **story.environ})
        _set_place(project, {"ready_within_seconds": 2, "cutover_seconds": 5, **story.place})
        ran = project.behave(f"--tags={story.tags}", SMOKE_DEADLINE_SECONDS=DEADLINE_SECONDS)
        return _told(story, ran.verdict, time.monotonic() - began)


def _set_place(project: Project, values: Mapping[str, object]) -> None:
    path = project.folder / "environments" / "sandbox.toml"
    text = path.read_text()
    for name, value in values.items():
        text = re.sub(rf"^{name} = .*\n", "", text, flags=re.MULTILINE)
        line = f"{name} = {value}\n"
        text = line + text if name == "step_seconds" else text.replace("[service]\n", f"[service]\n{line}", 1)
    path.write_text(text)


def _told(story: Story, verdict: Verdict, seconds: float) -> Told:
    rules = dict.fromkeys(check.rule for check in verdict.checks if check.rule)
    return Told(
        story=story,
        word=str(verdict.verdict),
        answer=verdict.attribution,
        reason_code=verdict.reason_code,
        rules=", ".join(rules),
        seconds=seconds,
    )


def matrix(told: Sequence[Told]) -> str:
    counts = Counter((each.story.truth, each.answer) for each in told)
    rows = ["| truth \\ answer | " + " | ".join(ANSWERS) + " |", "|---|" + "---:|" * len(ANSWERS)]
    for truth in ANSWERS:
        cells = (str(counts[truth, answer]) if counts[truth, answer] else "·" for answer in ANSWERS)
        rows.append(f"| {truth} | {' | '.join(cells)} |")
    return "\n".join(rows)


def accuracy(told: Sequence[Told]) -> str:
    right = sum(each.answer == each.story.truth for each in told)
    false_rollbacks = sum(each.answer == "product" for each in told if each.story.truth in {*NOT_THE_RELEASE, "none"})
    missed = sum(each.answer == "none" for each in told if each.story.truth != "none")
    return (
        f"{right} of {len(told)} right ({100 * right / len(told):.1f} %), {false_rollbacks} false rollbacks, "
        f"{missed} faults called good"
    )


def page(told: Sequence[Told]) -> str:
    rows = "".join(
        f"| {each.story.name} | {each.story.about} | {each.story.truth} | {each.answer} | {each.word} | "
        f"`{each.reason_code}` |\n"
        for each in told
    )
    return (
        "# Attribution, measured\n\n"
        "Whose fault the gate says it is, against whose it was made to be. Each row of the long table is one run of\n"
        "the gate, as a process, against a sandbox of its own that is disturbed in one way. Made by\n\n"
        "```\n.venv/bin/python benchmarks/attribution_matrix.py --write\n```\n\n"
        "which ends with 1 when the ledger, the runner or nothing at all was called the release's fault, or a fault\n"
        "was called good. The stories are chosen by us and played on a simulation: they show that each rule does\n"
        "what it says, not how often deployments fail in which way. Runs have a deadline of 85 s here: one that is\n"
        "ended by it is the suite's own trouble. The sandbox's faults of doors, browsers, errors and ownership are\n"
        "left out: each is played one by one in `tests/steps/test_doors_against_sandbox.py`. `slow` plays readiness\n"
        "only: at 3 s for each answer the whole smoke is ended by its deadline. The stories were known when the\n"
        "rules were written, and one rule (`ledger-failed-in-this-run`) was added after a run of this page called\n"
        "`ledger-stalled` the release's fault: new stories are the better test.\n\n"
        f"{accuracy(told)}.\n\n{matrix(told)}\n\n"
        "| story | what happens | truth | answer | verdict | reason code |\n|---|---|---|---|---|---|\n" + rows
    )


def main(arguments: Sequence[str]) -> int:
    unknown = set(arguments) - {"--quick", "--write"}
    if unknown:
        print(f"unknown: {', '.join(sorted(unknown))}; use --quick, --write", file=sys.stderr)
        return 2
    chosen = [story for story in STORIES if story.quick or "--quick" not in arguments]
    told = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for each in pool.map(play, chosen):
            told.append(each)
            sign = " " if each.answer == each.story.truth else "!"
            said = f"{each.word} {each.answer} {each.reason_code} [{each.rules}]"
            print(f"{sign} {each.story.name}: {each.story.truth} -> {said}, {each.seconds:.1f} s", flush=True)
    print(f"\n{matrix(told)}\n\n{accuracy(told)}")
    if "--write" in arguments:
        PAGE.write_text(page(told), encoding="utf-8")
    wrong = [
        each
        for each in told
        if (each.answer == "product" and each.story.truth in {*NOT_THE_RELEASE, "none"})
        or (each.answer == "none" and each.story.truth != "none")
    ]
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
