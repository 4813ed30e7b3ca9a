"""`streampay-smoke init`: makes the files of a new environment of what its service tells, and asks for the rest."""

import contextlib
import getpass
import os
import re
import secrets
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from streampay_smoke.acceptance.actions.streams import new_draft
from streampay_smoke.acceptance.run_context import RunContext
from streampay_smoke.core.errors import SettingsInvalid, SmokeError
from streampay_smoke.core.secret import quoted
from streampay_smoke.evidence.addresses import keys_in
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.gate.verdict import EXIT_CODES, STATUS_WITHOUT_RUN
from streampay_smoke.operations import doctor as doctors
from streampay_smoke.operations.discovery import Discovery, discover
from streampay_smoke.operations.engine_files import Filled, engine_files, gate_of, unfilled
from streampay_smoke.operations.environment_file import HOOK, Ask, Values, complete, environment_text
from streampay_smoke.rollback.hooks import HOOKS
from streampay_smoke.runner.session import effective_settings
from streampay_smoke.settings import Settings, parsing
from streampay_smoke.settings.dotenv_file import FILE as DOTENV
from streampay_smoke.settings.dotenv_file import read_dotenv
from streampay_smoke.settings.environment import facts_in, refuse_impossible
from streampay_smoke.settings.folders import BUILT_IN, ENVIRONMENTS, project_root
from streampay_smoke.settings.problems import Problems
from streampay_smoke.settings.reading import given_facts
from streampay_smoke.settings.variables import AUTH_MODES, VARIABLES

PROGRAM = "streampay-smoke"
KEPT_STREAM = "service.canary_stream"
BASE_URL, CONTRACT = "service.base_url", "chain.contract_id"

_NAME = re.compile(r"[A-Za-z0-9][\w-]{0,63}")
_PRIVATE = 0o600

_KEYED_ADDRESSES = {"chain.rpc_url": "SMOKE_STELLAR_RPC_URL", "chain.friendbot_url": "SMOKE_STELLAR_FRIENDBOT_URL"}
"""Addresses that may hold a provider's key, which makes them secrets: such a one stands in `.env`."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for on the command line. `given` holds texts by the key of the file: `service.app_origin`.

    `engine` is a key of ENGINE_FILES, "" for no files; `gate` is where they find the gate, "" where nobody knows yet.
    """

    name: str = ""
    base_url: str = ""
    given: tuple[str, ...] = ()
    yes: bool = False
    force: bool = False
    create_kept_stream: bool = False
    engine: str = ""
    gate: str = ""


class EnvLine(NamedTuple):
    """A line of `.env`: a variable, what it is for, whether this environment needs it, and its value or ""."""

    name: str
    about: str
    required: bool = True
    value: str = ""


class Prepared(NamedTuple):
    """All that is written for an environment: its name, its file, what stands in there, its lines of `.env`, and its
    engine's files by their paths in the project.
    """

    name: str
    path: Path
    values: Values
    env_lines: list[EnvLine]
    engine_files: Mapping[Path, str]


def init(wanted: Wanted, redactor: Redactor, *, ask: Ask = input, ask_secret: Ask = getpass.getpass) -> int:
    """Write `environments/NAME.toml`, lines of `.env` and an engine's files, then look at everything as `doctor` does.

    Nothing is written before everything is known, and nothing is overwritten without `force`. Returns the doctor's exit
    code. Raises SmokeError.
    """
    root = project_root()
    if wanted.engine and wanted.name and not wanted.force and _path(root, wanted.name).exists():
        return _add_engine(wanted, root, redactor)
    prepared = _prepared(wanted, root, redactor, person=None if wanted.yes else _attentive(ask))
    if not wanted.yes:
        prepared = prepared._replace(env_lines=[_with_secret(line, ask_secret) for line in prepared.env_lines])
    redactor.learn(*(line.value for line in prepared.env_lines if line.value))
    _write_environment(prepared.path, environment_text(prepared.values))
    print(f"wrote {prepared.path}")
    _write_engine_files(root, prepared.engine_files)
    _add_to_dotenv(root / DOTENV, prepared.name, prepared.env_lines)
    for line in prepared.env_lines:
        filled = "filled in" if line.value else "fill it in" if line.required else "optional"
        print(f"added to {DOTENV}: {line.name} ({filled}): {line.about}")
    not_kept = _keep_a_stream(prepared, redactor) if wanted.create_kept_stream else 0
    return _looked_at(prepared.name, {}, redactor) or not_kept


