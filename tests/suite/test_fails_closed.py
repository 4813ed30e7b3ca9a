"""Everything behave calls success without evidence: none of it is a PASS, and raw behave exits non-zero for it."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from suite_parts import Project, wait_for_file
from waits import HANG_SECONDS, Stopwatch

from streampay_smoke.evidence.journal import read
from streampay_smoke.gate.judge import judge
from streampay_smoke.gate.verdict import VerdictStatus

READY = "--tags=@readiness"
CHECK = "    readiness.dependencies_are_healthy(context.scenario_context.readiness, context.scenario_context.expect)"
STEPS = "steps/readiness_steps.py"


def test_the_readiness_feature_alone_is_a_pass(project: Project) -> None:
    ran = project.behave(READY)
    assert (ran.code, ran.verdict.verdict) == (0, VerdictStatus.PASS), ran.output
    assert ran.verdict.evidence.assertions >= 5


def test_a_feature_path_works_alone(project: Project) -> None:
    ran = project.behave("features/readiness.feature")
    assert (ran.code, ran.verdict.verdict) == (0, VerdictStatus.PASS), ran.output


@pytest.mark.parametrize("tags", ["@smok", "@readiness and @streams", "not @smoke"])
def test_an_empty_selection(project: Project, tags: str) -> None:
    ran = project.behave(f"--tags={tags}")
    assert (ran.code, ran.verdict.reason_code) == (2, "nothing_selected")
    assert ("did you mean @smoke?" in ran.verdict.message) is (tags == "@smok")


WRONG_TAGS = {
    "@a @b": "expected operator after a",
    "@a and (@b": "unclosed '('",
    "@a or": "expected operand after or",
    "@a,@b": "write '@a or @b'",
    "~@slow": "write 'not @slow'",
    "-@money": "write 'not @money'",
    "@a\\q": "illegal escape",
}


@pytest.mark.parametrize("command", ["behave", "smoke"])
@pytest.mark.parametrize("tags", WRONG_TAGS)
def test_a_tag_expression_that_cannot_be_used_is_config_and_says_what_is_wrong(
    bare_project: Project, command: str, tags: str
) -> None:
    ran = getattr(bare_project, command)(f"--tags={tags}")
    assert (ran.code, ran.verdict.reason_code) == (2, "settings_invalid"), ran.output
    assert repr(tags) in ran.verdict.message_long
    assert WRONG_TAGS[tags].lower() in ran.verdict.message_long.lower()


def test_a_feature_that_is_not_there(project: Project) -> None:
    ran = project.behave("features/nothing.feature")
    assert (ran.code, ran.verdict.verdict) == (2, VerdictStatus.CONFIG), ran.output


BEHAVE = (str(Path(sys.executable).with_name("behave")),)
AS_MODULE = (sys.executable, "-X", "utf8", "-m", "behave")


@pytest.mark.parametrize(
    ("behave", "arguments"),
    [
        (BEHAVE, ["--name=["]),
        (BEHAVE, ["--include=("]),
        (BEHAVE, ["--tags=@a:b"]),
        (BEHAVE, ["--no-such-option"]),
        (BEHAVE, ["--runner=nothing"]),
        (BEHAVE, ["-f", "nothing"]),
        (AS_MODULE, ["--name=["]),
        (AS_MODULE, ["--jobs=many"]),
    ],
)
def test_what_behave_itself_refuses_is_config_in_this_installation(
    bare_project: Project, behave: tuple[str, ...], arguments: list[str]
) -> None:
    before = bare_project.behave("--tags=@a @b").folder
    command = [*behave, *arguments]
    done = subprocess.run(
        command, cwd=bare_project.folder, env=bare_project.environ, capture_output=True, text=True, check=False
    )
    ran = bare_project.ran(done.returncode, done.stdout + done.stderr)
    assert (ran.code, ran.verdict.verdict) == (2, VerdictStatus.CONFIG), ran.output
    assert ran.folder != before
    assert "Traceback" not in ran.output


@pytest.mark.parametrize("arguments", [["--version"], ["--tags-help"], ["--help"]])
def test_help_of_behave_is_no_run(bare_project: Project, arguments: list[str]) -> None:
    command = [str(Path(sys.executable).with_name("behave")), *arguments]
    done = subprocess.run(command, cwd=bare_project.folder, env=bare_project.environ, capture_output=True, check=False)
    assert (done.returncode, bare_project.latest()) == (0, None)


@pytest.mark.parametrize("key", ["format", "lang", "runner"])
def test_a_configuration_that_asks_for_help_in_place_of_a_run_is_config(bare_project: Project, key: str) -> None:
    ini = bare_project.folder / "behave.ini"
    ini.write_text(re.sub(rf"^{key} =.*", f"{key} = help", ini.read_text(), flags=re.MULTILINE))
    command = [str(Path(sys.executable).with_name("behave")), "--tags=@readiness"]
    done = subprocess.run(command, cwd=bare_project.folder, env=bare_project.environ, capture_output=True, check=False)
    ran = bare_project.ran(done.returncode, done.stdout.decode())
    assert (ran.code, ran.verdict.verdict) == (2, VerdictStatus.CONFIG), ran.output


@pytest.mark.parametrize("command", ["behave", "streampay_smoke run"])
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_standard_streams_that_are_closed_change_nothing(project: Project, command: str, closed: str) -> None:
    line = f'exec "{sys.executable}" -m {command} --tags @readiness {closed}'
    done = subprocess.run(
        ["/bin/sh", "-c", line], cwd=project.folder, env=project.environ, check=False, timeout=HANG_SECONDS
    )
    assert (done.returncode, project.ran(0, "").verdict.verdict) == (0, VerdictStatus.PASS)


@pytest.mark.parametrize("command", ["behave", "streampay_smoke run"])
def test_output_that_nobody_reads_changes_nothing(project: Project, command: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    line = [sys.executable, "-m", *command.split(), "--tags", "@readiness"]
    done = subprocess.run(
        line,
        cwd=project.folder,
        env=project.environ,
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
        timeout=HANG_SECONDS,
    )
    os.close(writing)
    assert (done.returncode, project.ran(0, "").verdict.verdict) == (0, VerdictStatus.PASS)
    assert b"Traceback" not in done.stderr


def test_a_scenario_without_steps(project: Project) -> None:
    project.put("extra.feature", "@smoke\nFeature: Extra\n  Why.\n\n  Scenario: Empty\n")
    ran = project.behave("features/extra.feature")
    assert (ran.code, ran.verdict.verdict) == (2, VerdictStatus.CONFIG)


def test_an_empty_feature_file(project: Project) -> None:
    project.put("streams.feature", "")
    ran = project.behave(READY)
    assert (ran.code, ran.verdict.reason_code) == (2, "suite_defective")


def test_a_misspelt_keyword(project: Project) -> None:
    project.edit("readiness.feature", "    When the service", "    Whn the service")
    ran = project.behave(READY)
    assert (ran.code, ran.verdict.verdict) == (2, VerdictStatus.CONFIG), ran.output


def test_a_step_nobody_defined(project: Project) -> None:
    project.edit("readiness.feature", "Then the service reports that it is ready", "Then it sings for itself")
    ran = project.behave(READY)
    assert (ran.code, ran.verdict.verdict) == (3, VerdictStatus.INCONCLUSIVE), ran.output


@pytest.mark.parametrize(
    "body",
    [
        "context.scenario.skip('not today')",
        "raise SystemExit(0)",
        "raise SystemExit(3)",
        "raise RuntimeError('oops')",
        "assert False",
    ],
)
def test_a_step_that_leaves_early(project: Project, body: str) -> None:
    project.edit(STEPS, CHECK, f"    {body}")
    ran = project.behave(READY)
    assert ran.code in {2, 3}, ran.output
    assert ran.verdict.verdict in {VerdictStatus.CONFIG, VerdictStatus.INCONCLUSIVE}


def test_steps_that_assert_nothing(project: Project) -> None:
    steps = (project.features / STEPS).read_text()
    emptied = "\n".join("    pass" if line.startswith("    readiness.") else line for line in steps.splitlines())
    project.put(STEPS, emptied + "\n")
    ran = project.behave(READY)
    assert (ran.code, ran.verdict.verdict) == (3, VerdictStatus.INCONCLUSIVE)
    assert "nothing was asserted by" in ran.verdict.message


def add_hook(project: Project, text: str) -> None:
    project.put("environment.py", f"{(project.features / 'environment.py').read_text()}\n\n{text}")


@pytest.mark.parametrize(
    "hook",
    [
        "before_all",
        "before_feature",
        "before_scenario",
        "before_step",
        "after_step",
        "after_scenario",
        "after_feature",
        "after_all",
    ],
)
def test_a_hook_that_raises(project: Project, hook: str) -> None:
    add_hook(project, f"def {hook}(*arguments):\n    raise RuntimeError('a hook broke')\n")
    ran = project.behave(READY)
    assert (ran.code, ran.verdict.verdict) == (3, VerdictStatus.INCONCLUSIVE), ran.output


def test_a_clean_up_that_raises(project: Project) -> None:
    add_hook(
        project,
        "def before_scenario(context, scenario):\n"
        "    hooks.before_scenario(context, scenario)\n"
        "    context.add_cleanup(lambda: 1 / 0)\n",
    )
    ran = project.behave(READY)
    assert (ran.code, ran.verdict.verdict) == (3, VerdictStatus.INCONCLUSIVE), ran.output


@pytest.mark.parametrize("broken", ["import nothing_like_it", "def f(:", "raise SystemExit(0)"])
def test_a_step_file_that_cannot_be_loaded(project: Project, broken: str) -> None:
    project.put("steps/broken_steps.py", broken)
    ran = project.behave(READY)
    assert (ran.code, ran.verdict.reason_code) == (2, "suite_defective"), ran.output


def test_an_ambiguous_step(project: Project) -> None:
    project.put(
        "steps/twice_steps.py",
        "from behave import given\n\n\n@given('the service is ready')\ndef again(context):\n    pass\n",
    )
    ran = project.behave(READY)
    assert (ran.code, ran.verdict.verdict) == (2, VerdictStatus.CONFIG), ran.output


def test_a_dry_run(project: Project) -> None:
    ran = project.behave(READY, "--dry-run")
    assert (ran.code, ran.verdict.verdict) == (2, VerdictStatus.CONFIG)


@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_a_foreign_runner(project: Project, dry: list[str]) -> None:
    assert project.behave(READY).code == 0
    ran = project.behave(READY, "--runner=behave.runner:Runner", *dry)
    assert (ran.code, ran.verdict.verdict) == (2, VerdictStatus.CONFIG), ran.output


def test_a_foreign_runner_and_nowhere_to_say_so(project: Project, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ran = project.behave(READY, "--runner=behave.runner:Runner", SMOKE_ARTIFACTS=str(tmp_path / "file"))
    assert (ran.code, "cannot be written" in ran.output, "behave.ini" in ran.output) == (2, True, True), ran.output


GUARD = "    And the service works on a test network\n"


@pytest.mark.parametrize("command", ["behave", "smoke"])
def test_a_suite_that_nobody_accepted_is_not_played(project: Project, command: str) -> None:
    project.spoil("settlement.feature", GUARD, "")
    project.spoil("steps/readiness_steps.py", "import given", "import os, given\n\nos._exit(0)")
    play = {"behave": project.behave, "smoke": project.smoke}[command]
    ran = play("--tags=@settlement")
    assert (ran.code, ran.verdict.reason_code) == (2, "suite_changed"), ran.output
    assert "features/steps/readiness_steps.py was changed" in ran.verdict.message_long
    assert "settlement/a-settled-stream-pays-the-recipient-on-the-ledger has other steps" in ran.verdict.message_long
    assert "python -m streampay_smoke.runner.manifest --write" in ran.verdict.message_long
    assert "scenario_started" not in {event["event"] for event in ran.events}


@pytest.mark.parametrize(("command", "code"), [("behave", 2), ("smoke", 2)])
def test_a_configuration_that_names_another_runner(project: Project, command: str, code: int) -> None:
    ini = project.folder / "behave.ini"
    ini.write_text(ini.read_text().replace("streampay_smoke.runner.runner:GateRunner", "behave.runner:Runner"))
    ran = {"behave": project.behave, "smoke": project.smoke}[command](READY)
    assert (ran.code, ran.verdict.verdict) == (code, VerdictStatus.CONFIG), ran.output


def test_a_scenario_that_nobody_accepted_is_not_played(project: Project, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    text = (project.features / "ledger.feature").read_text()
    (tmp_path / "other" / "ledger.feature").write_text(text.replace("is healthy and closes ledgers", "is there"))
    ran = project.behave("features/readiness.feature", "other/ledger.feature")
    assert (ran.code, ran.verdict.reason_code) == (2, "suite_changed"), ran.output


@pytest.mark.parametrize("runner", [[], ["--runner=streampay_smoke.runner.runner:GateRunner"]])
def test_behave_started_in_another_folder_by_somebody_with_habits(
    project: Project, tmp_path: Path, runner: list[str]
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "behave.ini").write_text("[behave]\ndry_run = true\nexclude_re = .*\n")
    home = tmp_path / "home"
    with project.start("behave", READY, *runner, str(project.features), cwd=home, HOME=str(home)) as running:
        output, _ = running.communicate(timeout=HANG_SECONDS)
    assert running.returncode == 2, output


LOSE = "    import pathlib\n    journal = max(pathlib.Path('artifacts').glob('*-*/journal.jsonl'))\n    "


@pytest.mark.parametrize(
    ("deed", "code"),
    [
        ("journal.unlink()", 3),
        ("journal.write_bytes(b'')", 3),
        ("journal.unlink(); journal.write_bytes(pathlib.Path('other.jsonl').read_bytes())", 3),
        ("import shutil; shutil.rmtree(journal.parent)", 3),
    ],
)
@pytest.mark.parametrize("command", ["behave", "smoke"])
def test_a_journal_that_is_lost_while_it_is_written(project: Project, command: str, deed: str, code: int) -> None:
    play = {"behave": project.behave, "smoke": project.smoke}[command]
    before = project.behave(READY)
    (project.folder / "other.jsonl").write_bytes((before.folder / "journal.jsonl").read_bytes())
    project.edit(STEPS, CHECK, LOSE + deed)
    ran = play(READY)
    assert ran.code == code, ran.output
    if ran.latest is not None and ran.latest.exists():
        assert ran.verdict.verdict is VerdictStatus.INCONCLUSIVE
        assert judge(read(ran.folder / "journal.jsonl")).verdict is VerdictStatus.INCONCLUSIVE


def test_a_run_whose_supervisor_is_killed_ends_as_interrupted(project: Project) -> None:
    wait = "    import os, time\n    open('hanging', 'w').close()\n    while os.getppid() != 1: time.sleep(0.01)"
    project.edit(STEPS, CHECK, wait)
    with project.start("streampay_smoke", "run", "--tags", "@readiness") as running:
        wait_for_file(project.folder / "hanging", running)
        running.kill()
        running.communicate(timeout=HANG_SECONDS)
    ran = project.ran(-9, "")
    assert (ran.verdict.verdict, ran.verdict.reason_code) == (VerdictStatus.INCONCLUSIVE, "terminated")


def test_a_clock_that_is_set_while_the_run_is_played(project: Project) -> None:
    project.edit(STEPS, CHECK, CHECK + "\n    import time\n    now = time.time\n    time.time = lambda: now() + 3600")
    ran = project.behave(READY)
    assert (ran.code, ran.verdict.reason_code) == (3, "runner_clock_off"), ran.output


def test_an_installation_that_is_broken_blames_no_release(project: Project, tmp_path: Path) -> None:
    (tmp_path / "msgspec.py").write_text("import nothing_like_it\n")
    with project.start("streampay_smoke", "run", PYTHONPATH=str(tmp_path)) as running:
        output, _ = running.communicate(timeout=HANG_SECONDS)
    ran = project.ran(running.returncode, output)
    assert (ran.code, "this installation is broken" in ran.output) == (2, True), ran.output


def test_a_folder_that_cannot_be_written(project: Project, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ran = project.behave(READY, SMOKE_ARTIFACTS=str(tmp_path / "file"))
    assert ran.code == 2
    assert "SMOKE_ARTIFACTS" in ran.output
    assert project.smoke("--tags", "@readiness", SMOKE_ARTIFACTS=str(tmp_path / "file")).code == 2


@pytest.mark.parametrize("command", ["behave", "streampay_smoke run"])
def test_evidence_that_cannot_be_kept(project: Project, command: str) -> None:
    """Files end at 8 KiB: what Python makes of that itself is exit code 1, which would blame the release."""
    limited = ["/bin/sh", "-c", f'ulimit -f 16 && exec "{sys.executable}" -m {command} --tags @readiness']
    ran = subprocess.run(
        limited, cwd=project.folder, env=project.environ, capture_output=True, check=False, timeout=HANG_SECONDS
    )
    assert (ran.returncode, project.ran(3, "").verdict.verdict) == (3, VerdictStatus.INCONCLUSIVE), ran.stderr


HANG = f"time.sleep({HANG_SECONDS})"
HANGING = f"    import time\n    print('now hanging', flush=True)\n    open('hanging', 'w').close()\n    {HANG}"


def hang(project: Project) -> None:
    project.edit(STEPS, CHECK, HANGING)


@pytest.mark.parametrize("command", [("behave", READY), ("streampay_smoke", "run", "--tags", "@readiness")])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_a_run_that_is_stopped_still_answers(
    project: Project, command: tuple[str, ...], number: signal.Signals, code: int
) -> None:
    hang(project)
    with project.start(*command) as running:
        wait_for_file(project.folder / "hanging", running)
        running.send_signal(number)
        output, _ = running.communicate(timeout=HANG_SECONDS)
    assert running.returncode == code, output
    verdict = project.ran(running.returncode, output).verdict
    assert (verdict.verdict, verdict.reason_code, verdict.exit_code) == (VerdictStatus.INCONCLUSIVE, "terminated", code)
    assert "every named dependency is healthy" in verdict.message


def test_a_signal_to_the_whole_process_group_counts_once_and_streams_are_ended(project: Project) -> None:
    hang = "    import time\n    open('hanging', 'w').close()\n    time.sleep(60)\n"
    steps = (project.features / "steps" / "settlement_steps.py").read_text()
    last = steps.rindex("\ndef ")
    body = steps.index("\n    ", steps.index(":\n", last)) + 1
    project.put("steps/settlement_steps.py", steps[:body] + hang + steps[body:])
    with project.start("streampay_smoke", "run", "--tags", "@settlement", own_session=True) as running:
        wait_for_file(project.folder / "hanging", running)
        os.killpg(running.pid, signal.SIGHUP)
        output, _ = running.communicate(timeout=HANG_SECONDS)
    ran = project.ran(running.returncode, output)
    assert (ran.code, ran.verdict.reason_code) == (129, "terminated"), output
    assert ran.verdict.cleanup.created > 0
    assert ran.verdict.cleanup.leaked == 0


def test_who_ignores_hangups_goes_on(project: Project) -> None:
    wait = (
        "    import os, time\n    open('hanging', 'w').close()\n    while not os.path.exists('go'): time.sleep(0.01)\n"
    )
    project.edit(STEPS, CHECK, wait + CHECK)
    line = f'trap "" HUP; exec "{sys.executable}" -m streampay_smoke run --tags @readiness'
    with subprocess.Popen(
        ["/bin/sh", "-c", line], cwd=project.folder, env=project.environ, stdout=subprocess.PIPE, text=True
    ) as running:
        wait_for_file(project.folder / "hanging", running)
        running.send_signal(signal.SIGHUP)
        (project.folder / "go").touch()
        running.communicate(timeout=HANG_SECONDS)
    assert running.returncode == 0


@pytest.mark.parametrize("command", [("behave", READY), ("streampay_smoke", "run", "--tags", "@readiness")])
def test_the_deadline_ends_a_hanging_step(project: Project, command: tuple[str, ...]) -> None:
    hang(project)
    with Stopwatch() as watch, project.start(*command, SMOKE_DEADLINE_SECONDS="2") as running:
        output, _ = running.communicate(timeout=HANG_SECONDS)
    verdict = project.ran(running.returncode, output).verdict
    assert (running.returncode, verdict.reason_code) == (3, "deadline"), output
    assert verdict.timings.total_ms < 1000 * (2 + watch.allows(1.5))


def test_the_deadline_ends_a_step_that_cannot_be_interrupted(project: Project) -> None:
    stubborn = HANGING.replace(HANG, f"import signal; signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32)); {HANG}")
    project.edit(STEPS, CHECK, stubborn)
    ran = project.smoke("--tags", "@readiness", SMOKE_DEADLINE_SECONDS="2")
    assert (ran.code, ran.verdict.reason_code) == (3, "deadline"), ran.output


def test_behave_killed_in_the_middle_is_vouched_for_by_its_supervisor(project: Project) -> None:
    killing = "    import os, signal\n    os.kill(os.getpid(), signal.SIGKILL)"
    project.edit(STEPS, CHECK, killing)
    ran = project.smoke("--tags", "@readiness")
    assert (ran.code, ran.verdict.reason_code) == (3, "terminated"), ran.output
    assert "SIGKILL" in ran.verdict.message
    assert (ran.folder / "junit").is_dir()


def test_a_run_whose_supervisor_is_killed_ends_too_and_is_no_pass(project: Project) -> None:
    hang(project)
    with project.start("streampay_smoke", "run", "--tags", "@readiness") as running:
        wait_for_file(project.folder / "hanging", running)
        running.kill()
        output, _ = running.communicate(timeout=HANG_SECONDS)  # behave holds the other end until it has ended
    verdict = project.ran(running.returncode, output).verdict
    assert (running.returncode, verdict.verdict, verdict.reason_code) == (-9, VerdictStatus.INCONCLUSIVE, "terminated")
    assert "its supervisor is gone" in verdict.message_long


@pytest.mark.parametrize("code", [0, 1])
def test_behave_that_vanishes_is_no_pass(project: Project, code: int) -> None:
    project.edit(STEPS, CHECK, f"    import os\n    os._exit({code})")
    ran = project.smoke("--tags", "@readiness")
    assert (ran.code, ran.verdict.verdict) == (3, VerdictStatus.INCONCLUSIVE), ran.output


def test_raw_behave_that_is_killed_leaves_no_pass_behind(project: Project) -> None:
    assert project.behave(READY).code == 0
    hang(project)
    with project.start("behave", READY) as running:
        wait_for_file(project.folder / "hanging", running)
        running.kill()
        running.communicate(timeout=HANG_SECONDS)
    assert project.ran(-9, "").verdict.verdict is VerdictStatus.INCONCLUSIVE


def test_a_journal_judged_elsewhere_gives_the_same_bytes(project: Project, tmp_path: Path) -> None:
    ran = project.behave(READY)
    copy = tmp_path / "copied.jsonl"
    copy.write_bytes((ran.folder / "journal.jsonl").read_bytes())
    with project.start("streampay_smoke", "judge", str(copy), "--json") as judging:
        output, _ = judging.communicate(timeout=HANG_SECONDS)
    assert (judging.returncode, output) == (0, (ran.folder / "verdict.json").read_text())
    copy.write_bytes(copy.read_bytes().replace(b'"held":true', b'"held":TRUE', 1))
    with project.start("streampay_smoke", "judge", str(copy)) as judging:
        judging.communicate(timeout=HANG_SECONDS)
    assert judging.returncode == 3


def test_a_missing_journal_is_config(project: Project) -> None:
    with project.start("streampay_smoke", "judge", "nowhere.jsonl") as judging:
        output, _ = judging.communicate(timeout=HANG_SECONDS)
    assert (judging.returncode, "nowhere.jsonl" in output) == (2, True)


def test_a_service_that_is_not_there_is_waited_for_once(project: Project) -> None:
    place = project.folder / "environments" / "sandbox.toml"
    place.write_text(place.read_text().replace("ready_within_seconds = 10", "ready_within_seconds = 1"))
    with Stopwatch() as watch:
        ran = project.smoke("--tags", "@readiness or @operations", SMOKE_BASE_URL="http://127.0.0.1:9")
    assert (ran.code, ran.verdict.verdict) == (1, VerdictStatus.FAIL), ran.output
    assert ran.verdict.timings.total_ms < 1000 * (1 + watch.allows(4)), "the patience for a cutover is 15 s"
