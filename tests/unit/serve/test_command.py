"""The service starts only where it is safe to, and says what is missing."""

import logging
from pathlib import Path

import pytest
from serve_parts import OTHER_TOKEN, TOKEN

from streampay_smoke import cli
from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.core.secret import Secret
from streampay_smoke.serve import command
from streampay_smoke.serve.keys import flagger_key

ROOT = Path(__file__).parents[3]


def load(**environ: str) -> command.ServeConfiguration:
    return command.load(environ, root=ROOT)


def test_a_service_without_a_token_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["serve", "--port", "0"]) == 2
    assert "SMOKE_SERVE_TOKEN is not set" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"SMOKE_SERVE_TOKEN": "too-short"}, "SMOKE_SERVE_TOKEN is shorter than 24"),
        ({"SMOKE_SERVE_TOKEN": TOKEN, "SMOKE_SERVE_TOKEN_B": "too-short"}, "SMOKE_SERVE_TOKEN_B is shorter"),
        ({"SMOKE_SERVE_TOKEN_B": TOKEN}, "SMOKE_SERVE_TOKEN is not set"),
        ({"SMOKE_SERVE_TOKEN": TOKEN, "SMOKE_SERVE_VALID_SECONDS": "soon"}, "SMOKE_SERVE_VALID_SECONDS is 'soon'"),
        ({"SMOKE_SERVE_TOKEN": TOKEN, "SMOKE_SERVE_KEEP_RUNS": "-1"}, "SMOKE_SERVE_KEEP_RUNS is '-1'"),
        ({"SMOKE_SERVE_TOKEN": TOKEN, "SMOKE_DEADLINE_SECONDS": "0"}, "SMOKE_DEADLINE_SECONDS is '0'"),
        ({"SMOKE_SERVE_TOKEN": TOKEN, "SMOKE_SERVE_TOKNE": "x"}, "did you mean SMOKE_SERVE_TOKEN"),
        ({"SMOKE_SERVE_TOKEN": TOKEN, "SMOKE_SERVE_TARGETS": "preview.example"}, "SMOKE_SERVE_TARGETS is not an http"),
        ({"SMOKE_SERVE_TOKEN": TOKEN, "SMOKE_SERVE_TARGETS": "https://a:b@x"}, "SMOKE_SERVE_TARGETS carries cred"),
        ({"SMOKE_SERVE_TOKEN": TOKEN, "SMOKE_ENV": "nowhere"}, "no environments/nowhere.toml"),
    ],
)
def test_a_wrong_setting_is_named_before_anything_listens(environ: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsInvalid, match=said) as refused:
        load(**environ)
    assert TOKEN not in str(refused.value)


def test_a_service_is_for_one_environment_and_its_addresses() -> None:
    settings = load(
        SMOKE_SERVE_TOKEN=TOKEN,
        SMOKE_SERVE_TOKEN_B=OTHER_TOKEN,
        SMOKE_ENV="staging",
        SMOKE_REGION="eu",
        SMOKE_BASE_URL="https://staging.example/",
        SMOKE_SERVE_TARGETS="https://a.example/ http://b.pay.svc:8080",
        SMOKE_DEADLINE_SECONDS="60",
        SMOKE_BAKE="10m",
    )
    place = settings.served
    assert (place.environment, place.region, place.base_url) == ("staging", "eu", "https://staging.example")
    assert place.targets == ("https://a.example", "http://b.pay.svc:8080")
    assert (settings.limit_seconds, settings.valid_seconds, settings.keep_runs) == (780, 3600, 100)
    assert [token.reveal() for token in settings.tokens] == [TOKEN, OTHER_TOKEN]
    assert TOKEN not in repr(settings)


def test_the_key_of_a_canary_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("SMOKE_SERVE_TOKEN", TOKEN)
    assert cli.main(["serve", "--flagger-key", "shop/pay"]) == 0
    assert capsys.readouterr().out.strip() == flagger_key(Secret(TOKEN), "shop", "pay")
    for wrong in ("shop", "/pay", "shop/", "a/b/c"):
        assert cli.main(["serve", "--flagger-key", wrong]) == 2


@pytest.mark.parametrize("concurrency", ["0", "-1", "x"])
def test_at_least_one_run_at_once(concurrency: str) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["serve", "--concurrency", concurrency])
    assert ended.value.code == 2


def test_an_address_that_is_taken_is_named(tmp_path: Path) -> None:
    with command._listening("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsInvalid, match=f"cannot listen on 127.0.0.1:{port}"):
            command.serve(load(SMOKE_SERVE_TOKEN=TOKEN), host="127.0.0.1", port=port, state=tmp_path, concurrency=1)


def test_nothing_the_service_writes_shows_a_token(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def serve(settings: command.ServeConfiguration, **given: object) -> None:
        with command._logging():
            logging.getLogger("streampay_smoke.serve").info("somebody sent %s", TOKEN)
        print(f"or {TOKEN}")

    monkeypatch.setenv("SMOKE_SERVE_TOKEN", TOKEN)
    monkeypatch.setattr(command, "serve", serve)
    assert cli.main(["serve"]) == 0
    shown = capsys.readouterr()
    assert "somebody sent <redacted>" in shown.err
    assert shown.out == "or <redacted>\n"
