"""The evidence of a run: journal, events and redaction."""
