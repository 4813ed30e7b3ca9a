"""Checks what of deploy/ goes to AWS against the shapes AWS publishes; run by .venv-deploy, where those are.

Prints one line for each finding; ends with 1 where there is one.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
from botocore.validate import ParamValidator

DEPLOY = Path(__file__).parents[2] / "deploy"


def findings() -> Iterator[str]:
    """Yield what is wrong."""
    for name, operation, beside in (
        ("ecs-deployment.json", "UpdateService", {"service": "streampay"}),
        ("gate-task-definition.json", "RegisterTaskDefinition", {}),
    ):
        request = {**beside, **json.loads((DEPLOY / "aws" / name).read_text())}
        yield from refused_by_ecs(request, operation, f"aws/{name}")


def refused_by_ecs(request: dict[str, Any], operation: str, where: str) -> Iterator[str]:
    """Yield what Amazon ECS would refuse of a request."""
    shape = botocore.session.get_session().get_service_model("ecs").operation_model(operation).input_shape
    report = ParamValidator().validate(request, shape)
    if report.has_errors():
        yield f"{where}: {report.generate_report()}"
    yield from unknown_words(request, shape, where)


def unknown_words(value: Any, shape: Any, where: str) -> Iterator[str]:
    """Yield words that are not among those a shape lists: botocore's own validator does not look at them."""
    if shape.type_name == "structure" and isinstance(value, dict):
        for name in value.keys() & shape.members.keys():
            yield from unknown_words(value[name], shape.members[name], f"{where}: {name}")
    elif shape.type_name == "list":
        for item in value:
            yield from unknown_words(item, shape.member, where)
    elif getattr(shape, "enum", None) and value not in shape.enum:
        yield f"{where}: {value} is none of {', '.join(shape.enum)}"


if __name__ == "__main__":
    found = list(findings())
    print("\n".join(found))
    sys.exit(1 if found else 0)