def _add_engine(wanted: Wanted, root: Path, redactor: Redactor) -> int:
    """Write an engine's files for an environment that there is already; return the doctor's exit code."""
    path, given = _path(root, wanted.name), _known(wanted, root)
    facts = facts_in(path.read_text(encoding="utf-8"), f"environments/{path.name}")
    values = {
        BASE_URL: given.get(BASE_URL) or facts.service.base_url,
        CONTRACT: given.get(CONTRACT) or facts.chain.contract_id,
    }
    regions = tuple(region.name for region in facts.regions)
    _write_engine_files(root, _engine_files(wanted, wanted.name, values, root, regions))
    return _looked_at(wanted.name, {"SMOKE_BASE_URL": wanted.base_url} if wanted.base_url else {}, redactor)


def program(started: Path) -> str:
    """Return how the gate's command is typed: by the path it was started by where the PATH does not lead to it."""
    found = shutil.which(PROGRAM)
    if started.name != PROGRAM or not started.is_file() or (found and Path(found).samefile(started)):
        return PROGRAM
    with contextlib.suppress(ValueError):
        return str(started.absolute().relative_to(Path.cwd()))
    return str(started)


def _looked_at(name: str, options: Mapping[str, str], redactor: Redactor) -> int:
    """Print what the doctor says of an environment and what to do next; return the doctor's exit code."""
    print()
    looks = doctors.doctor({"SMOKE_ENV": name, **options}, redactor)
    print(doctors.table(looks))
    found = doctors.exit_code(looks)
    again = f"see to the problems above, then {program(Path(sys.argv[0]))} doctor --env {name}"
    print(f"Next: {again if found else f'{program(Path(sys.argv[0]))} run --env {name}'}")
    return found


def _path(root: Path, name: str) -> Path:
    return root / ENVIRONMENTS / f"{_name(name)}.toml"


def _prepared(wanted: Wanted, root: Path, redactor: Redactor, *, person: Ask | None) -> Prepared:
    """Return all that is to be written, validated, after asking the service and, where there is one, a person."""
    name = _name(wanted.name or _asked(person, "What is the environment called? ", "--name NAME"))
    path = _path(root, name)
    if path.exists() and not wanted.force:
        raise SettingsInvalid(
            f"there is an environments/{name}.toml already",
            next_step="give --name another name, or --force to write it anew",
        )
    known = _known(wanted, root)
    if wanted.create_kept_stream and KEPT_STREAM in known:
        raise SettingsInvalid(
            f"{KEPT_STREAM} is given, and --create-kept-stream too", next_step="leave one of the two out"
        )
    if not known.get(BASE_URL):
        known[BASE_URL] = _asked(person, "Where is the deployment (its root URL)? ", "--base-url URL")
    base_url = parsing.address(BASE_URL, known[BASE_URL])
    seen = discover(base_url, ledger_url=known.get("chain.rpc_url", ""), learn_secret=redactor.learn)
    print("\n".join(_findings(seen)))
    values = complete(known, _found(seen), person, leave_out={KEPT_STREAM} if wanted.create_kept_stream else ())
    lines = _missing_lines(root, [*_env_lines(values, seen), *_moved_to_dotenv(values)])
    refuse_impossible(name, facts_in(environment_text(values), f"environments/{name}.toml"))
    return Prepared(name, path, values, lines, _engine_files(wanted, name, values, root))


def _engine_files(
    wanted: Wanted, name: str, values: Values, root: Path, regions: tuple[str, ...] = ()
) -> Mapping[Path, str]:
    """Return the files of the engine that was asked for, none where none was; refuses to overwrite without `force`."""
    if not wanted.engine:
        return {}
    filled = Filled(
        name=name,
        base_url=values.get(BASE_URL) or "",
        contract_id=values.get(CONTRACT) or "",
        gate=gate_of(wanted.engine, wanted.gate),
        regions=regions,
    )
    files = engine_files(wanted.engine, filled)
    there = [str(path) for path in files if (root / path).exists()]
    if there and not wanted.force:
        raise SettingsInvalid(
            f"there is {' and '.join(there)} already", next_step="move it away, or give --force to write it anew"
        )
    return files


