"""What an operator types: either settings, or one refusal that names the place and the next step and no secret."""

import ast
import base64
import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from streampay_smoke.core.errors import GuardRefused, SettingsInvalid
from streampay_smoke.settings import load, load_evidence
from streampay_smoke.settings.actuator import load_rollback, load_serve
from streampay_smoke.settings.variables import VARIABLES

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "streampay_smoke"
SECRET = "hunter2-hunter2-hunter2"
KEY = base64.b64encode(b"a seed of thirty-two bytes, mine").decode()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "environments").mkdir()
    for source in (ROOT / "environments").glob("*.toml"):
        (tmp_path / "environments" / source.name).write_bytes(source.read_bytes())
    return tmp_path


def refused(root: Path, options: Mapping[str, str] | None = None, **environ: str) -> SettingsInvalid:
    with pytest.raises(SettingsInvalid) as caught:
        load(options, environ=environ, root=root)
    assert caught.value.next_step
    return caught.value


# .env


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"SMOKE_ENV: staging\n", ".env, line 1 cannot be read"),
        (b"# ours\n\n\nSMOKE_ENV:staging\n", ".env, line 4 cannot be read"),
        (b"OTHER=1\r\nSMOKE_REPORT\r\n", ".env, line 2 cannot be read"),
        (b"SMOKE_REGION='eu\n", ".env, line 1 cannot be read"),
        (b"export\n", ".env, line 1 cannot be read"),
        (b"smoke_env=staging\n", "smoke_env (from .env, line 1) is not a setting; did you mean SMOKE_ENV?"),
        (b"Smoke_Base_Uri=x\n", "did you mean SMOKE_BASE_URL?"),
        (b"A=b\nSMOKE_REGION=Z\xfcrich\n", ".env, line 2 is not UTF-8"),
        (b"\xff\xfeS\x00M\x00", ".env, line 1 is not UTF-8"),
        (b"SMOKE_REGION=a\x00b\n", "SMOKE_REGION (from .env, line 1) holds a character"),
        (b"SMOKE_REPORT=2\n", "SMOKE_REPORT (from .env, line 1) is '2'"),
    ],
)
def test_a_line_that_cannot_be_used_is_named_by_its_number(root: Path, content: bytes, said: str) -> None:
    (root / ".env").write_bytes(content)
    assert said in str(refused(root))


def test_all_that_is_wrong_is_said_at_once(root: Path) -> None:
    (root / ".env").write_text("SMOKE_ENV: x\nSMOKE_REPROT=1\nsmoke_tags=@x\n")
    problem = refused(root, {"SMOKE_REGION": ""}, SMOKE_SERVICE_HOST="10.0.0.1")
    for said in ("line 1 cannot", "SMOKE_REPROT", "smoke_tags", "--region", "SMOKE_SERVICE_HOST"):
        assert said in str(problem)
    (root / ".env").unlink()
    problem = refused(root, SMOKE_REPORT="2", SMOKE_DEADLINE_SECONDS="soon", SMOKE_BASE_URL="x")
    for said in ("SMOKE_REPORT", "SMOKE_DEADLINE_SECONDS", "SMOKE_BASE_URL"):
        assert said in str(problem)


@pytest.mark.parametrize("content", [b"\xef\xbb\xbfSMOKE_REGION=eu\r\n", b"export SMOKE_REGION='eu' # ours\n"])
def test_other_ways_to_write_a_line_are_read(root: Path, content: bytes) -> None:
    (root / ".env").write_bytes(content)
    assert load(environ={}, root=root).region == "eu"


@pytest.mark.parametrize("line", ["SMOKE_API_KEY='pa${ss}word-1$HOME'", 'SMOKE_API_KEY="pa${ss}word-1$HOME"'])
def test_a_secret_is_taken_as_it_is_written(root: Path, line: str) -> None:
    (root / ".env").write_text(line)
    key = load(environ={"ss": "x", "HOME": "/root"}, root=root).api_key
    assert key is not None
    assert key.reveal() == "pa${ss}word-1$HOME"


def test_a_dotenv_that_is_no_file_is_named(root: Path) -> None:
    (root / ".env").mkdir()
    assert ".env cannot be read: Is a directory" in str(refused(root))


