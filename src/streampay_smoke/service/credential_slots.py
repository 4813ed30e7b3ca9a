"""Two overlapping credential slots: a rotation half done is a warning, not a red gate."""

from collections.abc import Sequence

from streampay_smoke.core.errors import CredentialRefused, SmokeError
from streampay_smoke.evidence.events import Recorder, Warned
from streampay_smoke.service.credentials import Credential
from streampay_smoke.service.deployment import Deployment
from streampay_smoke.service.identity import SyntheticUser

SLOT_B_USED = "credential_slot_b"


def accepted(
    deployment: Deployment, users: Sequence[SyntheticUser], *, record: Recorder
) -> tuple[SyntheticUser, Credential]:
    """Return the first of `users`, one for each slot that is set, whose credential the deployment takes.

    With one slot nothing is asked: the scenarios will find out. With two, slot A is shown once, and slot B only
    after a 401. Raises CredentialRefused naming both when neither is taken.
    """
    first, *others = users
    credential = deployment.sign_in(first)
    if not others or not _is_refused(deployment, credential):
        return first, credential
    second = others[0]
    other = deployment.sign_in(second)
    if _is_refused(deployment, other):
        raise CredentialRefused(
            f"the deployment refused both credentials with 401: {first.variable} and {second.variable}",
            next_step=f"issue a new credential, set {first.variable} to it, and run again",
        )
    record(
        Warned(
            code=SLOT_B_USED,
            text=f"credential slot A ({first.variable}) was refused, slot B ({second.variable}) was used: "
            "finish the rotation",
        )
    )
    return second, other


def _is_refused(deployment: Deployment, credential: Credential) -> bool:
    """Return whether the deployment answers 401; whatever else goes wrong is for the scenarios to find."""
    try:
        deployment.streams(credential, limit=1)
    except CredentialRefused:
        return True
    except SmokeError:
        return False
    return False
