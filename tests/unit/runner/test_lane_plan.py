"""Which scenarios share a lane, and which are played beside nothing."""

from pathlib import Path

import msgspec
import pytest

from streampay_smoke.core.secret import Secret
from streampay_smoke.evidence.events import ExpectedScenario
from streampay_smoke.runner.lane_plan import ALONE, LANES, lane_of, lanes_of, shared_by
from streampay_smoke.runner.plan import all_scenarios
from streampay_smoke.settings import Settings, load

ROOT = Path(__file__).parents[3]
EXPECTED = tuple(all_scenarios(ROOT / "features").values())


@pytest.fixture
def settings() -> Settings:
    environ = {
        "SMOKE_BASE_URL": "http://127.0.0.1:1",
        "SMOKE_STELLAR_RPC_URL": "http://127.0.0.1:2",
        "SMOKE_CONTRACT_ID": "CCRGC7TAEXSSGPPJY37VIMVENASIQBT2BLCK3ZCK4HQWQYLIT32ZTHUK",
    }
    return load(environ=environ, root=ROOT)


def of(*beginnings: str) -> list[ExpectedScenario]:
    return [scenario for scenario in EXPECTED if scenario.id.startswith(beginnings)]


@pytest.mark.parametrize("beginning", [start for lane in LANES for start in lane.plays] + list(ALONE))
def test_every_entry_of_the_table_names_a_scenario(beginning: str) -> None:
    assert of(beginning)


def test_one_lane_signs_and_plays_whatever_nobody_has_named() -> None:
    assert [lane.name for lane in LANES if lane.signs] == ["contract"]
    assert lane_of("a feature of tomorrow/a scenario") is LANES[0]


def test_a_whole_smoke_is_played_in_all_lanes_and_readiness_beside_nothing(settings: Settings) -> None:
    lane_of_id = lanes_of(EXPECTED, settings)
    assert set(lane_of_id.values()) == set(range(1, len(LANES) + 1))
    alone = {scenario.id for scenario in EXPECTED} - lane_of_id.keys()
    assert alone == {scenario.id for scenario in of(*ALONE)}


@pytest.mark.parametrize("beginning", ["readiness/", "ledger/", "api_v2_access/"])
def test_what_fits_into_one_lane_is_played_in_turn(settings: Settings, beginning: str) -> None:
    assert lanes_of(of(beginning), settings) == {}


@pytest.mark.parametrize("most", [2, 3])
def test_fewer_lanes_take_the_same_scenarios(settings: Settings, most: int) -> None:
    lane_of_id = lanes_of(EXPECTED, msgspec.structs.replace(settings, lanes=most))
    assert set(lane_of_id.values()) == set(range(1, most + 1))
    assert lane_of_id.keys() == lanes_of(EXPECTED, settings).keys()


NO_LANES: dict[str, dict[str, object]] = {
    "one is asked for": {"lanes": 1},
    "everybody pays one recipient": {"recipient_seed": Secret("S" + "A" * 55)},
    "the sandbox is embedded": {"base_url": ""},
}


@pytest.mark.parametrize("changed", NO_LANES.values(), ids=NO_LANES)
def test_no_lanes_where_nobody_wants_them_or_they_could_not_be(settings: Settings, changed: dict[str, object]) -> None:
    assert lanes_of(EXPECTED, msgspec.structs.replace(settings, **changed)) == {}


def test_lanes_share_what_one_of_their_scenarios_needs(settings: Settings) -> None:
    whole = shared_by(lanes_of(EXPECTED, settings), EXPECTED, settings)
    assert whole == ("readiness", "credential", "second_credential", "ledger")
    money = of("settlement/")
    assert shared_by(lanes_of(money, settings), money, settings) == ("readiness", "credential", "ledger")


def test_lanes_that_take_the_services_word_share_no_ledger(settings: Settings) -> None:
    by_word = msgspec.structs.replace(settings, settlement_proof="service")
    money = of("settlement/")
    assert "ledger" not in shared_by(lanes_of(money, by_word), money, by_word)
    assert "ledger" in shared_by(lanes_of(EXPECTED, by_word), EXPECTED, by_word)
