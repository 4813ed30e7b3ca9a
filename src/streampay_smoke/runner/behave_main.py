"""What `python -m behave` runs in an installation of the gate; a supervised run has its arguments of the gate."""

import importlib
import sys

from streampay_smoke.run.folder import RUN_FOLDER
from streampay_smoke.run.output import outlasting_output
from streampay_smoke.runner.behave_command import main
from streampay_smoke.runner.runner_line import leave_out_runner_line


def supervised() -> int:
    """Run behave as it is."""
    behave_main = importlib.import_module("behave.__main__")
    leave_out_runner_line(behave_main)
    return int(behave_main.main())


if __name__ == "__main__":
    is_supervised = any(argument.startswith(f"{RUN_FOLDER}=") for argument in sys.argv)
    with outlasting_output():  # behave says what its runner is before there is one
        sys.exit(supervised() if is_supervised else main())
