"""`streampay-smoke`: run the gate, judge a journal again, build a report, serve the sandbox."""

import argparse
import math
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from streampay_smoke import __version__
from streampay_smoke import settings as configuration
from streampay_smoke.core import times
from streampay_smoke.core.errors import SettingsInvalid, SmokeError
from streampay_smoke.core.progress_line import told_while
from streampay_smoke.core.standard_streams import open_standard_streams
from streampay_smoke.gate.verdict import EXIT_CODES, STATUS_WITHOUT_RUN, VerdictStatus
from streampay_smoke.run.detail import Detail
from streampay_smoke.run.output import outlasting_output
from streampay_smoke.settings.options import OPTIONS, add_options, given_options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    open_standard_streams()
    chosen = _parser().parse_args(arguments)
    with outlasting_output():
        try:
            return int(chosen.command(chosen))
        except SmokeError as error:
            _say_why(error)
            return EXIT_CODES[VerdictStatus.CONFIG]
        except Exception:  # noqa: BLE001 - whatever it is: Python would exit with 1, which blames the release
            traceback.print_exc()
            return int(chosen.broken)


def run(chosen: argparse.Namespace) -> int:
    """Play the features and answer with the verdict's exit code."""
    # Imported here, and as late as can be: behave's process needs more, and starts only once this one is ready.
    if chosen.list:
        from streampay_smoke.operations.listing import print_listing

        return print_listing(given_options(chosen), chosen.paths)
    from streampay_smoke.operations.run import run as played

    return played(given_options(chosen), chosen.paths, chosen.detail)


def canary(chosen: argparse.Namespace) -> int:
    """Compare a candidate with the stable release on the same journeys; 1 only where it is proved worse."""
    from streampay_smoke.operations.run import compare

    return compare(given_options(chosen), chosen.detail)


def judge(chosen: argparse.Namespace) -> int:
    """Print the verdict on a journal and exit with its code; with --verify, only if it is the one that was signed."""
    from streampay_smoke.operations.verification import judge_again

    if chosen.verdict is not None and chosen.verify is None:
        print("--verdict needs --verify PUBLIC_KEY_OR_FILE", file=sys.stderr)
        return EXIT_CODES[VerdictStatus.CONFIG]
    return judge_again(chosen.journal, verify=chosen.verify, verdict=chosen.verdict, as_json=chosen.json)


def merge(chosen: argparse.Namespace) -> int:
    """Make one verdict from the runs of several regions, by a quorum rule; verify and judge each of them again."""
    from streampay_smoke.operations.merge import merge as merged

    return merged(
        chosen.artifacts,
        given_options(chosen),
        expected=chosen.expect,
        vantages=chosen.vantages,
        keys=chosen.verify,
        max_age_seconds=chosen.max_age,
    )


def report(chosen: argparse.Namespace) -> int:
    """Build the HTML report of a run again."""
    from streampay_smoke.operations.report import rebuild_report

    return rebuild_report(chosen.folder or configuration.load_evidence().artifacts / "latest")


def override(chosen: argparse.Namespace) -> int:
    """Override the verdict on a run that ended: break-glass, for a person who answers for it."""
    from streampay_smoke.operations.override import OverrideRefused
    from streampay_smoke.operations.override import override as overridden

    try:
        return overridden(
            chosen.folder,
            to=chosen.to,
            who=chosen.who,
            why=chosen.why,
            until=chosen.until,
            now_ms=times.now_ms(),
        )
    except OverrideRefused as error:
        _say_why(error)
        stands = error.verdict.verdict
        return EXIT_CODES[stands if stands is VerdictStatus.SAFETY else VerdictStatus.CONFIG]


def _say_why(error: SmokeError) -> None:
    """Say what went wrong, and what to do next where that is known."""
    print(f"{error}\nNext: {error.next_step}" if error.next_step else str(error), file=sys.stderr)


def _refused(error: SmokeError) -> int:
    """Say why a command did nothing; return its exit code."""
    _say_why(error)
    return EXIT_CODES[STATUS_WITHOUT_RUN[error.blame]]


def sweep(chosen: argparse.Namespace) -> int:
    """Bring to an end what crashed runs left in a deployment."""
    from streampay_smoke.operations.sweep import sweep_environment
    from streampay_smoke.run.output import redacted_output

    with redacted_output() as redactor:
        try:
            settings = configuration.load(given_options(chosen))
            return sweep_environment(settings, redactor, older_than_seconds=chosen.older_than, dry_run=chosen.dry_run)
        except SmokeError as error:  # it may repeat what a service answered
            return _refused(error)


