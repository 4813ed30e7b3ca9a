"""The command hook: words and no shell, the intent in the environment, and an end to every wait."""

import contextlib
import os
import select
import sys
from pathlib import Path

import msgspec
import pytest

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.rollback.hook import Hook, HookFailed, Intent
from streampay_smoke.rollback.hooks import HOOKS, hook_named
from streampay_smoke.rollback.hooks.command import CommandHook, CommandSettings

INTENT = Intent(
    deploy="d-7",
    environment="staging",
    failed_release="v2; rm -rf $HOME",
    target_release="v1",
    key="k-1",
    deadline_seconds=20,
)


def python(code: str) -> list[str]:
    return [sys.executable, "-S", "-c", code]


def hook(**commands: list[str]) -> Hook:
    return hook_named("command", {"roll_back": ["true"], **commands}, {}, where="environments/x.toml")


def test_the_intent_is_in_the_environment_and_nothing_of_the_gate_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMOKE_API_KEY", "a-secret-of-the-gate")
    monkeypatch.setenv("KUBECONFIG", "/somewhere")
    code = (
        "import os; print(sorted(k + '=' + v for k, v in os.environ.items() if k[:5] in ('STREA', 'SMOKE', 'KUBEC')))"
    )
    said = hook(roll_back=python(code)).roll_back(INTENT)
    assert said == str(
        sorted(
            [
                "KUBECONFIG=/somewhere",
                "STREAMPAY_DEPLOY=d-7",
                "STREAMPAY_ENVIRONMENT=staging",
                "STREAMPAY_FAILED_RELEASE=v2; rm -rf $HOME",
                "STREAMPAY_ROLLBACK_KEY=k-1",
                "STREAMPAY_TARGET_RELEASE=v1",
            ]
        )
    )


def test_no_shell_reads_the_words(tmp_path: Path) -> None:
    words = ["$(touch", f"{tmp_path}/made)", ";", "|", "*"]
    said = hook(roll_back=[*python("import sys; print(sys.argv[1:])"), *words]).roll_back(INTENT)
    assert said == str(words)
    assert not list(tmp_path.iterdir())


def test_its_last_line_is_what_the_engine_says() -> None:
    assert hook(roll_back=python("print('one'); print('two'); print()")).roll_back(INTENT) == "two"
    assert hook(roll_back=["true"]).roll_back(INTENT) == ""


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import sys; print('busy', file=sys.stderr); sys.exit(7)", "exit code 7: busy"),
        ("import sys; print('no such revision'); sys.exit(1)", "exit code 1: no such revision"),
        ("import os; os.kill(os.getpid(), 9)", "exit code -9"),
    ],
)
def test_a_command_that_fails_is_no_rollback(code: str, said: str) -> None:
    with pytest.raises(HookFailed, match=said):
        hook(roll_back=python(code)).roll_back(INTENT)
    with pytest.raises(HookFailed, match=said):
        hook(live_release=python(code)).live_release()


def test_a_command_that_is_not_there_is_no_rollback() -> None:
    with pytest.raises(HookFailed, match=r"no-such-program could not be started: No such file") as caught:
        hook(roll_back=["no-such-program"]).roll_back(INTENT)
    assert "[rollback.command]" in caught.value.next_step


def test_a_command_that_hangs_is_stopped_with_all_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    hanging = ["sh", "-c", f"sleep 600 & echo $! > {pids}; wait"]
    with pytest.raises(HookFailed, match=r"sh did not end within 2 s and was stopped"):
        hook(roll_back=hanging).roll_back(msgspec.structs.replace(INTENT, deadline_seconds=2))
    with contextlib.suppress(ProcessLookupError):  # it is gone already
        child = os.pidfd_open(int(pids.read_text()))
        ended, _, _ = select.select([child], [], [], 10)
        os.close(child)
        assert ended


def test_it_says_which_release_is_live() -> None:
    assert hook(live_release=["echo", "v1"]).live_release() == "v1"


def test_an_engine_that_says_nothing_does_not_know_releases() -> None:
    assert hook().live_release() is None
    assert hook(live_release=["true"]).live_release() is None


def test_several_lines_are_no_release() -> None:
    with pytest.raises(HookFailed, match="printed 2 lines instead of one release"):
        hook(live_release=["printf", "v1\nv2\n"]).live_release()


def test_a_look_has_an_end() -> None:
    impatient = CommandHook(CommandSettings(roll_back=("true",), live_release=("sleep", "60")), look_seconds=0.2)
    with pytest.raises(HookFailed, match=r"sleep did not end within 0.2 s"):
        impatient.live_release()


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({}, "missing required field `roll_back`"),
        ({"roll_back": []}, "at least the program's name"),
        ({"roll_back": "kubectl rollout undo"}, "Expected `array`, got `str`"),
        ({"roll_back": ["curl", "--header", "Authorization: Bearer abcdef123456"]}, "looks like a secret"),
        ({"roll_back": ["curl", ""]}, "a word of a command is empty"),
        ({"roll_back": ["true"], "rollback": ["true"]}, "unknown field `rollback`"),
    ],
)
def test_a_table_that_is_not_its_own_is_refused(table: dict[str, object], problem: str) -> None:
    with pytest.raises(SettingsInvalid, match=problem) as caught:
        hook_named("command", table, {}, where="environments/x.toml")
    assert "environments/x.toml: [rollback.command]" in str(caught.value)
    assert "abcdef123456" not in str(caught.value)


def test_an_engine_nobody_knows_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(SettingsInvalid, match="no engine 'comand'; did you mean 'command'") as caught:
        hook_named("comand", {}, {}, where="environments/x.toml")
    assert caught.value.next_step.startswith("use one of: ")
    assert "command" in caught.value.next_step.removeprefix("use one of: ").split(", ")


def test_engines_name_their_secrets_as_variables_of_the_actuator() -> None:
    from streampay_smoke.settings.variables import ENGINE_PREFIX, VARIABLES

    for name, engine in HOOKS.items():
        for variable in engine.secrets:
            assert variable.startswith(ENGINE_PREFIX), name
            assert VARIABLES[variable].secret, name
        assert engine.settings.__struct_config__.forbid_unknown_fields, name
        assert engine.settings.__struct_config__.frozen, name


def test_the_environment_of_this_process_is_left_alone() -> None:
    before = dict(os.environ)
    hook(roll_back=["true"]).roll_back(INTENT)
    assert dict(os.environ) == before
