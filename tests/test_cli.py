"""The command line: commands, exit codes, and what people see when something is wrong."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from processes import (
    FAST,
    HASTY,
    LOCAL,
    LONG_AGO,
    Daemon,
    closed_port,
    command,
    daemon,
    environment,
    eventually,
    run,
    samples_of,
    wire_job,
)

from exporter import __version__
from exporter.app import cli
from exporter.app.settings import SCALAR_KEYS
from exporter.simulator import Fault, FaultKind, ScriptedJob, SimulatorServer, World

ARN = "arn:aws:braket:us-west-2:123456789012:job/5d3c7bb0-6f0f-4d3c-9c55-5a2b1f1c0f01"
OTHER = "arn:aws:braket:eu-north-1:123456789012:job/5d3c7bb0-6f0f-4d3c-9c55-5a2b1f1c0f02"
SCRIPT = str(Path(sys.executable).parent / "braket-exporter")


class Outcome(NamedTuple):
    status: object
    out: str
    err: str


class Terminal:
    """Runs commands that start nothing, in this process."""

    def __init__(self, captured: pytest.CaptureFixture[str]) -> None:
        self._captured = captured

    def __call__(self, *arguments: str) -> Outcome:
        try:
            status: object = cli.main(arguments)
        except SystemExit as end:
            status = end.code
        return Outcome(status, *self._captured.readouterr())

    def refuses(self, *arguments: str) -> str:
        """Run it with bad settings; return what it says about them."""
        status, out, err = self(*arguments)
        assert (status, out) == (2, "")
        assert "Traceback" not in err
        return err


@pytest.fixture
def terminal(capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(capsys)


def test_version_tells_the_version(terminal: Terminal) -> None:
    assert terminal("--version") == (0, f"braket-exporter {__version__}\n", "")
    assert terminal("once", "--version") == (0, f"braket-exporter {__version__}\n", "")


@pytest.mark.parametrize("before", [(), ("run",), ("once",), ("check-config",), ("demo",)])
def test_help_names_every_command_and_setting(before: tuple[str, ...], terminal: Terminal) -> None:
    status, out, err = terminal(*before, "--help")
    assert (status, err) == (0, "")
    for key in SCALAR_KEYS:
        assert f"--{key.replace('_', '-')} {'[VALUE]' if key in ('all_jobs', 'per_job_metrics') else 'VALUE'}" in out
    for name in ("run", "once", "check-config", "demo"):
        assert re.search(rf"^  {name} +\w", out, re.MULTILINE)
    assert "BRAKET_EXPORTER_CONFIG" in out
    assert "(default: 30s)" in out
    assert "--timeout DURATION" in out
    assert "exit status: 0 after SIGTERM or SIGINT, 2 for invalid settings, 1 for anything else" in out


HELP = "braket-exporter --help lists commands and flags."


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("serve",), "unknown command serve; commands are run, once, check-config, demo"),
        (("chek-config",), "unknown command chek-config (did you mean check-config?)"),
        (("Demo", "--jobs", "nonsense"), "unknown command Demo (did you mean demo?)"),
        (("x.yaml", "--poll-interval", "soon"), "unknown command x.yaml; commands are run, once, check-config, demo"),
        (("",), 'unknown command ""; commands are run, once, check-config, demo'),
    ],
)
def test_an_unknown_command_is_named_as_typed_and_nothing_else_is_blamed(
    arguments: tuple[str, ...], problem: str, terminal: Terminal
) -> None:
    assert terminal.refuses(*arguments).splitlines() == [f"braket-exporter: {problem}", HELP]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--pol-interval=3s", "--jobs", ARN), "unknown flag --pol-interval (did you mean --poll-interval?)"),
        (("--poll-intervall", "3s", "--jobs", ARN), "unknown flag --poll-intervall (did you mean --poll-interval?)"),
        (("--zzz", "--jobs", ARN), "unknown flag --zzz"),
        (("--al-jobs",), "unknown flag --al-jobs (did you mean --all-jobs?)"),
        (("--all_jobs",), "unknown flag --all_jobs (did you mean --all-jobs?)"),
        (("--all_jobs=true",), "unknown flag --all_jobs (did you mean --all-jobs?)"),
        (("--job", ARN), "unknown flag --job (did you mean --jobs?)"),
        (("-c", "x.yaml"), "unknown flag -c (did you mean --config?)"),
        (("-config", "x.yaml"), "unknown flag -config (did you mean --config?)"),
        (("--jobs", ARN, "--total-shard=3", "--shard=2"), "unknown flag --total-shard (did you mean --total-shards?)"),
        (("--targets", "x", "--jobs", ARN), "--targets: set targets in the YAML file; it cannot be a flag"),
        (("--jobs",), "--jobs needs a value, as in --jobs VALUE"),
        (("--jobs", ARN, "--config"), "--config needs a value, as in --config VALUE"),
        (("--jobs", ARN, "--online=yes"), "--online takes no value"),
        (("--jobs", ARN, "--timeout=1m"), "--timeout is valid only with once, not with check-config"),
        (("x.yaml", "--jobs", ARN), "unexpected argument x.yaml; the command is check-config"),
    ],
)
def test_a_wrong_word_is_named_as_typed_without_the_errors_that_only_follow_from_it(
    arguments: tuple[str, ...], problem: str, terminal: Terminal
) -> None:
    said = terminal.refuses("check-config", *arguments)
    assert said.splitlines() == ["braket-exporter: invalid settings:", f"  {problem}"]


@pytest.mark.parametrize("flag", ["--command", "--command=demo", "--flags=1", "--dest=1"])
def test_a_flag_that_happens_to_be_a_name_inside_is_unknown_too(flag: str, terminal: Terminal) -> None:
    assert "unknown flag --" in terminal.refuses("check-config", "--jobs", ARN, flag)


@pytest.mark.parametrize("timeout", ["soon", "0", "-5s", ""])
def test_a_timeout_that_is_no_duration_is_refused(timeout: str, terminal: Terminal) -> None:
    said = terminal.refuses("once", "--jobs", ARN, "--timeout", timeout)
    assert said.splitlines()[1].startswith(f'  --timeout = "{timeout}": expected a duration above 0')


def test_without_jobs_there_is_nothing_to_watch(terminal: Terminal) -> None:
    for arguments in ((), ("run",), ("once",), ("check-config",)):
        said = terminal.refuses(*arguments)
        assert "nothing to watch" in said
        for key in ("jobs", "tags", "all_jobs"):
            assert key in said


@pytest.mark.parametrize(
    ("jobs", "words"),
    [
        ("vqe-h2", ('jobs[0] = "vqe-h2"', "not a job ARN", "arn:aws:braket:<region>:<account>:job/<id>")),
        (f"{ARN},arn:aws:braket:us-west-2:1:job/x", ('jobs[1] = "arn:aws:braket:us-west-2:1:job/x"', "not a job ARN")),
        (ARN.replace(":job/", ":quantum-task/"), ("quantum-task", "not a job ARN")),
        ('["unfinished', ("JSON list or comma-separated",)),
    ],
)
def test_a_bad_list_of_jobs_is_explained(jobs: str, words: tuple[str, ...], terminal: Terminal) -> None:
    said = terminal.refuses("check-config", "--jobs", jobs)
    assert len(said.splitlines()) == 2
    for word in words:
        assert word in said


@pytest.mark.parametrize(
    ("flag", "value", "words"),
    [
        ("--poll-interval", "soon", ("poll_interval", '"soon"', "30s, 5m, 24h, 7d")),
        ("--poll-interval", "0s", ("poll_interval", '"0s"', "above 0")),
        ("--poll-interval", "-5s", ("poll_interval", '"-5s"')),
        ("--retention", "1y", ("retention", '"1y"')),
        ("--retention", "9" * 400, ("retention", "at most 36500d")),
        ("--api-requests-per-second", "0", ("api_requests_per_second", "a number > 0")),
        ("--api-requests-per-second", "nan", ("api_requests_per_second", "a number > 0")),
        ("--api-requests-per-second", "fast", ("api_requests_per_second", '"fast"', "number")),
        ("--listen-address", "9834", ("listen_address", '"9834"', "HOST:PORT")),
        ("--listen-address", ":99999", ("listen_address", '":99999"', "0 to 65535")),
        ("--listen-address", "::1:9834", ("listen_address", "[::1]:PORT")),
        ("--log-level", "loud", ("log_level", '"loud"', "debug", "info", "warning", "error")),
        ("--log-format", "xml", ("log_format", '"xml"', "auto", "json", "console")),
        ("--per-job-metrics", "perhaps", ("per_job_metrics", '"perhaps"', "true or false")),
        ("--disabled-metrics", "braket_job_statuss", ("braket_job_statuss", "(did you mean braket_job_status?)")),
        ("--tag-labels", "a-b,a.b", ("tag_labels", "a-b", "a.b", "tag_a_b")),
    ],
)
def test_a_bad_value_is_told_with_its_key_and_what_would_be_right(
    flag: str, value: str, words: tuple[str, ...], terminal: Terminal
) -> None:
    said = terminal.refuses("check-config", "--jobs", ARN, f"{flag}={value}")
    assert len(said.splitlines()) == 2
    for word in words:
        assert word in said


def test_several_problems_are_told_at_once(terminal: Terminal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BRAKET_EXPORTER_POLL_INTERVAL", "soon")
    monkeypatch.setenv("BRAKET_EXPORTER_JBOS", "x")
    config = tmp_path / "exporter.yaml"
    config.write_text("jobs: [one, two]\nlog_levle: info\n")
    said = terminal.refuses("run", "--config", str(config), "--log-format", "xml", "--retntion", "5m")
    for word in (
        'poll_interval = "soon"',
        "BRAKET_EXPORTER_JBOS",
        "(did you mean BRAKET_EXPORTER_JOBS?)",
        'jobs[0] = "one"',
        'jobs[1] = "two"',
        "unknown setting log_levle (did you mean log_level?)",
        'log_format = "xml"',
        "unknown flag --retntion (did you mean --retention?)",
    ):
        assert word in said
    assert len(said.splitlines()) == 8


def test_nothing_to_watch_is_told_beside_other_problems(terminal: Terminal) -> None:
    said = terminal.refuses("check-config", "--poll-interval", "soon")
    assert 'poll_interval = "soon"' in said
    assert "nothing to watch" in said


def test_a_bad_file_is_told_beside_other_problems(terminal: Terminal, tmp_path: Path) -> None:
    said = terminal.refuses("check-config", "--config", str(tmp_path / "none.yaml"), "--poll-interval", "soon")
    assert "none.yaml" in said
    assert 'poll_interval = "soon"' in said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"jobs: [a\npoll_interval: 5s\n", ("line 2", "not valid YAML")),
        (b"\tjobs: x\n", ("line 1", "not valid YAML")),
        (b"jobs: \xff\xfe\n", ("not UTF-8 text",)),
        (b"jobs: \x00\n", ("not valid YAML",)),
        (b"- jobs\n", ("expected keys with values",)),
        (b"poll_intervall: 5s\njobs: [x]\n", ("did you mean poll_interval?", "jobs[0]")),
        (b"jobs: {a: b}\n", ("jobs",)),
        (b"jobs: 5\n", ("jobs", "5")),
        (b"poll_interval: [5]\njobs: []\n", ("poll_interval",)),
        (b"? [a, b]\n: c\n", ("a key is a list",)),
        (b"a: *nowhere\n", ("not valid YAML",)),
        (b"a: !!python/object:os.system x\n", ("not valid YAML",)),
        (b"1: 2\n", ("unknown setting 1",)),
        (b"log_level: 2024-13-45\n", ("exporter.yaml",)),
        (b"poll_interval: !!int soon\n", ("exporter.yaml",)),
        (b"poll_interval: !!float soon\n", ("exporter.yaml",)),
        (b"jobs: " + b"[" * 20_000, ("exporter.yaml",)),
    ],
    ids=lambda value: repr(value[:24]) if isinstance(value, bytes) else "",
)
def test_a_bad_file_is_explained(text: bytes, words: tuple[str, ...], terminal: Terminal, tmp_path: Path) -> None:
    config = tmp_path / "exporter.yaml"
    config.write_bytes(text)
    said = terminal.refuses("check-config", "--config", str(config))
    for word in words:
        assert word in said


@pytest.mark.parametrize(("name", "reason"), [("none.yaml", "No such file"), ("", "Is a directory")])
def test_a_file_that_cannot_be_read_is_named(name: str, reason: str, terminal: Terminal, tmp_path: Path) -> None:
    said = terminal.refuses("check-config", "--config", str(tmp_path / name))
    assert str(tmp_path / name) in said
    assert reason in said


def test_check_config_tells_the_settings_in_force_and_their_cost(terminal: Terminal) -> None:
    status, out, err = terminal("check-config", "--jobs", f"{ARN},{OTHER}", "--poll-interval", "10s")
    assert (status, err) == (0, "")
    assert yaml.safe_load(out) == {
        "jobs": [ARN, OTHER],
        "tags": [],
        "all_jobs": False,
        "regions": [],
        "targets": [],
        "poll_interval": "10s",
        "discovery_interval": "1m",
        "lookback": "14d",
        "retention": "1d",
        "retention_failed": "3d",
        "max_jobs": 10000,
        "per_job_metrics": True,
        "disabled_metrics": [],
        "tag_labels": [],
        "api_requests_per_second": 2.5,
        "listen_address": ":9834",
        "log_level": "info",
        "log_format": "auto",
        "shard": 0,
        "total_shards": 1,
    }
    assert "AWS calls: 12.0 a minute" in out
    assert "2 active jobs in 2 targets" in out
    assert "at most 10s stale" in out
    assert "series of jobs: 60, 30 for each\n#   with max_jobs never more than about 300000\n" in out


def test_check_config_tells_when_the_budget_is_too_small(terminal: Terminal) -> None:
    status, out, _ = terminal("check-config", "--jobs", ARN, "--api-requests-per-second", "0.01")
    assert status == 0
    assert "at most 100s stale" in out
    assert "AWS calls: 0.6 a minute" in out


@pytest.mark.parametrize(
    "flags",
    [
        (),
        ("--poll-interval", "90s", "--retention", "36h"),
        ("--retention", "1234567s"),
        ("--retention", "1234567.5s", "--retention-failed", "0.00001s"),
        ("--poll-interval", "12.3456789s"),
        ("--tag-labels", '["a key: with, [yaml] #chars", "yes", "0x1f", "ψ"]', "--disabled-metrics", "braket_job_info"),
        ("--listen-address", "[::1]:0", "--per-job-metrics", "off", "--log-level", "debug"),
        ("--api-requests-per-second", "0.1234567890123"),
    ],
)
def test_what_check_config_prints_can_be_fed_back(flags: tuple[str, ...], terminal: Terminal, tmp_path: Path) -> None:
    status, out, _ = terminal("check-config", "--jobs", f"{ARN},{OTHER}", *flags)
    assert status == 0
    config = tmp_path / "exporter.yaml"
    config.write_text(out, encoding="utf-8")
    assert terminal("check-config", "--config", str(config)) == (0, out, "")
    flag_settings = terminal("check-config", "--config", str(config), *flags)
    assert flag_settings.out == out


def test_check_config_tells_what_found_jobs_will_cost(terminal: Terminal) -> None:
    asked = ("--tags", "team=a", "--regions", "us-west-2,eu-north-1", "--jobs", ARN, "--poll-interval", "20s")
    status, out, _ = terminal("check-config", *asked)
    assert status == 0
    for line in (
        "#   AWS calls: 5.0 a minute; finished jobs cost none",
        "#   and for each active job that is found: 3.0 a minute",
        "#   with more than 40 of them in a target, one call tells the status of up to 100",
        "#   at the start, then once an hour: one call for 100 jobs of the last 14d",
        "#   never more than 600 a minute",
        "1 active job in 2 targets",
    ):
        assert line in out


def test_check_config_warns_in_comments_and_ends_with_0(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    known = "Braket is in: us-east-1, us-west-1, us-west-2, eu-west-2, eu-north-1"
    arn = ARN.replace("us-west-2", "us-west-9")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    asked = ("--jobs", arn, "--all-jobs", "--api-requests-per-second", "100", "--poll-interval", "0.001")
    status, out, err = terminal("check-config", *asked)
    assert (status, err) == (0, "")
    assert [line for line in out.splitlines() if "arning" in line] == [
        f"# Warning: jobs: Region us-west-9 is not known to this release; {known}",
        f"# Warning: regions: the AWS SDK's Region eu-central-1 is not known to this release; {known}",
        (
            "# Warning: api_requests_per_second: 100 calls per second are more than Braket's default quota of 5, "
            "which all users of the account share"
        ),
        (
            "# Warning: poll_interval: 1 active job in 123456789012/us-west-9 would take 1000 GetJob calls per second; "
            "with api_requests_per_second 100 each is polled every 0.01s"
        ),
    ]
    assert yaml.safe_load(out)["jobs"] == [arn]


def test_check_config_counts_the_targets_of_its_own_shard_only(terminal: Terminal) -> None:
    shares = [
        terminal("check-config", "--all-jobs", "--regions", "us-west-2,eu-north-1,us-east-1", *shard).out
        for shard in (
            ("--shard", "0", "--total-shards", "2"),
            ("--shard", "1", "--total-shards", "2"),
        )
    ]
    found = [re.search(r"0 active jobs in (\d) target", share) for share in shares]
    assert sum(int(match[1]) for match in found if match) == 3


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("check-config", "--all-jobs", "--regions", "us-west-2"), True),
        (("--all-jobs", "check-config", "--regions", "us-west-2"), True),
        (("check-config", "--all-jobs", "true", "--regions", "us-west-2"), True),
        (("check-config", "--all-jobs=yes", "--regions", "us-west-2"), True),
        (("check-config", "--jobs", ARN, "--all-jobs", "no"), False),
    ],
)
def test_a_switch_needs_no_value(arguments: tuple[str, ...], expected: bool, terminal: Terminal) -> None:  # noqa: FBT001
    status, out, err = terminal(*arguments)
    assert (status, err) == (0, "")
    assert yaml.safe_load(out)["all_jobs"] is expected


def test_without_any_region_people_are_told_where_one_comes_from(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = terminal.refuses("check-config", "--all-jobs")
    assert "regions: none, and the AWS SDK knows none either; set regions or AWS_DEFAULT_REGION" in said
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu_central_1")
    said = terminal.refuses("check-config", "--all-jobs")
    assert "the AWS SDK's Region eu_central_1 is not the name of a Region; Braket is in: us-east-1, " in said
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    assert terminal("check-config", "--all-jobs").status == 0


def test_a_named_job_does_not_tell_where_to_look_for_others(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-2")
    assert "1 active job in 2 targets" in terminal("check-config", "--jobs", ARN, "--all-jobs").out


def test_a_flag_beats_the_environment_which_beats_the_file(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "exporter.yaml"
    config.write_text(f"jobs: {ARN}\npoll_interval: 1m\nretention: 1m\nretention_failed: 1m\n")
    monkeypatch.setenv("BRAKET_EXPORTER_CONFIG", str(config))
    monkeypatch.setenv("BRAKET_EXPORTER_POLL_INTERVAL", "2m")
    monkeypatch.setenv("BRAKET_EXPORTER_RETENTION", "2m")
    told = yaml.safe_load(terminal("check-config", "--poll-interval", "3m").out)
    assert (told["jobs"], told["poll_interval"], told["retention"], told["retention_failed"]) == (
        [ARN],
        "3m",
        "2m",
        "1m",
    )


def test_the_flag_names_another_file_than_the_environment(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BRAKET_EXPORTER_CONFIG", str(tmp_path / "none.yaml"))
    assert "none.yaml" in terminal.refuses("check-config")
    config = tmp_path / "exporter.yaml"
    config.write_text(f"jobs: ['{ARN}']\n")
    assert terminal("check-config", "--config", str(config)).status == 0


def test_lists_in_the_environment_are_json_or_comma_separated(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRAKET_EXPORTER_JOBS", f'["{ARN}", "{OTHER}"]')
    as_json = terminal("check-config")
    monkeypatch.setenv("BRAKET_EXPORTER_JOBS", f" {ARN} , {OTHER} ,")
    assert as_json.status == 0
    assert terminal("check-config") == as_json


def test_flags_may_stand_before_and_after_the_command(terminal: Terminal) -> None:
    after = terminal("check-config", "--jobs", ARN, "--poll-interval=7s")
    assert after.status == 0
    assert "poll_interval: 7s" in after.out
    assert terminal("--jobs", ARN, "check-config", "--poll-interval=7s") == after
    assert terminal(f"--jobs={ARN}", "--poll-interval", "7s", "check-config") == after


def test_what_kubernetes_puts_beside_a_service_of_our_name_is_no_setting(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRAKET_EXPORTER_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("BRAKET_EXPORTER_PORT_9834_TCP_ADDR", "10.0.0.1")
    assert terminal("check-config", "--jobs", ARN).status == 0


def test_the_module_and_the_console_script_are_the_same_program() -> None:
    asked = ("check-config", "--jobs", ARN)
    module = run(*asked)
    script = subprocess.run([SCRIPT, *asked], env=environment(), capture_output=True, text=True, check=False)
    assert module.returncode == 0
    assert (module.stdout, module.stderr) == (script.stdout, script.stderr)
    assert "poll_interval: 30s" in script.stdout


def test_bad_settings_of_a_process_end_it_with_2() -> None:
    ended = run("--jobs", "nonsense", "--poll-intervall", "5s")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "Traceback" not in ended.stderr
    assert ended.stderr.splitlines()[0] == "braket-exporter: invalid settings:"
    assert len(ended.stderr.splitlines()) == 3


def one_clear_line(ended: "subprocess.CompletedProcess[str]") -> str:
    """The process ended with 1 and one line that is no log line."""
    assert ended.returncode == 1, ended.stderr
    assert "Traceback" not in ended.stderr
    lines = [line for line in ended.stderr.splitlines() if not line.startswith("{")]
    assert len(lines) == 1, lines
    assert lines[0].startswith("braket-exporter: ")
    return lines[0]


def test_a_port_in_use_is_told_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        said = one_clear_line(run("--jobs", ARN, "--listen-address", address))
    assert address in said
    assert "in use" in said


@pytest.mark.parametrize("host", ["203.0.113.77", "127..0.0.1", "a" * 64 + ".org"])
def test_an_address_that_cannot_be_listened_on_is_told_in_one_line(host: str) -> None:
    assert f"{host}:0" in one_clear_line(run("--jobs", ARN, "--listen-address", f"{host}:0"))


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"AWS_PROFILE": "nobody"}, "the profile in AWS_PROFILE does not exist in the AWS configuration files"),
        ({"AWS_ENDPOINT_URL_BRAKET": "no-url"}, "AWS_ENDPOINT_URL_BRAKET is not a valid URL"),
        ({"AWS_ENDPOINT_URL_BRAKET": "http://127.0.0.1:99999"}, "AWS_ENDPOINT_URL_BRAKET is not a valid URL"),
        ({"AWS_SECRET_ACCESS_KEY": None}, "AWS_SECRET_ACCESS_KEY is missing"),
        ({"AWS_RETRY_MODE": "often"}, "the AWS SDK cannot make a client: InvalidRetryModeError"),
    ],
    ids=str,
)
def test_an_unusable_sdk_configuration_is_a_failure_of_the_target(variables: dict[str, str | None], words: str) -> None:
    ended = run("once", "--jobs", ARN, "--log-format", "json", env=variables, prelude=HASTY)
    *log, last = ended.stderr.splitlines()
    assert ended.returncode == 1
    assert last.startswith("braket-exporter: 1 of 1 targets did not respond: 123456789012/us-west-2; ")
    assert {json.loads(line)["event"] for line in log} == {"poll_failed"}
    assert all(words in json.loads(line)["message"] for line in log)


@pytest.fixture
def simulator() -> Iterator[SimulatorServer]:
    jobs = [ScriptedJob(arn, LONG_AGO, [(LONG_AGO, wire_job(arn, "RUNNING"))]) for arn in (ARN, OTHER)]
    with SimulatorServer(World(jobs), clock=time.time) as server:
        yield server


def once(url: str, *arguments: str, **env: str | None) -> "subprocess.CompletedProcess[str]":
    variables = {"AWS_ENDPOINT_URL_BRAKET": url, **env}
    return run("once", *FAST, "--log-format", "json", *arguments, env=variables, prelude=HASTY)


def once_as_nobody(url: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return once(url, *arguments, AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("--jobs", ARN, "--log-format", "auto"), 0),
        (("--jobs", ARN, "--log-format", "json"), 0),
        (("--jobs", OTHER, "--log-format", "console"), 0),
        (("--jobs", "typo"), 2),
    ],
)
def test_where_stderr_is_closed_nothing_but_the_log_lines_is_missing(
    simulator: SimulatorServer, arguments: tuple[str, ...], status: int
) -> None:
    ended = subprocess.run(
        ["sh", "-c", 'exec "$@" 2>&-', "sh", *command("once", *arguments)],
        env=environment({"AWS_ENDPOINT_URL_BRAKET": simulator.url}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        timeout=20,
        check=False,
    )
    assert ended.returncode == status
    assert (len(samples_of(ended.stdout)) > 10) == (status == 0)
    assert all(line.startswith(("#", "braket_", "process_", "python_")) for line in ended.stdout.splitlines())


def test_once_writes_the_exposition_to_stdout_and_logs_to_stderr(simulator: SimulatorServer) -> None:
    ended = once(simulator.url, "--jobs", f"{ARN},{OTHER}")
    assert ended.returncode == 0
    samples = samples_of(ended.stdout)
    assert f'braket_job_status{{job_arn="{ARN}",job_name="vqe-h2",status="RUNNING"}} 1.0' in samples
    assert f'braket_job_status{{job_arn="{OTHER}",job_name="vqe-h2",status="RUNNING"}} 1.0' in samples
    assert 'braket_exporter_target_up{aws_account_id="123456789012",aws_region="eu-north-1",target=""} 1.0' in samples
    assert all(line.startswith('{"timestamp"') for line in ended.stderr.splitlines())
    assert ended.stderr.count('"event": "job_discovered"') == 2
    assert len(simulator.requests) == 2


def test_once_logs_the_progress_of_a_long_poll(simulator: SimulatorServer) -> None:
    second = f"{ARN}-b"
    simulator.world.put(ScriptedJob(second, LONG_AGO, [(LONG_AGO, wire_job(second, "RUNNING"))]))
    often = "import exporter.app.first_poll_log as log; log.LOG_INTERVAL = 0.1"
    slowly = ("--jobs", f"{ARN},{second}", "--api-requests-per-second", "1", "--log-format", "json")
    ended = run("once", *slowly, env={"AWS_ENDPOINT_URL_BRAKET": simulator.url}, prelude=often)
    assert ended.returncode == 0
    lines = [json.loads(line) for line in ended.stderr.splitlines()]
    *_, told = [line for line in lines if line["event"] == "first_poll_progress"]
    assert (told["jobs_polled"], told["jobs_known"], told["targets"], told["targets_failing"]) == (1, 2, 1, 0)
    assert told["seconds_left"] == 1.0


def test_once_ends_with_1_when_a_named_job_is_gone_or_denied(simulator: SimulatorServer) -> None:
    simulator.faults.put(Fault(FaultKind.ACCESS_DENIED, arn=OTHER))
    gone = ARN[:-1] + "9"
    ended = once(simulator.url, "--jobs", f"{ARN},{OTHER},{gone}")
    assert one_clear_line(ended) == (
        "braket-exporter: GetJob failed for 2 of 3 jobs named in jobs: "
        f"{OTHER} (AccessDeniedException), {gone} (ResourceNotFoundException)"
    )
    samples = samples_of(ended.stdout)
    assert f'braket_job_poll_failing{{code="ResourceNotFoundException",job_arn="{gone}",job_name=""}} 1.0' in samples
    assert f'braket_job_poll_failing{{code="AccessDeniedException",job_arn="{OTHER}",job_name=""}} 1.0' in samples
    assert f'braket_job_status{{job_arn="{ARN}",job_name="vqe-h2",status="RUNNING"}} 1.0' in samples


def test_once_ends_with_1_when_a_target_does_not_answer() -> None:
    jobs = [ScriptedJob(ARN, LONG_AGO, lambda _: wire_job(ARN, "RUNNING"))]
    expired, hanging = Fault(FaultKind.EXPIRED_TOKEN), Fault(FaultKind.HANG)
    with (
        SimulatorServer(World(jobs), clock=time.time) as good,
        SimulatorServer(World(jobs), clock=time.time, faults=[expired]) as stale,
        SimulatorServer(World(jobs), clock=time.time, faults=[hanging]) as silent,
        ThreadPoolExecutor() as pool,
    ):
        runs = {
            "connection": pool.submit(once, f"http://127.0.0.1:{closed_port()}", "--jobs", ARN),
            "credentials": pool.submit(once_as_nobody, good.url, "--jobs", ARN),
            "ExpiredTokenException": pool.submit(once, stale.url, "--jobs", ARN),
            "timeout": pool.submit(once, silent.url, "--jobs", ARN),
        }
        ended = {code: run.result() for code, run in runs.items()}
        assert good.requests == []
    for code, process in ended.items():
        assert one_clear_line(process) == (
            "braket-exporter: 1 of 1 targets did not respond: 123456789012/us-west-2; "
            f"GetJob failed for 1 of 1 jobs named in jobs: {ARN} (no response)"
        ), code
        assert f'"code": "{code}"' in process.stderr
        assert "Traceback" not in process.stderr
        samples = samples_of(process.stdout)
        assert (
            'braket_exporter_target_up{aws_account_id="123456789012",aws_region="us-west-2",target=""} 0.0' in samples
        )
        counted = [line for line in samples if line.startswith("braket_exporter_api_requests_total")]
        assert len(counted) == (0 if code == "credentials" else 1)


@pytest.mark.parametrize(
    ("kind", "selection", "silent"),
    [
        (
            FaultKind.THROTTLE,
            ("--jobs", f"{ARN},{OTHER}"),
            (
                "2 of 2 jobs are not polled yet; "
                "2 of 2 targets did not respond: 123456789012/us-west-2, 123456789012/eu-north-1; "
                f"GetJob failed for 2 of 2 jobs named in jobs: {ARN} (no response), {OTHER} (no response)"
            ),
        ),
        (
            FaultKind.THROTTLE,
            ("--all-jobs", "--regions", "us-west-2"),
            ("the list of jobs is not complete; 1 of 1 targets did not respond: unknown account/us-west-2"),
        ),
        (
            FaultKind.HANG,
            ("--jobs", ARN),
            (
                "1 of 1 jobs are not polled yet; 1 of 1 targets did not respond: 123456789012/us-west-2; "
                f"GetJob failed for 1 of 1 jobs named in jobs: {ARN} (no response)"
            ),
        ),
    ],
)
def test_once_ends_after_its_timeout_with_what_is_known(
    kind: FaultKind, selection: tuple[str, ...], silent: str, simulator: SimulatorServer
) -> None:
    simulator.faults.put(Fault(kind))
    ended = run(
        *("once", *selection, "--timeout", "0.5s", "--log-format", "json"),
        env={"AWS_ENDPOINT_URL_BRAKET": simulator.url, "AWS_ENDPOINT_URL_STS": f"http://127.0.0.1:{closed_port()}"},
    )
    assert one_clear_line(ended) == f"braket-exporter: timed out after 0.5s; {silent}"
    assert any(line.startswith("braket_exporter_build_info{") for line in samples_of(ended.stdout))


def test_once_names_the_first_few_of_many_jobs_without_a_response(simulator: SimulatorServer) -> None:
    gone = [f"{ARN[:-2]}{number}" for number in range(10, 18)]
    said = one_clear_line(once(simulator.url, "--jobs", ",".join([ARN, *gone])))
    shown = ", ".join(f"{arn} (ResourceNotFoundException)" for arn in gone[:3])
    assert said == f"braket-exporter: GetJob failed for 8 of 9 jobs named in jobs: {shown} and 5 more"


def test_once_ends_after_its_timeout_while_the_sdk_starts_a_program_that_hangs(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("[profile slow]\nregion = us-west-2\ncredential_process = /bin/sleep 60\n")
    nobody = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}
    env = {"AWS_CONFIG_FILE": str(config), "AWS_PROFILE": "slow", **nobody}
    ended = run("once", "--jobs", ARN, "--timeout", "0.5s", "--log-format", "json", env=env, timeout=15)
    assert one_clear_line(ended).startswith("braket-exporter: timed out after 0.5s")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_once_that_is_interrupted_writes_no_half_page_and_ends_with_1(number: signal.Signals) -> None:
    world = World([ScriptedJob(ARN, LONG_AGO, lambda _: wire_job(ARN, "RUNNING"))])
    with (
        SimulatorServer(world, clock=time.time, faults=[Fault(FaultKind.HANG)]) as server,
        interruptible(),
        subprocess.Popen(
            command("once", "--jobs", ARN, "--log-format", "json"),
            env=environment({"AWS_ENDPOINT_URL_BRAKET": server.url}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        eventually(lambda: server.requests)
        process.send_signal(number)
        out, said = process.communicate(timeout=10)
    assert (process.returncode, out) == (1, "")
    assert said == "braket-exporter: interrupted before every job was polled\n"


@pytest.mark.parametrize("asked", ["once", "check-config"])
def test_a_reader_that_went_away_gives_no_traceback(asked: str, simulator: SimulatorServer) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        status, said = _with_stdout(writing, asked, simulator.url)
    finally:
        os.close(writing)
    assert status == 1
    assert "Traceback" not in said
    assert "Exception ignored" not in said


@pytest.mark.parametrize("asked", ["once", "check-config"])
def test_a_full_disk_is_told_in_one_line(asked: str, simulator: SimulatorServer) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        status, said = _with_stdout(full, asked, simulator.url)
    finally:
        os.close(full)
    ended = subprocess.CompletedProcess([], status, "", said)
    assert "No space left on device" in one_clear_line(ended)


@pytest.mark.parametrize("asked", ["once", "check-config"])
def test_a_stdout_that_was_closed_from_the_start_gives_no_traceback(asked: str, simulator: SimulatorServer) -> None:
    ended = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *command(asked, "--jobs", ARN, "--log-format", "json")],
        env=environment({"AWS_ENDPOINT_URL_BRAKET": simulator.url}),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=20,
        check=False,
    )
    one_clear_line(ended)


def _with_stdout(stdout: int, asked: str, url: str) -> tuple[int, str]:
    ended = subprocess.run(
        command(asked, "--jobs", ARN, "--log-format", "json"),
        env=environment({"AWS_ENDPOINT_URL_BRAKET": url}),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=20,
        check=False,
    )
    return ended.returncode, ended.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "first"),
    [
        (("--version",), 0, f"braket-exporter {__version__}"),
        (("check-config", "--jobs", "x"), 2, "braket-exporter: invalid settings:"),
        (("check-config", "--jobs", ARN), 0, "# The settings are good. In force:"),
    ],
)
def test_where_python_is_to_wait_for_input_at_its_end_the_status_is_the_same_and_there_is_no_traceback(
    arguments: tuple[str, ...], status: int, first: str
) -> None:
    ended = run(*arguments, env={"PYTHONINSPECT": "1"})
    assert (ended.returncode, (ended.stdout + ended.stderr).splitlines()[0]) == (status, first)
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("asked", ["run", "once"])
def test_a_limit_that_allows_no_thread_is_told_in_one_line(asked: str) -> None:
    limit = (
        "import _thread, threading\n"
        'def refuse(*_): raise RuntimeError("can\'t start new thread")\n'
        "threading._start_new_thread = refuse"
    )
    ended = run(asked, "--jobs", ARN, *LOCAL, prelude=limit)
    assert one_clear_line(ended) == (
        "braket-exporter: cannot start a thread; raise the limits of memory and of processes"
    )


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("MemoryError()", "braket-exporter: cannot load its modules: MemoryError"),
        (
            "ImportError('failed to map segment')",
            "braket-exporter: cannot load its modules: ImportError: failed to map segment",
        ),
    ],
)
def test_a_limit_that_allows_no_libraries_is_told_in_one_line(error: str, said: str) -> None:
    broken = f"""
