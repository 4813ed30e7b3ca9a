"""behave as the gate runs it: the runner, the hooks, the plan, the pinned manifest, the budgets of steps."""
