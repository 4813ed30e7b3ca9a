"""Recorded answers are told apart by their shape, and read, refused or found wrong by the adapter's own code."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from ledger_players import Wire, build, started
from stellar_sdk import scval

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
import recorded_answers as tool


@pytest.fixture(scope="module")
def answers() -> dict[str, Any]:
    """One answer of each method, recorded from the sandbox ledger."""
    with started() as wire:
        payer = wire.person()
        stream_id = payer.draft(wire.person())
        account = payer.account()
        found = _asked(wire)
        found["simulated"] = wire.simulate(
            build(account, wire.ledger.contract_id, "get_stream", scval.to_uint64(stream_id))
        )
        found["failed"] = wire.simulate(build(account, wire.ledger.contract_id, "get_stream", scval.to_uint64(404)))
        return found


def _asked(wire: Wire) -> dict[str, Any]:
    transactions = wire.call("getTransactions", startLedger=1)
    return {
        **{
            name: wire.call(name)
            for name in ("getHealth", "getNetwork", "getVersionInfo", "getFeeStats", "getLatestLedger")
        },
        "getTransactions": transactions,
        "getTransaction": wire.outcome(transactions["transactions"][-1]["txHash"]),
        "getLedgers": wire.call("getLedgers", startLedger=1),
        "getEvents": wire.call("getEvents", startLedger=1),
    }


def told(folder: Path, capsys: pytest.CaptureFixture[str], **files: str) -> tuple[int, list[str]]:
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    code = tool.main([str(folder)])
    return code, capsys.readouterr().out.splitlines()


def test_every_answer_of_the_sandbox_is_read_rightly(
    answers: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, lines = told(tmp_path, capsys, all_json=json.dumps({"anything around": [answers]}))
    assert (code, lines[-1]) == (0, "11 answers: 10 read rightly, 1 of headers, never asked for"), lines


def test_a_contradiction_is_refused_and_errors_are_answers_too(
    answers: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    contradiction = {"jsonrpc": "2.0", "id": 1, "result": answers["getTransaction"] | {"status": "FAILED"}}
    error = {"jsonrpc": "2.0", "id": 1, "error": {"code": -32601, "message": "method not found"}}
    code, lines = told(tmp_path, capsys, one_json=json.dumps(contradiction), two_json=json.dumps(error))
    assert (code, lines[-1]) == (0, "2 answers: 1 read rightly, 1 refused"), lines
    assert any("status and result contradict each other" in line for line in lines)


def test_dict_literals_of_a_test_are_answers_with_the_names_filled_in(
    answers: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = f"def test():\n    result = {answers['getHealth']!r}\n    data = {{'jsonrpc': '2.0', 'result': result}}\n"
    code, lines = told(tmp_path, capsys, test_py=source)
    assert (code, lines[-1]) == (0, "1 answers: 1 read rightly"), lines


def test_nothing_that_was_fed_proves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(tmp_path, capsys, no_json="{}")[0] == 1
