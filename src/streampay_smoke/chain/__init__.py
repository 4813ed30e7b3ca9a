"""The ledger side: guard, adapter and contract."""
