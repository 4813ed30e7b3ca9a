"""The HTTP client of the gate, and the one question it puts to a ledger without an adapter: its health."""

import sys

sys.modules["httpx._main"] = None  # type: ignore[assignment]
"""httpx does without its command line, which imports click, and rich with all it needs where that is installed."""
