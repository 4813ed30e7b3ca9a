"""Signing synthetic users in: anew, or by what another run on this machine was given just before."""

import contextlib
from http import HTTPStatus

from streampay_smoke.core.errors import SmokeError
from streampay_smoke.service.credentials import Credential
from streampay_smoke.service.deployment import Deployment
from streampay_smoke.service.identity import SyntheticUser
from streampay_smoke.service.kept_sign_ins import KeptSignIns, Wait


class SignIns:
    """Signs in at the deployment at `base_url`; `wait` waits for another run that signs the same user in."""

    def __init__(self, kept: KeptSignIns, *, base_url: str, wait: Wait) -> None:
        self._kept = kept
        self._base_url = base_url
        self._wait = wait

    def by_wallet(self, deployment: Deployment, user: SyntheticUser, *, reuse: bool) -> Credential:
        """Return a user's credential: of a sign-in that was kept, where that may be used, else of a new one."""
        turn = self._kept.turn(self._base_url, user.address, self._wait) if reuse else contextlib.nullcontext()
        with turn:
            credential = self._still_taken(deployment, user) if reuse else None
            if credential is None:
                credential = deployment.sign_in(user)
                self._kept.keep(self._base_url, user.address, credential.token)
        return credential

    def _still_taken(self, deployment: Deployment, user: SyntheticUser) -> Credential | None:
        """Return the credential of a sign-in that was kept and still lets the user in, or None."""
        token = self._kept.find(self._base_url, user.address)
        if not token:
            return None
        credential = user.token_credential(token)
        with contextlib.suppress(SmokeError):  # whatever is wrong, a sign-in of its own will show it
            if deployment.streams_answer(credential).status == HTTPStatus.OK:
                return credential
        return None
