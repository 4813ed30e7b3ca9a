"""The HTTP client of the gate, and the one question it puts to a ledger without an adapter: its health."""