def test_every_command_takes_dotenv_alike(root: Path, tmp_path: Path) -> None:
    token, folder = "t" * 24, tmp_path / "evidence"
    lines = [f"SMOKE_ARTIFACTS={folder}", "SMOKE_REPORT=0", f"SMOKE_SIGNING_KEY={KEY}", f"SMOKE_SERVE_TOKEN={token}"]
    (root / ".env").write_text("\n".join(lines))
    run, evidence = load(environ={}, root=root), load_evidence(environ={}, root=root)
    assert (run.artifacts, run.report) == (evidence.artifacts, evidence.report) == (folder, False)
    assert run.signing_key == evidence.signing_key
    assert load_rollback(environ={}, root=root).artifacts == folder
    assert load_serve({}, root=root).serve_token.reveal() == token


# options, environment, files


@pytest.mark.parametrize("name", [name for name, variable in VARIABLES.items() if variable.metavar])
@pytest.mark.parametrize("value", ["", "  "])
def test_an_option_with_nothing_in_it_is_refused(root: Path, name: str, value: str) -> None:
    assert f"given with nothing in it: {VARIABLES[name].option};" in str(refused(root, {name: value}))
    load(environ={name: value}, root=root)


@pytest.mark.parametrize("name", ["SMOKE_REGION", "SMOKE_EXPECT_RELEASE", "SMOKE_API_KEY"])
def test_bytes_that_are_no_text_are_named_by_their_variable(root: Path, name: str) -> None:
    value = b"Z\xfcrich-and-more".decode(errors="surrogateescape")
    assert str(refused(root, None, **{name: value})) == f"{name} is not UTF-8"
    if VARIABLES[name].option:
        assert f"{name} (from {VARIABLES[name].option}) is not UTF-8" in str(refused(root, {name: value}))


@pytest.mark.parametrize(
    "name",
    [
        "SMOKE_SERVICE_HOST",
        "SMOKE_SERVICE_PORT",
        "SMOKE_SERVICE_PORT_HTTP",
        "SMOKE_PORT",
        "SMOKE_PORT_8780_TCP",
        "SMOKE_PORT_8780_TCP_ADDR",
        "SMOKE_GATE_SERVICE_HOST",
        "SMOKE_GATE_PORT_80_TCP_PROTO",
    ],
)
def test_links_of_a_service_are_known(root: Path, name: str) -> None:
    problem = refused(root, None, **{name: "tcp://10.0.0.7:8780"})
    assert f"{name}: Kubernetes links" in str(problem)
    assert "enableServiceLinks: false" in problem.next_step


def test_a_known_name_in_lower_case_is_refused_and_other_peoples_are_not(root: Path) -> None:
    assert "did you mean SMOKE_ENV?" in str(refused(root, smoke_env="staging"))
    load(environ={"smoke_test_of_ours": "1"}, root=root)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"# f\xfcr uns\n", "environments/ours.toml, line 1 is not UTF-8"),
        (b"description = 1\n", "environments/ours.toml: "),
        (b"\nstep_seconds = nan\n", "environments/ours.toml: "),
        (b"step_seconds = inf\n", "environments/ours.toml: "),
        (b"step_seconds = 0\n", "environments/ours.toml: "),
        (b"x = " + b"[" * 5_000, "environments/ours.toml: "),
    ],
)
def test_an_environment_file_that_cannot_be_used_is_named(root: Path, content: bytes, said: str) -> None:
    sandbox = (root / "environments" / "sandbox.toml").read_bytes()
    (root / "environments" / "ours.toml").write_bytes(content + sandbox)
    assert said in str(refused(root, SMOKE_ENV="ours"))


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_an_environment_file_is_utf8_whatever_the_locale(root: Path, mark: bytes) -> None:
    sandbox = (root / "environments" / "sandbox.toml").read_bytes()
    (root / "environments" / "ours.toml").write_bytes(mark + "# für uns\n".encode() + sandbox)
    assert load(environ={"SMOKE_ENV": "ours"}, root=root).environment == "ours"


# addresses


