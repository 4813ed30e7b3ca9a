"""`streampay-smoke`: run the gate, judge a journal again, build a report, serve the sandbox."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from streampay_smoke import __version__
from streampay_smoke import settings as configuration
from streampay_smoke.errors import SmokeError
from streampay_smoke.evidence import journal as journals
from streampay_smoke.gate.verdict import EXIT_CODES, Word
from streampay_smoke.settings import VARIABLES

RUN_OPTIONS = {
    variable.option.removeprefix("--").replace("-", "_"): name
    for name, variable in VARIABLES.items()
    if variable.option and variable.option != "--report"
}
"""The options of `run` that stand for a variable: argparse's name to the variable's."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    chosen = _parser().parse_args(arguments)
    try:
        return int(chosen.command(chosen))
    except SmokeError as error:
        print(f"{error}\nNext: {error.next_step}" if error.next_step else str(error), file=sys.stderr)
        return EXIT_CODES[Word.CONFIG]


def run(chosen: argparse.Namespace) -> int:
    """Play the features and answer with the verdict's exit code."""
    # Imported here: the other commands have no use for behave.
    from streampay_smoke.suite.finish import report
    from streampay_smoke.suite.folder import RunFolder
    from streampay_smoke.suite.refusal import refuse
    from streampay_smoke.suite.supervisor import supervise

    options = _options(chosen)
    environ = {**os.environ, **options}
    artifacts = Path(environ.get("SMOKE_ARTIFACTS") or VARIABLES["SMOKE_ARTIFACTS"].default).absolute()
    folder = RunFolder.create(artifacts)
    try:
        settings = configuration.load(options)
    except SmokeError as error:
        return refuse(folder, error).exit_code
    verdict = supervise(settings, folder, environ, chosen.paths)
    if settings.report:
        report(folder)
    return verdict.exit_code


def judge(chosen: argparse.Namespace) -> int:
    """Print the verdict on a journal and exit with its code."""
    from streampay_smoke.gate.judge import judge as judged
    from streampay_smoke.gate.verdict import to_json

    try:
        read = journals.read(chosen.journal)
    except OSError as error:
        print(f"{chosen.journal}: {error.strerror}", file=sys.stderr)
        return EXIT_CODES[Word.CONFIG]
    verdict = judged(read)
    sys.stdout.buffer.write(to_json(verdict))
    return verdict.exit_code


def report(chosen: argparse.Namespace) -> int:
    """Build the HTML report of a run again."""
    from streampay_smoke.publish.report import build_report

    run_folder = chosen.folder.resolve()
    if not (run_folder / "journal.jsonl").is_file():
        print(f"{chosen.folder} is not the folder of a run: it has no journal.jsonl", file=sys.stderr)
        return EXIT_CODES[Word.CONFIG]
    built = build_report(run_folder, node_report_dir=configuration.project_root() / "report")
    print(f"{built.path}{f' ({built.note})' if built.note else ''}")
    return 0


def sandbox(chosen: argparse.Namespace) -> int:
    """Serve a StreamPay and a ledger on loopback until killed."""
    from streampay_smoke.sandbox.stack import serve

    serve(
        port=chosen.port,
        rpc_port=chosen.rpc_port,
        ready_file=chosen.ready_file,
        close_seconds=chosen.close_time,
        faults=tuple(chosen.fault),
    )
    return 0


def _options(chosen: argparse.Namespace) -> dict[str, str]:
    """Return the variables that were given as options."""
    given = {name: getattr(chosen, option) for option, name in RUN_OPTIONS.items()}
    if chosen.report is not None:
        given["SMOKE_REPORT"] = "1" if chosen.report else "0"
    return {name: value for name, value in given.items() if value is not None}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="streampay-smoke", description="The deploy gate for StreamPay.")
    parser.add_argument("--version", action="version", version=f"streampay-smoke {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(commands.add_parser("run", help="play the features and judge the release", description=run.__doc__))

    judging = commands.add_parser("judge", help="print the verdict on a journal again", description=judge.__doc__)
    judging.add_argument("journal", type=Path, metavar="JOURNAL", help="a run's journal.jsonl")
    judging.set_defaults(command=judge)

    reporting = commands.add_parser("report", help="build a run's HTML report again", description=report.__doc__)
    reporting.add_argument(
        "folder", type=Path, nargs="?", default=Path("artifacts/latest"), metavar="FOLDER", help="a run's folder"
    )
    reporting.set_defaults(command=report)

    _add_sandbox(commands.add_parser("sandbox", help="serve a StreamPay and a ledger", description=sandbox.__doc__))
    return parser


def _add_run(parser: argparse.ArgumentParser) -> None:
    metavars = {
        "--on-inconclusive": "hold|fail",
        "--deadline": "SECONDS",
        "--env": "NAME",
        "--tags": "EXPR",
        "--region": "NAME",
        "--expect-release": "ID",
    }
    for name, variable in VARIABLES.items():
        if variable.option == "--report":
            parser.add_argument("--report", action=argparse.BooleanOptionalAction, help=f"{variable.about} ({name})")
        elif variable.option:
            parser.add_argument(
                variable.option, metavar=metavars.get(variable.option, "URL"), help=f"{variable.about} ({name})"
            )
    parser.add_argument("paths", nargs="*", metavar="FEATURE", help="feature files to play (all by default)")
    parser.set_defaults(command=run)


def _add_sandbox(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=0, help="port of the service; 0 for any free one")
    parser.add_argument("--rpc-port", type=int, default=0, help="port of the ledger; 0 for any free one")
    parser.add_argument("--ready-file", type=Path, required=True, metavar="FILE", help="gets the addresses as JSON")
    parser.add_argument(
        "--close-time", type=float, default=0.0, metavar="SECONDS", help="time between ledgers; 0 closes at once"
    )
    parser.add_argument("--fault", action="append", default=[], metavar="NAME", help="misbehave in a named way")
    parser.set_defaults(command=sandbox)
