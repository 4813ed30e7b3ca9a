"""What people read of the settings, made from the table of variables: `env.example` and a table for the docs."""

from streampay_smoke.settings.variables import VARIABLES, Variable


def env_example() -> str:
    """Every variable with what it is for, and no value: a secret never gets a place in a committed file."""
    lines = ["# Copy to .env and fill in what this machine needs. An option or a real variable wins over this file."]
    for variable in VARIABLES.values():
        notes = [f"default: {variable.default}"] if variable.default else []
        notes += [f"option: {variable.option}"] if variable.option else []
        notes += ["secret"] if variable.secret else []
        note = f" ({', '.join(notes)})" if notes else ""
        lines += ["", f"# {variable.about}{note}", f"#{variable.name}="]
    return "\n".join(lines) + "\n"


def table() -> str:
    """Every variable as a row of a Markdown table."""
    head = "| variable | option | default | what it is |\n|---|---|---|---|\n"
    return head + "".join(map(_row, VARIABLES.values()))


def _row(variable: Variable) -> str:
    options = [variable.option] if variable.option else []
    if options and not variable.metavar:
        options.append(variable.option.replace("--", "--no-"))
    page = f" ([{variable.page}]({variable.page}.md))" if variable.page else ""
    about = f"{'Secret. ' if variable.secret else ''}{variable.about}".replace("|", "\\|")
    cells = (f"`{variable.name}`", ", ".join(f"`{option}`" for option in options) or "-", _default(variable))
    return f"| {' | '.join(cells)} | {about}{page} |\n"


def _default(variable: Variable) -> str:
    if variable.file_key:
        return f"`{variable.file_key}`" + (f", else {variable.unset}" if variable.unset else "")
    return f"`{variable.default}`" if variable.default else variable.unset or "-"
