"""How many of the real StreamPay's catastrophic faults one run of the whole suite names, by the settlement proof.

    python benchmarks/as_probed.py            plays one run for each proof (about a minute), writes docs/as-probed.md
    python benchmarks/as_probed.py --check    plays and prints, and writes nothing

The sandbox plays all that the real service was seen to get wrong at once (fault `streampay-as-probed`). A fault counts
as named when the check that is about it failed by the promise that is about it (the table below). A check that failed
earlier, or was blocked by another cause, names nothing.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from streampay_sandbox.fault import Severity
from streampay_sandbox.service.faults import AS_PROBED, FAULTS
from streampay_sandbox.stack import start_sandbox
from streampay_smoke.gate.verdict import Verdict, written_at

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "as-probed.md"
FAULT = "streampay-as-probed"
PROOFS = ("ledger", "service")
WANTED = 20
BY: Mapping[str, tuple[str, str]] = {
    "list-open": ("streams/a-caller-with-no-credential", "is refused"),
    "v2-lists-for-any-text": (
        "api_v2_access/a-caller-with-any-text-cannot-list-streams",
        "cannot list streams",
    ),
    "list-leaks-others": ("streams/a-second-user", "another user's list contains none of them"),
    "list-leaks-private": ("streams/a-page-of-streams", "personal data"),
    "writes-open": ("access/a-caller-with-no-credential", "cannot create a stream"),
    "item-open": ("access/an-anonymous-caller-cannot-read", "cannot read the stream"),
    "batch-takes-anything": ("access/a-user-cannot-mark", "the stream is unchanged"),
    "settle-invents-two": ("settlement_keys/", "the receipt's two hashes agree"),
    "key-answers-for-other-stream": ("settlement_keys/", "a settlement key answers for its own stream only"),
    "key-answers-for-other-order": ("records/", "another create request with a used key is refused"),
    "refusal-frozen": ("settlement/", "the early refusal is not repeated"),
    "record-final-as-draft": ("records_cancelled/", "is shown as cancelled"),
    "wallet-any-signature": ("access/", "a sign-in with another user's signature is refused"),
    "wallet-any-challenge": ("access/", "a sign-in with a challenge that was never issued is refused"),
    "jwks-leaks": ("access/", "the published signing keys contain no secret"),
    "admin-open": ("access/the-administration-pages", "an anonymous caller cannot open"),
    "admin-by-header": ("access/the-administration-pages", "who claims to be administrator cannot open"),
    "limits-believe-tokens": ("throttling_evasion/forged-tokens", "a forged token does not count against the user"),
    "logins-evaded-by-address": (
        "throttling_evasion/a-caller-cannot-evade",
        "a caller who exceeds the limit is throttled",
    ),
    "caches-share": ("access/", "shared cache"),
    "webhooks-unsigned": ("webhooks/a-webhook-event", "cannot send a webhook event"),
}
"""The check that is about each fault: the beginning of its id, and what its failure says."""


def verdict_of_a_run(proof: str) -> Verdict:
    """Play the whole smoke once; returns its verdict."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SMOKE_")}
    with tempfile.TemporaryDirectory() as folder, start_sandbox(faults=(FAULT,)) as sandbox:
        settings = {"SMOKE_SETTLEMENT_PROOF": proof, "SMOKE_ARTIFACTS": folder}
        subprocess.run(
            [sys.executable, "-m", "streampay_smoke", "run", "--no-report"],
            cwd=ROOT,
            env={**inherited, **sandbox.ready_document()["env"], **settings},
            capture_output=True,
            timeout=300,
            check=False,  # it fails, and why is what is looked for
        )
        verdict = written_at(Path(folder) / "latest" / "verdict.json")
    if verdict is None:
        raise RuntimeError(f"the run with proof {proof} left no verdict")
    return verdict


def named(verdict: Verdict) -> dict[str, str]:
    """Return, for each catastrophic fault, the id of the failed check that is about it, "" where there is none."""
    failed = [check for check in verdict.checks if check.status == "failed"]
    catastrophic = [name for name in AS_PROBED if FAULTS[name].severity is Severity.CATASTROPHIC]
    return {
        name: next((each.id for each in failed if each.id.startswith(BY[name][0]) and BY[name][1] in each.hint), "")
        for name in catastrophic
    }


def page(found: Mapping[str, Mapping[str, str]]) -> str:
    """Return the page: for each fault, the check that names it with each proof."""
    counts = {proof: sum(map(bool, faults.values())) for proof, faults in found.items()}
    faults = found[PROOFS[0]]
    told = " and ".join(f"{counts[proof]} of {len(faults)} with proof `{proof}`" for proof in PROOFS)
    rows = [f"| {name} | {_named([found[proof][name] for proof in PROOFS])} |" for name in faults]
    return (
        "# What one run names of the real service's faults\n\n"
        "Written by `python benchmarks/as_probed.py`. The sandbox plays all that the real StreamPay was seen to get\n"
        f"wrong, at once. One run of the whole suite names **{told}**\n"
        "of the catastrophic ones: the check that is about the fault failed by the promise that is about it.\n\n"
        "| fault | check that names it |\n|---|---|\n" + "\n".join(rows) + "\n"
    )


def _named(checks: Sequence[str]) -> str:
    """Return a fault's checks, one for each proof, or the one that is the same with every proof."""
    told = [f"`{check}`" if check else "not named" for check in checks]
    return (
        told[0]
        if len(set(told)) == 1
        else ", ".join(f"{each} ({proof})" for each, proof in zip(told, PROOFS, strict=True))
    )


def main(arguments: Sequence[str]) -> int:
    """Play and tell; 1 where a run names fewer faults than are wanted."""
    if arguments not in ([], ["--check"]):
        print("usage: python benchmarks/as_probed.py [--check]", file=sys.stderr)
        return 2
    found = {proof: named(verdict_of_a_run(proof)) for proof in PROOFS}
    text = page(found)
    if arguments:
        print(text)
    else:
        PAGE.write_text(text, encoding="utf-8")
    return int(min(sum(map(bool, faults.values())) for faults in found.values()) < WANTED)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
