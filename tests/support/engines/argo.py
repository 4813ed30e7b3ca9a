"""Argo Rollouts: how a metric is measured and assessed, and what a blue/green Rollout makes of the phase.

Written from reading analysis/analysis.go, utils/evaluate, metricproviders/{web,job} and rollout/analysis.go of
argo-rollouts at 9f8d111d (2026-08-17).
"""

import json
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from engines.effects import Effect
from engines.files import document
from engines.kubernetes import Job
from engines.line import SECRETS, ServiceLink, Unreachable

TEMPLATES = "argo-rollouts/analysis-templates.yaml"
ROLLOUT = "argo-rollouts/rollout.yaml"

DEFAULT_CONSECUTIVE_ERROR_LIMIT = 4
ERROR_RETRY_SECONDS = 10
A_DAY = 8640
"""So many measurements fit into a day of errors."""

WORST = ("Successful", "Inconclusive", "Error", "Failed")


class Counters(msgspec.Struct, kw_only=True):
    """What Argo counts of a metric."""

    count: int = 0
    failed: int = 0
    inconclusive: int = 0
    consecutive_error: int = 0
    consecutive_success: int = 0

    def measured(self, phase: str) -> None:
        """Count one measurement. Errors do not count towards `count`."""
        if phase == "Error":
            self.consecutive_error += 1
            self.consecutive_success = 0
            return
        self.count += 1
        self.consecutive_error = 0
        self.consecutive_success = self.consecutive_success + 1 if phase == "Successful" else 0
        self.failed += phase == "Failed"
        self.inconclusive += phase == "Inconclusive"


def assess(metric: Mapping[str, Any], counters: Counters) -> str:
    """Return the phase of a metric, Running while it has none. A later condition here wins, as it does in Argo."""
    phase = ""
    if counters.failed > metric.get("failureLimit", 0) >= 0:
        phase = "Failed"
    if counters.inconclusive > metric.get("inconclusiveLimit", 0):
        phase = "Inconclusive"
    if counters.consecutive_error > metric.get("consecutiveErrorLimit", DEFAULT_CONSECUTIVE_ERROR_LIMIT):
        phase = "Error"
    if phase:
        return phase
    wanted = metric.get("consecutiveSuccessLimit", 0)
    if wanted and counters.consecutive_success >= wanted:
        return "Successful"
    count = metric.get("count") or (None if metric.get("interval") else 1)
    if count is not None and counters.count >= count:
        if not wanted:
            return "Successful"
        return "Inconclusive" if metric.get("failureLimit", 0) >= 0 else "Failed"
    return "Running"


def refused_because(metric: Mapping[str, Any]) -> str:
    """Return why Argo would not accept a metric, "" where it does."""
    count, failures = metric.get("count", 0), metric.get("failureLimit", 0)
    successes, inconclusive = metric.get("consecutiveSuccessLimit", 0), metric.get("inconclusiveLimit", 0)
    if count and failures >= 0 and count < failures + successes:
        return "count must be >= failureLimit + consecutiveSuccessLimit"
    if count and count < inconclusive:
        return "count must be >= inconclusiveLimit"
    if count > 1 and not metric.get("interval"):
        return "interval must be specified when count > 1"
    return "" if len(metric["provider"]) == 1 else "one provider"


def evaluate(metric: Mapping[str, Any], result: Any) -> str:
    """Return the phase of one measured value."""
    try:
        success = _condition(metric.get("successCondition", ""), result)
        failure = _condition(metric.get("failureCondition", ""), result)
    except TypeError:
        return "Error"
    if success is None and failure is None:
        return "Successful"
    if failure is None:
        failure = not success
    if success is None:
        success = not failure
    if failure:
        return "Failed"
    return "Successful" if success else "Inconclusive"


def analyse(metric: Mapping[str, Any], line: ServiceLink, args: Mapping[str, str], *, measurements: int = A_DAY) -> str:
    """Measure with the web provider until the metric has a phase, or for about a day; return the phase."""
    assert refused_because(metric) == ""
    counters, metric = Counters(), _resolved(metric, args)
    for _ in range(measurements):
        counters.measured(_measure(metric, line))
        phase = assess(metric, counters)
        if phase != "Running":
            return phase
    return "Running"


