"""Samples against their limit, in words and as a picture; and how to run again."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from gate_stories import LATE_READS

from streampay_smoke.publish.again import command, explorer_links
from streampay_smoke.publish.samples import WIDTH, _picture, sentence

ANSWER = msgspec.structs.replace(
    LATE_READS, name="lists are read quickly", threshold=1_000.0, samples=40, estimate=20.0, decision="pass", bad=2
)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "38 of 40 reads took 1 s or less; 95 of 100 should"),
        (
            {"kind": "settlement_time", "unit": "s", "threshold": 90.0, "quantile": 1.0, "bad": 0},
            "40 of 40 settlements took 90 s or less; every one should",
        ),
        ({"estimate": None, "samples": 0}, "nothing measured, promised 1 s"),
        (
            {"kind": "read_comparison", "unit": "x", "estimate": 1.3},
            "1.3 times as slow as the stable release, promised",
        ),
    ],
)
def test_a_measurement_is_told_without_statistics(changes: dict[str, Any], words: str) -> None:
    assert sentence(msgspec.structs.replace(ANSWER, **changes)).startswith(words)


def test_samples_lie_on_their_side_of_the_limit() -> None:
    found = _picture(100.0, [10.0, 10.1, 100.0, 250.0])
    assert len(found.within) == 2, "samples that would hide each other are one dot"
    assert found.within[0] < found.within[1] <= round(found.limit) < found.beyond[0] < WIDTH


def test_the_command_names_what_was_judged_and_no_secret(sample: Callable[[str], Any]) -> None:
    run = sample("passing").report
    settings = {"base_url": "https://a.example", "tags": "@smoke and not @slow", "region": "eu", "api_key": "<secret>"}
    run = msgspec.structs.replace(run, started=msgspec.structs.replace(run.started, settings=settings))
    assert command(run) == (
        "streampay-smoke run --env sandbox --base-url https://a.example --region eu --tags '@smoke and not @slow'"
    )


def test_explorers_are_linked_for_real_networks_only(sample: Callable[[str], Any]) -> None:
    verdict = sample("passing").verdict
    assert explorer_links(sample("passing").report) == {}
    chain = msgspec.structs.replace(verdict.chain, network="testnet", simulated=False)
    run = msgspec.structs.replace(sample("passing").report, verdict=msgspec.structs.replace(verdict, chain=chain))
    assert explorer_links(run)["Settlement transaction"] == f"https://stellar.expert/explorer/testnet/tx/{'ab' * 32}"
