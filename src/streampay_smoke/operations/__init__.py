"""What an operator does: a run, and beside it doctor, init, sweep, override, verification, merging regions."""