def _write_engine_files(root: Path, files: Mapping[Path, str]) -> None:
    for path, text in files.items():
        try:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            _replace(root / path, text, mode=0o644)
        except OSError as error:
            raise SettingsInvalid(
                f"{path} cannot be written: {error.strerror}", next_step="start init where you may write"
            ) from error
        print(f"wrote {root / path}; its head lists what must exist")
    for what in unfilled(files):
        print(f"fill in by hand: {what}")


def _attentive(ask: Ask) -> Ask:
    """Return a way to ask that says what to do where nobody answers any more."""

    def asked(question: str) -> str:
        try:
            return ask(question)
        except EOFError as error:
            raise SettingsInvalid(
                "the questions were not answered, and nothing was written",
                next_step="answer them at a terminal, or give --yes, and --set KEY=VALUE for what nobody can know",
            ) from error

    return asked


def _asked(person: Ask | None, question: str, option: str) -> str:
    answer = person(question).strip() if person is not None else ""
    if not answer:
        raise SettingsInvalid(f"{option.partition(' ')[0]} is missing", next_step=f"give {option}")
    return answer


def _name(given: str) -> str:
    if not _NAME.fullmatch(given):
        raise SettingsInvalid(
            f"the environment's name is {quoted(given)}", next_step="use letters, digits, dashes and underscores"
        )
    return given


def _known(wanted: Wanted, root: Path) -> dict[str, str]:
    """Return what was given by key: with `--set` first, then by option, environment and `.env`."""
    given = given_facts({"SMOKE_BASE_URL": wanted.base_url} if wanted.base_url else {}, root=root)
    given.pop("deadline_seconds", None)
    for pair in wanted.given:
        key, separator, value = pair.partition("=")
        if not separator or not key:
            raise SettingsInvalid("--set is given without KEY=VALUE", next_step="write --set service.replicas=3")
        given[key] = value
    return given


def _found(seen: Discovery) -> Values:
    """Return what a deployment told, by key; None where it did not."""
    host = urlsplit(seen.base_url).netloc
    readiness = seen.readiness
    simulated = " (simulated)" if readiness.simulated else ""
    return {
        "description": f"StreamPay at {host}{simulated}",
        BASE_URL: seen.base_url,
        "service.network": readiness.network or None,
        "service.simulated": readiness.simulated or None,
        "service.dialect": seen.dialect,
        "service.auth_mode": "wallet" if seen.wallet else None,
        "service.release_told_by": seen.release_told_by or None,
        "service.app_origin": seen.app_origin or None,
        "service.metrics": seen.metrics or None,
        "service.indexer": seen.indexer or None,
        "service.live_events": seen.live_events or None,
        "chain.rpc_url": next(iter(readiness.ledger_urls), None) if readiness.simulated else None,
    }


def _findings(seen: Discovery) -> Iterator[str]:
    """Yield what was found out, a line each."""
    readiness = seen.readiness
    yield f"service       {seen.base_url}, {'ready' if readiness.ready else f'not ready: {readiness.description}'}"
    yield f"dialect       {seen.dialect}"
    yield f"network       {readiness.network or 'not told'}{' (simulated)' if readiness.simulated else ''}"
    release = f"{seen.release}, told by {seen.release_told_by}" if seen.release else "not told anywhere known"
    yield f"release       {release}"
    yield f"sign-in       {'by wallet' if seen.wallet else 'no wallet sign-in found'}"
    metrics = "with a token" if seen.metrics_protected else "for anybody"
    yield f"metrics       {metrics if seen.metrics else 'none found'}"
    yield f"index         {'tells how far it is' if seen.indexer else 'none found'}"
    yield f"live events   {'there' if seen.live_events else 'none found'}"
    yield f"web app       {seen.app_origin or 'its origin is not the service'}"


def _env_lines(values: Mapping[str, Any], seen: Discovery) -> Iterator[EnvLine]:
    """Yield the secrets that this environment has, as lines of `.env`."""
    mode = values["service.auth_mode"]
    if AUTH_MODES[mode]:
        yield _env_line(AUTH_MODES[mode])
    if seen.metrics_protected:
        yield _env_line("SMOKE_METRICS_TOKEN", required=False)
    for name in HOOKS[values[HOOK]].secrets if HOOK in values else ():
        yield _env_line(name)


