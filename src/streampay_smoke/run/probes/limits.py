"""How long a probe may take, and how far a clock may be off."""

ALL_PROBES_SECONDS = 2.0
"""Limit of all probes that are made side by side."""

PROBE_SECONDS = 1.8
"""Limit of one request of a probe."""

CLOCK_SECONDS = 60
"""How far this runner's clock may be off."""
