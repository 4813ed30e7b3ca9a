"""Which CI ran this, from the variables it sets."""

from collections.abc import Mapping

import msgspec

from streampay_smoke.core.system_facts import readable
from streampay_smoke.evidence.redaction import Redactor


class CiSystem(msgspec.Struct, frozen=True, kw_only=True):
    """How a CI system is known, and where it keeps a build's name, number and address (format strings)."""

    known_by: str
    name: str
    type: str
    build_name: str
    build_order: str
    build_url: str


CI_SYSTEMS = (
    CiSystem(
        known_by="GITHUB_ACTIONS",
        name="GitHub Actions",
        type="github",
        build_name="{GITHUB_WORKFLOW} #{GITHUB_RUN_NUMBER}",
        build_order="{GITHUB_RUN_NUMBER}",
        build_url="{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}",
    ),
    CiSystem(
        known_by="GITLAB_CI",
        name="GitLab CI",
        type="gitlab",
        build_name="{CI_JOB_NAME} #{CI_PIPELINE_IID}",
        build_order="{CI_PIPELINE_IID}",
        build_url="{CI_JOB_URL}",
    ),
    CiSystem(
        known_by="JENKINS_URL",
        name="Jenkins",
        type="jenkins",
        build_name="{JOB_NAME} #{BUILD_NUMBER}",
        build_order="{BUILD_NUMBER}",
        build_url="{BUILD_URL}",
    ),
)


class Executor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """Allure's `executor.json`."""

    name: str
    type: str = ""
    build_name: str = ""
    build_order: int = 0
    build_url: str = ""


def executor(environ: Mapping[str, str]) -> Executor:
    """Return who ran this; what a CI system left unset is left out."""
    ci = next((ci for ci in CI_SYSTEMS if environ.get(ci.known_by)), None)
    if ci is None:
        return Executor(name="streampay-smoke")
    order = _filled(ci.build_order, environ)
    return Executor(
        name=ci.name,
        type=ci.type,
        build_name=_filled(ci.build_name, environ),
        build_order=int(order) if order.isdecimal() else 0,
        build_url=Redactor().text(_filled(ci.build_url, environ)),
    )


def _filled(template: str, environ: Mapping[str, str]) -> str:
    """Return the template with variables filled in, empty when one of them is missing."""
    try:
        return readable(template.format_map(environ))
    except KeyError:
        return ""
