"""The API shapes a deployment may have. A dialect is data in, data out: it never sends anything itself."""

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.service.dialects.app_v1 import AppV1
from streampay_smoke.service.dialects.calls import SIGN_IN, AccessRequests, Call, CsrfRule, Dialect

DIALECTS: dict[str, Dialect] = {"app-v1": AppV1()}
"""Every dialect by the name SMOKE_DIALECT takes."""


def dialect_named(name: str) -> Dialect:
    """Return a dialect; raises SettingsInvalid when there is none of that name."""
    if name not in DIALECTS:
        raise SettingsInvalid(
            f"there is no dialect {name!r}", next_step=f"set SMOKE_DIALECT to one of {', '.join(DIALECTS)}"
        )
    return DIALECTS[name]


__all__ = ["DIALECTS", "SIGN_IN", "AccessRequests", "Call", "CsrfRule", "Dialect", "dialect_named"]
