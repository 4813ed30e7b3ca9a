"""behave's line about its runner is left out, and nothing else is."""

from types import ModuleType

import pytest

from streampay_smoke.runner.runner_line import leave_out_runner_line


def test_one_line_is_left_out_and_every_other_one_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    behave_main = ModuleType("behave.__main__")
    leave_out_runner_line(behave_main)
    say = behave_main.__dict__["print"]
    say("USING RUNNER: streampay_smoke.runner.runner:GateRunner")
    say("ConfigError: no such file", "x", sep=", ")
    say()
    assert capsys.readouterr().out == "ConfigError: no such file, x\n\n"
