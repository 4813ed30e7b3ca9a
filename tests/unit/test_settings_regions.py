"""Regions of an environment file: what each says for itself, and what is never shared."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from streampay_smoke.core.errors import SettingsInvalid, SmokeError
from streampay_smoke.operations.regions import refuse_shared
from streampay_smoke.settings import Settings, load
from streampay_smoke.settings.reading import read

FILE = """
description = "Two regions"
[service]
network = "testnet"
ready_within_seconds = 10
[chain]
network = "testnet"
contract_id = "CAQCAIBAEAQCAIBAEAQCAIBAEAQCAIBAEAQCAIBAEAQCAIBAEAQCAMAU"
[money]
settles = true
max_stroops = 1_000
[[regions]]
name = "eu"
base_url = "https://eu.pay.example"
rpc_url = "https://rpc.eu.example"
vantage = "ci-eu"
credentials = { SMOKE_API_KEY = "EU_API_KEY" }
[[regions]]
name = "us"
base_url = "https://us.pay.example"
"""
SECRET = "a-secret-that-is-long-enough"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments" / "two.toml").write_text(FILE)
    return tmp_path


def loaded(root: Path, environ: Mapping[str, str]) -> Settings:
    return load(environ={"SMOKE_ENV": "two", **environ}, root=root)


def test_a_region_has_its_own_addresses_credentials_vantage_and_share_of_the_spend_cap(root: Path) -> None:
    eu = loaded(root, {"SMOKE_REGION": "eu", "SMOKE_AUTH_MODE": "api-key", "EU_API_KEY": SECRET})
    us = loaded(root, {"SMOKE_REGION": "us"})

    assert (eu.base_url, eu.rpc_url, eu.vantage) == ("https://eu.pay.example", "https://rpc.eu.example", "ci-eu")
    assert eu.api_key is not None
    assert eu.api_key.reveal() == SECRET
    assert (us.base_url, us.vantage, us.api_key) == ("https://us.pay.example", "", None)
    assert us.rpc_url != eu.rpc_url
    assert eu.facts.money.max_stroops + us.facts.money.max_stroops == 1_000


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"SMOKE_REGION": "uss"}, "did you mean us?"),
        ({"SMOKE_REGION": "eu"}, "EU_API_KEY is not set"),
        ({"SMOKE_REGION": "eu", "EU_API_KEY": SECRET, "SMOKE_API_KEY": SECRET}, "is set for every region"),
    ],
)
def test_a_region_that_cannot_be_played_is_refused_by_name(root: Path, environ: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsInvalid, match=r"region|REGION") as caught:
        loaded(root, environ)
    assert said in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "us"', 'name = "eu"', "two regions are named 'eu'"),
        ('name = "us"', 'name = "all"', "no region can be named 'all'"),
        ('name = "us"', 'name = "../us"', "no region can be named '../us'"),
        ("SMOKE_API_KEY", "SMOKE_REGION", "SMOKE_REGION is no setting that is a secret"),
        ('"EU_API_KEY"', '"SMOKE_EU_API_KEY"', "must not begin with SMOKE_"),
        ('vantage = "ci-eu"', "simulated_latency_ms = 5", "for a service that is simulated"),
        ('vantage = "ci-eu"', 'simulated_faults = ["slow"]', "for a service that is simulated"),
        ("https://rpc.eu.example", "https://mainnet.sorobanrpc.com", "rpc_url of region eu"),
    ],
)
def test_a_file_whose_regions_make_no_sense_is_refused(root: Path, old: str, new: str, said: str) -> None:
    (root / "environments" / "two.toml").write_text(FILE.replace(old, new))
    with pytest.raises(SmokeError) as caught:
        loaded(root, {"SMOKE_REGION": "us"})
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({}, ""),
        ({"SMOKE_BASE_URL": "https://pay.example"}, "SMOKE_BASE_URL is set for all regions"),
        ({"SMOKE_SIGNER_SEED": "S"}, "one account cannot sign for several regions"),
        ({"SMOKE_STELLAR_RPC_URL": "https://rpc.example"}, "gives region eu its own"),
        ({"SMOKE_CONTRACT_ID": "CAQCAIBAEAQCAIBAEAQCAIBAEAQCAIBAEAQCAIBAEAQCAIBAEAQCAMAU"}, ""),
        ({"SMOKE_ON_FAIL": "rollback"}, "rolls nothing back"),
    ],
)
def test_what_two_regions_would_use_at_once_is_refused(root: Path, environ: dict[str, str], said: str) -> None:
    raw = read(environ={"SMOKE_ENV": "two", "SMOKE_REGION": "all", **environ}, root=root)
    if not said:
        refuse_shared(raw)
        return
    with pytest.raises(SettingsInvalid, match=said):
        refuse_shared(raw)


@pytest.mark.parametrize(
    ("us_seed", "said"),
    [("S-OTHER", ""), ("S-ONE", r"regions eu and us one SMOKE_SIGNER_SEED \(EU_SEED and US_SEED\)"), ("", "")],
)
def test_two_regions_with_one_account_are_refused_by_name(root: Path, us_seed: str, said: str) -> None:
    file = root / "environments" / "two.toml"
    text = FILE.replace('SMOKE_API_KEY = "EU_API_KEY"', 'SMOKE_SIGNER_SEED = "EU_SEED"')
    file.write_text(f'{text}credentials = {{ SMOKE_SIGNER_SEED = "US_SEED" }}\n')
    seeds = {"EU_SEED": "S-ONE", "US_SEED": us_seed}
    raw = read(environ={"SMOKE_ENV": "two", "SMOKE_REGION": "all", **seeds}, root=root)
    if not said:
        refuse_shared(raw)
        return
    with pytest.raises(SettingsInvalid, match=said) as caught:
        refuse_shared(raw)
    assert "S-ONE" not in str(caught.value)
