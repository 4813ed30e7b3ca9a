"""What a run pays at its start: the client of the deployment brings nothing heavy with it."""

import subprocess
import sys

HEAVY = ("stellar_sdk", "pydantic", "jwt", "nacl", "requests", "cryptography")


def test_importing_the_client_imports_nothing_heavy() -> None:
    probe = f"import sys, streampay_smoke.service.deployment; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
