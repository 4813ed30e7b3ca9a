"""A service and a ledger that spill secrets wherever an answer has room for them, and a search of what a run left.

The run is a real one, of a real process; what is searched is all that it wrote, printed and showed as a command line.
"""

import html
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from gate_watch import CommandLines, Watched
from spilled_secrets import DISGUISES, SPILLED, Maker, parts_in, parts_of, spilled
from suite_parts import Project

from streampay_sandbox.proxy import DisturbingProxy, Forward, ProxiedRequest, SubstituteAnswer
from streampay_sandbox.stack import Sandbox

TEXTS_PER_ANSWER = 8
READINESS = "/api/readyz"
RUN_SECONDS = 600.0


class Text(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is spilled, by its number: which shape it has, and the secrets in it."""

    number: int
    shape: str
    words: str
    secrets: tuple[str, ...]

    @property
    def marked(self) -> str:
        """The words, with a mark before them by which a journal shows that they arrived."""
        return f"{self.mark} {self.words}"

    @property
    def mark(self) -> str:
        return f"spill-{self.number:04}:"


class Operator(msgspec.Struct, frozen=True, kw_only=True):
    """The operator's secrets: those in the environment of the run, those in its `.env`."""

    environ: dict[str, str]
    dotenv: dict[str, str]

    @classmethod
    def made_up(cls, make: Maker, jwt_secret: str) -> "Operator":
        return cls(
            environ={
                "SMOKE_AUTH_JWT_SECRET": jwt_secret,
                "SMOKE_SIGNING_KEY": make.base64(),
                "SMOKE_SIGNER_SEED": make.seed(),
                "GITHUB_TOKEN": f"ghp_{make.alnum(36)}",
                "DATABASE_PASSWORD": make.alnum(20),
                "AWS_SECRET_ACCESS_KEY": make.base64(30),
            },
            dotenv={
                "SMOKE_AUTH_TOKEN": make.alnum(40),
                "SMOKE_METRICS_TOKEN": make.alnum(32),
                "SMOKE_RECIPIENT_SEED": make.seed(),
            },
        )

    @property
    def known(self) -> dict[str, str]:
        """What the gate reads, and so may hide in whatever disguise: the rest of an environment is none of its."""
        held = {**self.environ, **self.dotenv}
        return {name: value for name, value in held.items() if name.startswith("SMOKE_")}


def texts_of(operator: Operator, seed: str) -> list[Text]:
    """Return all that is spilled in one run: each shape once, each of the operator's secrets in each disguise."""
    made: list[Text] = []
    for name in SPILLED:
        spill = spilled(name, seed)
        made.append(Text(number=len(made), shape=name, words=spill.text, secrets=spill.secrets))
    for variable, secret in operator.known.items():
        for name, disguise in DISGUISES.items():
            words = f"received {disguise(secret)} instead"
            made.append(Text(number=len(made), shape=f"{variable}, {name}", words=words, secrets=(secret,)))
    return made


def _in_headers(texts: Sequence[Text]) -> Forward:
    return Forward(headers={f"x-debug-{text.number}": json.dumps(text.marked)[1:-1] for text in texts})


def _in_an_error(texts: Sequence[Text]) -> SubstituteAnswer:
    return SubstituteAnswer(status=500, content_type="text/plain", text="\n".join(text.marked for text in texts))


def _in_an_envelope(texts: Sequence[Text]) -> SubstituteAnswer:
    error = {"code": texts[0].marked, "message": [text.marked for text in texts], "details": {"stack": texts[0].marked}}
    return SubstituteAnswer(status=400, content_type="application/json", text=json.dumps({"error": error}))


def _in_a_page(texts: Sequence[Text]) -> SubstituteAnswer:
    listed = "".join(f"<li>{html.escape(text.marked)}</li>" for text in texts)
    return SubstituteAnswer(
        status=500, text=f"<html><title>{html.escape(texts[0].marked)}</title><ul>{listed}</ul></html>"
    )


def _in_a_body(texts: Sequence[Text]) -> SubstituteAnswer:
    rows = [{"id": text.marked, "status": text.marked, "token": "XLM"} for text in texts]
    return SubstituteAnswer(
        status=200, content_type="application/json", text=json.dumps({"data": rows, "nextCursor": None})
    )


def _in_a_redirect(texts: Sequence[Text]) -> SubstituteAnswer:
    said = "&".join(text.marked.replace("\n", "%0A") for text in texts)
    return SubstituteAnswer(status=302, headers={"location": f"https://elsewhere.example/cb?said={said}"})


def _in_readiness(texts: Sequence[Text]) -> SubstituteAnswer:
    checks = {text.mark: {"status": "down", "message": text.words} for text in texts}
    return SubstituteAnswer(
        status=503, content_type="application/json", text=json.dumps({"status": "degraded", "checks": checks})
    )


def _in_an_rpc_error(texts: Sequence[Text]) -> SubstituteAnswer:
    error = {"code": -32603, "message": " ".join(text.marked for text in texts)}
    return SubstituteAnswer(
        status=200, content_type="application/json", text=json.dumps({"jsonrpc": "2.0", "error": error})
    )


Way = Callable[[Sequence[Text]], SubstituteAnswer | Forward]


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where secrets are spilled in one run, by whom, and which word the run ends with.

    The first answers to readiness stay as they are unless `readiness` says otherwise: nothing else would be asked for.
    """

    ways: tuple[Way, ...]
    exit_code: int
    ledger: bool = False
    readiness: bool = False


PLACES: Mapping[str, Place] = {
    "headers of good answers": Place(ways=(_in_headers,), exit_code=0),
    "errors, bodies, pages and redirects": Place(
        ways=(_in_an_error, _in_an_envelope, _in_a_page, _in_a_body, _in_a_redirect), exit_code=1
    ),
    "readiness": Place(ways=(_in_readiness,), exit_code=1, readiness=True),
    "errors of the ledger": Place(ways=(_in_an_rpc_error,), exit_code=3, ledger=True),
}


class Spilling:
    """Spills the texts in turn, some with each answer."""

    def __init__(self, texts: Sequence[Text], place: Place) -> None:
        self.answers = 0
        self._texts = texts
        self._place = place
        self._next = 0

    def __call__(self, passing: ProxiedRequest) -> SubstituteAnswer | Forward:
        if (READINESS in passing.path) is not self._place.readiness and not self._place.ledger:
            return Forward()
        chosen = [self._texts[(self._next + each) % len(self._texts)] for each in range(TEXTS_PER_ANSWER)]
        self._next += TEXTS_PER_ANSWER
        self.answers += 1
        return self._place.ways[self.answers % len(self._place.ways)](chosen)


class Searched(msgspec.Struct, frozen=True, kw_only=True):
    """One run: where secrets were spilled, what was searched, and what was found of which shape."""

    place: str
    exit_code: int
    expected_exit_code: int
    answers: int
    spilled: int
    arrived: int
    files: dict[str, int]
    command_lines: int
    found: dict[str, tuple[str, ...]]
    output: str


class Leaks:
    """Looks for parts of secrets in whatever may be read."""

    def __init__(self, texts: Sequence[Text], operator: Operator) -> None:
        self._owners: dict[str, str] = {}
        owned = [(text.shape, secret) for text in texts for secret in text.secrets]
        owned += [(name, value) for name, value in {**operator.environ, **operator.dotenv}.items()]
        for owner, secret in reversed(owned):
            self._owners.update(dict.fromkeys(parts_of(secret), owner))

    def in_text(self, text: str) -> set[str]:
        """Return the shapes of which a secret, or enough of it, can be read out of a text, decoded or not."""
        return {self._owners[part] for part in parts_in(text, self._owners.keys())}


def search(
    sandbox: Sandbox, folder: Path, place_name: str, *, seed: str, tags: str = "@smoke", **environ: str
) -> Searched:
    """Play one run in which secrets are spilled in one place, then search all that is left of it."""
    place = PLACES[place_name]
    ready = sandbox.ready_document()
    operator = Operator.made_up(Maker(f"operator/{seed}"), ready["env"]["SMOKE_AUTH_JWT_SECRET"])
    texts = texts_of(operator, seed)
    spilling = Spilling(texts, place)
    with DisturbingProxy(sandbox.rpc_url if place.ledger else sandbox.base_url, behaviour=spilling) as proxy:
        folder.mkdir()
        project = Project(
            folder,
            {**ready["env"], **operator.environ, **_ci(folder), "SMOKE_REPORT": "1", **environ},
            run_seconds=RUN_SECONDS,
        )
        (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in operator.dotenv.items()))
        changed = {"SMOKE_STELLAR_RPC_URL" if place.ledger else "SMOKE_BASE_URL": proxy.url, "SMOKE_AUTH_MODE": "jwt"}
        command = ("streampay_smoke", "run", "--tags", tags)
        with Watched(project, *command, **changed) as watched, CommandLines(watched) as shown:
            exit_code = watched.wait(RUN_SECONDS)
            run = watched.folder
        beside = [project.answer(word, **changed) for word in ("doctor", "sweep")]
    outputs = {"output of the run": watched.output}
    outputs |= {f"output of {done.args[3]}": done.stdout + done.stderr for done in beside}
    outputs["command lines"] = "\n".join(sorted(shown.seen))
    left = {str(path.relative_to(folder)): _read(path) for path in written(folder)} | outputs
    leaks = Leaks(texts, operator)
    journal = "" if run is None else _read(run / "journal.jsonl")
    return Searched(
        place=place_name,
        exit_code=exit_code,
        expected_exit_code=place.exit_code,
        answers=spilling.answers,
        spilled=min(len(texts), spilling.answers * TEXTS_PER_ANSWER),
        arrived=sum(text.mark in journal for text in texts),
        files={name: len(text) for name, text in left.items()},
        command_lines=len(shown.seen),
        found={name: tuple(sorted(leaks.in_text(text))) for name, text in left.items() if leaks.in_text(text)},
        output=watched.output,
    )


def written(folder: Path) -> Iterator[Path]:
    """Yield every file below a project's folder, its `.env` apart: that is where the operator put the secrets."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and path.name != ".env" and "__pycache__" not in path.parts:
            yield path


def _read(path: Path) -> str:
    return path.read_bytes().decode("utf-8", errors="replace")


def _ci(folder: Path) -> dict[str, str]:
    """Return what a CI system sets: places to write to are read by everybody."""
    return {
        "GITHUB_ACTIONS": "true",
        "GITHUB_OUTPUT": str(folder / "github_output"),
        "GITHUB_STEP_SUMMARY": str(folder / "github_summary"),
    }


def without_redaction(folder: Path) -> dict[str, str]:
    """Return the environment of a run that redacts nothing: what is found then shows that the search can find."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "from streampay_smoke.evidence.redaction import Redactor\n"
        "from streampay_smoke.service import exchange\n"
        "Redactor.text = lambda self, text: text\n"
        "exchange.names_a_secret = lambda name: False\n"
        "exchange.without_shapes = lambda text: text\n"
    )
    return {"PYTHONPATH": str(folder)}
