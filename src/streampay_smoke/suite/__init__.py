"""The suite inside behave: its runner, hooks, plan and control probes."""
