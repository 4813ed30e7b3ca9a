"""What an operator does beside runs: doctor, sweep, override, verification."""