@pytest.mark.parametrize(
    "url",
    [
        "http://h:0",
        "http://h:65536",
        "http://h:99999",
        "http://h:",
        "http://h:x",
        "http://h:-1",
        "http://h:8 0",
        "http://[::1]:70000",
        "http://[::1]x",
        "http://[::1",
        "http://[x]",
        "http://",
        "https://:80",
        "http:/h",
        "h:80",
        "http://a..b",
        "http://-a",
        "http://h/%zz",
        "http://h/a b",
        "http://h\\p",
        "http://h/\u00fc",
        "http://\u00fc.example",
        f"https://h/?token={SECRET}",
        f"https://h/#{SECRET}",
        f"https://{SECRET}@h",
        f"https://u:{SECRET}@h",
        "http://h?",
        f"http://{SECRET}:{SECRET}",
        f"ftp://{SECRET}",
        "http://h/\x01",
        f"http://{'a' * 64}.example",
    ],
)
@pytest.mark.parametrize("name", ["SMOKE_BASE_URL", "SMOKE_BASELINE_URL", "SMOKE_STELLAR_FRIENDBOT_URL"])
def test_what_is_no_address_is_refused_and_not_quoted(root: Path, name: str, url: str) -> None:
    problem = refused(root, None, **{"SMOKE_CONTRACT_ID": "C1", "SMOKE_STELLAR_RPC_URL": "http://rpc", name: url})
    assert name in str(problem)
    assert SECRET not in f"{problem} {problem.next_step}"


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("http://localhost:3000/", "http://localhost:3000"),
        ("https://h.example:65535/api/", "https://h.example:65535/api"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("http://my_service.ns.svc.cluster.local.", "http://my_service.ns.svc.cluster.local."),
        ("HTTPS://H.example/%20a;b=c,d", "HTTPS://H.example/%20a;b=c,d"),
    ],
)
def test_addresses_that_can_be_called_are_taken(root: Path, url: str, read: str) -> None:
    environ = {"SMOKE_CONTRACT_ID": "C1", "SMOKE_STELLAR_RPC_URL": "http://rpc/?key=1", "SMOKE_BASE_URL": url}
    settings = load(environ=environ, root=root)
    assert (settings.base_url, settings.rpc_url) == (read, "http://rpc/?key=1")


def test_an_address_of_an_environment_file_is_named_with_its_file(root: Path) -> None:
    file = root / "environments" / "local.toml"
    file.write_text(file.read_text().replace("localhost:3000", "localhost:99999"))
    problem = refused(root, SMOKE_ENV="local", SMOKE_CONTRACT_ID="C1")
    assert "SMOKE_BASE_URL (from environments/local.toml: service.base_url) has no port" in str(problem)


# what all environments share


def test_an_objective_by_a_shared_name_is_changed_and_another_is_added(root: Path) -> None:
    file = root / "environments" / "staging.toml"
    file.write_text(
        file.read_text()
        + '\n[[objectives]]\nname = "requests succeed"\nthreshold = 0.9\n'
        + '\n[[objectives]]\nname = "ours"\nkind = "flaky_ratio"\nthreshold = 0.5\n'
    )
    shared = {objective.name: objective for objective in load(environ={}, root=root).facts.objectives}
    environ = {"SMOKE_ENV": "staging", "SMOKE_BASE_URL": "https://x", "SMOKE_CONTRACT_ID": "C1"}
    ours = {objective.name: objective for objective in load(environ=environ, root=root).facts.objectives}
    assert set(ours) == {*shared, "ours"}
    assert {name for name in shared if ours[name] != shared[name]} == {"requests succeed"}
    assert (ours["requests succeed"].threshold, ours["requests succeed"].kind) == (0.9, "success_ratio")


def test_an_environment_that_moves_no_money_has_no_objectives_of_settling(root: Path) -> None:
    environ = {"SMOKE_ENV": "production", "SMOKE_BASE_URL": "https://x", "SMOKE_CONTRACT_ID": "C1"}
    facts = load(environ={**environ, "SMOKE_AUTH_TOKEN": SECRET}, root=root).facts
    assert not {objective.kind for objective in facts.objectives} & {"write_latency", "settlement_time"}
    assert facts.objectives


# whatever is wrong, a run knows where its evidence goes


def test_where_evidence_goes_is_known_whatever_is_wrong(root: Path, tmp_path: Path) -> None:
    (root / ".env").write_text(f"SMOKE_ARTIFACTS={tmp_path}/here\nSMOKE_ENV: x\nSMOKE_REPORT=maybe\nSMOKE_NEW=1\n")
    evidence = load_evidence({"SMOKE_ENV": ""}, environ={"SMOKE_SIGNING_KEY": "no key at all"}, root=root)
    assert (evidence.artifacts, evidence.report, evidence.signing_key) == (tmp_path / "here", True, None)


# any text, any bytes