def init(chosen: argparse.Namespace) -> int:
    """Make the files of a new environment: of what its service tells, and of what you answer."""
    from streampay_smoke.operations.init import Wanted
    from streampay_smoke.operations.init import init as initialised
    from streampay_smoke.run.output import redacted_output

    wanted = Wanted(
        name=chosen.name,
        base_url=chosen.base_url,
        given=tuple(chosen.set),
        yes=chosen.yes,
        force=chosen.force,
        create_kept_stream=chosen.create_kept_stream,
        engine=chosen.engine,
        gate=chosen.gate,
    )
    with redacted_output() as redactor:
        try:
            return initialised(wanted, redactor)
        except SmokeError as error:
            return _refused(error)


def doctor(chosen: argparse.Namespace) -> int:
    """Look at everything a run needs, one by one, and say what to do about each problem."""
    from streampay_smoke.operations import doctor as doctors
    from streampay_smoke.run.output import redacted_output

    with redacted_output() as redactor:
        looks = doctors.doctor(given_options(chosen), redactor)
        print(doctors.table(looks))
    return doctors.exit_code(looks)


def rollback(chosen: argparse.Namespace) -> int:
    """Put the release back that was live before a deploy, and prove that it is live and healthy."""
    from streampay_smoke.rollback.command import run as rolled_back
    from streampay_smoke.run.embedded import start_fleet

    return rolled_back(chosen, start_fleet)


def sandbox(chosen: argparse.Namespace) -> int:
    """Serve a StreamPay and a ledger on loopback until killed, and print the variables that point a run at them."""
    from streampay_smoke.run.embedded import serve_sandbox

    if chosen.list_faults:
        return _print_faults()
    if (chosen.engine == "host") != (chosen.contract is not None):
        raise SettingsInvalid(
            "--engine host and --contract FILE.wasm go together: models run themselves, the host runs code",
            next_step="give both, or neither",
        )
    serve_sandbox(
        port=chosen.port,
        rpc_port=chosen.rpc_port,
        ready_file=chosen.ready_file,
        close_seconds=chosen.close_time,
        faults=tuple(chosen.fault),
        rpc_version=chosen.rpc_version,
        contract_file=chosen.contract,
        contract_profile=chosen.contract_profile,
    )
    return 0


def _print_faults() -> int:
    from streampay_smoke.run.embedded import faults_of_the_sandbox

    for severity, faults in faults_of_the_sandbox().items():
        print(f"{severity}:")
        for name, story in faults.items():
            print(f"  {name}\n      {story}")
    return 0


def history(chosen: argparse.Namespace) -> int:
    """Show what earlier runs said, by environment and region: trend, flakes, false alarms, what changed."""
    from streampay_smoke.operations import history as histories

    with histories.opened(configuration.load_evidence()) as store:
        match chosen.to_do:
            case "mark":
                said = histories.mark(store, chosen.run, said=chosen.mark, why=chosen.why, who=chosen.who)
                print(f"{said.run_id} is marked {said.mark}")
            case "export":
                number = histories.export(store, chosen.file)
                print(f"exported: {number} lines", file=sys.stderr)
            case "import":
                number, new = histories.take_in(store, chosen.files)
                print(f"imported: {number} lines, {new} of them new")
            case _:
                selected = histories.Selected(environment=chosen.env, region=chosen.region, last=chosen.last)
                for line in histories.listed(store, selected, as_json=chosen.json):
                    print(line)
    return 0


def notify(chosen: argparse.Namespace) -> int:
    """Send a message that is marked as a test to everybody who is told verdicts, and say who took it."""
    from streampay_smoke.operations.notification import send_test

    return send_test(configuration.load_notifications(), page=chosen.page)


def serve(chosen: argparse.Namespace) -> int:
    """Answer for deploys over HTTP: one run for each, in the words of Argo Rollouts, Flagger and AWS."""
    from streampay_smoke.run.output import redacted_output
    from streampay_smoke.serve import command

    settings = command.load()
    if chosen.flagger_key is not None:
        print(command.key_for(settings, chosen.flagger_key))
        return 0
    with redacted_output() as redactor:
        redactor.learn(*(token.reveal() for token in settings.tokens))
        command.serve(
            settings, host=chosen.host, port=chosen.port, state=chosen.state_dir, concurrency=chosen.concurrency
        )
    return 0


