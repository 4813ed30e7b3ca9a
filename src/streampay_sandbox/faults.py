"""Every fault the sandbox can be given, of its service and of its ledger, by one name each."""

import difflib
from collections.abc import Mapping, Sequence

import msgspec

from streampay_sandbox.fault import Fault
from streampay_sandbox.ledger.faults import FAULTS as LEDGER_FAULTS
from streampay_sandbox.service.faults import FAULTS as SERVICE_FAULTS
from streampay_smoke.core.errors import SettingsInvalid

FAULTS: Mapping[str, Fault] = {**SERVICE_FAULTS, **LEDGER_FAULTS}
"""Every fault by its name."""


class ChosenFaults(msgspec.Struct, frozen=True, kw_only=True):
    """Fault names by the half of the sandbox they belong to, in the order they were given."""

    service: tuple[str, ...]
    ledger: tuple[str, ...]


def chosen_faults(names: Sequence[str]) -> ChosenFaults:
    """Return `names` sorted by where they belong; raises SettingsInvalid for an unknown one."""
    for name in names:
        if name not in FAULTS:
            near = difflib.get_close_matches(name, FAULTS, n=1)
            raise SettingsInvalid(
                f"the sandbox has no fault {name!r}{f'; did you mean {near[0]!r}?' if near else ''}",
                next_step="choose one that `streampay-smoke sandbox --list-faults` shows",
            )
    return ChosenFaults(
        service=tuple(name for name in names if name in SERVICE_FAULTS),
        ledger=tuple(name for name in names if name in LEDGER_FAULTS),
    )
