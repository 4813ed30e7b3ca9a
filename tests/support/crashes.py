"""Kills runs of the gate at any moment, looks at what they leave, and audits the ledger they paid on."""

import itertools
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from gate_watch import Watched
from suite_parts import Project, Ran

from streampay_sandbox.proxy import Forward, ProxiedRequest, SubstituteAnswer
from streampay_sandbox.stack import Sandbox
from streampay_smoke.acceptance.observations.listing import LARGEST_PAGE, pages_of
from streampay_smoke.acceptance.resources.contract_streams import FINAL_STATUSES
from streampay_smoke.acceptance.resources.synthetic_streams import FINISHED
from streampay_smoke.acceptance.run_context import RunContext
from streampay_smoke.chain.contract import StreamContract, StreamEvent
from streampay_smoke.chain.stellar import StellarAdapter
from streampay_smoke.core.contract_profiles import PROFILES
from streampay_smoke.core.networks import ALLOWED
from streampay_smoke.evidence.events import Interrupted, RunFinished
from streampay_smoke.evidence.journal import read
from streampay_smoke.gate.judge import judge
from streampay_smoke.gate.verdict import Verdict, VerdictStatus, from_json, to_json
from streampay_smoke.run.folder import RunFolder
from streampay_smoke.settings import load

VICTIMS = ("behave", "supervisor", "the whole group", "behave, unsupervised")
TAGS = "@smoke and not @wallet and not @access and not @throttling and not @throttling-evasion"
"""All but sign-ins, good or bad, and what uses a limit up: runs beside each other share the limits of one address."""
RUN_SECONDS = 600.0
"""A machine that is full of other work takes its time, and killed runs are not about that."""
SETTLEMENTS = frozenset({"settled", "withdrawn"})


class Kill(msgspec.Struct, frozen=True, kw_only=True):
    """One kill: of whom, and when.

    `after_lines` is how much of the journal has to be written, and `after_seconds` how much later the kill comes.
    `faulty` says that the next run meets a release that is broken, `neighbour` that another run goes on meanwhile.
    """

    number: int
    victim: str
    after_lines: int
    after_seconds: float
    faulty: bool
    neighbour: bool


class Crash(msgspec.Struct, frozen=True, kw_only=True):
    """What a kill hit, what was left, and what came after: the answers of the next run and of one beside it.

    `problems` are what must not be, in words.
    """

    kill: Kill
    hit: bool
    left: str
    lines: int
    next_run: str
    neighbour: str
    problems: tuple[str, ...]


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """What a ledger tells of all streams since it began. Streams by id; amounts are stroops."""

    streams: int
    direct_streams: int
    paid_streams: int
    paid_stroops: int
    paid_twice: tuple[int, ...]
    unexplained_transfers: tuple[str, ...]
    missing_stroops: int
    direct_streams_left: dict[int, str]
    service_streams_left: dict[str, str]
    unpaid_and_ended_by_the_service: int


def kills(*, seed: int, lines: int) -> Iterator[Kill]:
    """Yield kills without end, spread over a run whose journal grows to so many lines: its start and its end too."""
    for number in itertools.count():
        dice = random.Random(f"{seed}/{number}")
        part = dice.random()
        after_lines = 0 if part < 0.15 else lines if part > 0.9 else dice.randrange(1, lines)
        yield Kill(
            number=number,
            victim=VICTIMS[number % len(VICTIMS)],
            after_lines=after_lines,
            after_seconds=dice.uniform(0, 1.5) if part < 0.15 else dice.uniform(0, 0.05),
            faulty=dice.random() < 0.25,
            neighbour=dice.random() < 0.2,
        )


def broken(passing: ProxiedRequest) -> SubstituteAnswer | Forward:
    """Answer in the place of a release that cannot list or create streams."""
    if passing.path.startswith("/api/streams"):
        return SubstituteAnswer(status=500, text="Internal Server Error", content_type="text/plain")
    return Forward()


