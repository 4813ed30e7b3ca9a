"""What `python -m behave` runs in an installation of the gate; a supervised run has its arguments of the gate."""

import sys

from behave.__main__ import main as behave

from streampay_smoke.run.folder import RUN_FOLDER
from streampay_smoke.run.output import outlasting_output
from streampay_smoke.runner.behave_command import main

if __name__ == "__main__":
    supervised = any(argument.startswith(f"{RUN_FOLDER}=") for argument in sys.argv)
    with outlasting_output():  # behave says what its runner is before there is one
        sys.exit(behave() if supervised else main())