import builtins
def failing(name, *args, real=builtins.__import__, **kwargs):
    if name == "exporter.app.cli":
        raise {error}
    return real(name, *args, **kwargs)
builtins.__import__ = failing
"""
    assert one_clear_line(run("--jobs", ARN, prelude=broken)) == said


def test_memory_that_runs_out_is_told_in_one_line() -> None:
    greedy = "import exporter.app.once\ndef once(*_): raise MemoryError\nexporter.app.once.once = once"
    ended = run("once", "--jobs", ARN, *LOCAL, prelude=greedy)
    assert one_clear_line(ended) == "braket-exporter: out of memory; raise the memory limit"


def test_another_runtime_error_is_a_bug_with_its_traceback() -> None:
    broken = "import exporter.app.once\ndef once(*_): raise RuntimeError('odd')\nexporter.app.once.once = once"
    ended = run("once", "--jobs", ARN, *LOCAL, prelude=broken)
    assert ended.returncode == 1
    assert "RuntimeError: odd" in ended.stderr


SLOW_TO_IMPORT = """
import builtins, sys, time
def slowly(name, *args, real=builtins.__import__, **kwargs):
    if name == "exporter.app.cli":
        print("importing", file=sys.stderr, flush=True)
        time.sleep(60)
    return real(name, *args, **kwargs)