def selftest(chosen: argparse.Namespace) -> int:
    """Play faults to catch and disturbances to blame on no release; 1 when a target is missed, 3 when stopped."""
    try:
        with told_while("reading the corpus"):  # it imports the whole sandbox
            from streampay_selftest.command import Wanted, selftest
    except ModuleNotFoundError as error:
        if error.name != "streampay_selftest":
            raise
        raise SettingsInvalid(
            "the selftest is not part of this installation", next_step="run it in a checkout of the project"
        ) from error
    return selftest(
        Wanted(
            full=chosen.full,
            every_case=chosen.every_case,
            only=tuple(chosen.only),
            seeds=chosen.seeds,
            jobs=chosen.jobs,
            list_only=chosen.list,
            json_file=chosen.json,
            write=chosen.write,
        )
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="streampay-smoke", description="The deploy gate for StreamPay.")
    parser.add_argument("--version", action="version", version=f"streampay-smoke {__version__}")
    parser.set_defaults(broken=EXIT_CODES[VerdictStatus.INCONCLUSIVE])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(commands.add_parser("run", help="play the features and judge the release", description=run.__doc__))

    _add_canary(commands.add_parser("canary", help="compare a candidate with stable", description=canary.__doc__))

    judging = commands.add_parser("judge", help="print the verdict on a journal again", description=judge.__doc__)
    judging.add_argument("journal", type=Path, metavar="JOURNAL", help="a run's folder, or its journal.jsonl")
    judging.add_argument(
        "--verify",
        metavar="PUBLIC_KEY_OR_FILE",
        help="print nothing unless this Ed25519 key (base64, or a file with that or with PEM) signed this verdict",
    )
    judging.add_argument(
        "--verdict", type=Path, metavar="FILE", help="the signed verdict.json (beside the journal by default)"
    )
    judging.add_argument("--json", action="store_true", help="print the whole verdict, as in verdict.json")
    judging.set_defaults(command=judge)

    _add_merge(commands.add_parser("merge", help="make one verdict of several regions", description=merge.__doc__))

    reporting = commands.add_parser("report", help="build a run's HTML report again", description=report.__doc__)
    reporting.add_argument(
        "folder", type=Path, nargs="?", metavar="FOLDER", help="a run's folder (default: the latest run)"
    )
    reporting.set_defaults(command=report)

    _add_override(commands.add_parser("override", help="override a verdict", description=override.__doc__))
    _add_sweep(commands.add_parser("sweep", help="remove what crashed runs left", description=sweep.__doc__))
    _add_init(commands.add_parser("init", help="make a new environment", description=init.__doc__))
    looking = commands.add_parser("doctor", help="look at everything a run needs", description=doctor.__doc__)
    add_options(looking)
    looking.set_defaults(command=doctor)
    _add_rollback(commands)
    _add_history(commands.add_parser("history", help="show what earlier runs said", description=history.__doc__))
    _add_notify(commands.add_parser("notify", help="try who is told verdicts", description=notify.__doc__))
    _add_sandbox(commands.add_parser("sandbox", help="serve a StreamPay and a ledger", description=sandbox.__doc__))
    _add_serve(commands.add_parser("serve", help="answer deployment engines over HTTP", description=serve.__doc__))
    _add_selftest(commands.add_parser("selftest", help="measure what the gate catches", description=selftest.__doc__))
    return parser


def _add_run(parser: argparse.ArgumentParser) -> None:
    add_options(parser)
    parser.add_argument("paths", nargs="*", metavar="FEATURE", help="feature files to play (all by default)")
    parser.add_argument("--list", action="store_true", help="only show the selected scenarios and their tags")
    _add_detail(parser)
    parser.set_defaults(command=run)


CANARY_OPTIONS = tuple(name for name in OPTIONS if name not in {"SMOKE_TAGS", "SMOKE_LANES", "SMOKE_BAKE"})
"""The options of `run` that say something where no scenario is played."""


def _add_canary(parser: argparse.ArgumentParser) -> None:
    add_options(parser, CANARY_OPTIONS)
    _add_detail(parser)
    parser.set_defaults(command=canary)


def _add_detail(parser: argparse.ArgumentParser) -> None:
    told = parser.add_mutually_exclusive_group()
    told.add_argument(
        "--quiet", dest="detail", action="store_const", const=Detail.QUIET, help="print the verdict and nothing else"
    )
    told.add_argument(
        "--verbose", dest="detail", action="store_const", const=Detail.VERBOSE, help="print each exchange as it is made"
    )
    parser.set_defaults(detail=Detail.NORMAL)


