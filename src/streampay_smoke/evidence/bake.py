"""A bake as environment files state it and journals keep it: how a release is watched after its promotion."""

import re

import msgspec

WINDOW = "{window}"
"""Stands in a query for the time it looks back, such as 5m."""

ERROR_BURN = "error_burn"
"""The kind of objective a bake answers."""

UNIT = "x budget"
"""What its threshold is counted in: times as fast as the error budget may be spent."""

_SELECTOR = re.compile(r'[a-zA-Z_:][a-zA-Z0-9_:]*(\{\s*[a-zA-Z_]\w*=~?"[^"]*"(\s*,\s*[a-zA-Z_]\w*=~?"[^"]*")*\s*\})?')

_EXPRESSION = re.compile(r'=~"([^"]*)"')


class CountersWatched(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[bake.counters]`: two counters of the service's own Prometheus endpoint.

    `requests` and `errors` are a name, or a name with labels: `NAME{label="value", label=~"regular expression"}`. All
    series that match are added up. `path` is below the deployment's root. Raises ValueError for anything else.
    """

    requests: str
    errors: str
    path: str = "/api/metrics"

    def __post_init__(self) -> None:
        for selector in (self.requests, self.errors):
            if not _SELECTOR.fullmatch(selector):
                raise ValueError(f'bake.counters: {selector!r} is not NAME or NAME{{label="value"}}')
            for expression in _EXPRESSION.findall(selector):
                try:
                    re.compile(expression)
                except re.error as problem:
                    raise ValueError(f"bake.counters: {expression!r} is no regular expression: {problem}") from problem
        if not self.path.startswith("/"):
            raise ValueError("bake.counters: path begins with a slash")


class RatioQueried(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[bake.query]`: the share of failed requests, asked of a Prometheus server at `url`.

    `ratio` is PromQL in which `{window}` stands for the time to look back. Raises ValueError without it.
    """

    url: str
    ratio: str

    def __post_init__(self) -> None:
        if WINDOW not in self.ratio:
            raise ValueError(f"bake.query: ratio does not say where the {WINDOW} goes")
        if not self.url.startswith(("http://", "https://")):
            raise ValueError("bake.query: url is not an http(s) address")


class Bake(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[bake]` of an environment file: what has to hold while a release is watched.

    `success_target` is the share of requests that have to succeed; the rest is the error budget. It must not be spent
    `burn_rate` times as fast as it lasts: 14.4 spends two hundredths of a month's budget in an hour, the fast alert of
    Google's SRE workbook (chapter 5). Raises ValueError for numbers that make no alert.
    """

    reads_per_minute: float = 30.0
    success_target: float = 0.995
    burn_rate: float = 14.4
    counters: CountersWatched | None = None
    query: RatioQueried | None = None

    def __post_init__(self) -> None:
        if not 0 < self.reads_per_minute <= 600:
            raise ValueError("bake: reads_per_minute is above 0 and at most 600")
        if not 0 < self.success_target < 1:
            raise ValueError("bake: success_target is between 0 and 1, both excluded")
        if not 0 < self.share_limit < 1:
            raise ValueError("bake: at this burn_rate every request may fail; choose a lower one or a higher target")

    @property
    def budget(self) -> float:
        """The share of requests that may fail."""
        return 1 - self.success_target

    @property
    def share_limit(self) -> float:
        """The share of failed requests at which the budget is spent at `burn_rate`."""
        return self.burn_rate * self.budget