class Scene:
    """One sandbox that all runs share, and below `folder` a project of killed runs and one of their neighbours.

    Every kill has a user of its own, for the service limits what a user may do in a minute: the synthetic user
    follows from the name of the place.
    """

    def __init__(self, sandbox: Sandbox, faulty_url: str, folder: Path, *, tags: str = TAGS) -> None:
        self.sandbox = sandbox
        self._tags = tags
        self._faulty_url = faulty_url
        self._environ = {**sandbox.ready_document()["env"], "SMOKE_AUTH_MODE": "jwt"}
        for name in ("project", "neighbours"):
            (folder / name).mkdir()
        self.project = Project(folder / "project", self._environ, run_seconds=RUN_SECONDS)
        self.neighbours = Project(folder / "neighbours", self._environ, run_seconds=RUN_SECONDS)

    def healthy(self, name: str) -> Ran:
        """Play a whole run as the user called `name`."""
        return self.project.smoke("--env", self._place(self.project, name), "--tags", self._tags)

    def crash(self, kill: Kill) -> Crash:
        """Kill a run, look at what it left, run again, and sweep."""
        place = self._place(self.project, f"crash-{kill.number}")
        command = ("behave",) if "unsupervised" in kill.victim else ("streampay_smoke", "run")
        neighbour = self._neighbour(kill)
        with Watched(self.project, *command, f"--tags={self._tags}", SMOKE_ENV=place) as watched:
            hit = self._struck(watched, kill)
            watched.wait(RUN_SECONDS)
            folder, lines = watched.folder, watched.lines
        left, problems = _left(folder, hit=hit)
        problems += [f"latest: {problem}" for problem in _latest_is_wrong(self.project)]
        beside = ""
        if neighbour is not None:
            with neighbour:
                code = neighbour.wait(RUN_SECONDS)
            beside = "PASS" if code == 0 else f"exit code {code}"
            if code != 0:
                problems.append(f"the neighbour ended with {code}: {neighbour.output[-800:]}")
        word = self._next_run(place, kill, problems)
        swept = self.project.answer("sweep", "--env", place, "--older-than", "0")
        if swept.returncode != 0:
            problems.append(f"the sweep ended with {swept.returncode}: {swept.stdout[-800:]}{swept.stderr[-800:]}")
        return Crash(
            kill=kill,
            hit=hit,
            left=left,
            lines=lines,
            next_run=word,
            neighbour=beside,
            problems=tuple(problems),
        )

    def _struck(self, watched: Watched, kill: Kill) -> bool:
        """Kill the victim at its moment; False when the run had ended by then."""

        def victims() -> list[int]:
            pids = watched.pids()
            if kill.victim == "behave":
                return [pid for pid, line in pids.items() if " -m behave " in line]
            return list(pids) if kill.victim == "the whole group" else [watched.process.pid]

        watched.wait_until(lambda: watched.lines >= kill.after_lines and bool(victims()))
        watched.wait_until(lambda: False, within_seconds=kill.after_seconds)
        return watched.kill(*victims())

    def _neighbour(self, kill: Kill) -> Watched | None:
        if not kill.neighbour:
            return None
        place = self._place(self.neighbours, f"beside-{kill.number}")
        return Watched(self.neighbours, "streampay_smoke", "run", "--env", place, "--tags", self._tags)

    def _next_run(self, place: str, kill: Kill, problems: list[str]) -> str:
        changes = {"SMOKE_BASE_URL": self._faulty_url} if kill.faulty else {}
        ran = self.project.smoke("--env", place, "--tags", self._tags, **changes)
        expected = (1, VerdictStatus.FAIL) if kill.faulty else (0, VerdictStatus.PASS)
        if (ran.code, ran.verdict.verdict) != expected:
            problems.append(f"the next run ended with {ran.code} {ran.verdict.message_long}")
        return str(ran.verdict.verdict)

    def _place(self, project: Project, name: str) -> str:
        places = project.folder / "environments"
        (places / f"{name}.toml").write_text((places / "sandbox.toml").read_text())
        return name

    def left_at_the_service(self, numbers: Sequence[int]) -> dict[str, str]:
        """Return the unfinished streams of these kills' users, each with its status."""
        left: dict[str, str] = {}
        for name in (name for number in numbers for name in (f"crash-{number}", f"beside-{number}")):
            project = self.project if name.startswith("crash") else self.neighbours
            if not (project.folder / "environments" / f"{name}.toml").exists():
                continue
            settings = load({"SMOKE_ENV": name}, environ=self._environ, root=project.folder)
            shared = RunContext(settings, record=lambda event: None, learn_secret=lambda text: None, run_id="audit")
            for page in pages_of(shared.deployment, shared.credential, page_size=LARGEST_PAGE):
                left |= {stream.id: stream.status for stream in page.streams if stream.status not in FINISHED}
            shared.close()
        return left

    def audit(self, numbers: Sequence[int]) -> Audit:
        """Read the whole ledger by its own interface, and the books of the service."""
        ready = self.sandbox.ready_document()
        adapter = StellarAdapter(
            ALLOWED["sandbox"],
            rpc_url=self.sandbox.rpc_url,
            friendbot_url=self.sandbox.friendbot_url,
            record=lambda event: None,
        )
        contract = StreamContract(adapter, ready["contract_id"], PROFILES["streampay-stream"])
        try:
            operator = self.sandbox._treasury.operator_address
            return _audited(adapter, contract, operator, self.left_at_the_service(numbers))
        finally:
            adapter.close()