MERGE_OPTIONS = ("SMOKE_ENV", "SMOKE_EXPECT_RELEASE", "SMOKE_ON_INCONCLUSIVE")
"""The options of `run` that a merge has, too."""


def _add_merge(parser: argparse.ArgumentParser) -> None:
    add_options(parser, MERGE_OPTIONS)
    parser.add_argument(
        "artifacts", type=Path, nargs="*", metavar="ARTIFACTS", help="the folder of a run, or its verdict.json"
    )
    parser.add_argument(
        "--expect",
        action="extend",
        nargs="+",
        default=[],
        metavar="REGION",
        help="a region that has to pass (default: those that the environment file lists)",
    )
    parser.add_argument(
        "--vantages",
        type=_count,
        default=0,
        metavar="N",
        help="several runs of a region, from vantage points of their own, of which N have to pass "
        "(default: one run of each region)",
    )
    parser.add_argument(
        "--verify",
        action="append",
        default=[],
        metavar="PUBLIC_KEY_OR_FILE",
        help="count nothing that this Ed25519 key did not sign; may be repeated (default: that of SMOKE_SIGNING_KEY)",
    )
    parser.add_argument(
        "--max-age",
        type=_seconds,
        default=3600.0,
        metavar="SECONDS",
        help="count no run that ended longer ago (default: 3600)",
    )
    parser.set_defaults(command=merge)


def _add_override(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="RUN_FOLDER", help="the folder of the run")
    parser.add_argument("--to", required=True, choices=("PASS", "INCONCLUSIVE"), help="the status that counts instead")
    parser.add_argument("--who", required=True, metavar="NAME", help="who answers for it")
    parser.add_argument("--why", required=True, metavar="TEXT", help="why the evidence does not decide")
    parser.add_argument("--until", required=True, metavar="ISO-TIME", help="until when, at most 24 hours ahead")
    parser.set_defaults(command=override)


SWEEP_OPTIONS = ("SMOKE_ENV", "SMOKE_BASE_URL")
"""The options of `run` that say where; the rest comes from variables or does not matter to a sweep."""


def _add_sweep(parser: argparse.ArgumentParser) -> None:
    add_options(parser, SWEEP_OPTIONS)
    parser.add_argument(
        "--older-than",
        type=_seconds,
        metavar="SECONDS",
        help="take what is older than this, whatever its lease says (default: what outlived its lease)",
    )
    parser.add_argument("--dry-run", action="store_true", help="only say what is due")
    parser.set_defaults(command=sweep)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds, 0 or more")
    return seconds


def _add_init(parser: argparse.ArgumentParser) -> None:
    from streampay_smoke.operations.engine_files import ENGINE_FILES

    parser.add_argument("--name", default="", metavar="NAME", help="what the environment is called")
    parser.add_argument("--base-url", default="", metavar="URL", help="the deployment's root")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a key of the environment file, such as service.replicas=3; it is not asked for",
    )
    parser.add_argument("--yes", action="store_true", help="ask nothing: take what is given, found or usual")
    parser.add_argument("--force", action="store_true", help="overwrite the environment file of that name")
    parser.add_argument(
        "--create-kept-stream",
        action="store_true",
        help="create a stream of the synthetic user, end it unpaid, and name it as the one that releases must find",
    )
    parser.add_argument(
        "--engine", default="", choices=sorted(ENGINE_FILES), help="write this deployment engine's files too, filled in"
    )
    parser.add_argument(
        "--gate",
        default="",
        metavar="WHERE",
        help="where the engine finds the gate: IMAGE@sha256:DIGEST, or OWNER/REPOSITORY@COMMIT for github",
    )
    parser.set_defaults(command=init)


