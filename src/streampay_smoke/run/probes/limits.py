"""How long a probe may take."""

ALL_PROBES_SECONDS = 2.0
"""Limit of all probes that are made side by side."""

PROBE_SECONDS = 1.8
"""Limit of one request of a probe."""
