"""What people read of the settings, made from the table of variables: `env.example` and a table for the docs."""

from collections.abc import Mapping

from streampay_smoke.settings.variables import VARIABLES, Mode, Variable

NOTES: Mapping[Mode, str] = {
    Mode.ANY: "`streampay-smoke run` with nothing set starts a sandbox of its own and judges that.",
    Mode.DEPLOYMENT: "`streampay-smoke run --env staging --base-url https://staging.example`, "
    "and the table of its auth mode.",
    Mode.PRODUCTION: "`streampay-smoke run --env production --base-url https://app.example`: nothing is created or "
    "paid there. The synthetic user has two streams already; the contract is one on the test network.",
    Mode.JWT: "`auth_mode` of the environment, or `SMOKE_AUTH_MODE`, is `jwt`: the gate signs tokens of its own.",
    Mode.BEARER: "The mode of the built-in production environment: a token of the synthetic user's.",
    Mode.API_KEY: "The synthetic user shows an API key.",
    Mode.BAKE: "After the scenarios of a run the release is watched ([objectives](objectives.md)).",
    Mode.ROLLBACK: "`streampay-smoke rollback`, or a run with `--on-fail rollback`; the environment file has "
    "`[rollback]`, and the release before was recorded ([rollback](rollback.md)). Which secret is needed follows from "
    "the [hook](hooks.md).",
    Mode.SERVE: "`streampay-smoke serve` ([serve](serve.md)): this, and what its runs need.",
    Mode.TELL: "Set what you use ([notifications](notifications.md)); nothing is needed. The webhook needs both its "
    "address and its secret.",
    Mode.CANARY: "`streampay-smoke canary`, or `run --canary-journeys 10`, compares a candidate with the stable "
    "release ([canary](canary.md)): the stable release by address or header, or both behind one weighted address.",
    Mode.REGIONS: "`streampay-smoke run --region NAME` for one of the `[[regions]]` of the environment file, and "
    "`streampay-smoke merge` ([regions](regions.md)).",
}
"""What a person does in each mode, for the page."""

_MODES_HEAD = """# What each mode needs

A rehearsal on the sandbox needs nothing. A deployment that is judged and rolled back needs what two tables say, and
what its [auth mode](security.md#synthetic-credentials) adds; `wallet` adds nothing. What may be given beside it is
named below each table. [configuration](configuration.md) says of every variable what it is, and by which option or key
of the environment file it may be given instead; [env.example](../env.example) marks the same.
"""


def env_example() -> str:
    """Every variable with what it is for, and no value: a secret never gets a place in a committed file."""
    lines = [
        "# Copy to .env and fill in what this machine needs. An option or a real variable wins over this file.",
        "# docs/modes.md says of each mode what it needs, and what may be given there.",
    ]
    for variable in VARIABLES.values():
        notes = [f"default: {variable.default}"] if variable.default else []
        notes += [f"option: {variable.option}"] if variable.option else []
        notes += ["secret"] if variable.secret else []
        note = f" ({', '.join(notes)})" if notes else ""
        modes = [f"# {said}: {'; '.join(names)}" for said, names in _marks(variable) if names]
        lines += ["", f"# {variable.about}{note}", *modes, f"#{variable.name}="]
    return "\n".join(lines) + "\n"


def _marks(variable: Variable) -> tuple[tuple[str, tuple[Mode, ...]], ...]:
    return ("REQUIRED for", variable.required_in), ("for", variable.used_in)


def modes_page() -> str:
    """What each mode needs, and what may be given in it: a table and a list of names for each."""
    return _MODES_HEAD + "".join(map(_mode, Mode))


def _mode(mode: Mode) -> str:
    heading = f"\n## {mode[0].upper()}{mode[1:]}\n\n{NOTES[mode]}\n"
    rows = "".join(
        f"| `{variable.name}`{' (secret)' if variable.secret else ''} | {_given_too(variable)} "
        f"| {variable.about.split('. ')[0].replace('|', chr(92) + '|')} |\n"
        for variable in VARIABLES.values()
        if mode in variable.required_in
    )
    required = f"\n| required | or as | what it is |\n|---|---|---|\n{rows}" if rows else ""
    used = [f"`{variable.name}`" for variable in VARIABLES.values() if mode in variable.used_in]
    return f"{heading}{required}" + (f"\nMay be given: {', '.join(used)}.\n" if used else "")


def _given_too(variable: Variable) -> str:
    key = f"`{variable.file_key}` in the environment file" if variable.file_key else ""
    return ", ".join(filter(None, (f"`{variable.option}`" if variable.option else "", key))) or "-"


def table() -> str:
    """Every variable as a row of a Markdown table."""
    head = "| variable, option | default | what it is |\n|---|---|---|\n"
    return head + "".join(map(_row, VARIABLES.values()))


def _row(variable: Variable) -> str:
    names = [variable.name, *([variable.option] if variable.option else [])]
    if variable.option and not variable.metavar:
        names.append(variable.option.replace("--", "--no-"))
    page = f" ([{variable.page}]({variable.page}.md))" if variable.page else ""
    about = f"{'Secret. ' if variable.secret else ''}{variable.about}".replace("|", "\\|")
    return f"| {', '.join(f'`{name}`' for name in names)} | {_default(variable)} | {about}{page} |\n"


def _default(variable: Variable) -> str:
    if variable.file_key:
        return f"`{variable.file_key}`" + (f", else {variable.unset}" if variable.unset else "")
    return f"`{variable.default}`" if variable.default else variable.unset or "-"