def _env_line(name: str, *, required: bool = True, value: str = "") -> EnvLine:
    return EnvLine(name, VARIABLES[name].about, required, value)


def _moved_to_dotenv(values: Values) -> Iterator[EnvLine]:
    """Take addresses that hold a key out of the file's values, and yield them as lines of `.env`."""
    for key, variable in _KEYED_ADDRESSES.items():
        if keys_in(values.get(key, "")):
            yield _env_line(variable, value=values.pop(key))


def _missing_lines(root: Path, lines: Sequence[EnvLine]) -> list[EnvLine]:
    """Return the lines that `.env` does not have; raises SettingsInvalid where it cannot be read."""
    problems = Problems()
    have = {line.name for line in read_dotenv(root, problems)}
    problems.refuse()
    return [line for line in lines if line.name not in have]


def _with_secret(line: EnvLine, ask_secret: Ask) -> EnvLine:
    if line.value:
        return line
    question = f"{line.name}: {line.about}{'' if line.required else ' (optional)'}; not shown, empty for later: "
    with contextlib.suppress(EOFError):
        return line._replace(value=ask_secret(question).strip())
    return line


def _write_environment(path: Path, text: str) -> None:
    """Write the file in one step; a project whose environments were built in keeps the sandbox among its own."""
    try:
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True)
            built_in = BUILT_IN / ENVIRONMENTS / "sandbox.toml"
            if built_in.is_file():
                shutil.copy(built_in, path.parent)
        _replace(path, text, mode=0o644)
    except OSError as error:
        raise SettingsInvalid(
            f"{path} cannot be written: {error.strerror}", next_step="start init where you may write"
        ) from error


def _add_to_dotenv(path: Path, environment: str, lines: Sequence[EnvLine]) -> None:
    """Add lines to `.env`, which only its owner reads from then on."""
    if not lines:
        return
    added = [f"# environments/{environment}.toml, added by streampay-smoke init"]
    for line in lines:
        added.append(f"# {line.about}{'' if line.required else ' (optional)'}")
        added.append(f"{line.name}={_in_quotes(line.value)}" if line.required or line.value else f"#{line.name}=")
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        between = "" if not before else "\n" if before.endswith("\n") else "\n\n"
        _replace(path, before + between + "\n".join(added) + "\n", mode=_PRIVATE)
    except OSError as error:
        raise SettingsInvalid(
            f"{path} cannot be written: {error.strerror}",
            next_step=f"set {', '.join(line.name for line in lines)} in the environment instead",
        ) from error


def _in_quotes(value: str) -> str:
    """Return a value as `.env` holds any text; "" for none."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'" if value else ""


def _replace(path: Path, text: str, *, mode: int) -> None:
    """Write a file in one step: somebody who reads it meanwhile has the old one or the new one."""
    target = path.resolve()  # a link stays one
    unfinished = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
            file.write(text)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def _keep_a_stream(prepared: Prepared, redactor: Redactor) -> int:
    """Create the stream that every release must find, and name it in the file; return an exit code, 0 where it is."""
    try:
        with effective_settings({"SMOKE_ENV": prepared.name}) as settings:
            redactor.learn(*settings.redacted())
            stream_id = create_kept_stream(settings, redactor)
    except SmokeError as error:
        print(f"kept stream: none was created: {error}\nNext: {error.next_step}", file=sys.stderr)
        return EXIT_CODES[STATUS_WITHOUT_RUN[error.blame]]
    _write_environment(prepared.path, environment_text({**prepared.values, KEPT_STREAM: stream_id}))
    print(f"kept stream: {stream_id}, ended, and named in {prepared.path.name}")
    return 0


def create_kept_stream(settings: Settings, redactor: Redactor) -> str:
    """Create a stream of the synthetic user and end it at once, unpaid; return its id.

    The guards are those of a run: nothing is written on the public network or in a read-only environment. Raises
    SmokeError, SettingsInvalid where the stream did not come to its end.
    """
    run_context = RunContext(settings, record=lambda event: None, learn_secret=redactor.learn, run_id="init")
    try:
        stream = new_draft(run_context)
        if not run_context.streams.end(stream.id, run_context.credential):
            raise SettingsInvalid(
                f"stream {stream.id} was created and could not be ended",
                next_step=f"end it by hand, then set service.canary_stream to {stream.id}",
            )
        return stream.id
    finally:
        run_context.close()
