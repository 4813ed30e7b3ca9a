"""What a run makes at the service and on the ledger, and brings to an end again."""
