"""The options of `streampay-smoke rollback`, apart from what they need: every command builds the whole parser."""

import argparse

from streampay_smoke.settings.options import add_options

DESCRIPTION = "Put the release back that was live before a deploy, and prove that it is live and healthy."
EXIT_CODES = (
    "exit codes: 0 rolled back and proved; 1 attempted, and not proved; 2 a setting is wrong, nothing was done; "
    "3 no previous release; 5 refused, nothing was done: what is live is not what failed"
)

NOT_PROVED = 1
"""What a rollback that breaks exits with: something may have been done by then."""

OPTIONS = ("SMOKE_ENV", "SMOKE_BASE_URL", "SMOKE_REGION", "SMOKE_DEPLOY")
"""The variables that are options here too."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_options(parser, OPTIONS)
    parser.add_argument(
        "--failed", default="", metavar="RELEASE", help="the release to remove (the one that is live, by default)"
    )
    doing = parser.add_mutually_exclusive_group()
    doing.add_argument(
        "--record", action="store_true", help="before a deploy: write down the release to put back, do nothing else"
    )
    doing.add_argument(
        "--drill", action="store_true", help="do all of it on a fleet of the sandbox and write a dated report"
    )
    doing.add_argument("--status", action="store_true", help="show what is recorded and what was done; do nothing")
