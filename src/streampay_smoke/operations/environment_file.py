"""A new environment file: what can stand in it, what is asked for, and its text with a comment on every line."""

import json
import re
import shlex
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.core.networks import DECLARED, PRIVATE, PUBLIC, allowed_network
from streampay_smoke.core.secret import quoted
from streampay_smoke.rollback.hooks import HOOKS
from streampay_smoke.settings import parsing
from streampay_smoke.settings.parsing import Parse
from streampay_smoke.settings.problems import Problems
from streampay_smoke.settings.variables import AUTH_MODES, VARIABLES

Values = dict[str, Any]
"""What is known of an environment, by the key in its file (`service.network`)."""

Ask = Callable[[str], str]
"""Puts a question to a person and returns the answer, "" for none."""

_CONTRACT = re.compile(r"C[A-Z2-7]{55}")
_OF_VARIABLE = {variable.file_key: variable for variable in VARIABLES.values() if variable.file_key}


class Fact(NamedTuple):
    """One key of an environment file.

    `follows` returns the value that follows from what is known so far, None for none. `question` is asked where nobody
    said anything, `default` counts where that brings nothing; both may be missing. `needed` says whether an environment
    like that cannot do without. `example` is shown, as a comment, where the key stays unset.
    """

    key: str
    comment: str
    parse: Parse = parsing.text
    question: str = ""
    default: str = ""
    follows: Callable[[Values], Any] = lambda known: None
    needed: Callable[[Values], bool] = lambda known: False
    example: str = ""


def yes_or_no(name: str, given: str) -> bool:
    """Return a word for yes or no."""
    word = given.strip().lower()
    if word not in {"y", "yes", "true", "1", "n", "no", "false", "0"}:
        raise SettingsInvalid(f"{name} is {quoted(given)}", next_step="use yes or no")
    return word in {"y", "yes", "true", "1"}


def contract_id(name: str, given: str) -> str:
    """Return a contract's id; "" stays ""."""
    if given and not _CONTRACT.fullmatch(given):
        raise SettingsInvalid(
            f"{name} is no contract id", next_step="give the contract's address: 56 characters that begin with C"
        )
    return given


def _always(known: Values) -> bool:
    del known
    return True


def _in_a_sandbox(known: Values) -> bool:
    return known.get("chain.network") == "sandbox"


def _ledger_of(known: Values) -> str | None:
    """Return the test network that money is checked on beside a service; for one on the public network, testnet."""
    declared = known.get("service.network", "")
    private = "sandbox" if known.get("service.simulated") else "local"
    return {PUBLIC: "testnet", PRIVATE: private}.get(declared, declared or None)


_REAL_MONEY = "its streams carry real money"

