"""What the system around the gate says of itself: the only reader of the process environment outside `settings`.

No `SMOKE_` variable can be read here: what an operator sets is read once, by `streampay_smoke.settings`.
"""

import os
from collections.abc import Mapping

_OPERATORS_PREFIX = "SMOKE_"


def variables() -> dict[str, str]:
    """Return the variables of this process that are no settings: `CI`, `GITHUB_OUTPUT`, `NO_COLOR`, `PATH`, ..."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_OPERATORS_PREFIX)}


def child_environment(given: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a program of the gate's own: this process's, its settings included, under `given`."""
    return {**os.environ, **given}


def readable(text: str) -> str:
    """Return a variable's value with each byte that is no UTF-8 replaced, so that it can be written anywhere."""
    return text.encode(errors="surrogateescape").decode(errors="replace")
