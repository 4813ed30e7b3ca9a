"""Every shape in which secrets are spilled is hidden, every look-alike stays, and the search itself finds a leak."""

import html
import json
import re
from pathlib import Path

import pytest
from spilled_secrets import DISGUISES, HARMLESS, SPILLED, Maker, Spilled, found_in, spilled

from streampay_smoke.core.secret_shapes import REDACTED, SHAPES, names_a_secret, shortened, without_shapes
from streampay_smoke.evidence.redaction import Redactor

ROOT = Path(__file__).parents[3]
SEEDS = ("a", "b", "c")


def test_there_are_sixty_shapes_and_more_each_of_its_own() -> None:
    assert len(SPILLED) >= 60
    assert len({re.sub(r"[A-Za-z0-9+/=_-]{10,}", "", spilled(name, "a").text) for name in SPILLED}) > 50


@pytest.mark.parametrize("name", SPILLED)
def test_somebody_elses_secret_is_hidden_by_its_look(name: str) -> None:
    for seed in SEEDS:
        spill = spilled(name, seed)
        assert found_in(spill.text, spill.secrets), "the search must find what is there"
        around = (f"before\n{spill.text}\nafter", f'said: "{spill.text}"', json.dumps([spill.text]))
        for text in (spill.text, *around, f"<pre>{html.escape(spill.text)}</pre>"):
            shown = Redactor().text(text)
            assert not found_in(shown, spill.secrets), (text, shown)


@pytest.mark.parametrize("kind", [shape.kind for shape in SHAPES])
def test_no_shape_is_there_for_nothing(kind: str) -> None:
    """Each rule is the one that hides something: without it, a spilled secret stays."""
    others = [shape for shape in SHAPES if shape.kind != kind]

    def hidden_by_others(text: str) -> str:
        for shape in others:
            text = shape.hide(text)
        return text

    spills = [spilled(name, seed) for name in SPILLED for seed in SEEDS]
    assert any(found_in(hidden_by_others(spill.text), spill.secrets) for spill in spills)


@pytest.mark.parametrize("disguise", DISGUISES)
def test_a_secret_that_is_known_is_hidden_in_every_disguise(disguise: str) -> None:
    make = Maker(disguise)
    for secret in (make.alnum(40), make.jwt(), make.seed(), make.base64(), make.hex(), f"{make.alnum(16)}/&+ %<{{"):
        redactor = Redactor()
        redactor.learn(secret)
        text = f"got {DISGUISES[disguise](secret)} instead"
        assert found_in(text, [secret]), "the search must find what is there"
        shown = redactor.text(text)
        assert not found_in(shown, [secret]), (text, shown)
        assert shown.startswith("got ")


@pytest.mark.parametrize("text", HARMLESS)
def test_what_reports_live_from_stays(text: str) -> None:
    redactor = Redactor()
    make = Maker("operator")
    for secret in (make.alnum(40), make.jwt(), make.seed(), make.base64(), "a-rather-simple-password"):
        redactor.learn(secret)
    assert redactor.text(text) == text
    assert redactor.text(f'"{text}"') == f'"{text}"'


def test_pages_features_and_places_of_the_project_stay() -> None:
    pages = [*ROOT.glob("docs/*.md"), *ROOT.glob("features/**/*.feature"), *ROOT.glob("environments/*.toml")]
    changed = [
        line
        for page in (*pages, ROOT / "README.md", ROOT / "CHANGELOG.md")
        for line in page.read_text(encoding="utf-8").splitlines()
        if without_shapes(line) != line
    ]
    assert not changed


@pytest.mark.parametrize(
    "name",
    [
        *("apiKey", "X-API-Key", "client_secret", "DB_PASSWORD", "dbpassword", "refreshToken", "set-cookie", "SID"),
        *("AWS_SECRET_ACCESS_KEY", "connect.sid", "privateKey", "PGPWD", "sentryDsn", "seed_phrase", "x-csrf-token"),
    ],
)
def test_a_name_tells_that_its_value_is_a_secret(name: str) -> None:
    assert names_a_secret(name) is (name != "PGPWD")


@pytest.mark.parametrize(
    "name", ["token", "businessId", "address_id", "idempotency-key", "x-request-id", "keyid", "proceeds", "tokens", ""]
)
def test_other_names_tell_nothing(name: str) -> None:
    assert not names_a_secret(name)


def test_a_text_is_cut_between_words() -> None:
    assert shortened("short", 5) == "short"
    assert shortened("one two three", 9) == "one two …"
    assert shortened("one two three", 7) == "one two…"
    assert shortened(f"see -----BEGIN PRIVATE KEY-----\n{'MC4C ' * 9}", 40) == f"see {REDACTED}"


@pytest.mark.parametrize("limit", [60, 200, 300])
def test_no_cut_makes_a_part_that_is_not_recognised(limit: int) -> None:
    redactor, secret = Redactor(), Maker("cut").hex()
    redactor.learn(secret)
    spills = [spilled(name, "cut") for name in SPILLED]
    spills += [Spilled(text=disguise(secret), secrets=(secret,)) for disguise in DISGUISES.values()]
    for spill in spills:
        for text in (spill.text, html.escape(spill.text), json.dumps(json.dumps(spill.text))):
            shown = redactor.text(repr(shortened(f"{'x ' * 14}{text}", limit)))
            assert not found_in(shown, spill.secrets), (text, shown)


def test_a_planted_secret_is_found_however_it_is_written() -> None:
    secret = Maker("planted").alnum(30)
    assert not found_in(f"nothing but {REDACTED} here", [secret])
    for disguise, write in DISGUISES.items():
        assert found_in(f"log: {write(secret)}!", [secret]), disguise
