"""What behave's hooks do: they only open and close evidence, and never assert."""

from behave.model import Scenario, Step
from behave.runner import Context

from streampay_smoke.runner.runner import GateRunner


def runner_of(context: Context) -> GateRunner:
    """Return the runner behind a context; raises RuntimeError when behave was started without the gate's runner."""
    runner = context._runner
    if not isinstance(runner, GateRunner):
        raise RuntimeError("these features only run under streampay_smoke.runner.runner:GateRunner (see behave.ini)")
    return runner


def before_all(context: Context) -> None:
    """Find the session, so that a foreign runner ends here."""
    context.session = runner_of(context).session


def before_scenario(context: Context, scenario: Scenario) -> None:
    """Give the scenario its own context."""
    context.scenario_context = runner_of(context).begin_scenario(scenario)


def before_step(context: Context, step: Step) -> None:
    """Open the step's evidence; its budget begins."""
    runner_of(context).begin_step(step)


def after_step(context: Context, step: Step) -> None:
    """Close the step's evidence; its budget ends."""
    runner_of(context).end_step(step)


def after_scenario(context: Context, scenario: Scenario) -> None:
    """Close the scenario's evidence."""
    runner_of(context).end_scenario(scenario)


def after_all(context: Context) -> None:
    """Bring what the run made to an end."""
    runner_of(context).clean_up()