def _add_rollback(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    from streampay_smoke.rollback import options

    parser = commands.add_parser(
        "rollback", help="put the previous release back", description=options.DESCRIPTION, epilog=options.EXIT_CODES
    )
    options.add_arguments(parser)
    parser.set_defaults(command=rollback, broken=options.NOT_PROVED)


def _add_history(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--env", default="", metavar="NAME", help="only runs of this environment")
    parser.add_argument("--region", metavar="NAME", help="only runs of this region")
    parser.add_argument(
        "--last", type=_count, default=50, metavar="N", help="the last runs of each place (default: 50)"
    )
    parser.add_argument("--json", action="store_true", help="print the overviews as JSON")
    parser.set_defaults(command=history, to_do="")
    others = parser.add_subparsers(metavar="mark|export|import")
    marking = others.add_parser("mark", help="say that a run was a false alarm, or was not")
    marking.add_argument("run", metavar="RUN", help="the run id")
    marking.add_argument("mark", choices=("false-alarm", "confirmed"), help="the last mark of a run counts")
    marking.add_argument("--why", required=True, metavar="TEXT", help="what made it so")
    marking.add_argument("--who", default="", metavar="NAME", help="who says so")
    marking.set_defaults(to_do="mark")
    exporting = others.add_parser("export", help="write all runs and marks as lines of JSON")
    exporting.add_argument("file", nargs="?", default="-", metavar="FILE", help="- for standard output (default)")
    exporting.set_defaults(to_do="export")
    importing = others.add_parser("import", help="take in what was exported; doing it twice changes nothing")
    importing.add_argument("files", nargs="+", metavar="FILE", help="- for standard input")
    importing.set_defaults(to_do="import")


def _add_notify(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--test", action="store_true", required=True, help="send a test: nothing else is ever sent")
    parser.add_argument("--page", action="store_true", help="let it page too: it wakes who is on call")
    parser.set_defaults(command=notify)


def _add_sandbox(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=0, help="port of the service; 0 for any free one")
    parser.add_argument("--rpc-port", type=int, default=0, help="port of the ledger; 0 for any free one")
    parser.add_argument(
        "--ready-file", type=Path, metavar="FILE", help="gets the addresses as JSON; they are printed without it"
    )
    parser.add_argument(
        "--close-time", type=_seconds, default=0.0, metavar="SECONDS", help="time between ledgers; 0 closes at once"
    )
    parser.add_argument(
        "--rpc-version", metavar="VERSION", help="the Stellar RPC that the ledger plays: 27.0, 28 or 30 (by default 30)"
    )
    parser.add_argument("--fault", action="append", default=[], metavar="NAME", help="misbehave in a named way")
    parser.add_argument(
        "--engine",
        choices=("model", "host"),
        default="model",
        help="what runs contracts: models of them, or the real Soroban host (scripts/host.sh builds it)",
    )
    parser.add_argument(
        "--contract", type=Path, metavar="FILE.wasm", help="with --engine host: the stream contract's own code"
    )
    parser.add_argument(
        "--contract-profile",
        metavar="PROFILE",
        help="the contract that the printed variables point a run at, by default the one the service settles on",
    )
    parser.add_argument("--list-faults", action="store_true", help="only say which faults there are")
    parser.set_defaults(command=sandbox)


def _add_serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: loopback only)")
    parser.add_argument("--port", type=int, default=8780, help="port to listen on; 0 for any free one (default: 8780)")
    parser.add_argument(
        "--state-dir",
        type=Path,
        default=Path("serve-state"),
        metavar="FOLDER",
        help="where attempts are kept; it has to outlive the process (default: serve-state)",
    )
    parser.add_argument(
        "--concurrency", type=_count, default=2, metavar="N", help="runs at once; more wait (default: 2)"
    )
    parser.add_argument(
        "--flagger-key",
        metavar="NAMESPACE/NAME",
        help="print the key of one Canary, for its webhooks' metadata, and end",
    )
    parser.set_defaults(command=serve)


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise ValueError(text)
    return count


def _add_selftest(parser: argparse.ArgumentParser) -> None:
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--quick",
        action="store_true",
        help="a sixth of the cases, another for each commit, once, with the features they are about (default)",
    )
    how.add_argument(
        "--every-case", action="store_true", help="every case once, with the features it is about: some minutes"
    )
    how.add_argument(
        "--full",
        action="store_true",
        help="the whole smoke, four seeds a fault, 3,000 disturbed runs; goes on where an earlier one was stopped",
    )
    parser.add_argument("--only", action="extend", nargs="+", default=[], metavar="NAME", help="play these cases only")
    parser.add_argument("--seeds", type=_count, metavar="N", help="play each case with so many run variations")
    parser.add_argument("--jobs", type=_count, metavar="N", help="runs at the same time (default: 3 a core)")
    parser.add_argument("--list", action="store_true", help="only say which cases there are")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results of this run to a file")
    parser.add_argument("--write", action="store_true", help="write the results into docs/selftest/")
    parser.set_defaults(command=selftest)