builtins.__import__ = slowly
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_comes_while_modules_are_imported_ends_it_with_0(number: signal.Signals) -> None:
    with daemon(prelude=SLOW_TO_IMPORT, started=False) as running:
        eventually(lambda: running.lines == ["importing"])
        assert running.stop(number) == 0


@pytest.mark.parametrize("asked", ["once", "check-config"])
def test_a_signal_that_comes_while_modules_are_imported_leaves_a_result_undone(asked: str) -> None:
    started = command(asked, "--jobs", ARN, prelude=SLOW_TO_IMPORT)
    with subprocess.Popen(started, env=environment(), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "importing\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 1


def test_a_check_that_is_interrupted_tells_nothing_and_ends_with_1(tmp_path: Path) -> None:
    config = tmp_path / "exporter.yaml"
    os.mkfifo(config)
    with daemon("check-config", "--config", str(config), started=False) as running:
        writer = eventually(lambda: _opened_by_both(running, config))
        running.process.send_signal(signal.SIGTERM)
        os.close(writer)
        assert running.wait(5) == 1
    assert running.lines == ["braket-exporter: interrupted before everything was checked"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_comes_before_the_start_is_done_ends_it_with_0(number: signal.Signals, tmp_path: Path) -> None:
    # Nobody writes to the pipe, so the process waits in the reading of its settings.
    config = tmp_path / "exporter.yaml"
    os.mkfifo(config)
    with interruptible(), daemon("--config", str(config), started=False) as running:
        writer = eventually(lambda: _opened_by_both(running, config))
        running.process.send_signal(number)
        # A signal that came just before the reading began shows when that ends.
        os.close(writer)
        status = running.wait(5)
    assert status == 0
    assert running.lines == []


@contextmanager
def interruptible() -> Iterator[None]:
    """Let children take SIGINT, though a shell that runs the tests in the background has them ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _opened_by_both(running: Daemon, path: Path) -> int | None:
    """Open the pipe for writing, which is possible as soon as there is a reader."""
    assert running.process.poll() is None
    try:
        return os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return None


def test_run_is_the_default_command(simulator: SimulatorServer) -> None:
    env = {"AWS_ENDPOINT_URL_BRAKET": simulator.url, "BRAKET_EXPORTER_JOBS": ARN}
    with daemon(*FAST, env=env) as running:
        assert running.stop() == 0
    assert len(running.logs("stopped")) == 1


def test_the_console_format_is_for_people(simulator: SimulatorServer) -> None:
    arguments = ("once", "--jobs", ARN, *LOCAL, "--log-format", "console")
    ended = run(*arguments, env={"AWS_ENDPOINT_URL_BRAKET": simulator.url})
    assert ended.returncode == 0
    assert "job_discovered" in ended.stderr
    assert not ended.stderr.startswith("{")
    assert "\x1b[" not in ended.stderr