TEXTS = some.one_of(
    some.text(max_size=30),
    some.binary(max_size=20).map(lambda data: data.decode(errors="surrogateescape")),
    some.sampled_from(
        ["0", "1", "sandbox", "staging", "public", "testnet", "jwt", "bearer", "6h", "1e400", "-0", "@smoke"]
    ),
)
URLS = some.builds(
    "{}{}{}{}{}".format,
    some.sampled_from(["http://", "https://", "HTTP:", "//", ""]),
    some.sampled_from(["h", "h.example", "[::1]", "[::1", f"{SECRET}@h", f"u:{SECRET}@h", "\u00fc", "a..b", ""]),
    some.sampled_from(["", ":", ":0", ":80", ":65536", ":\u0663", ":" + "9" * 5_000]),
    some.sampled_from(["", "/", "/a/", "/%zz", "\\", "/ "]),
    some.sampled_from(["", "?", f"?k={SECRET}", f"#{SECRET}", "\r\n"]),
)
SECRETS = tuple(name for name, variable in VARIABLES.items() if variable.secret)
NAMES = some.one_of(
    some.sampled_from(sorted(VARIABLES)),
    some.text(max_size=8).map("SMOKE_{}".format),
    some.sampled_from(["smoke_env", "SMOKE_PORT", "SMOKE_", "SMOKE_SERVICE_HOST"]),
)
ENVIRONS = some.dictionaries(NAMES, some.one_of(TEXTS, URLS), max_size=5)
HELD = some.dictionaries(some.sampled_from(SECRETS), some.sampled_from([SECRET, f"{SECRET}\n\x00", f"\udcfc{SECRET}"]))
DOTENVS = some.one_of(
    some.binary(max_size=60),
    some.lists(
        some.one_of(
            some.builds("{}={}".format, NAMES, some.one_of(TEXTS, URLS)),
            some.builds("{} {} '{}".format, NAMES, some.sampled_from(["=", ":", ""]), some.just(SECRET)),
            some.builds('{}="{}'.format, NAMES, some.sampled_from([SECRET, f'{SECRET}"', f'\\x{SECRET}"', '\\N{x}"'])),
        ),
        max_size=4,
    ).map(lambda lines: "\r\n".join(lines).encode(errors="surrogatepass")),
)


@pytest.fixture(scope="module")
def shared_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("root")
    (folder / "environments").symlink_to(ROOT / "environments")
    return folder


@given(ENVIRONS, HELD, DOTENVS, some.dictionaries(some.sampled_from(sorted(VARIABLES)), TEXTS, max_size=2))
@example({"SMOKE_ENV": "../staging"}, {}, b"", {})
def test_whatever_is_given_is_settings_or_one_refusal_without_a_secret(
    shared_root: Path, environ: dict[str, str], held: dict[str, str], dotenv: bytes, options: dict[str, str]
) -> None:
    (shared_root / ".env").write_bytes(dotenv)
    for read in (load, load_rollback, load_evidence):
        try:
            read(options, environ={**environ, **held}, root=shared_root)
        except (SettingsInvalid, GuardRefused) as problem:
            said = (str(problem), problem.next_step)
        else:
            continue
        assert all(said)
        assert SECRET not in "".join(said)
        "".join(said).encode()  # can be written down
    with contextlib.suppress(SettingsInvalid, GuardRefused):
        load_serve({**environ, **held}, root=shared_root)


# one reader

READERS = (PACKAGE / "settings", PACKAGE / "core" / "system_facts.py")
OF_THE_ENVIRONMENT = {"environ", "environb", "getenv", "getenvb"}


def test_nothing_else_reads_the_environment_or_a_setting_by_name() -> None:
    found = [
        f"{path.relative_to(PACKAGE)}:{line}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if not any(path == reader or reader in path.parents for reader in READERS)
        for line in _reads(ast.parse(path.read_bytes()))
    ]
    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        "import os; os.environ['X']",
        "from os import environ",
        "import os as o; o.getenv('X')",
        "x['SMOKE_ENV']",
        "x.get('SMOKE_ENV', '')",
        "x.pop('SMOKE_ENV')",
    ],
)
def test_a_read_is_seen(code: str) -> None:
    assert list(_reads(ast.parse(code)))


def _reads(tree: ast.AST) -> Iterator[int]:
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name) if name in OF_THE_ENVIRONMENT and isinstance(node.value, ast.Name):
                if node.value.id in {"os", "o"}:
                    yield node.lineno
            case ast.ImportFrom(module="os", names=names) if {alias.name for alias in names} & OF_THE_ENVIRONMENT:
                yield node.lineno
            case ast.Subscript(slice=ast.Constant(value=str(name)), ctx=ast.Load()) if name.startswith("SMOKE_"):
                yield node.lineno
            case ast.Call(func=ast.Attribute(attr="get" | "pop"), args=[ast.Constant(value=str(name)), *_]):
                if name.startswith("SMOKE_"):
                    yield node.lineno
