"""Where settings come from: each is read once, and what cannot be read is named with its place."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given as generated
from hypothesis import settings as profile
from hypothesis import strategies

from streampay_smoke.core.errors import SettingsInvalid, SmokeError
from streampay_smoke.settings import load, load_evidence
from streampay_smoke.settings.reading import read

ROOT = Path(__file__).parents[2]
READERS = {"core/system_facts.py", "settings/reading.py"}


def reads_of_the_environment(package: Path) -> Iterator[str]:
    for path in sorted(package.rglob("*.py")):
        names = {
            f"{node.value.id}.{node.attr}"
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        }
        if names & {"os.environ", "os.getenv", "os.environb"}:
            yield path.relative_to(package).as_posix()


def test_nothing_but_the_settings_and_one_module_reads_the_environment() -> None:
    assert set(reads_of_the_environment(ROOT / "src" / "streampay_smoke")) == READERS


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "environments").mkdir()
    for name in ("sandbox", "staging"):
        source = ROOT / "environments" / f"{name}.toml"
        (tmp_path / "environments" / source.name).write_bytes(source.read_bytes())
    return tmp_path


def refused(place: Path, *, options: dict[str, str] | None = None, **environ: str) -> str:
    with pytest.raises(SettingsInvalid) as caught:
        load(options, environ=environ, root=place)
    assert caught.value.next_step
    return str(caught.value)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("SMOKE_ENV: staging", ".env, line 2"),
        ("smoke_env=staging", "did you mean SMOKE_ENV"),
        ("SMOKE_REGION='unclosed", ".env, line 2"),
    ],
)
def test_a_line_of_dotenv_that_would_be_passed_over_is_refused(place: Path, line: str, said: str) -> None:
    (place / ".env").write_text(f"# settings\n{line}\n")
    assert said in refused(place)


def test_dotenv_that_is_no_utf8_is_named(place: Path) -> None:
    (place / ".env").write_bytes(b"SMOKE_REGION=Z\xfcrich\n")
    assert ".env, line 1 is not UTF-8" in refused(place)


def test_nothing_is_put_into_a_secret(place: Path) -> None:
    (place / ".env").write_text("SMOKE_API_KEY='pa${ss}word-12345678'\n")
    assert read(environ={}, root=place).text("SMOKE_API_KEY") == "pa${ss}word-12345678"


def test_dotenv_says_where_evidence_goes_and_whether_there_is_a_report(place: Path) -> None:
    (place / ".env").write_text(f"SMOKE_ARTIFACTS={place}/ours\nSMOKE_REPORT=0\n")
    given = load_evidence(environ={}, root=place)
    assert (given.artifacts, given.report) == (place / "ours", False)
    assert load(environ={}, root=place).artifacts == place / "ours"


def test_evidence_has_a_place_whatever_else_is_wrong(place: Path) -> None:
    (place / ".env").write_text("SMOKE_ENV: nowhere\n")
    assert load_evidence({"SMOKE_ARTIFACTS": f"{place}/here"}, environ={}, root=place).artifacts == place / "here"


@pytest.mark.parametrize("name", ["SMOKE_ENV", "SMOKE_BASE_URL", "SMOKE_EXPECT_RELEASE"])
def test_an_option_that_was_given_empty_is_refused(place: Path, name: str) -> None:
    assert "given with nothing in it" in refused(place, options={name: ""})


@pytest.mark.parametrize(
    "address",
    ["http://h:99999", "http://h:0", "http://h/?x=1", "http://h/#a", "http://u:p@h", "h", "http://", "ftp://h"],
)
def test_an_address_that_cannot_be_is_refused(place: Path, address: str) -> None:
    said = refused(place, SMOKE_BASE_URL=address, SMOKE_CONTRACT_ID="C1", SMOKE_STELLAR_RPC_URL="http://h/rpc")
    assert "SMOKE_BASE_URL (from the environment)" in said


def test_kubernetes_links_are_known(place: Path) -> None:
    said = refused(place, SMOKE_SERVICE_HOST="10.0.0.7", SMOKE_PORT="tcp://10.0.0.7:8780")
    assert "SMOKE_PORT, SMOKE_SERVICE_HOST: Kubernetes links" in said


def test_several_problems_are_told_at_once(place: Path) -> None:
    said = refused(place, SMOKE_DEADLINE_SECONDS="soon", SMOKE_AUTH_MODE="magic")
    assert "SMOKE_DEADLINE_SECONDS" in said
    assert "SMOKE_AUTH_MODE" in said


def test_an_environment_file_in_another_encoding_is_named(place: Path) -> None:
    file = place / "environments" / "sandbox.toml"
    file.write_bytes(b"# f\xfcr uns\n" + file.read_bytes())
    assert "environments/sandbox.toml, line 1 is not UTF-8" in refused(place)


ANY_TEXT = strategies.text(max_size=40)
NAMES = strategies.sampled_from(
    ["SMOKE_ENV", "SMOKE_BASE_URL", "SMOKE_REGION", "SMOKE_API_KEY", "SMOKE_TAGS", "SMOKE_STELLAR_NETWORK", "SMOKE_X"]
)


@profile(max_examples=150, deadline=None)
@generated(values=strategies.dictionaries(NAMES, ANY_TEXT, max_size=4), dotenv=strategies.binary(max_size=60))
def test_whatever_is_given_is_settings_or_a_refusal_with_a_next_step(
    tmp_path_factory: pytest.TempPathFactory, values: dict[str, str], dotenv: bytes
) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "environments").mkdir()
    (folder / "environments" / "sandbox.toml").write_bytes((ROOT / "environments" / "sandbox.toml").read_bytes())
    (folder / ".env").write_bytes(dotenv)
    secret = values.get("SMOKE_API_KEY", "").strip()
    said = outcome(folder, values)
    assert said
    assert len(secret) < 12 or secret not in said


def outcome(folder: Path, values: dict[str, str]) -> str:
    """Return what is said of these variables: nothing of settings, the next step of a refusal."""
    try:
        return type(load(environ=values, root=folder)).__name__
    except SmokeError as error:
        return f"{error} {error.next_step}" if error.next_step else ""
