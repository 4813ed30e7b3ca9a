"""`streampay-smoke notify --test`: whether those who are told verdicts can be reached."""

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.core.system_facts import variables
from streampay_smoke.gate.verdict import EXIT_CODES, VerdictStatus
from streampay_smoke.notify.delivery import deliver
from streampay_smoke.notify.notice import notice_of_a_test
from streampay_smoke.notify.targets import targets_of
from streampay_smoke.run.output import redacted_output
from streampay_smoke.settings.notification import NotificationSettings


def send_test(settings: NotificationSettings, *, page: bool) -> int:
    """Send a test to every target, to pagers only with `page`; return 0 where each took it, else INCONCLUSIVE's code.

    Raises SettingsInvalid where there is nobody to tell.
    """
    with redacted_output() as redactor:
        redactor.learn(*settings.redacted())
        targets = list(targets_of(settings))
        if not targets:
            raise SettingsInvalid(
                "nobody is told: no SMOKE_NOTIFY_ or SMOKE_PAGE_ variable is set",
                next_step="set one of them: docs/notifications.md",
            )
        results = deliver(notice_of_a_test(settings, variables(), page=page), targets)
        for result in results:
            print(f"{result.target}: {f'not told: {result.problem}' if result.problem else 'took the test'}")
        for name in {target.name for target in targets} - {result.target for result in results}:
            print(f"{name}: not tried, for it pages; --page tries it")
    failed = any(result.problem for result in results)
    return EXIT_CODES[VerdictStatus.INCONCLUSIVE] if failed else 0
