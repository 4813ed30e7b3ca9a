"""The verification of a Google Cloud Deploy rollout: plays the gate, and asks for a rollback where that calls for it.

Cloud Deploy's own repair rule knows an exit code, and would roll back for a ledger that is down as for a broken
release. So the one that knows the verdict asks: `rollbackTarget`, fenced by `rolloutToRollBack`, which Cloud Deploy
refuses when another rollout is the latest by then. Put this file into an image of yours:

    FROM registry.example/streampay-smoke@sha256:...
    COPY verify.py /gate/verify.py

The service account of the execution environment needs roles/clouddeploy.releaser on the pipeline.
"""

import json
import os
import pathlib
import subprocess
import sys
import urllib.error
import urllib.request

FAIL = 1
ASK_SECONDS = 30
TOKEN_URL = "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token"
API = "https://clouddeploy.googleapis.com/v1"
PIPELINE = (
    "projects/{CLOUD_DEPLOY_PROJECT}/locations/{CLOUD_DEPLOY_LOCATION}"
    "/deliveryPipelines/{CLOUD_DEPLOY_DELIVERY_PIPELINE}"
)
ALREADY_ASKED = 409


def main():
    """Return the gate's exit code; 0 is PASS and nothing else, and every other code fails the rollout."""
    code = subprocess.run(["streampay-smoke", "run", "--no-report"], check=False).returncode
    if code == FAIL and action() == "ROLLBACK":
        try:
            print(roll_back(os.environ))
        except (OSError, ValueError, KeyError) as error:
            print(f"the rollback could not be asked for ({type(error).__name__}): roll back by hand")
    return code


def action():
    """Return what the verdict calls for, "" for none: a FAIL may be one that the policy of the place holds."""
    artifacts = pathlib.Path(os.environ.get("SMOKE_ARTIFACTS", "artifacts"))
    try:
        return json.loads((artifacts / "latest" / "verdict.json").read_text())["action"]
    except (OSError, ValueError, KeyError):
        return ""


def roll_back(environ):
    """Ask Cloud Deploy for the previous release of the target, once, and return what came of it."""
    token = call(TOKEN_URL, {"Metadata-Flavor": "Google"})["access_token"]
    asked = {
        "targetId": environ["CLOUD_DEPLOY_TARGET"],
        "rolloutId": environ["CLOUD_DEPLOY_ROLLOUT"][:54] + "-rollback",  # the same at every attempt: asked once
        "rolloutToRollBack": environ["CLOUD_DEPLOY_ROLLOUT"],
    }
    url = f"{API}/{PIPELINE.format(**environ)}:rollbackTarget"
    try:
        call(url, {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}, json.dumps(asked).encode())
    except urllib.error.HTTPError as error:
        if error.code != ALREADY_ASKED:
            raise
    return f"asked for the release before {asked['rolloutToRollBack']}"


def call(url, headers, body=None):
    """Return the JSON of an answer; raises OSError, which an HTTP error is one of, or ValueError."""
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=ASK_SECONDS) as response:
        return json.load(response)


if __name__ == "__main__":
    sys.exit(main())