FACTS = (
    Fact("description", "shown in reports", needed=_always),
    Fact("service.base_url", "the deployment's root", _OF_VARIABLE["service.base_url"].parse, needed=_always),
    Fact(
        "service.network",
        "the network the service must name",
        parsing.one_of(*DECLARED),
        question=f"Which Stellar network does the service use ({', '.join(DECLARED)})?",
        needed=_always,
    ),
    Fact("service.simulated", "a sandbox, where nothing is real", yes_or_no, example="true"),
    Fact("service.dialect", "the shape of its API", _OF_VARIABLE["service.dialect"].parse),
    Fact(
        "service.auth_mode",
        "how the synthetic user signs in",
        _OF_VARIABLE["service.auth_mode"].parse,
        question=f"How does the synthetic user sign in ({', '.join(AUTH_MODES)})?",
        needed=_always,
    ),
    Fact(
        "service.release_told_by",
        "where the deployment names its release",
        question="Where does the deployment name its release (header:NAME, field:/PATH:/POINTER, build-manifest)?",
        default="build-manifest",
    ),
    Fact("service.ready_within_seconds", "how long a start-up may take", parsing.seconds, default="60"),
    Fact("service.replicas", "how many replicas answer behind the address", parsing.replicas, example="3"),
    Fact(
        "service.app_origin",
        "where the web app's pages come from",
        parsing.origin,
        question="From which origin does the web app come, such as https://app.example (empty: not checked)?",
        example="https://app.example",
    ),
    Fact(
        "service.canary_stream",
        "a stream that every release must find",
        question="Which ended stream of the synthetic user is kept across releases (empty: none)?",
        example="STREAM-ID",
    ),
    Fact("service.metrics", "whether its metrics can be scraped", yes_or_no, example="true"),
    Fact("service.indexer", "whether it tells how far its index of the ledger is", yes_or_no, example="true"),
    Fact("service.live_events", "whether it tells owners what happens to a stream", yes_or_no, example="true"),
    Fact("service.reads_per_minute", "reads of one caller, on each replica", parsing.count, example="60"),
    Fact("service.sign_ins_per_minute", "sign-ins of one address, on each replica", parsing.count, example="5"),
    Fact(
        "chain.network",
        "the ledger that money is checked on; never the public one",
        lambda name, given: allowed_network(given).name,
        follows=_ledger_of,
        needed=_always,
    ),
    Fact(
        "chain.rpc_url",
        "Stellar RPC; by default the network's own",
        _OF_VARIABLE["chain.rpc_url"].parse,
        needed=_in_a_sandbox,
        example="https://rpc.example",
    ),
    Fact("chain.friendbot_url", "friendbot", _OF_VARIABLE["chain.friendbot_url"].parse, example="https://bot.example"),
    Fact(
        "chain.contract_id",
        "the StreamPay contract that money must be paid by",
        contract_id,
        question="What is the id of the StreamPay contract (C...)?",
        needed=_always,
    ),
    Fact("chain.contract_profile", "its interface", _OF_VARIABLE["chain.contract_profile"].parse),
    Fact("chain.contract_admin", "the address that the contract must obey", example="G..."),
    Fact(
        "money.settles",
        "whether streams may be created and settled here",
        yes_or_no,
        follows=lambda known: known.get("service.network") != PUBLIC,
    ),
    Fact(
        "money.settles_not_because",
        "why not",
        follows=lambda known: None if known.get("money.settles", True) else _REAL_MONEY,
    ),
)
"""Every key that is written, in the order of the file; a section is what its keys have before the dot."""

SECTIONS = {
    "service": "the deployment under test",
    "chain": "the ledger that its money is checked on",
    "money": "what a run may do with money",
    "rollback": "how a release is put back; docs/rollback.md",
}

HOOK = "rollback.hook"


def complete(
    known: Mapping[str, str], found: Mapping[str, Any], ask: Ask | None, *, leave_out: Collection[str] = ()
) -> Values:
    """Return the values of an environment: what was given, else what was found, else asked, else the default.

    `known` are texts by key; without `ask` nobody is asked, and nobody for a key that is left out.
    Raises SettingsInvalid with all that is wrong or missing.
    """
    problems = Problems()
    values: Values = {}
    for fact in FACTS:
        with problems.collected():
            asks = None if fact.key in leave_out else ask
            value = _value_of(fact, known, {fact.key: fact.follows(values), **found}, asks)
            if value is not None and value != "":
                values[fact.key] = value
            elif fact.needed(values):
                _refuse_missing(fact)
    with problems.collected():
        values |= _rollback(known, ask)
    engine = [f"rollback.{values[HOOK]}.{field.name}" for field in _fields(values[HOOK])] if HOOK in values else []
    for key in sorted(known.keys() - {HOOK, *engine, *(fact.key for fact in FACTS)}):
        problems.add(f"{quoted(key)} is no key that init writes", "write it into the file by hand afterwards")
    problems.refuse()
    return values


def _refuse_missing(fact: Fact) -> None:
    variable = _OF_VARIABLE.get(fact.key)
    ways = f"--set {fact.key}=VALUE{f' or {variable.name}' if variable else ''}"
    raise SettingsInvalid(
        f"{fact.key} is not known, and the service does not tell it ({fact.comment})",
        next_step=f"give {ways}, or answer the question (without --yes)",
    )


