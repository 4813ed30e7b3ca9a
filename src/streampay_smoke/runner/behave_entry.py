"""behave itself, except that what it refuses is CONFIG.

behave ends with 1 for a command line that it cannot use, and 1 is the gate's FAIL. The gate's runner cannot say
otherwise: behave makes it only once it has read its arguments. `python -m behave` comes by here too.
"""

import gc
import sys
from pathlib import Path

from behave import __main__ as behave_main
from behave.configuration import Configuration, config_filenames

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.gate.verdict import EXIT_CODES, VerdictStatus
from streampay_smoke.run import pins
from streampay_smoke.run.conclude import refuse
from streampay_smoke.run.folder import RunFolder
from streampay_smoke.run.output import outlasting_output
from streampay_smoke.runner.runner_line import leave_out_runner_line
from streampay_smoke.settings import load_evidence

_HELP_SWITCHES = ("version", "tags_help", "lang_list", "lang_help")
_HELP_WORDS = ("format", "lang", "runner")


def run() -> int:
    """Run behave, and return its exit code; in a folder that is not the gate's, as behave itself does."""
    if not _is_the_gates_folder():
        gc.enable()  # off so far: the gate has its runner do so once its suite is loaded
        return int(behave_main.main())
    leave_out_runner_line(behave_main)
    with outlasting_output():
        return _exit_code()


def _exit_code() -> int:
    try:
        config = Configuration()
    except SystemExit as usage:
        if not usage.code:
            raise
        return _refused("it does not know one of its arguments, see above")
    except Exception as error:  # noqa: BLE001 - e.g. re.error for a name that is no pattern
        return _refused(f"{type(error).__name__}: {error}")
    try:
        # The gate's runner exits by itself: whoever comes back from here has played nothing.
        if behave_main.run_behave(config):
            return _refused("see above")
        return 0 if _was_asked_for_help(config) else _refused("its configuration asks for help in place of a run")
    except Exception as error:  # noqa: BLE001 - a runner that cannot be imported, an output that cannot be opened
        return _refused(f"{type(error).__name__}: {error}")


def _was_asked_for_help(config: Configuration) -> bool:
    """Whether the command line asks what behave can do; a configuration file that does would let no run be played."""
    in_files = config.defaults
    switched = any(getattr(config, name) and not in_files.get(name) for name in _HELP_SWITCHES)
    return switched or any(
        "help" in _words(getattr(config, name)) and "help" not in _words(in_files.get(name)) for name in _HELP_WORDS
    )


def _words(value: object) -> list[str]:
    return value if isinstance(value, list) else [str(value)]


def _is_the_gates_folder() -> bool:
    """Whether the gate's features are here, or behave is configured for it; behave tells of files it cannot read."""
    package = __name__.partition(".")[0]
    return Path("features", pins.FILE).exists() or any(
        package in Path(name).read_text(encoding="utf-8", errors="replace") for name in config_filenames()
    )


def _refused(because: str) -> int:
    error = SettingsInvalid(
        f"behave cannot use its command line or its configuration: {because}",
        next_step="correct the command; nothing was judged",
    )
    try:
        evidence = load_evidence()
        return refuse(RunFolder.create(evidence.artifacts), error, evidence)
    except SettingsInvalid as unwritable:
        print(f"CONFIG: {error}\nNext: {error.next_step}\n{unwritable}", file=sys.stderr)
        return EXIT_CODES[VerdictStatus.CONFIG]
