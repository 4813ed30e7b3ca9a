"""Steps about webhook events."""

from behave import when
from behave.runner import Context

from streampay_smoke.acceptance.actions import unauthorized_attempts


@when("a webhook event is sent with {signature}")
def send_webhook_event(context: Context, signature: str) -> None:
    context.scenario_context.attempts = unauthorized_attempts.send_webhook_event(
        context.scenario_context.run_context, signature
    )
