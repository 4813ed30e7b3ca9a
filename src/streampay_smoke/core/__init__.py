"""What every room may use and that uses no room: errors, amounts, times, secrets, signatures, networks, contracts."""
