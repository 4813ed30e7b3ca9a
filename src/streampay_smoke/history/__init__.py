"""What is known of runs that ended: verdicts, objectives and durations, kept across run folders and machines."""