def before(template: Mapping[str, Any], job: Job) -> Effect:
    """Return what a blue/green Rollout does after its prePromotionAnalysis with a Job."""
    (metric,) = template["spec"]["metrics"]
    assert refused_because(metric) == ""
    counters = Counters()
    counters.measured({"Complete": "Successful", "Failed": "Failed", "Waiting": "Inconclusive"}[job.condition()])
    phase = assess(metric, counters)
    return {"Successful": Effect.PROMOTED, "Failed": Effect.GIVEN_UP, "Error": Effect.GIVEN_UP}.get(phase, Effect.HELD)


def after(template: Mapping[str, Any], line: ServiceLink) -> Effect:
    """Return what a blue/green Rollout does after its postPromotionAnalysis by the web provider."""
    (metric,) = template["spec"]["metrics"]
    phase = analyse(metric, line, arguments(template, "postPromotionAnalysis"))
    return {"Successful": Effect.PROMOTED, "Failed": Effect.ROLLED_BACK, "Error": Effect.ROLLED_BACK}.get(
        phase, Effect.HELD
    )


def arguments(template: Mapping[str, Any], analysis: str) -> dict[str, str]:
    """Return the template's arguments as the Rollout and the secrets give them; none may be missing."""
    rollout = document(ROLLOUT, kind="Rollout")
    given = {one["name"]: one for one in rollout["spec"]["strategy"]["blueGreen"][analysis]["args"]}
    values: dict[str, str] = {}
    for arg in template["spec"]["args"]:
        source = given.get(arg["name"], arg)
        values[arg["name"]] = source["value"] if "value" in source else value_from(source["valueFrom"], rollout)
    assert given.keys() <= values.keys()
    return values


def value_from(source: Mapping[str, Any], rollout: Mapping[str, Any]) -> str:
    """Return the value that an argument takes from a secret, the pods' template or a label of the Rollout."""
    if "secretKeyRef" in source:
        return SECRETS[source["secretKeyRef"]["key"]]
    if "podTemplateHashValue" in source:
        return "5f7d8c9b6d"
    found = re.fullmatch(r"metadata\.labels\['(.+)'\]", source["fieldRef"]["fieldPath"])
    assert found is not None
    value: str = rollout["metadata"]["labels"][found[1]]
    return value


def _resolved(metric: Mapping[str, Any], args: Mapping[str, str]) -> Mapping[str, Any]:
    text = re.sub(r"\{\{args\.([\w-]+)\}\}", lambda found: args[found[1]], json.dumps(metric))
    resolved: Mapping[str, Any] = json.loads(text)
    return resolved


def _measure(metric: Mapping[str, Any], line: ServiceLink) -> str:
    web = metric["provider"]["web"]
    assert ("jsonBody" in web) <= (web.get("method", "GET") in {"POST", "PUT"})
    headers = {header["key"]: header["value"] for header in web.get("headers", [])}
    body = json.dumps(web["jsonBody"]).encode() if "jsonBody" in web else b""
    try:
        reply = line.request(web.get("method", "GET"), web["url"], headers, body)
    except Unreachable:
        return "Error"
    if not 200 <= reply.status < 300:
        return "Error"
    found = re.fullmatch(r"\{\$\.(\w+)\}", web["jsonPath"])
    assert found is not None, "the model knows one hop"
    document_ = reply.json
    return evaluate(metric, document_[found[1]]) if found[1] in document_ else "Error"


def _condition(condition: str, result: Any) -> bool | None:
    """Evaluate `result.NAME == "text"`, all our templates use; a field of something else than a map is an error."""
    if not condition:
        return None
    found = re.fullmatch(r'result\.(\w+) == "(.*)"', condition)
    assert found is not None, f"the model does not know {condition}"
    if not isinstance(result, dict):
        raise TypeError(result)
    return bool(result.get(found[1]) == found[2])