def _value_of(fact: Fact, known: Mapping[str, str], found: Mapping[str, Any], ask: Ask | None) -> Any:
    if fact.key in known:
        return fact.parse(fact.key, known[fact.key])
    if found.get(fact.key) is not None:
        return found[fact.key]
    if ask is not None and fact.question:
        return asked(fact, ask)
    return fact.parse(fact.key, fact.default) if fact.default else None


def asked(fact: Fact, ask: Ask) -> Any:
    """Return the answer to a fact's question, asked again while it cannot be used; None for none."""
    question = f"{fact.question}{f' [{fact.default}]' if fact.default else ''} "
    while True:
        given = ask(question).strip() or fact.default
        if not given:
            return None
        try:
            return fact.parse(fact.key, given)
        except SettingsInvalid as error:
            question = f"{error}; {error.next_step}\n{fact.question} "


def _rollback(known: Mapping[str, str], ask: Ask | None) -> Values:
    """Return `[rollback]`: the engine, and what its own table must say; nothing where nobody names an engine."""
    hook = Fact(
        HOOK,
        "the engine",
        parsing.one_of(*HOOKS),
        question=f"Which engine puts a release back ({', '.join(HOOKS)}; empty: none)?",
    )
    name = _value_of(hook, known, {}, ask)
    if not name:
        return {}
    values: Values = {HOOK: name}
    for field in _fields(name):
        key = f"rollback.{name}.{field.name}"
        question = f"What is {key} ({'words' if field.type is not str else 'text'})?"
        fact = Fact(key, f"of the {name} engine", _read_as(field.type), question=question if field.required else "")
        value = _value_of(fact, known, {}, ask)
        if value is not None and value != "":
            values[key] = value
        elif field.required:
            _refuse_missing(fact)
    return values


def _fields(engine: str) -> Sequence[msgspec.structs.FieldInfo]:
    return msgspec.structs.fields(HOOKS[engine].settings)


def _read_as(kind: Any) -> Parse:
    """Return the parser of a value of an engine's table: of words as a shell divides them, or of one value."""

    def parse(name: str, given: str) -> Any:
        try:
            divided = shlex.split(given) if str(kind).startswith("tuple") else parsing.text(name, given)
            return msgspec.convert(divided, kind, strict=False)
        except (ValueError, msgspec.ValidationError) as error:
            raise SettingsInvalid(f"{name} cannot be used: {error}", next_step="see docs/hooks.md") from error

    return parse


def environment_text(values: Mapping[str, Any]) -> str:
    """Return the file: every line with its comment, and keys that stay unset as comments with an example."""
    rows = list(_rows(values))
    width = max(len(line) for line, comment in rows if comment and len(line) < _COMMENT_COLUMN)
    lines = [f"{line:<{width}}  # {comment}" if comment else line for line, comment in rows]
    return "\n".join(["# Written by streampay-smoke init; docs/configuration.md explains every key.", *lines]) + "\n"


_COMMENT_COLUMN = 60


def _rows(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    section = ""
    for fact in FACTS:
        name, _, key = fact.key.rpartition(".")
        if name != section:
            section = name
            yield "", ""
            yield f"[{name}]", SECTIONS[name]
        if fact.key in values:
            yield f"{key} = {_toml(values[fact.key])}", fact.comment
        elif fact.example:
            yield f"# {key} = {_toml(_example(fact))}", fact.comment
    hook = values.get(HOOK)
    if hook:
        yield "", ""
        yield "[rollback]", SECTIONS["rollback"]
        yield f"hook = {_toml(hook)}", "the engine that puts a release back"
        yield "", ""
        yield f"[rollback.{hook}]", "where that engine finds the deployment"
        for key, value in values.items():
            if key.startswith(f"rollback.{hook}."):
                yield f"{key.rpartition('.')[2]} = {_toml(value)}", f"see docs/hooks.md, {hook}"


def _example(fact: Fact) -> Any:
    return fact.example if fact.parse not in {yes_or_no, parsing.count} else fact.parse(fact.key, fact.example)


def _toml(value: Any) -> str:
    """Return a value as TOML, whose texts have the escapes of JSON."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)
