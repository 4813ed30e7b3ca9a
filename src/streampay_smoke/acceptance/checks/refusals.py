"""What counts as a refusal. The features call each kind by its name, and list its statuses in their SPECIFICATION."""

from collections.abc import Iterable, Mapping

from streampay_smoke.service.exchange import REFUSED

Refusals = Mapping[str, frozenset[int]]
"""The statuses that refuse each attempt, by what is attempted."""

NOT_AUTHORIZED = REFUSED

NOT_VISIBLE = NOT_AUTHORIZED | {404}
"""Where the caller may not even know that something is there."""

NOT_AVAILABLE = NOT_VISIBLE | {405, 410, 501}
"""What a deployment does not offer at all is refused as well."""

NOT_SIGNED_IN = frozenset(range(400, 500)) - {408, 425, 429}
"""Statuses of time and limits say nothing about who signs in."""

NOT_SETTLED = frozenset({409, 422})
"""How a settlement is refused for what it asks. Other 4xx refuse the caller or throttle them, and prove nothing."""

INVALID_CSRF_TOKEN = frozenset({400, 403, 419})
"""How a write is refused that does not show that it comes from the app's own page."""

REFUSALS: Refusals = {
    "not authorized": NOT_AUTHORIZED,
    "not visible": NOT_VISIBLE,
    "not available": NOT_AVAILABLE,
    "not available in bulk": NOT_AVAILABLE | {422},
    "not available with this tenant": NOT_AVAILABLE | {400},
    "not signed in": NOT_SIGNED_IN,
    "not settled": NOT_SETTLED,
    "invalid CSRF token": INVALID_CSRF_TOKEN,
}
"""The statuses of each kind of refusal."""


def refusals_of(rows: Iterable[Mapping[str, str]]) -> Refusals:
    """Return the refusals of a step's table, in its order; raises KeyError for a kind of refusal that is not known."""
    return {row["attempt"]: REFUSALS[row["refusal"]] for row in rows}
