"""A run against a contract of another profile, as a process: the ledger feature plays it whole."""

from pathlib import Path

from suite_parts import Project

from streampay_sandbox.stack import start_sandbox
from streampay_smoke.gate.verdict import VerdictStatus

NO_ADMINISTRATOR = "ledger/only-the-expected-administrator-controls-the-contract"


def test_the_contract_whose_recipients_withdraw_is_played_by_the_ledger_feature(tmp_path: Path) -> None:
    with start_sandbox(contract_profile="streampay-contracts-v0.2") as sandbox:
        ran = Project(tmp_path, sandbox.ready_document()["env"]).smoke("--tags", "@chain")
    assert ran.verdict.verdict is VerdictStatus.PASS, ran.output
    played = {check.id for check in ran.verdict.checks}
    assert "ledger/a-stream-is-created-and-settled-directly-on-the-contract" in played
    assert NO_ADMINISTRATOR in ran.verdict.evidence.excluded_ids
