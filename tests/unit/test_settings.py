"""Settings: precedence, refusals, and that nothing points at real money."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streampay_sandbox.ledger.genesis import named_keypair
from streampay_smoke import settings as configuration
from streampay_smoke.core.errors import GuardRefused, SettingsInvalid, SmokeError
from streampay_smoke.core.networks import ALLOWED, PUBLIC_NAMES, PUBLIC_PASSPHRASE
from streampay_smoke.core.secret import Secret, SecretAddress
from streampay_smoke.service.strkey import KEY_BYTES, seed_text
from streampay_smoke.settings import EvidenceSettings, Settings, parsing
from streampay_smoke.settings.actuator import RollbackSettings, ServeSettings, load_serve
from streampay_smoke.settings.folders import CHECKOUT, project_root, suite_root
from streampay_smoke.settings.notification import NotificationSettings
from streampay_smoke.settings.reading import read
from streampay_smoke.settings.variables import ENGINE_PREFIX, VARIABLES, Mode

ROOT = Path(__file__).parents[2]
STAGING = {
    "SMOKE_ENV": "staging",
    "SMOKE_BASE_URL": "https://staging.example",
    "SMOKE_CONTRACT_ID": "C1",
}

TOKEN = "CAOSK5AWXB4U5FSOGOTSGW6IBLO7S24UHYABDZYJD2RO2CXKL2R6F27I"


def load(options: Any = None, root: Any = ROOT, **environ: Any) -> Settings:
    return configuration.load(options, environ=environ, root=root)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "environments").mkdir()
    for source in (ROOT / "environments").glob("*.toml"):
        (tmp_path / "environments" / source.name).write_text(source.read_text())
    return tmp_path


def test_nothing_set_is_the_embedded_sandbox() -> None:
    settings = load()
    assert settings.environment == "sandbox"
    assert settings.embedded
    assert settings.network.simulated
    assert settings.tags == "@smoke"
    assert settings.deadline_seconds == 120


def test_options_win_over_environment_over_dotenv_over_the_file_over_the_default(project: Path) -> None:
    file = project / "environments" / "staging.toml"
    assert load(root=project, **STAGING).region == ""
    file.write_text(file.read_text().replace("[chain]", '[chain]\nrpc_url = "http://file"'))
    assert load(root=project, **STAGING).rpc_url == "http://file"
    (project / ".env").write_text("SMOKE_STELLAR_RPC_URL=http://dotenv\n")
    assert load(root=project, **STAGING).rpc_url == "http://dotenv"
    assert load(root=project, **STAGING, SMOKE_STELLAR_RPC_URL="http://env").rpc_url == "http://env"
    options = {"SMOKE_STELLAR_RPC_URL": "http://option"}
    assert load(options, project, **STAGING, SMOKE_STELLAR_RPC_URL="http://env").rpc_url == "http://option"


def test_an_empty_variable_counts_as_unset(project: Path) -> None:
    (project / ".env").write_text("SMOKE_REGION=eu\n")
    assert load(root=project, SMOKE_REGION="").region == ""
    assert load(root=project).region == "eu"


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_a_deployment_without_an_address_is_refused(environment: str) -> None:
    with pytest.raises(SettingsInvalid, match="SMOKE_BASE_URL is not set"):
        load(SMOKE_ENV=environment, SMOKE_AUTH_TOKEN="a-long-token")


def test_a_typo_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(SettingsInvalid, match="did you mean SMOKE_BASE_URL"):
        load(SMOKE_BASEURL="http://x")


def test_a_typo_in_dotenv_is_refused_too(project: Path) -> None:
    (project / ".env").write_text("SMOKE_TAG=@x\n")
    with pytest.raises(SettingsInvalid, match=r"SMOKE_TAG \(from .env, line 1\).*SMOKE_TAGS"):
        load(root=project)


def test_other_peoples_variables_are_ignored() -> None:
    assert load(SMOKELESS="1", PATH="/bin").environment == "sandbox"


@pytest.mark.parametrize(
    "name", [*sorted(PUBLIC_NAMES), "PUBLIC", " mainnet ", "\N{FULLWIDTH LATIN SMALL LETTER P}ublic"]
)
def test_the_public_network_is_refused_by_name(name: str) -> None:
    with pytest.raises(GuardRefused):
        load(SMOKE_STELLAR_NETWORK=name)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("pubic", "did you mean public? The public network is never touched"),
        ("pubnet2", "did you mean pubnet?"),
        ("testnett", "did you mean testnet?"),
        ("TESTNET", "did you mean testnet?"),
        ("0", "is no known network"),
    ],
)
def test_a_typo_of_a_network_is_no_real_money(name: str, meant: str, project: Path) -> None:
    with pytest.raises(SettingsInvalid, match=re.escape(meant)) as refusal:
        load(SMOKE_STELLAR_NETWORK=name)
    assert "testnet" in refusal.value.next_step
    file = project / "environments" / "staging.toml"
    file.write_text(file.read_text().replace('[chain]\nnetwork = "testnet"', f'[chain]\nnetwork = "{name}"'))
    with pytest.raises(SettingsInvalid, match=re.escape(meant)) as refusal:
        load(root=project, **STAGING)
    assert str(refusal.value).startswith("environments/staging.toml: ")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SMOKE_STELLAR_RPC_URL", "https://mainnet.rpc.example"),
        ("SMOKE_STELLAR_RPC_URL", "https://horizon.stellar.org"),
        ("SMOKE_STELLAR_FRIENDBOT_URL", "https://pubnet.example/friendbot"),
        ("SMOKE_STELLAR_RPC_URL", "https://horizon\N{IDEOGRAPHIC FULL STOP}stellar\N{FULLWIDTH FULL STOP}org"),
        ("SMOKE_STELLAR_RPC_URL", "https://main\N{SOFT HYPHEN}net.sorobanrpc.com"),
        ("SMOKE_STELLAR_RPC_URL", "https://%6Dainnet.sorobanrpc.com"),
        ("SMOKE_STELLAR_NETWORK", PUBLIC_PASSPHRASE),
        ("SMOKE_REGION", PUBLIC_PASSPHRASE),
    ],
)
def test_the_public_network_is_refused_whichever_way_it_comes(variable: str, value: str) -> None:
    with pytest.raises(GuardRefused):
        load(**{variable: value})


def test_the_public_network_is_refused_even_when_the_rest_is_wrong() -> None:
    with pytest.raises(GuardRefused):
        load(SMOKE_ENV="nowhere", SMOKE_STELLAR_NETWORK="public")


@pytest.mark.parametrize(
    "lines",
    [
        'network = "public"',
        'network = "testnet"\nrpc_url = "https://mainnet.sorobanrpc.com"',
        'network = "testnet"\nfriendbot_url = "https://horizon.stellar.org/friendbot"',
    ],
)
def test_an_environment_file_cannot_name_the_public_network(project: Path, lines: str) -> None:
    file = project / "environments" / "staging.toml"
    file.write_text(file.read_text().replace('[chain]\nnetwork = "testnet"', f"[chain]\n{lines}"))
    with pytest.raises(GuardRefused):
        load(root=project, **STAGING)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"SMOKE_ENV": "nowhere"}, "environments/nowhere.toml"),
        ({"SMOKE_BASE_URL": "staging.example"}, "SMOKE_BASE_URL"),
        ({"SMOKE_BASE_URL": "ftp://x"}, "SMOKE_BASE_URL"),
        ({"SMOKE_BASE_URL": "https://me:secret@x"}, "credentials"),
        ({"SMOKE_AUTH_MODE": "bearer"}, "SMOKE_AUTH_TOKEN"),
        ({"SMOKE_AUTH_MODE": "jwt"}, "SMOKE_AUTH_JWT_SECRET"),
        ({"SMOKE_AUTH_MODE": "api-key"}, "SMOKE_API_KEY"),
        ({"SMOKE_AUTH_MODE": "magic"}, "SMOKE_AUTH_MODE"),
        ({"SMOKE_AUTH_TOKEN": "short"}, "SMOKE_AUTH_TOKEN"),
        ({"SMOKE_CONTRACT_ID": ""}, "SMOKE_CONTRACT_ID"),
        ({"SMOKE_CONTRACT_PROFILE": "other"}, "SMOKE_CONTRACT_PROFILE"),
        ({"SMOKE_DEADLINE_SECONDS": "soon"}, "SMOKE_DEADLINE_SECONDS"),
        ({"SMOKE_DEADLINE_SECONDS": "0"}, "SMOKE_DEADLINE_SECONDS"),
        ({"SMOKE_DEADLINE_SECONDS": "inf"}, "SMOKE_DEADLINE_SECONDS"),
        ({"SMOKE_DEADLINE_SECONDS": "nan"}, "SMOKE_DEADLINE_SECONDS"),
        ({"SMOKE_ON_INCONCLUSIVE": "pass"}, "SMOKE_ON_INCONCLUSIVE"),
        ({"SMOKE_REPORT": "maybe"}, "SMOKE_REPORT"),
        ({"SMOKE_DIALECT": "v9"}, "SMOKE_DIALECT"),
        ({"SMOKE_SETTLEMENT_PROOF": "service"}, "SMOKE_SETTLEMENT_PROOF"),
        ({"SMOKE_SETTLEMENT_PROOF": "trust"}, "SMOKE_SETTLEMENT_PROOF"),
        ({"SMOKE_SIGNER_SEED": "S" + "A" * 55}, "SMOKE_SIGNER_SEED is not a Stellar seed"),
        ({"SMOKE_RECIPIENT_SEED": TOKEN}, "SMOKE_RECIPIENT_SEED is not a Stellar seed"),
        ({"SMOKE_TOKEN_CONTRACT_ID": "native"}, "SMOKE_TOKEN_CONTRACT_ID is no contract id"),
        ({"SMOKE_TOKEN_CONTRACT_ID": TOKEN[:-1] + "A"}, "SMOKE_TOKEN_CONTRACT_ID is no contract id"),
        ({"SMOKE_TOKEN_CONTRACT_ID": TOKEN, "SMOKE_CONTRACT_ID": TOKEN}, "name the same contract"),
        ({"SMOKE_TOKEN_CONTRACT_ID": TOKEN}, f"SMOKE_TOKEN_CONTRACT_ID is {TOKEN}, and the native token of"),
    ],
)
def test_what_is_missing_or_wrong_is_named_with_the_next_step(changes: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsInvalid, match=re.escape(named)) as refusal:
        load(**{**STAGING, **changes})
    assert refusal.value.next_step


def test_an_external_sandbox_needs_its_addresses() -> None:
    with pytest.raises(SettingsInvalid, match="SMOKE_CONTRACT_ID"):
        load(SMOKE_BASE_URL="http://127.0.0.1:1")
    with pytest.raises(SettingsInvalid, match="SMOKE_STELLAR_RPC_URL"):
        load(SMOKE_BASE_URL="http://127.0.0.1:1", SMOKE_CONTRACT_ID="C1")


def test_a_read_only_environment_says_why(project: Path) -> None:
    file = project / "environments" / "production.toml"
    file.write_text(re.sub(r"settles_not_because = .*", "", file.read_text()))
    with pytest.raises(SettingsInvalid, match="does not say why"):
        load(
            root=project,
            SMOKE_ENV="production",
            SMOKE_BASE_URL="https://x",
            SMOKE_AUTH_TOKEN="a-long-token",
            SMOKE_CONTRACT_ID="C1",
        )


@pytest.mark.parametrize("admin", ["G1", "C" + "A" * 55, "SMOKE"])
def test_an_administrator_who_is_no_address_is_refused(project: Path, admin: str) -> None:
    file = project / "environments" / "staging.toml"
    file.write_text(file.read_text().replace("[chain]", f'[chain]\ncontract_admin = "{admin}"'))
    with pytest.raises(SettingsInvalid, match="contract_admin is no Stellar address") as caught:
        load(root=project, **STAGING)
    assert "leave it out" in caught.value.next_step


def test_the_sandboxes_administrator_is_the_one_its_file_names() -> None:
    assert load().facts.chain.contract_admin == named_keypair("admin").public_key


@pytest.mark.parametrize("text", ["description = ", 'description = "x"\nunknown = 1'])
def test_a_broken_environment_file_is_named(project: Path, text: str) -> None:
    (project / "environments" / "staging.toml").write_text(text)
    with pytest.raises(SettingsInvalid, match=re.escape("environments/staging.toml")):
        load(root=project, **STAGING)


@pytest.mark.parametrize("origin", ["https://app.example", "http://localhost:3000", "http://10.0.0.1"])
def test_the_web_apps_origin_is_what_a_browser_calls_one(project: Path, origin: str) -> None:
    file = project / "environments" / "staging.toml"
    file.write_text(file.read_text().replace("[service]", f'[service]\napp_origin = "{origin}"'))
    assert load(root=project, **STAGING).facts.service.app_origin == origin


@pytest.mark.parametrize(
    "line",
    [
        'app_origin = "https://app.example/"',
        'app_origin = "https://APP.example"',
        'app_origin = "app.example"',
        'app_origin = "*"',
        'app_origin = "null"',
        "reads_per_minute = -1",
        "replicas = -1",
        "cutover_seconds = -1",
        "replica_miss_probability = 1",
    ],
)
def test_a_fact_of_an_environment_that_cannot_be_is_refused(project: Path, line: str) -> None:
    file = project / "environments" / "production.toml"
    file.write_text(file.read_text().replace("[service]", f"[service]\n{line}"))
    environ = {"SMOKE_ENV": "production", "SMOKE_BASE_URL": "https://x", "SMOKE_CONTRACT_ID": "C1"}
    with pytest.raises(SettingsInvalid, match=r"environments/production\.toml: ") as caught:
        load(root=project, SMOKE_AUTH_TOKEN="a-long-token", **environ)
    assert caught.value.next_step


KEY = "7f3a9c1e5b2d4f60a8c7e9d1b3f5a7c9"


def fields_of_variables(*kinds: type[msgspec.Struct]) -> dict[str, str]:
    """Return the types of all fields, by name."""
    return {field.name: str(field.type) for kind in kinds for field in msgspec.structs.fields(kind)}


def test_every_variable_is_loaded_and_every_secret_one_as_a_secret() -> None:
    fields = fields_of_variables(Settings, EvidenceSettings, RollbackSettings, ServeSettings)
    attributes = {variable.attribute: variable for variable in VARIABLES.values()}
    assert len(attributes) == len(VARIABLES), "two variables have one attribute"
    engine_secrets = {name for name, each in attributes.items() if each.secret and each.name.startswith(ENGINE_PREFIX)}
    assert attributes.keys() - fields.keys() - engine_secrets == {"replicas", "rollback_base_url"}, (
        "declared and in no struct: nobody loads it. `replicas` becomes one of `facts`, and `rollback_base_url` is "
        "where a proof is looked for"
    )
    derived = {"facts", "deadline_is_derived", "rehearsal", "engine_secrets", "credentials", "base_url_called"}
    assert fields.keys() - attributes.keys() == derived, "a field that no variable gives a value to"
    held = {name for name, kind in fields.items() if "Secret" in kind} - {"engine_secrets", "credentials"}
    assert held == {name for name, each in attributes.items() if each.secret} - engine_secrets
    of_runs = fields_of_variables(Settings)
    assert held <= of_runs.keys(), "a secret that a run does not know cannot be kept out of its texts"


@pytest.mark.parametrize("kind", [NotificationSettings, EvidenceSettings])
def test_no_secret_of_those_who_are_told_is_forgotten(kind: type[NotificationSettings]) -> None:
    values: dict[str, Any] = {
        field.name: SecretAddress(f"https://chat.example/{at}{KEY}")
        if "SecretAddress" in str(field.type)
        else Secret(f"{at}{KEY}")
        for at, field in enumerate(msgspec.structs.fields(kind))
        if "Secret" in str(field.type)
    }
    others: dict[str, Any] = {field.name: "" for field in msgspec.structs.fields(kind) if field.required}
    hidden = kind(**{**others, **values}).redacted()
    assert len(hidden) == len(set(hidden)) == len(values)
    assert all(secret.endswith(KEY) for secret in hidden)


def test_secrets_are_held_back_and_known_to_the_redactor() -> None:
    given = {name: f"value-of-{name}" for name, variable in VARIABLES.items() if variable.secret}
    given["SMOKE_SIGNING_KEY"] = "bm90IGEgc2VjcmV0LCBvbmx5IDMyIGJ5dGVzIGxvbmc="
    given["SMOKE_SIGNER_SEED"], given["SMOKE_RECIPIENT_SEED"] = (seed_text(bytes([n]) * KEY_BYTES) for n in (1, 2))
    given["SMOKE_NOTIFY_WEBHOOK_SECRET"] = f"whsec_{given['SMOKE_SIGNING_KEY']}"
    of_addresses = [name for name, variable in VARIABLES.items() if variable.parse is parsing.secret_address]
    given |= {name: f"https://chat.example/{at}{KEY}" for at, name in enumerate(of_addresses)}
    settings = load(**{**STAGING, **given})
    assert sorted(settings.secrets()) == sorted(value for name, value in given.items() if name not in of_addresses)
    keys = {f"{at}{KEY}" for at in range(len(of_addresses))}
    assert keys <= set(settings.redacted()), "of an address its key alone: its host is in other texts too"
    for shown in (repr(settings), str(settings.dump()), str(settings)):
        assert not any(secret in shown for secret in (*given.values(), *keys))


def test_keys_in_addresses_are_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://smoke:a-proxys-password@proxy:1")
    addresses = {
        "SMOKE_STELLAR_RPC_URL": f"https://rpc.example/v1/{KEY}",
        "SMOKE_STELLAR_FRIENDBOT_URL": f"https://bot.example/{KEY[::-1]}",
    }
    settings = load(**{**STAGING, **addresses})
    assert {KEY, KEY[::-1], "a-proxys-password"} <= set(settings.redacted())
    assert settings.dump()["rpc_url"] == "https://rpc.example"
    assert not any(key in str(settings.dump()) for key in (KEY, KEY[::-1]))


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"SSL_CERT_FILE": "/nowhere.pem"}, "SSL_CERT_FILE names /nowhere.pem"),
        ({"SSL_CERT_DIR": "/nowhere"}, "SSL_CERT_DIR names /nowhere"),
        ({"HTTPS_PROXY": "socks5://proxy"}, "HTTPS_PROXY names a proxy of another kind"),
        ({"all_proxy": "http://"}, "all_proxy is not the address of a proxy"),
    ],
)
def test_a_way_out_that_cannot_be_used_is_named_before_anything_is_sent(environ: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsInvalid, match=named) as caught:
        load(**{**STAGING, **environ, "SMOKE_BASE_URL": "https://staging.example"})
    assert caught.value.next_step


def test_a_way_out_that_nothing_goes_by_does_not_matter() -> None:
    load(SSL_CERT_FILE="/nowhere.pem", HTTPS_PROXY="socks5://proxy", NO_PROXY="*")


def test_every_environment_file_of_the_project_is_complete() -> None:
    found = {path.stem for path in (ROOT / "environments").glob("*.toml")}
    assert found == {"sandbox", "sandbox-regions", "local", "staging", "production"}
    for environment in found:
        settings = load(
            SMOKE_ENV=environment,
            SMOKE_BASE_URL="https://x",
            SMOKE_CONTRACT_ID="C1",
            SMOKE_AUTH_TOKEN="a-long-token",
            SMOKE_STELLAR_RPC_URL="http://rpc",
        )
        assert settings.network.name in ALLOWED
        assert settings.facts.description


def test_every_refusal_is_a_smoke_error() -> None:
    assert issubclass(SettingsInvalid, SmokeError)
    assert issubclass(GuardRefused, SmokeError)


def test_the_project_is_found_from_below_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(ROOT / "tests")
    assert project_root() == ROOT
    monkeypatch.chdir(tmp_path)
    assert project_root() == ROOT


@pytest.mark.parametrize(
    ("said", "seconds"), [("0", 0), ("90", 90), ("90s", 90), ("10m", 600), ("1.5h", 5400), ("6h", 21_600)]
)
def test_a_bake_is_a_time_description(said: str, seconds: float) -> None:
    assert load(SMOKE_BAKE=said).bake_seconds == seconds


@pytest.mark.parametrize("said", ["soon", "7h", "-1", "10 d", "m", "nan", "inf"])
def test_a_bake_nobody_can_time_is_refused(said: str) -> None:
    with pytest.raises(SettingsInvalid, match="SMOKE_BAKE"):
        load(SMOKE_BAKE=said)


def test_a_project_without_features_of_its_own_is_lent_those_of_the_checkout(tmp_path: Path) -> None:
    (tmp_path / "environments").mkdir()
    assert suite_root(tmp_path) == CHECKOUT
    (tmp_path / "features").mkdir()
    assert suite_root(tmp_path) == tmp_path


CANARY = {**STAGING, "SMOKE_CANARY_JOURNEYS": "10"}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({}, "SMOKE_CANARY_JOURNEYS is set, and nothing says where the stable release is"),
        ({"SMOKE_CANARY_WEIGHT": "20"}, "SMOKE_EXPECT_RELEASE is not set"),
        (
            {"SMOKE_CANARY_WEIGHT": "20", "SMOKE_EXPECT_RELEASE": "v2", "SMOKE_BASELINE_URL": "https://stable.example"},
            "SMOKE_CANARY_WEIGHT says that one address leads to both",
        ),
        ({"SMOKE_CANARY_JOURNEYS": "4"}, "use a number from 5 to 40"),
        ({"SMOKE_CANARY_JOURNEYS": "41"}, "use a number from 5 to 40"),
        ({"SMOKE_CANARY_JOURNEYS": "ten"}, "use a number from 5 to 40"),
        ({"SMOKE_CANARY_WEIGHT": "100"}, "above 0 and below 100"),
        ({"SMOKE_CANARY_WEIGHT": "nan"}, "above 0 and below 100"),
        ({"SMOKE_BASE_HEADER": "x-canary"}, "write SMOKE_BASE_HEADER as 'NAME: VALUE'"),
        ({"SMOKE_BASELINE_HEADER": "x canary: 1"}, "write SMOKE_BASELINE_HEADER as 'NAME: VALUE'"),
        ({"SMOKE_BASE_HEADER": "authorization: Bearer abc"}, "carries a credential"),
        ({"SMOKE_CANARY_FAULT": "slow", "SMOKE_BASELINE_URL": "https://stable.example"}, "SMOKE_CANARY_FAULT is for"),
    ],
)
def test_a_canary_that_cannot_be_is_refused_with_the_next_step(changes: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsInvalid) as refused:
        load(**{**CANARY, **changes})
    assert named in f"{refused.value} {refused.value.next_step}"


def test_each_way_to_a_candidate_is_one_setting() -> None:
    by_header = load(**CANARY, SMOKE_BASE_HEADER="X-Canary: always")
    assert by_header.base_header == {"x-canary": "always"}
    assert by_header.baseline_header == {}
    assert by_header.baseline_url == by_header.base_url, "the stable release is where no header leads away from it"
    by_weight = load(**CANARY, SMOKE_CANARY_WEIGHT="20%", SMOKE_EXPECT_RELEASE="v2")
    assert (by_weight.canary_weight, by_weight.baseline_url) == (20.0, "")
    by_address = load(**CANARY, SMOKE_BASELINE_URL="https://stable.example")
    assert (by_address.canary_journeys, by_address.canary_weight) == (10, 0.0)
    assert load(**STAGING).canary_journeys == 0


LONG_TOKEN = "a-token-of-24-characters-or-more"
IN_MODE: dict[Mode, tuple[Any, dict[str, str]]] = {
    Mode.ANY: (configuration.load, {}),
    Mode.DEPLOYMENT: (configuration.load, STAGING),
    Mode.PRODUCTION: (configuration.load, {**STAGING, "SMOKE_ENV": "production", "SMOKE_AUTH_MODE": "wallet"}),
    Mode.JWT: (configuration.load, {**STAGING, "SMOKE_AUTH_MODE": "jwt", "SMOKE_AUTH_JWT_SECRET": LONG_TOKEN}),
    Mode.BEARER: (configuration.load, {**STAGING, "SMOKE_AUTH_MODE": "bearer", "SMOKE_AUTH_TOKEN": LONG_TOKEN}),
    Mode.API_KEY: (configuration.load, {**STAGING, "SMOKE_AUTH_MODE": "api-key", "SMOKE_API_KEY": LONG_TOKEN}),
    Mode.SERVE: (load_serve, {**STAGING, "SMOKE_SERVE_TOKEN": LONG_TOKEN}),
    Mode.TELL: (configuration.load_notifications, {}),
}


@pytest.mark.parametrize("mode", IN_MODE)
def test_a_mode_needs_exactly_what_is_marked_as_required_in_it(mode: Mode) -> None:
    read, given = IN_MODE[mode]
    read(environ=given, root=ROOT)
    required = {name for name, variable in VARIABLES.items() if mode in variable.required_in} - {"SMOKE_ENV"}
    assert required <= given.keys()
    for name in required:
        with pytest.raises(SettingsInvalid, match=name):
            read(environ={one: value for one, value in given.items() if one != name}, root=ROOT)


def test_every_variable_is_of_some_mode_and_required_or_used_there() -> None:
    for name, variable in VARIABLES.items():
        assert variable.required_in or variable.used_in, name
        assert not set(variable.required_in) & set(variable.used_in), name


@pytest.mark.parametrize(("given", "replicas"), [({}, 0), ({"SMOKE_REPLICAS": "5"}, 5)])
def test_how_many_replicas_there_are_is_declared_or_not(project: Path, given: dict[str, str], replicas: int) -> None:
    environ = {"SMOKE_ENV": "staging", "SMOKE_BASE_URL": "https://x", "SMOKE_CONTRACT_ID": "C1", **given}
    raw = read({}, environ=environ, root=project)
    assert raw.facts.service.replicas == replicas


def test_a_pipeline_knows_the_number_better_than_the_file(project: Path) -> None:
    file = project / "environments" / "staging.toml"
    file.write_text(file.read_text().replace("[service]", "[service]\nreplicas = 3"))
    assert read({}, environ={"SMOKE_ENV": "staging"}, root=project).facts.service.replicas == 3
    environ = {"SMOKE_ENV": "staging", "SMOKE_REPLICAS": "7"}
    assert read({}, environ=environ, root=project).facts.service.replicas == 7


@pytest.mark.parametrize("given", ["0", "-1", "many", "10001"])
def test_a_number_of_replicas_that_cannot_be_is_refused(project: Path, given: str) -> None:
    with pytest.raises(SettingsInvalid, match="SMOKE_REPLICAS is"):
        read({}, environ={"SMOKE_ENV": "staging", "SMOKE_REPLICAS": given}, root=project)
