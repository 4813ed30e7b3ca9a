"""What `python -m behave` runs in an installation of the gate; a supervised run has its arguments of the gate."""

import sys

from streampay_smoke.run.folder import RUN_FOLDER
from streampay_smoke.run.output import outlasting_output
from streampay_smoke.runner.behave_command import main


def supervised() -> int:
    """Run behave as it is."""
    from behave.__main__ import main as behave

    return int(behave())


if __name__ == "__main__":
    is_supervised = any(argument.startswith(f"{RUN_FOLDER}=") for argument in sys.argv)
    with outlasting_output():  # behave says what its runner is before there is one
        sys.exit(supervised() if is_supervised else main())
