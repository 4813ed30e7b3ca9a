"""Signs what a run answers: its verdict, and what it attests of the release.

Only the process that holds the key signs; the key is read from the settings and goes nowhere else.
"""

from streampay_smoke.core.files import replace_file
from streampay_smoke.core.signing import SigningKey
from streampay_smoke.gate.verdict import Verdict, to_json
from streampay_smoke.publish.attestation import PAYLOAD_TYPE as STATEMENT_TYPE
from streampay_smoke.publish.attestation import NothingToAttest, attested
from streampay_smoke.run.folder import RunFolder

VERDICT_TYPE = "application/vnd.streampay.gate-verdict+json"
"""The payload type of a signed verdict."""


def seal(folder: RunFolder, verdict: Verdict, key: SigningKey | None) -> str:
    """Sign a verdict, and what it attests; return a note where something was left unsigned.

    It comes before the verdict is written: one that names a key is never without its envelope. Envelopes of an
    earlier verdict of this run are removed first.
    """
    folder.envelope_path.unlink(missing_ok=True)
    folder.attestation_path.unlink(missing_ok=True)
    if not verdict.signed_by:
        return "this verdict is not signed: the run was refused before it began" if key else ""
    if key is None or key.public.id != verdict.signed_by:
        return f"this verdict is not signed: it names key {verdict.signed_by[:16]}, which is not at hand"
    replace_file(folder.envelope_path, key.sign(to_json(verdict), VERDICT_TYPE).to_json())
    try:
        statement = attested(verdict)
    except NothingToAttest as because:
        return f"nothing is attested: {because}"
    replace_file(folder.attestation_path, key.sign(statement, STATEMENT_TYPE).to_json())
    return ""
