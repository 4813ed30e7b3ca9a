"""Has `python -m behave` answer as the command `behave` does: behave itself ends with 1, the gate's FAIL, for a typo.

Imported by `streampay_smoke_behave.pth`, which an installation of the gate puts beside its packages: behave reads its
arguments before anything of the gate is asked.
"""

import gc
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

_MAIN = "behave.__main__"


class BehaveMain(MetaPathFinder):
    """Finds the gate's entry in place of behave's, once: what the gate itself then imports is behave's own."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where `behave.__main__` is; None for any other module."""
        del path, target
        if fullname != _MAIN:
            return None
        sys.meta_path.remove(self)
        return spec_from_file_location(fullname, Path(__file__).with_name("behave_main.py"))


def is_behave(arguments: Sequence[str]) -> bool:
    """Whether an interpreter of these arguments runs behave as a module, whatever options of its own come before."""
    for place, argument in enumerate(arguments):
        if argument.startswith("-m"):
            return (argument[2:] or "".join(arguments[place + 1 : place + 2])) == "behave"
        if argument == "-c":
            return False
    return False


if is_behave(sys.orig_argv[1:]):
    sys.meta_path.insert(0, BehaveMain())
    gc.disable()  # until the suite is loaded: looking for garbage in what stays takes a tenth of the start
