"""Hooks: they open and close evidence, and never assert. What they do is in streampay_smoke.runner.hooks."""

from streampay_smoke.runner import hooks, loading

loading.refuse_foreign_runner()

before_all = hooks.before_all
before_scenario = hooks.before_scenario
before_step = hooks.before_step
after_step = hooks.after_step
after_scenario = hooks.after_scenario
after_all = hooks.after_all