def _audited(
    adapter: StellarAdapter, contract: StreamContract, operator: str, service_streams_left: dict[str, str]
) -> Audit:
    first = adapter.health().oldest_ledger
    by_stream: dict[int, list[StreamEvent]] = defaultdict(list)
    by_tx: dict[str, StreamEvent] = {}
    for event in contract.stream_events(first):
        by_stream[event.stream_id].append(event)
        if event.name in SETTLEMENTS | {"cancelled"}:
            by_tx[event.tx_hash] = event
    made = {stream_id: events[0] for stream_id, events in by_stream.items() if events[0].name == "created"}
    payouts: Counter[int] = Counter()
    paid_stroops, unexplained = 0, []
    outgoing = adapter.events(
        since_ledger=first, contract_ids=[contract.token], topics=["transfer", contract.contract_id]
    )
    for transfer in outgoing:
        cause = by_tx.get(transfer.tx_hash)
        owner = None if cause is None else made.get(cause.stream_id)
        to = transfer.topics[2]
        if cause is None or owner is None or to not in {owner.fields["recipient"], owner.fields["payer"]}:
            unexplained.append(f"{transfer.data} to {to} in {transfer.tx_hash}")
        elif to == owner.fields["recipient"]:
            payouts[cause.stream_id] += 1
            paid_stroops += _amount(transfer.data)
    escrow, direct_left, unpaid = 0, {}, 0
    for stream_id, event in made.items():
        state = contract.stream(stream_id)
        if state.status in FINAL_STATUSES:
            continue
        escrow += state.total_stroops - state.released_stroops
        if event.fields["payer"] == operator:
            unpaid += 1
        else:
            direct_left[stream_id] = state.status
    return Audit(
        streams=len(made),
        direct_streams=sum(event.fields["payer"] != operator for event in made.values()),
        paid_streams=len(payouts),
        paid_stroops=paid_stroops,
        paid_twice=tuple(sorted(stream_id for stream_id, times in payouts.items() if times > 1)),
        unexplained_transfers=tuple(unexplained),
        missing_stroops=escrow - adapter.balance(contract.contract_id),
        direct_streams_left=direct_left,
        service_streams_left=service_streams_left,
        unpaid_and_ended_by_the_service=unpaid,
    )


def _amount(data: object) -> int:
    found = data["amount"] if isinstance(data, dict) else data
    assert isinstance(found, int)
    return found


def _left(path: Path | None, *, hit: bool) -> tuple[str, list[str]]:
    """Return what a killed run left, in words, and what of it must not be."""
    if path is None:
        return "no folder yet", []
    folder = RunFolder.existing(path)
    try:
        written = from_json(folder.verdict_path.read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        return "no verdict", [f"{path.name} has no verdict: {error}"]
    journal = read(folder.journal_path)
    told = judge(journal)
    kinds = {type(entry.event) for entry in journal.entries}
    complete = RunFinished in kinds and Interrupted not in kinds
    problems = []
    if journal.tampered_at:
        problems.append(f"the journal is broken at line {journal.tampered_at}")
    if not complete and VerdictStatus.PASS in {written.verdict, told.verdict}:
        problems.append(f"a killed run says {written.verdict}, and its journal {told.verdict}")
    if not _agree(written, told):
        problems.append(f"the verdict says {written.message_long!r}, the journal {told.message_long!r}")
    if not hit:
        return f"it had ended: {written.verdict}", problems
    if complete:
        return f"killed after its evidence was complete: {written.verdict}", problems
    return f"killed before: {written.verdict} ({written.reason_code})", problems


def _agree(written: Verdict, told: Verdict) -> bool:
    """Whether a verdict is the journal's, or the one from before the journal was judged: nothing is proved yet."""
    return to_json(written) == to_json(told) or (written.verdict is not VerdictStatus.PASS and not written.checks)


def _latest_is_wrong(project: Project) -> Iterator[str]:
    artifacts = project.folder / "artifacts"
    link = artifacts / "latest"
    if not artifacts.is_dir() or not any(path.is_dir() and not path.is_symlink() for path in artifacts.iterdir()):
        return
    if not link.is_symlink() or not link.exists():
        yield "it leads nowhere"
        return
    if link.resolve().parent != artifacts.resolve():
        yield f"it leads to {link.resolve()}"
    elif not (link / "verdict.json").is_file():
        yield "it leads to a folder without a verdict"
