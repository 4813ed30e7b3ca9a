"""The verification of a Google Cloud Deploy rollout: plays the gate, and asks for a rollback where that calls for it.

Cloud Deploy's own repair rule knows an exit code, and would roll back for a ledger that is down as for a broken
release. So the one that knows the verdict asks: `rollbackTarget`, fenced by `rolloutToRollBack`, which Cloud Deploy
refuses when another rollout is the latest by then. Put this file into an image of yours:

    FROM registry.example/streampay-smoke@sha256:...
    COPY verify.py /gate/verify.py

The service account of the verification needs roles/clouddeploy.releaser on the pipeline, and

- roles/secretmanager.secretAccessor where GATE_SECRETS names secrets: words NAME=projects/P/secrets/S/versions/V, each
  given to the gate as the variable NAME. One that cannot be read is CONFIG: nothing is judged.
  SMOKE_SIGNING_KEY and those of notifications (SMOKE_NOTIFY_SLACK_URL, SMOKE_PAGE_PAGERDUTY_KEY, ...) are words too.
- roles/storage.objectUser where EVIDENCE_BUCKET names a Cloud Storage bucket: the run's folder outlives the pod there,
  the log and what people are told say where its report is, and the history of the target's runs is kept beside it
  (history/TARGET.jsonl). What cannot be kept or found is told, and changes no answer.
"""

import base64
import json
import mimetypes
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request

FAIL = 1
CONFIG = 2
ASK_SECONDS = 30
TOKEN_URL = "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token"
SECRETS = "https://secretmanager.googleapis.com/v1"
STORAGE = "https://storage.googleapis.com/upload/storage/v1/b"
OBJECTS = "https://storage.googleapis.com/storage/v1/b"
REPORT = "https://storage.cloud.google.com/{bucket}/{rollout}/{run}/report.html"
API = "https://clouddeploy.googleapis.com/v1"
PIPELINE = (
    "projects/{CLOUD_DEPLOY_PROJECT}/locations/{CLOUD_DEPLOY_LOCATION}"
    "/deliveryPipelines/{CLOUD_DEPLOY_DELIVERY_PIPELINE}"
)
NOT_FOUND = 404
ALREADY_ASKED = 409


def main():
    """Return the gate's exit code; 0 is PASS and nothing else, and every other code fails the rollout."""
    try:
        environ = {**os.environ, **secrets(os.environ)}
    except (OSError, ValueError, KeyError) as error:
        print(f"CONFIG  a secret of GATE_SECRETS cannot be read ({type(error).__name__}): nothing was judged")
        return CONFIG
    if environ.get("EVIDENCE_BUCKET"):
        report = REPORT.format(
            bucket=environ["EVIDENCE_BUCKET"], rollout=environ["CLOUD_DEPLOY_ROLLOUT"], run="{run_id}"
        )
        environ.setdefault("SMOKE_REPORT_URL", report)
    told(remember, environ, "the history could not be found")
    code = subprocess.run(["streampay-smoke", "run", "--no-report"], check=False, env=environ).returncode
    if code == FAIL and action() == "ROLLBACK":
        try:
            print(roll_back(os.environ))
        except (OSError, ValueError, KeyError) as error:
            print(f"the rollback could not be asked for ({type(error).__name__}): roll back by hand")
    told(keep, environ, "the evidence could not be kept")
    told(keep_history, environ, "the history could not be kept")
    return code


def told(act, environ, otherwise):
    """Do what changes no answer, and print what came of it."""
    try:
        print(act(environ))
    except (OSError, ValueError, KeyError) as error:
        print(f"{otherwise} ({type(error).__name__})")


def secrets(environ):
    """Return the variables that GATE_SECRETS asks for; raises OSError, ValueError or KeyError."""
    wanted = dict(word.split("=", 1) for word in environ.get("GATE_SECRETS", "").split())
    if not wanted:
        return {}
    headers = {"Authorization": f"Bearer {access_token()}"}
    read = {name: call(f"{SECRETS}/{resource}:access", headers) for name, resource in wanted.items()}
    return {name: base64.b64decode(one["payload"]["data"]).decode() for name, one in read.items()}


def access_token():
    """Return a token of the pod's service account."""
    return call(TOKEN_URL, {"Metadata-Flavor": "Google"})["access_token"]


def action():
    """Return what the verdict calls for, "" for none: a FAIL may be one that the policy of the place holds."""
    artifacts = pathlib.Path(os.environ.get("SMOKE_ARTIFACTS", "artifacts"))
    try:
        return json.loads((artifacts / "latest" / "verdict.json").read_text())["action"]
    except (OSError, ValueError, KeyError):
        return ""


def keep(environ):
    """Copy every file of the run to the bucket, and return where its report is."""
    bucket = environ.get("EVIDENCE_BUCKET")
    run = (pathlib.Path(environ.get("SMOKE_ARTIFACTS", "artifacts")) / "latest").resolve()
    if not bucket or not run.is_dir():
        return "no evidence is kept: EVIDENCE_BUCKET is not set, or the run left none"
    token = access_token()
    for file in sorted(path for path in run.rglob("*") if path.is_file()):
        upload(token, bucket, f"{environ['CLOUD_DEPLOY_ROLLOUT']}/{run.name}/{file.relative_to(run).as_posix()}", file)
    return "report: " + REPORT.format(bucket=bucket, rollout=environ["CLOUD_DEPLOY_ROLLOUT"], run=run.name)


def upload(token, bucket, name, file):
    """Write a file into the bucket."""
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    headers = {"Authorization": f"Bearer {token}", "Content-Type": kind}
    url = f"{STORAGE}/{bucket}/o?uploadType=media&name={urllib.parse.quote(name, safe='')}"
    call(url, headers, file.read_bytes())


def remember(environ):
    """Take in what earlier runs of this target said, and return what came of it."""
    if not environ.get("EVIDENCE_BUCKET"):
        return "no history: EVIDENCE_BUCKET is not set"
    name = urllib.parse.quote(history_name(environ), safe="")
    url = f"{OBJECTS}/{environ['EVIDENCE_BUCKET']}/o/{name}?alt=media"
    try:
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {access_token()}"})
        with urllib.request.urlopen(request, timeout=ASK_SECONDS) as response:
            lines = response.read()
    except urllib.error.HTTPError as error:
        if error.code != NOT_FOUND:
            raise
        return "no history yet"
    return history(environ, "import", lines).decode().strip()


def keep_history(environ):
    """Write what all runs of this target said into the bucket, and return what came of it."""
    if not environ.get("EVIDENCE_BUCKET"):
        return "no history is kept: EVIDENCE_BUCKET is not set"
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "history.jsonl"
        file.write_bytes(history(environ, "export", b""))
        upload(access_token(), environ["EVIDENCE_BUCKET"], history_name(environ), file)
    return f"the history is in {environ['EVIDENCE_BUCKET']}/{history_name(environ)}"


def history_name(environ):
    """Return the name of the object that holds the target's history."""
    return f"history/{environ['CLOUD_DEPLOY_TARGET']}.jsonl"


def history(environ, what, given):
    """Have the gate import or export its history by its standard streams; raises OSError where it cannot."""
    done = subprocess.run(
        ["streampay-smoke", "history", what, "-"], input=given, stdout=subprocess.PIPE, check=False, env=environ
    )
    if done.returncode != 0:
        raise OSError(f"history {what} ended with {done.returncode}")
    return done.stdout


def roll_back(environ):
    """Ask Cloud Deploy for the previous release of the target, once, and return what came of it."""
    token = access_token()
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
