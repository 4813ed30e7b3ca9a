"""The deployment under test: its dialects, its client and the synthetic user."""
