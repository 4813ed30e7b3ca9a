"""The fence: an engine is changed only while it stands at the release that failed; a newer one is never overwritten."""

from streampay_smoke.rollback.hook import HookFailed, Intent


def refuse_other(release: str | None, intent: Intent, *, acted: bool, what: str) -> None:
    """Raise HookFailed unless the engine stands at the failed release and has not acted on this intent before.

    `acted` says that it has: then somebody has deployed since, be it the same release again.
    """
    if acted:
        raise HookFailed(
            f"{what} was put back by this intent before and has {release or 'an unknown release'} since: "
            "nothing was changed",
            next_step="see who deployed; a rollback of that deploy is an intent of its own",
        )
    if release != intent.failed_release:
        raise HookFailed(
            f"{what} has {release or 'an unknown release'}, not {intent.failed_release}: nothing was changed",
            next_step="see who deployed since, and whether release_told_by names what tells the release",
        )
