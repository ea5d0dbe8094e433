"""Commands that run in this process: output, exit statuses, and messages about bad settings."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from exporter import __version__
from exporter.app import cli, command_help, help_text
from exporter.app.arguments import read_arguments
from exporter.app.settings import SCALAR_KEYS, flag_of

ARN = "arn:aws:braket:us-west-2:123456789012:job/5d3c7bb0-6f0f-4d3c-9c55-5a2b1f1c0f01"
OTHER = "arn:aws:braket:eu-north-1:123456789012:job/5d3c7bb0-6f0f-4d3c-9c55-5a2b1f1c0f02"


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


STATUSES = {
    "run": ("SIGTERM or SIGINT", "any other error", "invalid settings"),
    "once": ("every target", "a target, or a job in jobs, did not respond", "invalid settings"),
    "jobs": ("the list is complete", "the running exporter cannot be read", "invalid settings"),
    "check-config": ("the settings are valid", "with --online, a call failed", "invalid settings"),
    "demo": ("SIGTERM or SIGINT", "any other error", "invalid settings"),
}


def flags_in(text: str) -> list[str]:
    return re.findall(r"^  (?:-h, )?(--?[a-z-]+)", text, re.MULTILINE)


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_without_a_command_names_every_command_and_flag(flag: str, terminal: Terminal) -> None:
    status, out, err = terminal(flag)
    assert (status, err) == (0, "")
    assert re.findall(
        r"^  ([a-z-]+)  +\w", out.partition("\ncommands:")[2].partition("\noptions:")[0], re.MULTILINE
    ) == [*cli.COMMANDS]
    assert sorted(flags_in(out.partition("\noptions:")[2].partition("\nsources of")[0])) == sorted(
        ["--help", "--version", "--config", *command_help.OWN_FLAGS, *map(flag_of, SCALAR_KEYS)]
    )
    assert re.findall(r"--all-jobs (\S+)", out.partition("job selection")[2])[0] == "[VALUE]"
    assert "braket-exporter COMMAND --help describes one command." in out
    assert "BRAKET_EXPORTER_CONFIG" in out
    assert "(default: 30s)" in out
    assert [
        number for number, _ in re.findall(r"^  ([012])  (\w+)", out.partition("\nexit status:\n")[2], re.MULTILINE)
    ] == [*"012"]


@pytest.mark.parametrize("command", cli.COMMANDS)
@pytest.mark.parametrize("first", ["command", "--help"])
def test_help_of_a_command_has_its_purpose_flags_exit_statuses_and_an_example(
    command: str,
    first: str,
    terminal: Terminal,
) -> None:
    status, out, err = terminal(*((command, "--help") if first == "command" else ("--help", command)))
    assert (status, err) == (0, "")
    usage, purpose, _ = out.split("\n\n", 2)
    assert usage.startswith(f"usage: braket-exporter {command} [--config FILE] ")
    assert re.match(r"[A-Z][a-z]+ ", purpose)
    assert purpose.endswith(".")
    known = command_help.COMMANDS[command]
    settings = [flag_of(key) for key in SCALAR_KEYS if key not in known.without]
    assert sorted(flags_in(out.partition("\noptions:")[2].partition("\nexit status:")[0])) == sorted(
        ["--help", "--version", "--config", *known.flags, *settings]
    )
    assert all(f"[{flag}" in usage for flag in known.flags)
    statuses = re.findall(r"^  ([012])  (.*)$", out.partition("\nexit status:\n")[2], re.MULTILINE)
    assert [number for number, _ in statuses] == [*"012"]
    for (_, text), start in zip(statuses, STATUSES[command], strict=True):
        assert text.startswith(start)
    assert len(re.findall(r"^  braket-exporter ", out.partition("\nexample:\n")[2], re.MULTILINE)) == 1
    assert max(map(len, out.splitlines())) <= help_text.WIDTH


def test_help_of_the_demo_shows_the_defaults_of_the_demo(terminal: Terminal) -> None:
    out = " ".join(terminal("demo", "--help").out.split())
    assert "watch every job of the account and Region (default: true)" in out
    assert "AWS allows 5 to all clients together (default: 20)" in out
    assert "The rate limit is raised above the quota of AWS" in out
    assert "tag_<key> of braket_job_info (default: team)" in out


def test_help_explains_the_values_of_a_choice_once(terminal: Terminal) -> None:
    out = " ".join(terminal("--help").out.split())
    for text in (
        (
            "devices to export: used (those of active jobs, and for the retention after the last one) or off (no "
            "GetDevice calls) (default: used)"
        ),
        (
            "spending limits to export: auto (those of each account and Region) or off (no SearchSpendingLimits calls) "
            "(default: auto)"
        ),
        "format of log lines: json, console, or auto (console on a terminal, otherwise json) (default: auto)",
        "minimum level of log lines; one of debug, info, warning, error (default: info)",
    ):
        assert text in out


def test_a_flag_is_valid_with_the_commands_that_list_it_in_their_help(terminal: Terminal) -> None:
    values = {"--timeout": ("1s",), "-o": ("wide",), "--status": ("x",), "--since": ("1h",), "--url": ("http://a",)}
    for command, known in command_help.COMMANDS.items():
        for flag in command_help.OWN_FLAGS:
            said = terminal(command, flag, *values.get(flag, ()), "--zzz").err
            assert (f"{flag} is valid only with" in said) == (flag not in known.flags)


def test_help_groups_each_setting_once() -> None:
    assert sorted(key for keys in help_text.GROUPS.values() for key in keys) == sorted(SCALAR_KEYS)


def test_the_examples_of_help_are_valid_command_lines(terminal: Terminal) -> None:
    found = []
    for command in (None, *cli.COMMANDS):
        text = terminal(*filter(None, (command, "--help"))).out
        lines = re.findall(r"^  braket-exporter (.*)$", re.split(r"\nexamples?:\n", text)[1], re.MULTILINE)
        found.append(len(lines))
        for line in lines:
            read = read_arguments(line.split(), cli.GRAMMAR)
            assert read.problems == ()
            assert command in (None, read.command)
    assert found == [6, 1, 1, 1, 1, 1]


HELP = "braket-exporter --help lists commands and flags."


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("serve",), "unknown command serve; commands are run, once, jobs, check-config, demo"),
        (("chek-config",), "unknown command chek-config (did you mean check-config?)"),
        (("Demo", "--jobs", "nonsense"), "unknown command Demo (did you mean demo?)"),
        (
            ("x.yaml", "--poll-interval", "soon"),
            "unknown command x.yaml (did you mean --config x.yaml?)",
        ),
        (("serve", "--help"), "unknown command serve; commands are run, once, jobs, check-config, demo"),
        (("",), 'unknown command ""; commands are run, once, jobs, check-config, demo'),
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
        (("--zzz", "--jobs", ARN), "unknown flag --zzz; --help lists the flags"),
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
        (("--config.file=x.yaml",), "unknown flag --config.file (did you mean --config?)"),
        (("--web.listen-address", ":1"), "unknown flag --web.listen-address (did you mean --listen-address?)"),
        (("--jobs", ARN, "--online=yes"), "--online does not take a value"),
        (("--jobs", ARN, "--timeout=1m"), "--timeout is valid only with once and jobs, not with check-config"),
        (("x.yaml", "--jobs", ARN), "unexpected argument x.yaml (did you mean --config x.yaml?)"),
        (("demo", "--jobs", ARN), "unexpected argument demo; the command is check-config"),
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


@pytest.mark.parametrize(
    ("arguments", "problems"),
    [
        (("check-config", "--zzz"), ["unknown flag --zzz; --help lists the flags"]),
        (("check-config", "--poll-interval"), ["--poll-interval needs a value, as in --poll-interval VALUE"]),
        (("jobs", "-o", "tabel"), ['-o = "tabel": expected table, wide or json (did you mean table?)']),
        (("run", "--since", "1h"), ["--since is valid only with jobs, not with run"]),
        (
            ("jobs", "--url", "x", "--log-level", "warn"),
            ['--url = "x": expected the URL of an exporter, such as http://localhost:9834'],
        ),
        (
            ("--zzz", "--log-level", "warn"),
            [
                "unknown flag --zzz; --help lists the flags",
                'log_level = "warn" (--log-level): expected one of debug, info, warning, error (did you mean warning?)',
            ],
        ),
    ],
)
def test_a_wrong_command_line_is_not_also_nothing_to_watch(
    arguments: tuple[str, ...], problems: list[str], terminal: Terminal
) -> None:
    assert terminal.refuses(*arguments).splitlines()[1:] == [f"  {problem}" for problem in problems]


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


@pytest.mark.parametrize(
    ("command", "wrong"),
    [
        *((command, ("--poll-interval", "soon")) for command in ("run", "check-config", "demo")),
        *((command, ("--zzz",)) for command in ("run", "check-config", "demo")),
        *((command, ()) for command in ("run", "check-config")),
    ],
)
def test_problems_of_files_are_told_beside_each_other_and_beside_other_problems(
    command: str, wrong: tuple[str, ...], terminal: Terminal, tmp_path: Path
) -> None:
    web, state = tmp_path / "web.yml", tmp_path / "none" / "state.db"
    web.write_text("tls: {}\n")
    files = ("--web-config-file", str(web), "--state-file", str(state))
    said = terminal.refuses(command, "--jobs", ARN, *files, *wrong).splitlines()
    assert said[-2:] == [
        f"  state_file: {state}: directory {state.parent} does not exist; create it or set another path",
        (
            f"  web_config_file {web}: unknown key tls; "
            "expected one of tls_server_config, http_server_config, basic_auth_users, rate_limit"
        ),
    ]
    assert len(said) == (4 if wrong else 3)


@pytest.mark.parametrize("command", ["once", "jobs"])
def test_files_that_a_command_does_not_use_are_not_checked(command: str, terminal: Terminal, tmp_path: Path) -> None:
    files = ("--web-config-file", str(tmp_path / "none.yml"), "--state-file", str(tmp_path / "none" / "state.db"))
    for wrong, problem in ((("--poll-interval", "soon"), "poll_interval"), (("--zzz",), "unknown flag")):
        said = terminal.refuses(command, "--jobs", ARN, *files, *wrong).splitlines()
        assert len(said) == 2
        assert problem in said[1]


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
        (b"\tjobs: x\n", ("line 1, column 1: YAML does not accept this tab; replace it with spaces",)),
        (b"targets:\n  - name: a\n\t  all_jobs: true\n", ("line 3, column 1: YAML does not accept this tab",)),
        (b"all_jobs:\ttrue\n", ("line 1, column 10: YAML does not accept this tab",)),
        (b"regions:\n  - us-west-2\n  -\tus-east-1\n", ("line 3, column 4: YAML does not accept this tab",)),
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
        "aggregate_tag_labels": [],
        "api_requests_per_second": 2.5,
        "device_metrics": "used",
        "device_interval": "1m",
        "spending_limits": "auto",
        "spending_limit_interval": "5m",
        "event_poll_interval": "5m",
        "listen_address": ":9834",
        "log_level": "info",
        "log_format": "auto",
        "shard": 0,
        "total_shards": 1,
    }
    assert [line for line in out.splitlines() if line.startswith("#")] == [
        "# The settings are valid. Active settings:",
        "# Predicted for 2 active jobs in 2 targets:",
        "#   API calls",
        "#     now: 12.0 calls per minute",
        "#     per additional active job: 6.0 calls per minute",
        "#     per device in use: 1.0 calls per minute",
        "#     spending limits: 0.4 calls per minute",
        "#     ceiling: 300 calls per minute",
        "#   Data age",
        "#     ceiling of an active job: 10s",
        "#   Series",
        "#     active jobs now: 60 series",
        "#     per job: 30 series",
        "#     per device: 99 series",
        "#     ceiling of all jobs: 300000 series",
    ]


def test_check_config_tells_when_the_budget_is_too_small(terminal: Terminal) -> None:
    status, out, _ = terminal("check-config", "--jobs", ARN, "--api-requests-per-second", "0.01")
    assert status == 0
    assert "#     ceiling of an active job: 100s\n" in out
    assert "#     now: 0.6 calls per minute\n" in out


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
        "# Predicted for 1 active job in 2 targets (discovered jobs are not counted; use --online):",
        "#     now: at least 5.0 calls per minute",
        "#     per additional active job: 3.0 calls per minute",
        "#     per device in use: 1.0 calls per minute",
        "#     spending limits: 0.4 calls per minute",
        "#     ceiling: 600 calls per minute (per target and operation: 150)",
        "#     ceiling of an active job: at least 20s",
        "#     active jobs now: at least 30 series",
    ):
        assert f"{line}\n" in out


def test_check_config_shows_the_event_queue_and_what_events_save(terminal: Terminal) -> None:
    queue = "https://sqs.us-west-2.amazonaws.com/123456789012/braket-events"
    given = ("--jobs", ARN, "--event-queue-url", queue, "--event-poll-interval", "10m")
    status, out, _ = terminal("check-config", *given)
    assert status == 0
    for line in (
        f"event_queue_url: {queue}",
        "#     now: 2.0 calls per minute",
        "#     per additional active job: 2.0 calls per minute",
        "#     per RUNNING job with events: 0.1 calls per minute",
        "#     event queues: at least 3 ReceiveMessage calls per minute",
        "#     ceiling of an active job: 30s",
        "#     ceiling of a RUNNING job with events: 10m",
    ):
        assert f"{line}\n" in out
    assert "events" not in terminal("check-config", "--jobs", ARN).out.replace("event_poll_interval", "")


def test_check_config_does_not_predict_for_discovered_jobs_that_it_cannot_count(terminal: Terminal) -> None:
    status, out, _ = terminal("check-config", "--all-jobs", "--regions", "us-west-2")
    assert status == 0
    assert [line for line in out.splitlines() if line.startswith("#")][1:] == [
        "# Predicted for 1 target (discovered jobs are not counted; use --online):",
        "#   API calls",
        "#     now: unknown without --online",
        "#     per additional active job: 2.0 calls per minute",
        "#     per device in use: 1.0 calls per minute",
        "#     spending limits: 0.2 calls per minute",
        "#     ceiling: 300 calls per minute (per operation: 150)",
        "#   Data age",
        "#     ceiling of an active job: unknown without --online",
        "#   Series",
        "#     active jobs now: unknown without --online",
        "#     per job: 30 series",
        "#     per device: 99 series",
        "#     ceiling of all jobs: 300000 series",
    ]


def test_check_config_warns_in_comments_and_ends_with_0(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    known = "Braket is in: us-east-1, us-west-1, us-west-2, eu-west-2, eu-north-1"
    arn = ARN.replace("us-west-2", "us-west-9")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    asked = ("--jobs", arn, "--all-jobs", "--api-requests-per-second", "100", "--poll-interval", "0.001")
    status, out, err = terminal("check-config", *asked)
    assert (status, err) == (0, "")
    assert [line for line in out.splitlines() if "arning" in line] == [
        f"# Warning: jobs: Region us-west-9 is not known to this release (did you mean us-west-2?); {known}",
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
    assert [line.partition(" ")[0] for line in out.splitlines()[:6]] == ["#"] * 5 + ["jobs:"]
    assert yaml.safe_load(out)["jobs"] == [arn]


def test_check_config_counts_the_targets_of_its_own_shard_only(terminal: Terminal) -> None:
    shares = [
        terminal("check-config", "--all-jobs", "--regions", "us-west-2,eu-north-1,us-east-1", *shard).out
        for shard in (
            ("--shard", "0", "--total-shards", "2"),
            ("--shard", "1", "--total-shards", "2"),
        )
    ]
    found = [re.search(r"Predicted for (\d) target", share) for share in shares]
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
    assert "regions: not set, and the AWS SDK does not have a Region either; set regions or AWS_DEFAULT_REGION" in said
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu_central_1")
    said = terminal.refuses("check-config", "--all-jobs")
    assert "the Region of the AWS SDK, eu_central_1, is not the name of a Region; Braket is in: us-east-1, " in said
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


def test_garbage_collection_begins_after_the_imports_of_a_daemon() -> None:
    script = """
import gc
gc.disable()
from exporter.app import cli
with cli._loading():
    from exporter.app import daemon
print(gc.isenabled(), gc.get_threshold()[0], gc.get_freeze_count() > 10_000)
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert result.stdout == "True 5000 True\n"


@pytest.mark.parametrize("library", ["boto3", "jinja2", "sqlite3", "yaml"])
def test_a_daemon_starts_without_a_library_that_it_may_not_need(library: str) -> None:
    """The memory and the time of a start, see ``docs/understand/performance.md``."""
    script = f"import exporter.app.daemon, sys; print({library!r} in sys.modules)"
    env = {name: value for name, value in os.environ.items() if not name.startswith("COV")}  # coverage has SQLite
    result = subprocess.run(
        [sys.executable, "-I", "-c", script], env=env, capture_output=True, text=True, check=True, timeout=60
    )
    assert result.stdout == "False\n"
