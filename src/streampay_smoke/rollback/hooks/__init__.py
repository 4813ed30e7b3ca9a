"""The engines a release can be put back with: one table, `HOOKS`, from the name in `[rollback]` to its hook.

An environment file says which one, and gives it a table of its own:

    [rollback]
    hook = "command"

    [rollback.command]
    roll_back = ["deploy/put-back"]

To add an engine: write a module here with a frozen Struct (`forbid_unknown_fields=True`, facts only, never a secret)
and a class with the two calls of `streampay_smoke.rollback.hook.Hook`, then add its line to `HOOKS`. The secrets it
needs are variables named in its line, which are in `settings.variables` too (with a parser of secrets) and begin with
`SMOKE_ROLLBACK_`: it is handed those that are set, and no others.
"""

import difflib
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.core.secret import Secret
from streampay_smoke.rollback.hook import Hook
from streampay_smoke.rollback.hooks import webhook
from streampay_smoke.rollback.hooks.argo_rollouts import ArgoRolloutsHook, ArgoRolloutsSettings
from streampay_smoke.rollback.hooks.aws_codedeploy import CodeDeployHook, CodeDeploySettings
from streampay_smoke.rollback.hooks.aws_ecs import EcsHook, EcsSettings
from streampay_smoke.rollback.hooks.cloud_run import CloudRunHook, CloudRunSettings
from streampay_smoke.rollback.hooks.command import CommandHook, CommandSettings
from streampay_smoke.rollback.hooks.engine_api import TOKEN
from streampay_smoke.rollback.hooks.github import GithubHook, GithubSettings
from streampay_smoke.rollback.hooks.kubernetes import KubernetesHook, KubernetesSettings
from streampay_smoke.rollback.hooks.kubernetes_service import KubernetesServiceHook, KubernetesServiceSettings
from streampay_smoke.rollback.hooks.webhook import WebhookHook, WebhookSettings

Secrets = Mapping[str, Secret]
"""The secrets an engine named and somebody set, by variable."""


class HookFactory(msgspec.Struct, frozen=True, kw_only=True):
    """How the table `[rollback.NAME]` of an engine reads, and how its hook is made of it.

    `make` gets an instance of `settings` and the secrets that are set of those in `secrets`; it raises SettingsInvalid
    when one it cannot do without is missing, and asks nothing of anybody.
    """

    settings: type[msgspec.Struct]
    make: Callable[[Any, Secrets], Hook]
    secrets: tuple[str, ...] = ()


def _with_token(hook: Callable[[Any, Secret | None], Hook]) -> Callable[[Any, Secrets], Hook]:
    """Return how a hook is made that can do without a token, where its job has credentials of its own."""
    return lambda settings, secrets: hook(settings, secrets.get(TOKEN))


HOOKS: Mapping[str, HookFactory] = {
    "command": HookFactory(settings=CommandSettings, make=lambda settings, secrets: CommandHook(settings)),
    "webhook": HookFactory(settings=WebhookSettings, make=WebhookHook.made, secrets=(webhook.SECRET,)),
    "kubernetes": HookFactory(settings=KubernetesSettings, make=_with_token(KubernetesHook), secrets=(TOKEN,)),
    "kubernetes-service": HookFactory(
        settings=KubernetesServiceSettings, make=_with_token(KubernetesServiceHook), secrets=(TOKEN,)
    ),
    "argo-rollouts": HookFactory(settings=ArgoRolloutsSettings, make=_with_token(ArgoRolloutsHook), secrets=(TOKEN,)),
    "aws-ecs": HookFactory(settings=EcsSettings, make=lambda settings, secrets: EcsHook(settings)),
    "aws-codedeploy": HookFactory(settings=CodeDeploySettings, make=lambda settings, secrets: CodeDeployHook(settings)),
    "cloud-run": HookFactory(settings=CloudRunSettings, make=_with_token(CloudRunHook), secrets=(TOKEN,)),
    "github": HookFactory(settings=GithubSettings, make=GithubHook.made, secrets=(TOKEN,)),
}
"""Every engine by its name in `[rollback]`."""


def hook_named(name: str, table: Mapping[str, Any], secrets: Secrets, *, where: str) -> Hook:
    """Return the hook of the engine `name`, made of its table; `where` is the file, for errors.

    Raises SettingsInvalid for an unknown engine or a table that is not its own.
    """
    if name not in HOOKS:
        nearest = difflib.get_close_matches(name, HOOKS, n=1)
        raise SettingsInvalid(
            f"{where}: [rollback] has no engine {name!r}{f'; did you mean {nearest[0]!r}?' if nearest else ''}",
            next_step=f"use one of: {', '.join(sorted(HOOKS))}",
        )
    engine = HOOKS[name]
    try:
        settings = msgspec.convert(table, engine.settings)
    except msgspec.ValidationError as error:
        raise SettingsInvalid(f"{where}: [rollback.{name}]: {error}", next_step="correct the file") from error
    return engine.make(settings, {variable: secrets[variable] for variable in engine.secrets if variable in secrets})
