"""The settings that are options of a command, made from the table of variables."""

import argparse
from collections.abc import Sequence

from streampay_smoke.settings.variables import VARIABLES

OPTIONS = tuple(name for name, variable in VARIABLES.items() if variable.option)
"""The variables that have an option."""


def add_options(parser: argparse.ArgumentParser, names: Sequence[str] = OPTIONS) -> None:
    """Add the options of these variables to a command."""
    for name in names:
        variable = VARIABLES[name]
        about = f"{variable.about} ({name})".replace("%", "%%")
        if variable.metavar:
            parser.add_argument(variable.option, dest=name, metavar=variable.metavar, help=about)
        else:
            parser.add_argument(variable.option, dest=name, action=argparse.BooleanOptionalAction, help=about)


def given_options(chosen: argparse.Namespace) -> dict[str, str]:
    """Return the variables that were given as options, and what was given."""
    given = {name: getattr(chosen, name, None) for name in OPTIONS}
    return {
        name: ("1" if value else "0") if isinstance(value, bool) else value
        for name, value in given.items()
        if value is not None
    }
